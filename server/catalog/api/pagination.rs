//! Cursors of `/entities/by-query`: base64 of JSON, opaque to clients but for one thing: the client of
//! Backstage goes on by POST where the JSON has the key `query`, and by GET where it has not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog::queries::search::{FullText, Order};
use crate::web::Error;

/// Everything that the next page needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cursor {
    /// Field and direction.
    pub order_field: Option<(String, bool)>,
    /// Value of the sort field and ref of the entity that the page begins after, or ends before.
    pub from: (Option<String>, String),
    pub is_previous: bool,
    /// Place of the first entity of all: going back ends there.
    pub first: (Option<String>, String),
    pub total_items: i64,
    pub full_text: Option<(String, Vec<String>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Value>,
}

impl Cursor {
    pub fn encode(&self) -> String {
        // Serializing plain data does not fail.
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub fn decode(text: &str) -> Result<Self, Error> {
        let malformed = || {
            Error::invalid(
                "cursor",
                "Malformed cursor, could not be parsed; begin again without it",
            )
        };
        let bytes = STANDARD.decode(text).map_err(|_| malformed())?;
        serde_json::from_slice(&bytes).map_err(|_| malformed())
    }

    pub fn order(&self) -> Vec<Order> {
        self.order_field
            .iter()
            .map(|(field, descending)| Order {
                field: Some(field.clone()),
                descending: *descending,
            })
            .collect()
    }

    pub fn full_text(&self) -> Option<FullText> {
        self.full_text.clone().map(|(term, fields)| FullText { term, fields })
    }
}
