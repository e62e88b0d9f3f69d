//! Which control a property gets.

use serde_json::Value;

use super::conditions::choices;
use super::field::{Choice, Control, kind, ui, ui_text};
use crate::language::{Text, text};

pub(super) fn control(schema: &Value) -> Control {
    let widget = ui_text(schema, "widget").unwrap_or_default();
    if widget == "hidden" {
        return Control::Hidden;
    }
    if let Some(field) = ui_text(schema, "field")
        && let Some(control) = extension(&field, schema)
    {
        return control;
    }
    if let Some(choices) = allowed(schema) {
        return if widget == "radio" {
            Control::Radio(choices)
        } else {
            Control::Select(choices)
        };
    }
    match kind(schema) {
        "boolean" if matches!(widget.as_str(), "radio" | "select") => Control::Radio(vec![
            choice(Value::Bool(true), Some(text!("Yes"))),
            choice(Value::Bool(false), Some(text!("No"))),
        ]),
        "boolean" => Control::Switch,
        "integer" => Control::Number { integer: true },
        "number" => Control::Number { integer: false },
        "array" => {
            let items = &schema["items"];
            match allowed(items) {
                Some(choices) => Control::Checkboxes(choices),
                None if kind(items) == "string" => Control::Lines,
                None => Control::Document,
            }
        }
        "object" => Control::Document,
        "" if schema.get("properties").is_some() || schema.get("anyOf").is_some() => Control::Document,
        _ => line(&widget, schema),
    }
}

/// A text.
fn line(widget: &str, schema: &Value) -> Control {
    match widget {
        "textarea" => Control::Area {
            rows: ui(schema, "rows").and_then(Value::as_u64).unwrap_or(4).clamp(2, 40),
        },
        "password" => Control::Text("password"),
        "email" => Control::Text("email"),
        "uri" => Control::Text("url"),
        "date" | "alt-date" => Control::Text("date"),
        "time" => Control::Text("time"),
        "color" => Control::Text("color"),
        _ => match schema["format"].as_str() {
            Some("email") => Control::Text("email"),
            Some("date") => Control::Text("date"),
            Some("password") => Control::Text("password"),
            _ => Control::Text("text"),
        },
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// Fields (`ui:field`) that have a control of their own, and those of Backstage that a plain text stands for.
pub const FIELDS: [&str; 10] = [
    "EntityNamePicker",
    "EntityPicker",
    "EntityTagsPicker",
    "MultiEntityPicker",
    "MyGroupsPicker",
    "OwnedEntityPicker",
    "OwnerPicker",
    "RepoBranchPicker",
    "RepoUrlPicker",
    "Secret",
];

/// Backstage's own fields. Those that are missing here are filled in as their type says.
fn extension(field: &str, schema: &Value) -> Option<Control> {
    let option = |name: &str| schema.get("ui:options").and_then(|options| options.get(name));
    let kinds = || {
        let filter = option("catalogFilter");
        let filters: Vec<&Value> = match filter {
            Some(Value::Array(filters)) => filters.iter().collect(),
            Some(filter) => vec![filter],
            None => Vec::new(),
        };
        let mut kinds: Vec<String> = filters.iter().flat_map(|filter| texts(filter.get("kind"))).collect();
        kinds.extend(texts(option("allowedKinds")));
        kinds
    };
    Some(match field {
        "EntityPicker" | "OwnedEntityPicker" => Control::Entity { kinds: kinds() },
        "OwnerPicker" => {
            let mut kinds = kinds();
            if kinds.is_empty() {
                kinds = vec!["Group".to_owned(), "User".to_owned()];
            }
            Control::Entity { kinds }
        }
        "MyGroupsPicker" => Control::Entity {
            kinds: vec!["Group".to_owned()],
        },
        "MultiEntityPicker" | "EntityTagsPicker" => Control::Lines,
        "RepoUrlPicker" => Control::RepoUrl {
            hosts: texts(option("allowedHosts")),
            owners: texts(option("allowedOwners")),
        },
        "Secret" => Control::Secret,
        _ => return None,
    })
}

fn choice(value: Value, label: Option<Text>) -> Choice {
    Choice {
        label: label.unwrap_or_else(|| shown(&value).into()),
        value,
    }
}

/// How a value is written in a form: texts as they are, anything else as JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `enum` with its names, or `oneOf` constants.
fn allowed(schema: &Value) -> Option<Vec<Choice>> {
    if let Some(values) = schema["enum"].as_array() {
        let names = schema["enumNames"]
            .as_array()
            .or_else(|| ui(schema, "enumNames")?.as_array());
        return Some(
            values
                .iter()
                .enumerate()
                .map(|(at, value)| {
                    let name = names.and_then(|names| names.get(at)).and_then(Value::as_str);
                    choice(value.clone(), name.map(Text::from))
                })
                .collect(),
        );
    }
    let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    let choices = choices(branches)?;
    Some(
        choices
            .into_iter()
            .map(|(value, label)| choice(value, label.map(Text::from)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_property_gets_a_control() {
        let table = [
            (json!({"type": "string"}), Control::Text("text")),
            (json!({}), Control::Text("text")),
            (json!({"type": ["null", "integer"]}), Control::Number { integer: true }),
            (json!({"type": "boolean"}), Control::Switch),
            (
                json!({"type": "string", "ui:widget": "textarea"}),
                Control::Area { rows: 4 },
            ),
            (
                json!({"type": "string", "ui:options": {"widget": "password"}}),
                Control::Text("password"),
            ),
            (json!({"type": "array", "items": {"type": "string"}}), Control::Lines),
            (json!({"type": "array", "items": {"type": "object"}}), Control::Document),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                Control::Document,
            ),
            (json!({"type": "string", "ui:field": "Unheard"}), Control::Text("text")),
            (
                json!({"type": "string", "ui:field": "OwnerPicker"}),
                Control::Entity {
                    kinds: vec!["Group".to_owned(), "User".to_owned()],
                },
            ),
            (
                json!({"type": "string", "ui:field": "EntityPicker", "ui:options": {"catalogFilter": {"kind": ["System"]}}}),
                Control::Entity {
                    kinds: vec!["System".to_owned()],
                },
            ),
            (
                json!({"type": "string", "ui:field": "RepoUrlPicker", "ui:options": {"allowedHosts": ["github.com"]}}),
                Control::RepoUrl {
                    hosts: vec!["github.com".to_owned()],
                    owners: vec![],
                },
            ),
        ];
        for (schema, expected) in table {
            assert_eq!(control(&schema), expected, "{schema}");
        }
        let choices = control(&json!({"enum": ["a", 2], "enumNames": ["A"]}));
        assert_eq!(
            choices,
            Control::Select(vec![
                Choice {
                    value: json!("a"),
                    label: "A".into()
                },
                Choice {
                    value: json!(2),
                    label: "2".into()
                },
            ])
        );
    }
}
