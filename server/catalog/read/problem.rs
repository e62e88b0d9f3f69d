//! What is wrong with a source, told with its place.

use serde::{Deserialize, Serialize};

use super::super::envelope::FieldFault;
use super::super::yaml;

/// Something that is wrong with a source, told to the people who own it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// URL or path of the file that needs a change.
    pub source: String,
    /// Counted from 1, in that file.
    pub line: Option<usize>,
    pub column: Option<usize>,
    /// Canonical ref, where the document names one.
    pub entity: Option<String>,
    pub message: String,
    /// The lines around, numbered; empty where there are none.
    #[serde(default)]
    pub excerpt: String,
    /// The next read may succeed without anybody changing anything.
    #[serde(default)]
    pub temporary: bool,
}

impl Problem {
    /// Something wrong with a whole source.
    pub fn of_source(source: &str, message: String) -> Self {
        Self {
            source: source.to_owned(),
            line: None,
            column: None,
            entity: None,
            message,
            excerpt: String::new(),
            temporary: false,
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.source)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        if let Some(entity) = &self.entity {
            write!(f, " ({entity})")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.excerpt.is_empty() {
            write!(f, "\n{}", self.excerpt.trim_end())?;
        }
        Ok(())
    }
}

/// Where a document stands.
pub struct Place<'a> {
    pub kind: &'a str,
    pub target: &'a str,
    /// The whole file.
    pub text: &'a str,
    pub document: &'a str,
    /// Line of the file on which the document begins.
    pub line: usize,
    pub entity: Option<String>,
}

impl Place<'_> {
    /// Something wrong with a field of the document.
    pub fn problem(&self, fault: FieldFault) -> Problem {
        let path: Vec<&str> = fault.path.iter().map(String::as_str).collect();
        let (line, column) = yaml::find(self.document, &path).unwrap_or_else(|| {
            let first = self
                .document
                .lines()
                .position(|line| !line.trim().is_empty() && !line.starts_with('#') && !line.starts_with("---"));
            (first.unwrap_or(0) + 1, 1)
        });
        let line = self.line + line - 1;
        Problem {
            source: self.target.to_owned(),
            line: Some(line),
            column: Some(column),
            entity: self.entity.clone(),
            message: fault.message,
            excerpt: yaml::excerpt(self.text, line),
            temporary: false,
        }
    }
}
