//! What the command line tells of files, as a compiler does: what, where, the line with a mark below the place.

use std::fmt;
use std::path::Path;

/// One thing that is told.
#[derive(Debug)]
pub struct Told<'a> {
    /// `error`, `warning`, `note`.
    pub kind: &'a str,
    pub message: &'a str,
    pub file: &'a Path,
    /// Counted from 1; `None` where nothing in the file can be pointed at.
    pub line: Option<usize>,
    /// In characters, counted from 1.
    pub column: Option<usize>,
    /// What stands below the mark, a line each.
    pub notes: Vec<String>,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.kind, self.message)?;
        let source = relative(self.file);
        let width = match self.line {
            None => {
                writeln!(f, "  --> {source}")?;
                1
            }
            Some(line) => {
                let column = self.column.unwrap_or(1);
                writeln!(f, "  --> {source}:{line}:{column}")?;
                let width = line.to_string().len();
                self.line_with_mark(line, column, f)?;
                width
            }
        };
        for note in &self.notes {
            writeln!(f, "{} = {note}", " ".repeat(width))?;
        }
        writeln!(f)
    }
}

impl Told<'_> {
    fn line_with_mark(&self, line: usize, column: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::fs::read_to_string(self.file).unwrap_or_default();
        let Some(content) = line.checked_sub(1).and_then(|before| text.lines().nth(before)) else {
            return Ok(());
        };
        let blank = " ".repeat(line.to_string().len());
        // As many tabs as stand in front of the place, so that the mark is below it.
        let indent: String = content
            .chars()
            .take(column.saturating_sub(1))
            .map(|letter| if letter == '\t' { '\t' } else { ' ' })
            .collect();
        writeln!(f, "{blank} |\n{line} | {content}\n{blank} | {indent}^")
    }
}

/// A path as seen from the current folder, where it lies in it.
pub fn relative(source: &Path) -> String {
    let here = std::env::current_dir().and_then(|folder| folder.canonicalize());
    let relative = here
        .ok()
        .and_then(|here| source.strip_prefix(here).ok().map(Path::to_path_buf));
    relative.unwrap_or_else(|| source.to_path_buf()).display().to_string()
}

/// `1 file`, `2 files`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    }
}
