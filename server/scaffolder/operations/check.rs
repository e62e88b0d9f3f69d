//! Answers against what the template asks for.

use serde_json::{Map, Value};

use crate::scaffolder::forms;
use crate::scaffolder::precheck::Problem;
use crate::scaffolder::template::Template;

/// Checks values and secrets against what the template asks for.
pub fn answers(template: &Template, values: &Value, secrets: &Map<String, Value>) -> Vec<Problem> {
    let problems = validate(&template.parameters, values);
    if problems.is_empty() {
        validate_secrets(template.secrets_schema.as_ref(), secrets)
    } else {
        problems
    }
}

/// Checks the values against each page; the first page that fails tells its problems.
fn validate(pages: &[Value], values: &Value) -> Vec<Problem> {
    pages
        .iter()
        .map(|page| check(page, values, ""))
        .find(|problems| !problems.is_empty())
        .unwrap_or_default()
}

fn validate_secrets(schema: Option<&Value>, secrets: &Map<String, Value>) -> Vec<Problem> {
    schema
        .map(|schema| check(schema, &Value::Object(secrets.clone()), "secrets."))
        .unwrap_or_default()
}

/// Problems name the field, never its value: it may be a secret.
fn check(schema: &Value, values: &Value, prefix: &str) -> Vec<Problem> {
    let validator = match jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .build(&forms::draft7(schema))
    {
        Ok(validator) => validator,
        Err(error) => {
            return vec![Problem {
                field: None,
                message: format!("the template's form is broken: {error}").into(),
            }];
        }
    };
    validator
        .iter_errors(values)
        .map(|error| {
            let place = error
                .instance_path()
                .to_string()
                .trim_start_matches('/')
                .replace('/', ".");
            let text = error.masked().to_string();
            let field = match error.kind() {
                jsonschema::error::ValidationErrorKind::Required { property } => {
                    let name = property.as_str().unwrap_or_default();
                    if place.is_empty() {
                        name.to_owned()
                    } else {
                        format!("{place}.{name}")
                    }
                }
                _ => place,
            };
            let message = match (error.kind(), field.as_str()) {
                (jsonschema::error::ValidationErrorKind::Required { .. }, field) => {
                    format!("{prefix}{field} is required")
                }
                (_, "") => text,
                (_, field) => format!("{prefix}{field}: {text}"),
            };
            Problem {
                field: (!field.is_empty()).then_some(field),
                message: message.into(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_checked_page_by_page() {
        let pages = [
            json!({"required": ["name"], "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}}}),
            json!({"required": ["size"], "properties": {"size": {"type": "integer"}}}),
        ];
        let fields = |values: Value| -> Vec<Option<String>> {
            validate(&pages, &values)
                .into_iter()
                .map(|problem| problem.field)
                .collect()
        };
        assert_eq!(fields(json!({})), [Some("name".to_owned())]);
        assert_eq!(fields(json!({"name": "A"})), [Some("name".to_owned())]);
        assert_eq!(fields(json!({"name": "a"})), [Some("size".to_owned())]);
        assert!(fields(json!({"name": "a", "size": 1, "more": true})).is_empty());
        assert_eq!(
            validate_secrets(Some(&json!({"required": ["token"]})), &Map::new())[0]
                .message
                .to_string(),
            "secrets.token is required"
        );
    }
}
