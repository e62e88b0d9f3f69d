//! What was read, as it waits to be stored: a location may hold many entities, and a tree of values takes many times the
//! room of its text.

use std::borrow::Cow;

use serde_json::Value;

use super::super::EntityRef;
use super::super::kinds::Relation;

/// A document as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body(Box<str>);

impl Body {
    pub fn of(document: &Value) -> Self {
        Self(document.to_string().into())
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// Fails for what is nested deeper than JSON is read.
    pub fn value(&self) -> Result<Value, sqlx::Error> {
        serde_json::from_str(&self.0).map_err(|error| sqlx::Error::Encode(error.into()))
    }
}

/// The other end of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub kind: Cow<'static, str>,
    /// The relation goes from the entity to the other.
    pub outgoing: bool,
    /// Canonical ref.
    pub other: Box<str>,
}

impl End {
    /// Of the relations that the document of `own` makes: each of them begins or ends there.
    pub fn all(own: &EntityRef, relations: &[Relation]) -> Vec<Self> {
        let end = |relation: &Relation| {
            let outgoing = relation.source == *own;
            let other = if outgoing { &relation.target } else { &relation.source };
            Self {
                kind: relation.kind.clone(),
                outgoing,
                other: other.to_string().into(),
            }
        };
        relations.iter().map(end).collect()
    }
}
