//! The table of figures, in Markdown.

use std::fmt;

use super::median;

const KIB: f64 = 1024.0;

/// What a visit loads.
pub struct Weight {
    /// Over the wire.
    pub bytes: u64,
    pub requests: usize,
    /// Not among the requests: they do not end.
    pub streams: u64,
}

/// Rows: what, the incumbent's figure, ours, the limit.
#[derive(Default)]
pub struct Table(Vec<[String; 4]>);

impl Table {
    fn row(&mut self, what: &str, incumbent: &str, ours: String, limit: String, kept: bool) {
        let ours = if kept { ours } else { format!("**{ours}**") };
        let incumbent = if incumbent.is_empty() { "–" } else { incumbent };
        self.0.push([what.to_owned(), incumbent.to_owned(), ours, limit]);
    }

    /// The median of some milliseconds.
    pub fn time(&mut self, what: &str, incumbent: &str, milliseconds: &[f64], limit: f64) {
        let middle = median(milliseconds);
        let ours = format!("{middle:.0} ms");
        self.row(what, incumbent, ours, format!("< {limit:.0} ms"), middle < limit);
    }

    /// So many a second, at least `limit`.
    pub fn rate(&mut self, what: &str, incumbent: &str, rate: f64, limit: f64) {
        let limit_text = format!("> {limit:.0} /s");
        self.row(what, incumbent, format!("{rate:.1} /s"), limit_text, rate > limit);
    }

    /// So many, at most `limit`.
    pub fn count(&mut self, what: &str, count: usize, limit: usize) {
        self.row(what, "", count.to_string(), limit.to_string(), count <= limit);
    }

    /// What a visit loads: at most `limit` KiB, in at most `most` requests.
    pub fn weight(&mut self, what: &str, incumbent: &str, weight: Weight, limit: u64, most: usize) {
        let Weight {
            bytes,
            requests,
            streams,
        } = weight;
        #[expect(clippy::cast_precision_loss, reason = "a page is small")]
        let kib = bytes as f64 / KIB;
        let ours = format!("{kib:.1} KiB in {requests} requests, {streams} live streams");
        let limit_text = if most == usize::MAX {
            format!("≤ {limit} KiB")
        } else {
            format!("≤ {limit} KiB in ≤ {most}")
        };
        self.row(
            what,
            incumbent,
            ours,
            limit_text,
            bytes <= limit * 1024 && requests <= most,
        );
    }

    /// Mebibytes of memory.
    pub fn memory(&mut self, what: &str, kibibytes: u64, limit: f64) {
        #[expect(clippy::cast_precision_loss, reason = "less than a machine has")]
        let mib = kibibytes as f64 / KIB;
        self.row(
            what,
            "",
            format!("{mib:.0} MB"),
            format!("< {limit:.0} MB"),
            mib < limit,
        );
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | Incumbent | Portico | Limit |\n|---|---|---|---|")?;
        self.0.iter().try_for_each(|row| writeln!(f, "| {} |", row.join(" | ")))
    }
}
