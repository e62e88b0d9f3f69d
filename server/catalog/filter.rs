//! Which entities are asked for: one expression type, read from the two notations of the API and turned
//! into SQL, with bound parameters, in `queries::search` alone.

use serde_json::{Map, Value};

/// Expressions nested deeper than this are refused.
const MAX_DEPTH: usize = 20;

/// Expressions of more conditions are refused.
const MAX_CONDITIONS: usize = 1_000;

/// A condition on an entity. Keys and values are in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Exists(String),
    /// The key has one of these values.
    In(String, Vec<String>),
    Prefix(String, String),
    /// A relation of this type (any, if `None`) to one of these refs (any, if `None`).
    Relation(Option<String>, Option<Vec<String>>),
    /// The entity is one of these.
    Refs(Vec<String>),
}

/// The filter is not one; the text says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(pub String);

impl Filter {
    /// True for every entity.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }

    pub fn key_value(key: &str, value: &str) -> Self {
        Self::In(key.to_lowercase(), vec![value.to_lowercase()])
    }

    /// Reads `filter` parameters: each a comma list of `key=value` or `key`; the same key again adds a value,
    /// different keys must all hold, several parameters are alternatives.
    pub fn from_parameters(parameters: &[String]) -> Result<Self, FilterError> {
        let mut alternatives = Vec::new();
        for parameter in parameters {
            let mut keys: Vec<(String, Option<Vec<String>>)> = Vec::new();
            for part in parameter.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let (key, value) = match part.split_once('=') {
                    Some((key, value)) => (key.trim().to_lowercase(), Some(value.trim().to_lowercase())),
                    None => (part.to_lowercase(), None),
                };
                if key.is_empty() {
                    return Err(FilterError(format!(
                        "Invalid filter, '{part}' is not a valid statement (expected a string on the form a=b or a= or a)"
                    )));
                }
                let index = keys.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
                    keys.push((key, None));
                    keys.len() - 1
                });
                if let Some(value) = value {
                    keys[index].1.get_or_insert_default().push(value);
                }
            }
            if keys.is_empty() {
                continue;
            }
            let mut all: Vec<Self> = keys
                .into_iter()
                .map(|(key, values)| match (key.strip_prefix("relations."), values) {
                    (Some(kind), values) => Self::Relation(Some(kind.to_owned()), values),
                    (None, Some(values)) => Self::In(key, values),
                    (None, None) => Self::Exists(key),
                })
                .collect();
            alternatives.push(match all.len() {
                1 => all.remove(0),
                _ => Self::All(all),
            });
        }
        match alternatives.len() {
            0 => Ok(Self::everything()),
            1 => alternatives.remove(0).bounded(),
            _ => Self::Any(alternatives).bounded(),
        }
    }

    /// Reads a predicate of a request body: `$all`, `$any`, `$not`, `{field: value}`, `{field: {$exists, $in,
    /// $hasPrefix, $contains}}` (`@backstage/filter-predicates`).
    pub fn from_predicate(value: &Value) -> Result<Self, FilterError> {
        predicate(value, 0)?.bounded()
    }

    /// Itself, unless it has too many conditions to be answered.
    fn bounded(self) -> Result<Self, FilterError> {
        match self.conditions() {
            0..=MAX_CONDITIONS => Ok(self),
            many => Err(FilterError(format!(
                "Invalid filter, it has {many} conditions; {MAX_CONDITIONS} are allowed"
            ))),
        }
    }

    fn conditions(&self) -> usize {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().map(Self::conditions).sum(),
            Self::Not(inner) => inner.conditions(),
            _ => 1,
        }
    }
}

fn wrong(text: impl std::fmt::Display) -> FilterError {
    FilterError(format!("Invalid query: {text}"))
}

