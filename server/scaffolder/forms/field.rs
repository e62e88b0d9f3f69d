//! A field and the control it is filled in with.

use serde_json::Value;

use super::conditions::choices;

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
    pub label: String,
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

fn text(schema: &Value, key: &str) -> Option<String> {
    schema[key]
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

/// `ui:<key>`, or the same in `ui:options`.
fn ui<'s>(schema: &'s Value, key: &str) -> Option<&'s Value> {
    schema
        .get(format!("ui:{key}"))
        .or_else(|| schema.get("ui:options")?.get(key))
}

fn ui_text(schema: &Value, key: &str) -> Option<String> {
    ui(schema, key)?.as_str().map(str::to_owned)
}

fn label(name: &str, schema: &Value) -> String {
    ui_text(schema, "title")
        .or_else(|| text(schema, "title"))
        .unwrap_or_else(|| name.to_owned())
}

/// The type, the first that is not null where there are several.
fn kind(schema: &Value) -> &str {
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

fn control(schema: &Value) -> Control {
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
            choice(Value::Bool(true), Some("Yes".to_owned())),
            choice(Value::Bool(false), Some("No".to_owned())),
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

fn choice(value: Value, label: Option<String>) -> Choice {
    Choice {
        label: label.unwrap_or_else(|| shown(&value)),
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
                    choice(value.clone(), name.map(str::to_owned))
                })
                .collect(),
        );
    }
    let branches = schema.get("oneOf").or_else(|| schema.get("anyOf"))?;
    let choices = choices(branches)?;
    Some(choices.into_iter().map(|(value, label)| choice(value, label)).collect())
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
                    label: "A".to_owned()
                },
                Choice {
                    value: json!(2),
                    label: "2".to_owned()
                },
            ])
        );
    }

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
