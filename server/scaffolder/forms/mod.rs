//! Forms of templates: from the pages of `spec.parameters` (JSON Schema draft 7 and `ui:*` keys) to fields,
//! from what a browser sends to typed values, and what is wrong with them.

mod check;
mod conditions;
mod control;
mod field;
mod parse;

use serde_json::Value;

use crate::language::{Text, text};

pub use check::{draft7, validate, validate_page};
pub use conditions::effective;
pub use control::FIELDS;
pub use field::{Choice, Control, Field, Row};
pub use parse::{Parsed, masked, parse_form, to_pairs};

/// Names and values as `application/x-www-form-urlencoded` carries them, in order.
pub type Pairs = Vec<(String, String)>;

/// A page of a template's form, for the answers given so far.
#[derive(Debug, Clone)]
pub struct Page {
    pub title: Text,
    pub description: Option<String>,
    /// Fields in the order in which they are shown, nested objects as groups.
    pub rows: Vec<Row>,
    /// Which fields there are depends on answers.
    pub conditional: bool,
}

impl Page {
    /// Reads a page of `spec.parameters`. `values` are the answers so far, an object.
    pub fn read(schema: &Value, values: &Value) -> Self {
        let shown = effective(schema, values);
        Self {
            title: match schema["title"].as_str() {
                Some(title) => title.into(),
                None => text!("Please enter the following information"),
            },
            description: schema["description"].as_str().map(str::to_owned),
            rows: field::rows(&shown),
            conditional: conditions::is_conditional(schema),
        }
    }

    /// The fields, without their groups.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.rows.iter().filter_map(|row| match row {
            Row::Field(field) => Some(&**field),
            Row::Group { .. } | Row::End => None,
        })
    }
}
