//! Fields as the template of the form shows them.

use std::collections::HashMap;

use serde_json::Value;

use crate::language::{Text, text};
use crate::scaffolder::forms::{Control, Field, Page, Row};
use crate::web::FieldError;

/// A line of the form.
pub enum Line {
    Group { title: String, description: String },
    Field(Box<FieldView>),
    End,
}

/// A field, ready to be written.
#[derive(Default)]
pub struct FieldView {
    pub name: String,
    /// Unique on the page.
    pub id: String,
    pub label: String,
    pub help: Text,
    /// The help is Markdown.
    pub markdown: bool,
    pub placeholder: String,
    pub required: bool,
    pub autofocus: bool,
    pub readonly: bool,
    pub error: Text,
    /// `input`, `area`, `select`, `radio`, `checkboxes`, `switch`, `entity`, `repository`, `hidden`.
    pub kind: &'static str,
    pub input_type: &'static str,
    pub value: String,
    pub rows: u64,
    pub minimum: String,
    pub maximum: String,
    pub step: &'static str,
    pub max_length: String,
    pub mono: bool,
    /// What is wrong is told while typing.
    pub checked: bool,
    /// The fields of the page depend on this answer.
    pub steers: bool,
    pub choices: Vec<ChoiceView>,
    /// Values that are offered, and others allowed.
    pub offered: Vec<String>,
    pub owners: Vec<String>,
    pub owner: String,
    pub repo: String,
}

pub struct ChoiceView {
    pub value: String,
    pub label: Text,
    pub chosen: bool,
}

/// What was sent, by name.
pub type Sent<'p> = HashMap<&'p str, Vec<&'p str>>;

/// Groups what was sent by its name.
pub fn sent(pairs: &[(String, String)]) -> Sent<'_> {
    let mut sent = Sent::new();
    for (name, value) in pairs {
        sent.entry(name).or_default().push(value);
    }
    sent
}

/// The id of a field's element.
pub fn element_id(path: &str) -> String {
    let safe: String = path
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    format!("f-{safe}")
}

/// The lines of a page, with what was sent, else the defaults. `entities` are the refs offered for a list of kinds.
pub fn lines(
    page: &Page,
    sent: &Sent<'_>,
    problems: &[FieldError],
    entities: &HashMap<Vec<String>, Vec<String>>,
) -> Vec<Line> {
    page.rows
        .iter()
        .filter_map(|row| match row {
            Row::Group { title, description } => Some(Line::Group {
                title: title.clone(),
                description: description.clone().unwrap_or_default(),
            }),
            // Asked on the review page, so that no page has to carry it along.
            Row::Field(field) if field.control == Control::Secret => None,
            Row::Field(field) => Some(Line::Field(Box::new(view(field, page, sent, problems, entities)))),
            Row::End => Some(Line::End),
        })
        .collect()
}