fn predicate(value: &Value, depth: usize) -> Result<Filter, FilterError> {
    if depth > MAX_DEPTH {
        return Err(wrong(format_args!("it is nested more than {MAX_DEPTH} deep")));
    }
    let Value::Object(map) = value else {
        return Err(wrong(format_args!(
            "expected a mapping such as {{\"kind\": …}}, got {value}"
        )));
    };
    let list = |value: &Value| -> Result<Vec<Filter>, FilterError> {
        match value {
            Value::Array(items) => items.iter().map(|item| predicate(item, depth + 1)).collect(),
            other => Err(wrong(format_args!("expected a list, got {other}"))),
        }
    };
    let mut all = Vec::new();
    for (key, value) in map {
        if key.starts_with('$') && map.len() > 1 {
            return Err(wrong(format_args!(
                "{key} must be the only key of its mapping; join conditions with $all"
            )));
        }
        all.push(match key.as_str() {
            "$all" => Filter::All(list(value)?),
            "$any" => Filter::Any(list(value)?),
            "$not" => Filter::Not(Box::new(predicate(value, depth + 1)?)),
            key if key.starts_with('$') => return Err(wrong(format_args!("{key} is not an operator"))),
            key => field(&key.to_lowercase(), value)?,
        });
    }
    Ok(match all.len() {
        1 => all.remove(0),
        _ => Filter::All(all),
    })
}

fn primitive(value: &Value) -> Result<String, FilterError> {
    match value {
        Value::String(text) => Ok(text.to_lowercase()),
        Value::Number(_) => {
            let mut number = value.clone();
            super::yaml::plain_numbers(&mut number);
            Ok(number.to_string())
        }
        Value::Bool(flag) => Ok(flag.to_string()),
        other => Err(wrong(format_args!(
            "expected text, a number, true or false, got {other}"
        ))),
    }
}

fn primitives(value: &Value) -> Result<Vec<String>, FilterError> {
    match value {
        Value::Array(items) => items.iter().map(primitive).collect(),
        other => Err(wrong(format_args!("expected a list, got {other}"))),
    }
}

fn field(key: &str, value: &Value) -> Result<Filter, FilterError> {
    let Value::Object(operators) = value else {
        return Ok(with_values(key, vec![primitive(value)?]));
    };
    // Of several operators the field obeys one; $all joins conditions.
    let first = ["$exists", "$in", "$contains", "$hasPrefix"]
        .into_iter()
        .find_map(|name| operators.get_key_value(name))
        .or_else(|| operators.iter().next());
    let Some((operator, operand)) = first else {
        return Err(wrong(format_args!("{key} has no operator")));
    };
    Ok(match (operator.as_str(), operand) {
        ("$exists", Value::Bool(wanted)) => {
            let exists = match key.strip_prefix("relations.") {
                Some(kind) => Filter::Relation(Some(kind.to_owned()), None),
                None => Filter::Exists(key.to_owned()),
            };
            match wanted {
                true => exists,
                false => Filter::Not(Box::new(exists)),
            }
        }
        ("$exists", other) => return Err(wrong(format_args!("$exists takes true or false, not {other}"))),
        ("$in", _) => with_values(key, primitives(operand)?),
        ("$hasPrefix", Value::String(prefix)) => Filter::Prefix(key.to_owned(), prefix.to_lowercase()),
        ("$hasPrefix", other) => return Err(wrong(format_args!("$hasPrefix takes text, not {other}"))),
        ("$contains", Value::Object(target)) if key == "relations" => relation(target)?,
        ("$contains", Value::Object(_)) => {
            return Err(wrong(format_args!(
                "$contains takes a mapping for relations only, not for {key}"
            )));
        }
        ("$contains", _) => with_values(key, vec![primitive(operand)?]),
        (other, _) => return Err(wrong(format_args!("{other} is not an operator"))),
    })
}

fn with_values(key: &str, values: Vec<String>) -> Filter {
    match key.strip_prefix("relations.") {
        Some(kind) => Filter::Relation(Some(kind.to_owned()), Some(values)),
        None => Filter::In(key.to_owned(), values),
    }
}

