//! The figures as a table in Markdown.

use std::fmt::Write;

use crate::Measured;

/// Seconds of processor time that Backstage takes to read 10,000 entities in.
const BACKSTAGE_LOAD: f64 = 256.0;
/// The size that Backstage was measured at.
const BACKSTAGE_SIZE: usize = 10_000;

/// One row a kind of request: processor milliseconds and the 99th percentile of the time at each size.
pub fn markdown(sizes: &[Measured]) -> String {
    let mut text = String::from("| Processor time, portal and PostgreSQL |");
    for size in sizes {
        let _ = write!(text, " {} entities | p99 |", size.entities);
    }
    text.push_str(" Backstage, 10000 | Ratio |\n|---|");
    text.push_str(&"---:|---:|".repeat(sizes.len()));
    text.push_str("---:|---:|\n");
    let kinds = sizes.iter().map(|size| size.answers.len()).max().unwrap_or(0);
    for row in 0..kinds {
        let Some(first) = sizes.first().and_then(|size| size.answers.get(row)) else {
            continue;
        };
        let _ = write!(text, "| {} |", first.name);
        for size in sizes {
            let Some(answered) = size.answers.get(row) else {
                continue;
            };
            let _ = write!(text, " {:.3} ms | {:.1} ms |", answered.cpu(), answered.p99);
        }
        let ours = at_backstage_size(sizes).and_then(|size| size.answers.get(row));
        let ours = ours.map(|answered| answered.cpu());
        text.push_str(&compared(first.backstage, ours, "ms"));
    }
    text.push_str("| all read in from files |");
    for size in sizes {
        let _ = write!(text, " {:.2} s | |", size.load.portal + size.load.postgres);
    }
    let ours = at_backstage_size(sizes).map(|size| size.load.portal + size.load.postgres);
    text.push_str(&compared(Some(BACKSTAGE_LOAD), ours, "s"));
    text.push_str("| until all can be read |");
    for size in sizes {
        let _ = write!(text, " {:.1} s | |", size.load.seconds);
    }
    text.push_str(" 254 s | |\n| memory of the portal, most so far |");
    for size in sizes {
        let most = size.memory.most.max(size.load.memory.most);
        let _ = write!(text, " {} MB, {most} MB | |", size.memory.now);
    }
    text.push_str(" 450 to 710 MB | |\n");
    text
}

fn at_backstage_size(sizes: &[Measured]) -> Option<&Measured> {
    sizes.iter().find(|size| size.entities == BACKSTAGE_SIZE)
}

/// The last two cells of a row.
fn compared(backstage: Option<f64>, ours: Option<f64>, unit: &str) -> String {
    match (backstage, ours) {
        (Some(theirs), Some(ours)) => format!(" {theirs} {unit} | {:.0} |\n", theirs / ours),
        (Some(theirs), None) => format!(" {theirs} {unit} | |\n"),
        _ => " | |\n".to_owned(),
    }
}
