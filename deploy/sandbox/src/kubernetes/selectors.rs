//! Label and field selectors of lists and watches.

use serde_json::Value;

use super::status::Status;

/// What a list or watch selects: all requirements must hold.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    labels: Vec<Requirement>,
    /// Path of the field, its value, and whether it must be equal (true) or differ.
    fields: Vec<(String, String, bool)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Missing(String),
}

impl Selector {
    /// Parses the query parameters `labelSelector` and `fieldSelector`; either may be empty.
    pub fn parse(labels: &str, fields: &str) -> Result<Selector, Status> {
        let labels = split_outside_parentheses(labels)
            .into_iter()
            .map(requirement)
            .collect::<Result<_, _>>()?;
        let fields = fields
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(field);
        Ok(Selector {
            labels,
            fields: fields.collect::<Result<_, _>>()?,
        })
    }

    /// Whether an object has all that is asked for.
    pub fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        let label = |key: &str| labels.get(key).and_then(Value::as_str);
        let labels_match = self.labels.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => label(key).is_some_and(|value| values.iter().any(|one| one == value)),
            Requirement::NotIn(key, values) => !label(key).is_some_and(|value| values.iter().any(|one| one == value)),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Missing(key) => label(key).is_none(),
        });
        labels_match
            && self.fields.iter().all(|(path, wanted, equal)| {
                let value = path.split('.').fold(object, |value, key| &value[key]);
                let value = match value {
                    Value::String(text) => text.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                (value == *wanted) == *equal
            })
    }
}

fn field(part: &str) -> Result<(String, String, bool), Status> {
    let (path, value, equal) = if let Some((path, value)) = part.split_once("!=") {
        (path, value, false)
    } else if let Some((path, value)) = part.split_once("==") {
        (path, value, true)
    } else if let Some((path, value)) = part.split_once('=') {
        (path, value, true)
    } else {
        return Err(Status::bad_request(format!(
            "invalid selector: '{part}'; can't understand '{part}'"
        )));
    };
    Ok((path.trim().into(), value.trim().into(), equal))
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_i32, 0);
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

fn requirement(part: &str) -> Result<Requirement, Status> {
    let refused = || {
        Status::bad_request(format!(
            "unable to parse requirement: found '{part}', expected a label requirement"
        ))
    };
    let key = |text: &str| {
        let text = text.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if text.is_empty() || !text.chars().all(allowed) {
            Err(refused())
        } else {
            Ok(text.to_owned())
        }
    };
    if let Some((name, value)) = part.split_once("!=") {
        return Ok(Requirement::NotIn(key(name)?, vec![value.trim().into()]));
    }
    if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Requirement::In(key(name)?, vec![value.trim().into()]));
    }
    if let Some((head, tail)) = part.split_once('(') {
        let values = tail.trim_end().strip_suffix(')').ok_or_else(refused)?;
        let values = values.split(',').map(|value| value.trim().to_owned()).collect();
        let mut words = head.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(name), Some("in"), None) => Ok(Requirement::In(key(name)?, values)),
            (Some(name), Some("notin"), None) => Ok(Requirement::NotIn(key(name)?, values)),
            _ => Err(refused()),
        };
    }
    match part.strip_prefix('!') {
        Some(name) => Ok(Requirement::Missing(key(name)?)),
        None => Ok(Requirement::Exists(key(part)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn labels_and_fields_select() {
        let object = json!({"metadata": {"name": "a", "namespace": "n", "labels": {"app": "web", "tier": "x"}},
                            "status": {"phase": "Running"}});
        for (labels, fields, expected) in [
            ("", "", true),
            ("app=web", "", true),
            ("app==web,tier!=y", "", true),
            ("app in (web, db),tier", "", true),
            ("app notin (web)", "", false),
            ("!app", "", false),
            ("!other", "", true),
            ("", "metadata.name=a,metadata.namespace=n", true),
            ("", "metadata.name!=a", false),
            ("", "status.phase=Running", true),
        ] {
            let selector = Selector::parse(labels, fields).expect("a valid selector");
            assert_eq!(selector.matches(&object), expected, "{labels} {fields}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (labels, fields) in [
            ("a b c", ""),
            ("app in (x", ""),
            ("=x", ""),
            ("app of (x)", ""),
            ("", "name"),
        ] {
            assert!(Selector::parse(labels, fields).is_err(), "{labels} {fields}");
        }
    }
}
