//! What entities were before: recorded as they are written, compared when somebody looks.

mod authors;
mod diff;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::read::{Checked, Sources};
use super::{Catalog, ORPHAN, document, yaml_text};
use crate::scm::Repository;

pub use authors::{Authors, By};
pub use diff::{Diff, Part, compare};

/// Changes kept of an entity.
pub const KEPT: i32 = 50;
/// Characters of documents kept of an entity: fewer changes of a long one.
pub const KEPT_LENGTH: i64 = 4 * 1024 * 1024;
/// Nothing older is kept.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(400);

/// What happened to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is back; before its first reading nothing is known.
    Added,
    Changed,
    Removed,
}

impl Change {
    /// As the database has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Added, Self::Changed, Self::Removed]
            .into_iter()
            .find(|change| change.word() == word)
    }
}

/// A file at the commit at which it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReadAt {
    pub repository: Repository,
    pub path: String,
    pub commit: String,
    /// At which it had been read before.
    pub earlier: Option<String>,
}

/// A change as it is stored, with the documents on both sides.
#[derive(Debug, Clone)]
pub struct Event {
    pub id: i64,
    pub at: DateTime<Utc>,
    pub change: Change,
    /// JSON; `None` where it was not there.
    pub before: Option<String>,
    pub source: String,
    pub read_at: Option<ReadAt>,
    pub actor: Option<String>,
}

/// Tells of a location that is being stored at which commit its files were read, now and before.
pub struct Provenance {
    pub sources: Arc<dyn Sources>,
    pub now: Vec<Checked>,
    pub before: Vec<Checked>,
}

impl Provenance {
    /// `source`: `<type>:<target>`. `None` for what lies in no repository.
    pub fn of(&self, source: &str) -> Option<ReadAt> {
        if self.now.is_empty() {
            return None;
        }
        let target = source.strip_prefix("url:")?;
        let found = self.sources.locate(target).ok()?.source;
        // A branch's name may have slashes, so that the address does not tell it from the path: then any read of the
        // repository is as good.
        let at = |checked: &[Checked]| {
            let of_repository = || checked.iter().filter(|one| one.repository == found.repository);
            let exact = of_repository().find(|one| one.reference == found.reference);
            exact.or_else(|| of_repository().next()).map(|one| one.commit.clone())
        };
        Some(ReadAt {
            commit: at(&self.now)?,
            earlier: at(&self.before),
            repository: found.repository,
            path: found.path,
        })
    }
}

/// What a reader calls the content of a document: without relations, uid and etag, and without what the catalog notes of
/// its own reading.
pub fn content(document: Value) -> Value {
    let mut content = document::bare(document);
    if let Some(root) = content.as_object_mut() {
        root.shift_remove("status");
    }
    let annotations = content.pointer_mut("/metadata/annotations");
    if let Some(annotations) = annotations.and_then(Value::as_object_mut) {
        annotations.shift_remove(ORPHAN);
    }
    content
}

/// The content of a stored document as YAML; nothing for none.
pub fn shown(document: Option<&str>) -> String {
    let Some(document) = document else {
        return String::new();
    };
    match serde_json::from_str(document).map(content) {
        Ok(content) => yaml_text::write(&content, &yaml_text::Style::default()).unwrap_or_else(|_| content.to_string()),
        // Written by this program alone.
        Err(_) => document.to_owned(),
    }
}

impl Catalog {
    pub(super) fn authors(&self) -> &Authors {
        &self.0.authors
    }

    pub(super) fn provenance(&self, now: Vec<Checked>, before: Vec<Checked>) -> Provenance {
        Provenance {
            sources: self.0.sources.clone(),
            now,
            before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_catalog_notes_is_no_content() {
        let noted = json!({
            "kind": "Component",
            "metadata": {"name": "a", "uid": "u", "etag": "e", "annotations": {ORPHAN: "true", "x": "y"}},
            "relations": [], "status": {"items": []}, "spec": {"b": 1, "a": 2},
        });
        let content = content(noted);
        let expected = json!({
            "kind": "Component", "metadata": {"name": "a", "annotations": {"x": "y"}}, "spec": {"b": 1, "a": 2},
        });
        assert_eq!(content.to_string(), expected.to_string(), "the order of keys counts");
        assert_eq!(shown(None), "");
    }
}