fn relation(target: &Map<String, Value>) -> Result<Filter, FilterError> {
    let (mut kind, mut targets) = (None, None);
    for (key, value) in target {
        let texts = || -> Option<Vec<String>> {
            let list = match value {
                Value::String(text) => return Some(vec![text.to_lowercase()]),
                Value::Object(map) if map.len() == 1 => map.get("$in")?.as_array()?,
                _ => return None,
            };
            let texts: Option<Vec<String>> = list.iter().map(|item| Some(item.as_str()?.to_lowercase())).collect();
            texts.filter(|texts| !texts.is_empty())
        };
        match (key.to_lowercase().as_str(), value) {
            ("type", Value::String(text)) if kind.is_none() && !text.is_empty() => kind = Some(text.to_lowercase()),
            ("targetref", _) if targets.is_none() => {
                targets = Some(texts().ok_or_else(|| {
                    wrong(format_args!(
                        "targetRef takes text or {{\"$in\": [text, …]}}, not {value}"
                    ))
                })?);
            }
            _ => {
                return Err(wrong(format_args!(
                    "$contains of relations takes a text type and a targetRef, once each; {key} is not one of them"
                )));
            }
        }
    }
    match kind {
        Some(kind) => Ok(Filter::Relation(Some(kind), targets)),
        None => Err(wrong("$contains of relations needs a type")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key_in(key: &str, values: &[&str]) -> Filter {
        Filter::In(key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn parameters_are_read() {
        let read = |parameters: &[&str]| {
            Filter::from_parameters(&parameters.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
        };
        let table: Vec<(&[&str], Filter)> = vec![
            (&[], Filter::everything()),
            (&["kind=Component"], key_in("kind", &["component"])),
            (&["kind=A,kind=b"], key_in("kind", &["a", "b"])),
            (
                &["kind=a,spec.type=b"],
                Filter::All(vec![key_in("kind", &["a"]), key_in("spec.type", &["b"])]),
            ),
            (
                &["kind=a", "metadata.annotations.a.b/c"],
                Filter::Any(vec![
                    key_in("kind", &["a"]),
                    Filter::Exists("metadata.annotations.a.b/c".to_owned()),
                ]),
            ),
            (
                &["relations.ownedBy=Group:default/x"],
                Filter::Relation(Some("ownedby".to_owned()), Some(vec!["group:default/x".to_owned()])),
            ),
            (&["a=b=c"], key_in("a", &["b=c"])),
            (&["a="], key_in("a", &[""])),
        ];
        for (parameters, expected) in table {
            assert_eq!(read(parameters), Ok(expected), "{parameters:?}");
        }
        assert!(read(&["=a"]).is_err());
    }

    #[test]
    fn predicates_are_read() {
        let table = [
            (json!({"kind": "Component"}), Some(key_in("kind", &["component"]))),
            (
                json!({"$all": [{"kind": "a"}, {"metadata.name": {"$hasPrefix": "B"}}]}),
                Some(Filter::All(vec![
                    key_in("kind", &["a"]),
                    Filter::Prefix("metadata.name".to_owned(), "b".to_owned()),
                ])),
            ),
            (
                json!({"$not": {"x": {"$exists": true}}}),
                Some(Filter::Not(Box::new(Filter::Exists("x".to_owned())))),
            ),
            (json!({"x": {"$in": [1, true]}}), Some(key_in("x", &["1", "true"]))),
            (
                json!({"relations": {"$contains": {"type": "ownedBy", "targetRef": "group:default/g"}}}),
                Some(Filter::Relation(
                    Some("ownedby".to_owned()),
                    Some(vec!["group:default/g".to_owned()]),
                )),
            ),
            (json!({"x": {"$in": []}}), Some(key_in("x", &[]))),
            (
                json!({"x": {"$hasPrefix": "b", "$in": ["a"]}}),
                Some(key_in("x", &["a"])),
            ),
            (json!({"x": 1.0}), Some(key_in("x", &["1"]))),
            (json!("text"), None),
            (json!({"$all": [], "kind": "a"}), None),
            (json!({"x": {"$hasPrefix": 1}}), None),
            (json!({"x": {"$contains": {"a": 1}}}), None),
            (json!({"x": {"$exists": "yes"}}), None),
            (json!({"relations": {"$contains": {"targetRef": "a"}}}), None),
            (json!({"relations": {"$contains": {"type": "a", "other": "b"}}}), None),
            (
                json!({"relations": {"$contains": {"type": "a", "targetRef": {"$in": []}}}}),
                None,
            ),
            (json!({"$nope": []}), None),
            (json!({"x": null}), None),
        ];
        for (value, expected) in table {
            assert_eq!(Filter::from_predicate(&value).ok(), expected, "{value}");
        }
        let deep = (0..100).fold(json!({"a": 1}), |inner, _| json!({ "$not": inner }));
        assert!(Filter::from_predicate(&deep).is_err());
        let many: Vec<Value> = (0..2_000).map(|n| json!({"kind": n})).collect();
        assert!(Filter::from_predicate(&json!({ "$any": many })).is_err());
    }
}
