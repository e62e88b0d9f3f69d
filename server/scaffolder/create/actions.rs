//! `/create/actions`: what the steps of a template can do, as the registry has it.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use crate::language::{Text, filters, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::actions::{AnyAction, Example};
use crate::web::{Error, Shell, SignedIn, page};

/// Objects in objects are shown as deep as this; deeper ones by their type alone.
const DEPTH: usize = 3;

#[derive(askama::Template)]
#[template(path = "scaffolder/actions.html")]
struct ActionsPage {
    shell: Shell,
    actions: Vec<Shown>,
}

struct Shown {
    id: &'static str,
    /// The id as the name of a place on the page.
    anchor: String,
    description: &'static str,
    dry_run: bool,
    tables: [Table; 2],
    examples: &'static [Example],
}

/// Input or output.
struct Table {
    title: Text,
    of: Text,
    is_input: bool,
    rows: Vec<Property>,
}

/// One key of an input or output.
#[derive(Debug, PartialEq, Eq)]
struct Property {
    /// With the keys that it stands in, `files[].from`.
    name: String,
    kind: String,
    required: bool,
    description: String,
}

pub async fn list(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(_): SignedIn,
) -> Result<Response, Error> {
    let actions = scaffolder.actions().iter().map(|action| shown(&**action)).collect();
    page(shell.locale, &ActionsPage { shell, actions })
}

fn shown(action: &dyn AnyAction) -> Shown {
    let (input, output) = action.schemas();
    Shown {
        id: action.id(),
        anchor: action.id().replace(':', "-"),
        description: action.description(),
        dry_run: action.supports_dry_run(),
        tables: [
            Table {
                title: text!("Input"),
                of: text!("Input of {action}", action = action.id()),
                is_input: true,
                rows: properties(&input),
            },
            Table {
                title: text!("Output"),
                of: text!("Output of {action}", action = action.id()),
                is_input: false,
                rows: properties(&output),
            },
        ],
        examples: action.examples(),
    }
}

/// The keys of an object's schema, those that must be there first.
fn properties(schema: &Value) -> Vec<Property> {
    let mut found = Vec::new();
    collect(schema, "", DEPTH, &mut found);
    found
}

fn collect(schema: &Value, prefix: &str, depth: usize, found: &mut Vec<Property>) {
    let required = |name: &str| {
        let names = schema["required"].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).any(|known| known == name)
    };
    let mut fields: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    fields.sort_by_key(|(name, _)| !required(name));
    for (name, field) in fields {
        let path = format!("{prefix}{name}");
        found.push(Property {
            kind: kind(field),
            required: required(name),
            description: description(field),
            name: path.clone(),
        });
        if depth > 1 {
            collect(field, &format!("{path}."), depth - 1, found);
            collect(&field["items"], &format!("{path}[]."), depth - 1, found);
        }
    }
}

/// The description on one line, with the default where there is one that says something.
fn description(field: &Value) -> String {
    let text = field["description"].as_str().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match &field["default"] {
        Value::Null | Value::Bool(false) => text,
        Value::String(default) if default.is_empty() => text,
        Value::String(default) => format!("{text} Default: {default}").trim().to_owned(),
        default => format!("{text} Default: {default}").trim().to_owned(),
    }
}

/// A type in words: `string`, `array of object`, `public or private`.
fn kind(field: &Value) -> String {
    if let Some(options) = ["enum", "anyOf", "oneOf"].iter().find_map(|key| field[*key].as_array()) {
        let mut words: Vec<String> = options
            .iter()
            .map(|option| match option {
                Value::String(text) => text.clone(),
                Value::Object(fields) if fields.contains_key("const") => plain(&option["const"]),
                Value::Object(_) => kind(option),
                other => plain(other),
            })
            .filter(|word| word != "null")
            .collect();
        words.dedup();
        return words.join(" or ");
    }
    let types: Vec<&str> = match &field["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let words: Vec<String> = types
        .into_iter()
        .filter(|word| *word != "null")
        .map(|word| match &field["items"] {
            items @ Value::Object(_) if word == "array" => format!("array of {}", kind(items)),
            _ => word.to_owned(),
        })
        .collect();
    if words.is_empty() {
        // The part of a choice that stands for nothing.
        let nothing = field["type"] == "null";
        if nothing { "null" } else { "any" }.to_owned()
    } else {
        words.join(" or ")
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_become_rows() {
        let schema = json!({"type": "object", "required": ["files"], "properties": {
            "branch": {"type": "string", "default": "main", "description": "Where\n to."},
            "visibility": {"anyOf": [{"enum": ["public", "private"]}, {"type": "null"}]},
            "files": {"type": "array", "items": {"type": "object", "required": ["to"], "properties": {"to": {"type": ["string", "null"]}}}},
            "anything": true,
        }});
        let rows: Vec<String> = properties(&schema)
            .into_iter()
            .map(|row| format!("{} {} {} {}", row.name, row.kind, row.required, row.description))
            .collect();
        assert_eq!(
            rows,
            [
                "files array of object true ",
                "files[].to string true ",
                "branch string false Where to. Default: main",
                "visibility public or private false ",
                "anything any false ",
            ]
        );
    }
}