/// How a value is written in a field.
fn written(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(elements) if elements.iter().all(Value::is_string) => {
            elements.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
        }
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// What the author says of the field, and how it is filled in.
fn help(field: &Field) -> Text {
    let how = match field.control {
        Control::Lines => Some(text!("One a line.")),
        Control::Document => Some(text!("As YAML or JSON.")),
        _ => None,
    };
    let authors = [&field.description, &field.help].into_iter().flatten();
    Text::Joined {
        parts: authors.map(|text| text.as_str().into()).chain(how).collect(),
        separator: " ",
    }
}

pub fn view(
    field: &Field,
    page: &Page,
    sent: &Sent<'_>,
    problems: &[FieldError],
    entities: &HashMap<Vec<String>, Vec<String>>,
) -> FieldView {
    let error = problems.iter().find(|problem| problem.field == field.path);
    let texts = sent.get(field.path.as_str());
    let value = match texts {
        Some(texts) => texts.last().map_or_else(String::new, |text| (*text).to_owned()),
        None => field.default.as_ref().map(written).unwrap_or_default(),
    };
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    let mut view = FieldView {
        name: field.path.clone(),
        id: element_id(&field.path),
        label: field.label.clone(),
        help: help(field),
        markdown: field.markdown,
        placeholder: field.placeholder.clone().unwrap_or_default(),
        required: field.required,
        autofocus: field.autofocus,
        readonly: field.readonly,
        error: error.map(|error| error.message.clone()).unwrap_or_default(),
        kind: "input",
        input_type: "text",
        minimum: number(field.minimum),
        maximum: number(field.maximum),
        max_length: field.max_length.map_or_else(String::new, |length| length.to_string()),
        step: "any",
        ..FieldView::default()
    };
    let is_chosen = |choice: &Value, text: &str| match texts {
        Some(texts) => texts.contains(&text),
        None => match &field.default {
            Some(Value::Array(chosen)) => chosen.contains(choice),
            Some(chosen) => chosen == choice,
            None => false,
        },
    };
    match &field.control {
        Control::Text(kind) => {
            view.input_type = kind;
            view.checked = matches!(*kind, "text" | "email" | "url");
        }
        Control::Number { integer } => {
            view.input_type = "number";
            view.step = if *integer { "1" } else { "any" };
            view.checked = true;
        }
        Control::Area { rows } => (view.kind, view.rows) = ("area", *rows),
        Control::Lines => {
            (view.kind, view.rows) = ("area", 4);
        }
        Control::Document => {
            (view.kind, view.rows, view.mono) = ("area", 6, true);
        }
        Control::Switch => {
            view.kind = "switch";
            view.steers = page.conditional;
        }
        Control::Select(choices) | Control::Radio(choices) | Control::Checkboxes(choices) => {
            view.kind = match &field.control {
                Control::Select(_) => "select",
                Control::Radio(_) => "radio",
                _ => "checkboxes",
            };
            view.steers = page.conditional;
            view.choices = choices
                .iter()
                .map(|choice| {
                    let value = written(&choice.value);
                    ChoiceView {
                        chosen: is_chosen(&choice.value, &value),
                        label: choice.label.clone(),
                        value,
                    }
                })
                .collect();
        }
        Control::Entity { kinds } => {
            view.kind = "entity";
            view.offered = entities.get(kinds).cloned().unwrap_or_default();
        }
        Control::RepoUrl { hosts, owners } => {
            view.kind = "repository";
            let (host, owner, repo) = repository(&value);
            let part = |name: &str, default: String| {
                let key = format!("{}.{name}", field.path);
                sent.get(key.as_str())
                    .and_then(|texts| texts.last())
                    .map_or(default, |text| (*text).to_owned())
            };
            view.offered = hosts.clone();
            view.owners = owners.clone();
            view.owner = part("owner", owner);
            view.repo = part("repo", repo);
            let first = if host.is_empty() && hosts.len() == 1 {
                hosts[0].clone()
            } else {
                host
            };
            view.value = part("host", first);
            return view;
        }
        Control::Hidden => view.kind = "hidden",
        Control::Secret => view.input_type = "password",
    }
    view.value = value;
    view
}

/// Host, owner and name of `host?owner=…&repo=…`.
fn repository(url: &str) -> (String, String, String) {
    let (host, query) = url.split_once('?').unwrap_or((url, ""));
    let part = |name: &str| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    (host.to_owned(), part("owner"), part("repo"))
}

/// The summary above a form: each problem leads to its field, where the page has it.
pub fn summary(page: Option<&Page>, problems: &[FieldError]) -> Vec<(String, Text)> {
    problems
        .iter()
        .map(|problem| {
            let field = page.and_then(|page| page.fields().find(|field| field.path == problem.field));
            match field {
                Some(field) => (
                    format!("#{}", element_id(&problem.field)),
                    Text::about(field.label.as_str(), problem.message.clone()),
                ),
                None if problem.field.is_empty() => (String::new(), problem.message.clone()),
                None => (
                    String::new(),
                    Text::about(problem.field.as_str(), problem.message.clone()),
                ),
            }
        })
        .collect()
}

/// An answer on the review page.
pub struct Answer {
    pub label: String,
    pub value: Text,
}

/// The answers of a page, in order; passwords and secrets are masked, hidden and unwanted ones left out.
pub fn answers(page: &Page, values: &Value) -> Vec<Answer> {
    page.fields()
        .filter(|field| !field.unreviewed && !matches!(field.control, Control::Hidden | Control::Secret))
        .map(|field| {
            let value = field.path.split('.').try_fold(values, |place, part| place.get(part));
            let chosen = match (&field.control, value) {
                (Control::Select(choices) | Control::Radio(choices), Some(value)) => choices
                    .iter()
                    .find(|choice| choice.value == *value)
                    .map(|choice| choice.label.clone()),
                (Control::Switch, value) => Some(if value == Some(&Value::Bool(true)) {
                    text!("Yes")
                } else {
                    text!("No")
                }),
                _ => None,
            };
            Answer {
                label: field.label.clone(),
                value: match value {
                    Some(_) if field.is_masked() => "******".into(),
                    _ => chosen
                        .or_else(|| value.map(|value| written(value).into()))
                        .unwrap_or_default(),
                },
            }
        })
        .collect()
}
