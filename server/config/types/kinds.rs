//! `portico.catalog`: kinds of entities that Backstage does not have.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::values::text;

/// What the catalog has beside what Backstage's has.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct PorticoCatalog {
    /// Kinds of entities beside those of Backstage.
    #[serde(default)]
    pub kinds: Vec<DeclaredKind>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredKind {
    /// As files write it.
    #[serde(deserialize_with = "text")]
    pub name: String,
    pub api_versions: Vec<String>,
    /// What pages call one of them.
    pub title: Option<Words>,
    /// What pages call several of them.
    pub plural: Option<Words>,
    pub icon: Option<String>,
    /// JSON Schema of `spec`: as it is, or the text of a file.
    #[schemars(with = "serde_json::Value")]
    pub schema: Option<serde_json::Value>,
    #[serde(default)]
    pub relations: Vec<DeclaredRelation>,
    #[serde(default)]
    pub columns: Vec<DeclaredColumn>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredRelation {
    /// Path in `spec`, dotted.
    pub field: String,
    pub forward: String,
    pub inverse: String,
    pub default_kind: Option<String>,
    /// What pages call the way there.
    pub label: Option<Words>,
    /// What pages call the way back.
    pub inverse_label: Option<Words>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct DeclaredColumn {
    pub title: Words,
    /// Path in the entity, dotted.
    pub field: String,
}

/// A text for all readers, or one for each language.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a text, or {en: …, de: …}")]
pub enum Words {
    Each {
        en: String,
        /// The English one where it is not given.
        de: Option<String>,
    },
    All(#[serde(deserialize_with = "text")] String),
}
