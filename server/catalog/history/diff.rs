//! The difference of two texts, by lines, with what is the same far from any change folded away.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

/// Same lines shown around a change.
const AROUND: usize = 3;
/// So few same lines between two changes are not worth folding.
const WORTH_FOLDING: usize = 4;
/// Texts that differ everywhere are compared coarsely after this.
const PATIENCE: Duration = Duration::from_millis(200);
/// Lines that changed and are shown, at most; and bytes of both texts that are compared.
const MOST_LINES: usize = 2_000;
const MOST_BYTES: usize = 2 * 1024 * 1024;

/// A line of one text or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Numbers in the earlier and in the later text, from 1.
    pub before: Option<usize>,
    pub after: Option<usize>,
    pub text: String,
}

impl Line {
    pub fn is_added(&self) -> bool {
        self.before.is_none()
    }

    pub fn is_removed(&self) -> bool {
        self.after.is_none()
    }
}

/// Lines that stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Changes and what is around them.
    Shown(Vec<Line>),
    /// The same in both.
    Folded(Vec<Line>),
}

/// How two texts differ.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    pub parts: Vec<Part>,
    pub added: usize,
    pub removed: usize,
    /// The rest is not told: the texts are too long, or differ in too many lines.
    pub cut: bool,
}

/// Compares two texts.
pub fn compare(before: &str, after: &str) -> Diff {
    if before.len() + after.len() > MOST_BYTES {
        return Diff {
            cut: true,
            ..Diff::default()
        };
    }
    let mut config = TextDiff::configure();
    config.timeout(PATIENCE);
    let compared = config.diff_lines(before, after);
    let mut diff = Diff::default();
    let mut lines: Vec<Line> = Vec::new();
    for change in compared.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => diff.added += 1,
            ChangeTag::Delete => diff.removed += 1,
            ChangeTag::Equal => {}
        }
        if diff.added + diff.removed > MOST_LINES {
            diff.cut = true;
            continue;
        }
        lines.push(Line {
            before: change.old_index().map(|index| index + 1),
            after: change.new_index().map(|index| index + 1),
            text: change.value().trim_end_matches(['\n', '\r']).to_owned(),
        });
    }
    diff.parts = folded(lines);
    diff
}

fn folded(lines: Vec<Line>) -> Vec<Part> {
    let differs = |line: &Line| line.is_added() || line.is_removed();
    // Whether each line is near a change: looked for from above and from below.
    let mut near = vec![false; lines.len()];
    for (index, _) in lines.iter().enumerate().filter(|(_, line)| differs(line)) {
        let end = (index + AROUND + 1).min(lines.len());
        near[index.saturating_sub(AROUND)..end].fill(true);
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = lines.into_iter().zip(near).peekable();
    while let Some(&(_, shown)) = rest.peek() {
        let mut run = Vec::new();
        while let Some((line, _)) = rest.next_if(|(_, near)| *near == shown) {
            run.push(line);
        }
        match (parts.last_mut(), shown || run.len() < WORTH_FOLDING) {
            (Some(Part::Shown(last)), true) => last.append(&mut run),
            (_, true) => parts.push(Part::Shown(run)),
            (_, false) => parts.push(Part::Folded(run)),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `+`, `-` and ` ` lines, and `…<n>` for n that are folded.
    fn drawn(diff: &Diff) -> String {
        let mut drawn = String::new();
        for part in &diff.parts {
            match part {
                Part::Folded(lines) => drawn.push_str(&format!("…{}\n", lines.len())),
                Part::Shown(lines) => {
                    for line in lines {
                        let sign = if line.is_added() {
                            '+'
                        } else if line.is_removed() {
                            '-'
                        } else {
                            ' '
                        };
                        drawn.push_str(&format!("{sign}{}\n", line.text));
                    }
                }
            }
        }
        drawn
    }

    fn numbers(range: std::ops::RangeInclusive<usize>) -> String {
        range.map(|number| format!("{number}\n")).collect()
    }

    #[test]
    fn what_is_the_same_is_folded() {
        let before = numbers(1..=30);
        let diff = compare(&before, &before.replace("15\n", "x\ny\n"));
        assert_eq!(drawn(&diff), "…11\n 12\n 13\n 14\n-15\n+x\n+y\n 16\n 17\n 18\n…12\n");
        assert_eq!((diff.added, diff.removed, diff.cut), (2, 1, false));
        let Part::Shown(lines) = &diff.parts[1] else {
            panic!("{diff:?}")
        };
        let at: Vec<_> = lines.iter().map(|line| (line.before, line.after)).collect();
        assert_eq!(
            at[2..6],
            [
                (Some(14), Some(14)),
                (Some(15), None),
                (None, Some(15)),
                (None, Some(16))
            ]
        );
        // A few same lines at the edge are shown rather than folded.
        let short = compare("a\nb\nc\n", "a\nb\nd\n");
        assert_eq!(drawn(&short), " a\n b\n-c\n+d\n");
        assert_eq!(compare("a\n", "a\n").added + compare("", "").removed, 0);
        assert_eq!(drawn(&compare("", "a\nb")), "+a\n+b\n");
        assert_eq!(drawn(&compare("a\r\nb\r\n", "")), "-a\n-b\n");
    }

    #[test]
    fn long_texts_are_cut() {
        let diff = compare("", &numbers(1..=5_000));
        assert!(diff.cut && diff.added == 5_000, "{} {}", diff.cut, diff.added);
        let Part::Shown(lines) = &diff.parts[0] else {
            panic!("{:?}", diff.parts)
        };
        assert_eq!(lines.len(), MOST_LINES);
        assert!(compare(&"x\n".repeat(MOST_BYTES), "").cut);
    }
}
