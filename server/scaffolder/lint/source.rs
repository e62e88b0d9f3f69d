//! A template as it is written: its values, and where each of them stands.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::finding::{Finding, Severity};
use crate::catalog::yaml_places::{Node, Place};
use crate::language::nearest;

/// A way from the document's root to a value: keys, and indexes of lists.
pub type Way = Vec<String>;

/// One step further.
pub fn below(way: &[String], step: impl ToString) -> Way {
    let mut longer = way.to_vec();
    longer.push(step.to_string());
    longer
}

/// A way that is spelled out.
pub fn way(steps: &[&str]) -> Way {
    steps.iter().map(|step| (*step).to_owned()).collect()
}

/// A template's document, and what is found in it.
pub struct Source<'t> {
    pub file: PathBuf,
    pub value: &'t Value,
    pub places: Option<Node<'t>>,
    /// First line of the document.
    pub line: usize,
    pub findings: Vec<Finding>,
}

impl Source<'_> {
    /// The value at a way; null where there is none.
    pub fn at(&self, way: &[String]) -> &Value {
        at(self.value, way)
    }

    fn place(&self, place: impl FnOnce(&Node<'_>) -> Place) -> Place {
        self.places.as_ref().map_or(
            Place {
                line: self.line,
                column: 1,
            },
            place,
        )
    }

    fn find(&mut self, severity: Severity, place: Place, message: String, help: Option<String>) {
        let file = self.file.clone();
        self.findings.push(Finding {
            severity,
            file,
            line: Some(place.line),
            column: Some(place.column),
            message,
            help,
        });
    }

    /// Something about a key, or an item of a list.
    pub fn tell_key(&mut self, severity: Severity, way: &[String], message: impl Into<String>, help: Option<String>) {
        let place = self.place(|node| node.key(way));
        self.find(severity, place, message.into(), help);
    }

    /// Something about the value of a key.
    pub fn tell_value(&mut self, severity: Severity, way: &[String], message: impl Into<String>, help: Option<String>) {
        let place = self.place(|node| node.find(way).map_or_else(|| node.key(way), Node::at));
        self.find(severity, place, message.into(), help);
    }

    /// Something about a letter of a text, counted from 0 in characters.
    pub fn tell_letter(
        &mut self,
        severity: Severity,
        (way, offset): (&[String], usize),
        message: impl Into<String>,
        help: Option<String>,
    ) {
        let text = self.at(way).as_str().unwrap_or_default();
        let place = self.place(|node| {
            node.find(way)
                .map_or_else(|| node.key(way), |node| node.letter(text, offset))
        });
        self.find(severity, place, message.into(), help);
    }

    /// The template's folder.
    pub fn folder(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }

    /// There is an error among what was found.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// The value at a way; null where there is none.
pub fn at<'v>(value: &'v Value, way: &[String]) -> &'v Value {
    const NOTHING: &Value = &Value::Null;
    way.iter()
        .try_fold(value, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            value => value.get(step),
        })
        .unwrap_or(NOTHING)
}

/// Every text in a value, with its way.
pub fn texts(value: &Value, way: &[String], found: &mut Vec<(Way, String)>) {
    match value {
        Value::String(text) => found.push((way.to_vec(), text.clone())),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                texts(item, &below(way, index), found);
            }
        }
        Value::Object(members) => {
            for (key, member) in members {
                texts(member, &below(way, key), found);
            }
        }
        _ => {}
    }
}

/// The help that names the nearest known name, else all of a few.
pub fn help<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    /// More names are no help.
    const FEW: usize = 12;
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(nearest) => Some(format!("did you mean \"{nearest}\"?")),
        None if (1..=FEW).contains(&known.len()) => Some(format!("known here: {}", known.join(", "))),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_the_nearest_or_a_few() {
        let known = ["name", "owner", "replicas"];
        for (name, expected) in [
            ("nmae", Some("did you mean \"name\"?")),
            ("Owner", Some("did you mean \"owner\"?")),
            ("zzz", Some("known here: name, owner, replicas")),
        ] {
            assert_eq!(help(name, known).as_deref(), expected);
        }
        assert_eq!(help("zzz", []), None);
    }
}
