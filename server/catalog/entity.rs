//! An entity as the catalog gives it out, and its ref.

use std::fmt;

use serde_json::Value;

/// `[<kind>:][<namespace>/]<name>`, complete and in lower case: the identity of an entity
/// (`@backstage/catalog-model` 1.10.1; names are case-insensitive as identities).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityRef {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// The text is not an entity ref.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an entity ref: {reason}")]
pub struct EntityRefError {
    pub text: String,
    pub reason: &'static str,
}

impl EntityRef {
    /// Builds a ref of its three parts, in lower case.
    pub fn new(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_lowercase(),
            namespace: namespace.to_lowercase(),
            name: name.to_lowercase(),
        }
    }

    /// Reads a ref as `parseEntityRef` of `@backstage/catalog-model` does: a slash before the first
    /// colon makes the colon part of the name; empty parts are errors. `kind` and `namespace` fill in
    /// what the text leaves out; a missing kind without a default is an error.
    pub fn parse(text: &str, kind: Option<&str>, namespace: Option<&str>) -> Result<Self, EntityRefError> {
        let fail = |reason| EntityRefError {
            text: text.to_owned(),
            reason,
        };
        let colon = text.find(':');
        let slash = text.find('/');
        let (kind, rest) = match colon {
            Some(colon) if slash.is_none_or(|slash| colon < slash) => (&text[..colon], &text[colon + 1..]),
            _ => (kind.ok_or_else(|| fail("it names no kind"))?, text),
        };
        let (namespace, name) = match rest.find('/') {
            Some(slash) => (&rest[..slash], &rest[slash + 1..]),
            None => (namespace.unwrap_or("default"), rest),
        };
        if kind.is_empty() || namespace.is_empty() || name.is_empty() {
            return Err(fail("a part of it is empty"));
        }
        Ok(Self::new(kind, namespace, name))
    }

    /// Path of the entity's page: `/catalog/<namespace>/<kind>/<name>`.
    pub fn path(&self) -> String {
        use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
        const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');
        let part = |text| utf8_percent_encode(text, KEPT);
        format!(
            "/catalog/{}/{}/{}",
            part(&self.namespace),
            part(&self.kind),
            part(&self.name)
        )
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.kind, self.namespace, self.name)
    }
}

/// A stored entity: the document that the API answers, with relations, uid and etag in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entity {
    pub body: Value,
}

impl Entity {
    fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer)?.as_str()
    }

    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace").unwrap_or("default")
    }

    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }

    /// `metadata.title`, else the name.
    pub fn title(&self) -> &str {
        self.text("/metadata/title").unwrap_or_else(|| self.name())
    }

    pub fn description(&self) -> Option<&str> {
        self.text("/metadata/description")
    }

    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.body.get("metadata")?.get("annotations")?.get(key)?.as_str()
    }

    /// A text of the spec, by its key.
    pub fn spec(&self, key: &str) -> Option<&str> {
        self.body.get("spec")?.get(key)?.as_str()
    }

    pub fn entity_ref(&self) -> EntityRef {
        EntityRef::new(self.kind(), self.namespace(), self.name())
    }

    /// Targets of the relations of one type (`ownedBy`, `partOf`, …), in stored order.
    pub fn relations(&self, kind: &str) -> impl Iterator<Item = &str> {
        self.body
            .get("relations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(move |relation| relation.get("type").and_then(Value::as_str) == Some(kind))
            .filter_map(|relation| relation.get("targetRef").and_then(Value::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_read_as_the_field_reads_them() {
        let table = [
            ("component:default/demo", Some("component:default/demo")),
            ("Component:Demo", Some("component:default/demo")),
            ("demo", Some("group:default/demo")),
            ("ns/demo", Some("group:ns/demo")),
            ("user:a/b:c", Some("user:a/b:c")),
            ("a/b:c", Some("group:a/b:c")),
            ("a:b:c", Some("a:default/b:c")),
            ("", None),
            (":demo", None),
            ("a:/demo", None),
            ("a:b/", None),
        ];
        for (text, expected) in table {
            let read = EntityRef::parse(text, Some("Group"), None).ok().map(|r| r.to_string());
            assert_eq!(read.as_deref(), expected, "{text}");
        }
        assert!(EntityRef::parse("demo", None, None).is_err());
    }
}
