//! Between what a browser sends and typed values.

use serde_json::{Map, Value, json};

use super::control::shown;
use super::{Choice, Control, Field, Page, Pairs};
use crate::language::{Text, text};
use crate::web::FieldError;

/// Answers of one or more pages.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// An object, nested as the schema is. What was left empty is missing.
    pub values: Value,
    /// Values of `ui:field: Secret` by field name; they are not in `values`.
    pub secrets: Map<String, Value>,
    /// What could not be read as what it should be; the text stays in `values`.
    pub problems: Vec<FieldError>,
}

/// Reads the answers of all `pages` (schemas of `spec.parameters`) from what was sent. A field that was not
/// sent at all, as opposed to empty, has its default. Which fields there are may depend on answers, so that
/// conditions are followed until nothing changes.
pub fn parse_form(pairs: &[(String, String)], pages: &[Value]) -> Parsed {
    let mut parsed = Parsed {
        values: json!({}),
        ..Parsed::default()
    };
    for _ in 0..8 {
        let next = parse_with(pairs, pages, &parsed.values);
        let settled = next.values == parsed.values;
        parsed = next;
        if settled {
            break;
        }
    }
    parsed
}

/// What stands for a secret among the answers: as many asterisks as it has letters, as in Backstage's form, so that limits
/// of its length hold.
pub fn masked(secret: &str) -> Value {
    "*".repeat(secret.chars().count()).into()
}

fn parse_with(pairs: &[(String, String)], pages: &[Value], known: &Value) -> Parsed {
    let mut parsed = Parsed {
        values: json!({}),
        ..Parsed::default()
    };
    for schema in pages {
        for field in Page::read(schema, known).fields() {
            let sent = |name: &str| -> Vec<&str> {
                pairs
                    .iter()
                    .filter(|(sent, _)| sent == name)
                    .map(|(_, value)| value.as_str())
                    .collect()
            };
            if field.control == Control::Secret {
                if let Some(secret) = sent(&field.path).last().filter(|secret| !secret.is_empty()) {
                    parsed.secrets.insert(field.path.clone(), json!(secret));
                    put(&mut parsed.values, &field.path, masked(secret));
                }
                continue;
            }
            let texts = sent(&field.path);
            let value = match (&field.control, texts.last()) {
                (Control::RepoUrl { .. }, None) => repo_url(field, &sent),
                (_, None) => field.default.clone(),
                (_, Some(last)) => match read(field, &texts, last) {
                    Ok(value) => value,
                    Err(message) => {
                        parsed.problems.push(FieldError {
                            field: field.path.clone(),
                            message,
                        });
                        Some(json!(last))
                    }
                },
            };
            if let Some(value) = value {
                put(&mut parsed.values, &field.path, value);
            }
        }
    }
    parsed
}

/// The value that was typed; `None` where the field was left empty.
fn read(field: &Field, texts: &[&str], last: &str) -> Result<Option<Value>, Text> {
    let last = last.replace("\r\n", "\n");
    Ok(match &field.control {
        Control::Checkboxes(choices) => {
            let chosen: Vec<Value> = texts
                .iter()
                .filter(|text| !text.is_empty())
                .map(|text| pick(choices, text))
                .collect();
            (!chosen.is_empty() || field.required).then(|| Value::Array(chosen))
        }
        Control::Lines => {
            let lines: Vec<&str> = last.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
            (!lines.is_empty()).then(|| json!(lines))
        }
        _ if last.trim().is_empty() => None,
        Control::Switch => Some(json!(matches!(last.as_str(), "true" | "on" | "yes" | "1"))),
        Control::Number { integer } => Some(number(&last, *integer)?),
        Control::Select(choices) | Control::Radio(choices) => Some(pick(choices, &last)),
        Control::Document => Some(document(&last)?),
        // It was never typed: what the template says, in the type it says.
        Control::Hidden => match &field.default {
            Some(default) if shown(default) == last => Some(default.clone()),
            _ => Some(json!(last)),
        },
        _ => Some(json!(last)),
    })
}

fn pick(choices: &[Choice], text: &str) -> Value {
    choices
        .iter()
        .find(|choice| shown(&choice.value) == text)
        .map_or_else(|| json!(text), |choice| choice.value.clone())
}

fn number(text: &str, integer: bool) -> Result<Value, Text> {
    let text = text.trim();
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(json!(whole));
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && !integer => Ok(json!(number)),
        _ if integer => Err(text!("Enter a whole number, for example {number}.", number = 3)),
        _ => Err(text!("Enter a number, for example {number}.", number = "1.5")),
    }
}

