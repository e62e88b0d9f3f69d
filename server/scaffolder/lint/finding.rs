//! What is found in a template, and where.

use std::fmt;
use std::path::PathBuf;

use crate::catalog::{Told, told_count};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The template, or a run of it, fails, or does something else than it says.
    Error,
    /// It works, or may work, and is probably not meant.
    Warning,
}

/// Something that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub severity: Severity,
    /// The template's file, or one of its skeleton.
    pub file: PathBuf,
    /// Counted from 1; `None` where nothing in the file can be pointed at.
    pub line: Option<usize>,
    /// In characters, counted from 1.
    pub column: Option<usize>,
    /// A sentence without its full stop.
    pub message: String,
    /// What to do, where it can be told.
    pub help: Option<String>,
}

/// What was found in some templates.
#[derive(Debug, Default)]
pub struct Report {
    /// How many templates were looked at.
    pub templates: usize,
    /// In the order of files and lines.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Adds what was found in `templates` templates; what is known already, from another use of the same file, is left out.
    pub(super) fn add(&mut self, templates: usize, findings: Vec<Finding>) {
        self.templates += templates;
        for finding in findings {
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
    }

    pub(super) fn sort(&mut self) {
        self.findings
            .sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    }

    /// Warnings become errors.
    pub fn be_strict(&mut self) {
        for finding in &mut self.findings {
            finding.severity = Severity::Error;
        }
    }

    /// How many findings are as grave.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let told = Told {
                kind: match finding.severity {
                    Severity::Error => "error",
                    Severity::Warning => "warning",
                },
                message: &finding.message,
                file: &finding.file,
                line: finding.line,
                column: finding.column,
                notes: finding.help.iter().map(|help| format!("help: {help}")).collect(),
            };
            write!(f, "{told}")?;
        }
        let counts = [
            (Severity::Error, "error", "errors"),
            (Severity::Warning, "warning", "warnings"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .map(|(severity, one, many)| (self.count(severity), one, many))
            .filter(|(number, ..)| *number > 0)
            .map(|(number, one, many)| told_count(number, one, many))
            .collect();
        let result = match counts.is_empty() {
            true => "nothing is wrong".to_owned(),
            false => counts.join(", "),
        };
        writeln!(f, "{}: {result}", told_count(self.templates, "template", "templates"))
    }
}
