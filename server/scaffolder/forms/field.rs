//! A field and the control it is filled in with.

use serde_json::Value;

use super::control::control;
use crate::language::Text;

/// A line of a page.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The fields up to [`Row::End`] belong together.
    Group {
        title: String,
        description: Option<String>,
    },
    Field(Box<Field>),
    End,
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Dotted path of the answer: the `name` in the form.
    pub path: String,
    pub label: String,
    pub description: Option<String>,
    /// The description is Markdown: `ui:enableMarkdownInDescription`.
    pub markdown: bool,
    /// `ui:help`.
    pub help: Option<String>,
    pub placeholder: Option<String>,
    pub required: bool,
    pub autofocus: bool,
    pub readonly: bool,
    pub default: Option<Value>,
    pub control: Control,
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
    pub max_length: Option<u64>,
    /// Not shown on the review page.
    pub unreviewed: bool,
}

/// An allowed answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub value: Value,
    pub label: Text,
}

/// How a field is filled in, and what type its answer has.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// One line; the type of the HTML input.
    Text(&'static str),
    Area {
        rows: u64,
    },
    Number {
        integer: bool,
    },
    Switch,
    Select(Vec<Choice>),
    Radio(Vec<Choice>),
    /// Several of these: an array.
    Checkboxes(Vec<Choice>),
    /// An array of texts, one a line.
    Lines,
    /// An entity ref, of these kinds.
    Entity {
        kinds: Vec<String>,
    },
    /// `host?owner=…&repo=…`; the hosts and owners that may be chosen, any where there are none.
    RepoUrl {
        hosts: Vec<String>,
        owners: Vec<String>,
    },
    /// Goes into the task's secrets, not into its parameters.
    Secret,
    Hidden,
    /// Whatever has no control of its own, as YAML.
    Document,
}

impl Field {
    /// The answer must not be shown.
    pub fn is_masked(&self) -> bool {
        matches!(self.control, Control::Secret | Control::Text("password"))
    }
}

/// Deepest nesting of objects that get fields of their own; what is below is one document.
const DEPTH: usize = 6;

/// The rows of a page whose conditions are resolved.
pub(super) fn rows(schema: &Value) -> Vec<Row> {
    let mut rows = Vec::new();
    collect(schema, "", DEPTH, &mut rows);
    rows
}

fn collect(schema: &Value, prefix: &str, depth: usize, rows: &mut Vec<Row>) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    for name in order(schema, properties.keys().map(String::as_str).collect()) {
        let property = &properties[name];
        let path = if prefix.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        };
        // A dot in a name would read as nesting.
        let nests = kind(property) == "object" && ui(property, "field").is_none() && !name.contains('.');
        if nests
            && depth > 0
            && property["properties"]
                .as_object()
                .is_some_and(|inner| !inner.is_empty())
        {
            rows.push(Row::Group {
                title: label(name, property),
                description: text(property, "description"),
            });
            collect(property, &path, depth - 1, rows);
            rows.push(Row::End);
            continue;
        }
        let is_required = required.contains(&name) || property["required"] == true;
        rows.push(Row::Field(Box::new(read(name, path, property, is_required))));
    }
}

/// `ui:order`, with `*` for the rest.
fn order<'s>(schema: &'s Value, names: Vec<&'s str>) -> Vec<&'s str> {
    let Some(order) = schema["ui:order"].as_array() else {
        return names;
    };
    let listed: Vec<&str> = order.iter().filter_map(Value::as_str).collect();
    let rest: Vec<&str> = names.iter().copied().filter(|name| !listed.contains(name)).collect();
    let mut ordered = Vec::new();
    for name in &listed {
        match *name {
            "*" => ordered.extend(&rest),
            name if names.contains(&name) => ordered.push(name),
            _ => {}
        }
    }
    if !listed.contains(&"*") {
        ordered.extend(rest);
    }
    ordered
}

pub(super) fn text(schema: &Value, key: &str) -> Option<String> {
    schema[key]
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// `ui:<key>`, or the same in `ui:options`.
pub(super) fn ui<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    schema
        .get(format!("ui:{key}"))
        .or_else(|| schema.get("ui:options")?.get(key))
}

pub(super) fn ui_text(schema: &Value, key: &str) -> Option<String> {
    ui(schema, key)?.as_str().map(str::to_owned)
}

fn label(name: &str, schema: &Value) -> String {
    ui_text(schema, "title")
        .or_else(|| text(schema, "title"))
        .unwrap_or_else(|| name.to_owned())
}

/// The type, the first that is not null where there are several.
pub(super) fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or_default(),
        _ if schema.get("properties").is_some() => "object",
        _ => "",
    }
}

fn read(name: &str, path: String, schema: &Value, required: bool) -> Field {
    Field {
        path,
        label: label(name, schema),
        description: ui_text(schema, "description").or_else(|| text(schema, "description")),
        markdown: ui(schema, "enableMarkdownInDescription") == Some(&Value::Bool(true)),
        help: ui_text(schema, "help"),
        placeholder: ui_text(schema, "placeholder"),
        required,
        autofocus: ui(schema, "autofocus") == Some(&Value::Bool(true)),
        readonly: [ui(schema, "readonly"), ui(schema, "disabled"), schema.get("readOnly")]
            .into_iter()
            .flatten()
            .any(|flag| flag == true),
        default: schema.get("default").or_else(|| schema.get("const")).cloned(),
        control: control(schema),
        minimum: schema["minimum"].as_f64(),
        maximum: schema["maximum"].as_f64(),
        max_length: schema["maxLength"].as_u64(),
        unreviewed: schema.pointer("/ui:backstage/review/show") == Some(&Value::Bool(false)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_become_groups_and_order_is_kept() {
        let schema = json!({
            "ui:order": ["last", "*", "first"],
            "required": ["first"],
            "properties": {
                "first": {"type": "string"},
                "nested": {"type": "object", "title": "Nested", "required": ["x"], "properties": {"x": {"type": "string"}}},
                "last": {"type": "string"},
            },
        });
        let shape: Vec<String> = rows(&schema)
            .into_iter()
            .map(|row| match row {
                Row::Group { title, .. } => format!("[{title}"),
                Row::Field(field) => format!("{}{}", field.path, if field.required { "!" } else { "" }),
                Row::End => "]".to_owned(),
            })
            .collect();
        assert_eq!(shape, ["last", "[Nested", "nested.x!", "]", "first!"]);
    }
}