fn document(text: &str) -> Result<Value, Text> {
    let mut options = serde_saphyr::Options::default();
    options.strict_booleans = true;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let first = error.to_string().lines().next().unwrap_or_default().to_owned();
        text!("This is not valid YAML or JSON: {reason}", reason = first)
    })
}

/// `host?owner=…&repo=…` of its three parts.
fn repo_url<'p>(field: &Field, sent: &dyn Fn(&str) -> Vec<&'p str>) -> Option<Value> {
    let part = |name: &str| {
        let texts = sent(&format!("{}.{name}", field.path));
        texts
            .last()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
    };
    let (host, owner, repo) = (part("host"), part("owner"), part("repo"));
    if host.is_none() && owner.is_none() && repo.is_none() {
        return field.default.clone();
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("owner", owner), ("repo", repo)] {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    Some(json!(format!("{}?{}", host.unwrap_or_default(), query.finish())))
}

/// Puts a value at a dotted path.
fn put(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        if !place.is_object() {
            *place = json!({});
        }
        let Some(members) = place.as_object_mut() else { return };
        if parts.peek().is_none() {
            members.insert(part.to_owned(), value);
            return;
        }
        place = members.entry(part).or_insert_with(|| json!({}));
    }
}

/// The value at a dotted path.
pub(super) fn get<'v>(values: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(values, |place, part| place.get(part))
}

/// What a browser would send for these values: the opposite of [`parse_form`], for forms that are filled in
/// beforehand. What the pages do not ask for is left out.
pub fn to_pairs(values: &Value, pages: &[Value]) -> Pairs {
    let mut pairs = Pairs::new();
    for schema in pages {
        for field in Page::read(schema, values).fields() {
            let Some(value) = get(values, &field.path) else {
                continue;
            };
            let mut add = |text: String| pairs.push((field.path.clone(), text));
            match (&field.control, value) {
                (Control::Secret, _) => {}
                (Control::Checkboxes(_), Value::Array(chosen)) => chosen.iter().for_each(|value| add(shown(value))),
                (Control::Lines, Value::Array(lines)) => add(lines.iter().map(shown).collect::<Vec<_>>().join("\n")),
                (Control::Document, value) => add(serde_json::to_string_pretty(value).unwrap_or_default()),
                (_, value) => add(shown(value)),
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Vec<Value> {
        vec![json!({
            "properties": {
                "name": {"type": "string"},
                "replicas": {"type": "integer", "default": 2},
                "public": {"type": "boolean"},
                "level": {"enum": [1, 2]},
                "tags": {"type": "array", "items": {"type": "string"}},
                "zones": {"type": "array", "items": {"enum": ["a", "b"]}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "config": {"type": "object", "properties": {"region": {"type": "string"}}},
                "repoUrl": {"type": "string", "ui:field": "RepoUrlPicker"},
                "token": {"type": "string", "ui:field": "Secret"},
            },
        })]
    }

    fn pairs(text: &str) -> Pairs {
        url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }

    #[test]
    fn answers_get_their_types() {
        let sent = "name=demo&replicas=3&public=false&public=true&level=2&tags=x%0D%0A%0D%0Ay&zones=&zones=b\
                    &labels=a%3A%20b&config.region=eu&repoUrl.host=github.com&repoUrl.owner=acme&repoUrl.repo=x\
                    &token=hush&unknown=1";
        let parsed = parse_form(&pairs(sent), &pages());
        assert!(parsed.problems.is_empty(), "{:?}", parsed.problems);
        assert_eq!(
            parsed.values,
            json!({
                "name": "demo", "replicas": 3, "public": true, "level": 2, "tags": ["x", "y"], "zones": ["b"],
                "labels": {"a": "b"}, "config": {"region": "eu"}, "repoUrl": "github.com?owner=acme&repo=x",
                "token": "****",
            })
        );
        assert_eq!(parsed.secrets.get("token"), Some(&json!("hush")));
        let again = parse_form(&to_pairs(&parsed.values, &pages()), &pages());
        let mut expected = parsed.values;
        expected.as_object_mut().map(|values| values.shift_remove("token"));
        assert_eq!(again.values, expected);
    }

    #[test]
    fn what_was_not_sent_has_its_default_and_what_was_left_empty_is_missing() {
        assert_eq!(
            parse_form(&pairs("name=x"), &pages()).values,
            json!({"name": "x", "replicas": 2})
        );
        assert_eq!(parse_form(&pairs("name=&replicas="), &pages()).values, json!({}));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let parsed = parse_form(&pairs("replicas=many&labels=%7B"), &pages());
        let fields: Vec<&str> = parsed.problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["replicas", "labels"]);
        assert_eq!(parsed.values["replicas"], json!("many"));
    }
}
