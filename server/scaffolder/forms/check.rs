//! What is wrong with answers, in words for people.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError};
use serde_json::Value;

use super::control::shown;
use super::parse::get;
use crate::language::{Text, text};
use crate::web::FieldError;

/// Checks each page against all values, as the scaffolder does when a task is created
/// (`@backstage/plugin-scaffolder-backend` 4.2.0), and returns what the first page that fails finds.
pub fn validate(pages: &[Value], values: &Value) -> Vec<FieldError> {
    pages
        .iter()
        .map(|page| validate_page(page, values))
        .find(|problems| !problems.is_empty())
        .unwrap_or_default()
}

/// Checks one page. Unknown formats are ignored, defaults are not applied. No message repeats an answer.
pub fn validate_page(page: &Value, values: &Value) -> Vec<FieldError> {
    let validator = match jsonschema::options().with_draft(Draft::Draft7).build(&draft7(page)) {
        Ok(validator) => validator,
        Err(error) => {
            return vec![FieldError {
                field: String::new(),
                message: text!(
                    "The form of this template is broken, its author has to mend it: {reason}",
                    reason = error.to_string()
                ),
            }];
        }
    };
    let mut problems: Vec<FieldError> = Vec::new();
    for error in validator.iter_errors(values) {
        for problem in problem(page, &error) {
            // One message a field is enough to mend it.
            if !problems.iter().any(|known| known.field == problem.field) {
                problems.push(problem);
            }
        }
    }
    for path in required_in_properties(page, "") {
        if get(values, &path).is_none() && !problems.iter().any(|known| known.field == path) {
            problems.push(FieldError {
                message: text!("This needs an answer."),
                field: path,
            });
        }
    }
    problems
}

/// The schema without `required: true` inside properties, which draft 7 refuses.
pub fn draft7(schema: &Value) -> Value {
    match schema {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter(|(key, value)| !(key.as_str() == "required" && value.is_boolean()))
                .map(|(key, value)| (key.clone(), draft7(value)))
                .collect(),
        ),
        Value::Array(elements) => Value::Array(elements.iter().map(draft7).collect()),
        other => other.clone(),
    }
}

/// `required: true` inside a property, which the scaffolder's validator knows and draft 7 does not.
fn required_in_properties(schema: &Value, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        if property["required"] == true {
            paths.push(path);
        }
    }
    paths
}

fn problem(page: &Value, error: &ValidationError<'_>) -> Vec<FieldError> {
    let pointer = error.instance_path().to_string();
    let mut path = pointer.trim_start_matches('/').replace('/', ".");
    match error.kind() {
        // Which branch was meant cannot be known; the branch's own errors say more.
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            let nested: Vec<FieldError> = context
                .iter()
                .flatten()
                .flat_map(|error| problem(page, error))
                .filter(|inner| inner.field != path)
                .collect();
            if !nested.is_empty() {
                return nested;
            }
        }
        ValidationErrorKind::Required { property } => {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&shown(property));
        }
        _ => {}
    }
    let schema = error.schema_path().to_string();
    let keyword = page.pointer(&schema);
    let message = custom(page, &schema).unwrap_or_else(|| message(error.kind(), keyword));
    vec![FieldError { field: path, message }]
}

/// `errorMessage` beside the keyword: a text, or one a keyword.
fn custom(page: &Value, schema_path: &str) -> Option<Text> {
    let (owner, keyword) = schema_path.rsplit_once('/')?;
    match page.pointer(owner)?.get("errorMessage")? {
        Value::String(text) => Some(text.as_str().into()),
        messages => messages.get(keyword)?.as_str().map(Text::from),
    }
}

fn message(kind: &ValidationErrorKind, keyword: Option<&Value>) -> Text {
    let limit = keyword.map(shown).unwrap_or_default();
    match kind {
        ValidationErrorKind::Required { .. } => text!("This needs an answer."),
        ValidationErrorKind::Pattern { pattern } => {
            text!("This does not match the pattern {pattern}.", pattern = pattern)
        }
        ValidationErrorKind::MinLength { limit: 1 } => text!("This needs an answer."),
        ValidationErrorKind::MinLength { limit } => text!("Enter at least {limit} characters.", limit = *limit),
        ValidationErrorKind::MaxLength { limit } => text!("Enter at most {limit} characters.", limit = *limit),
        ValidationErrorKind::Minimum { .. } => text!("Enter {limit} or more.", limit = limit),
        ValidationErrorKind::Maximum { .. } => text!("Enter {limit} or less.", limit = limit),
        ValidationErrorKind::ExclusiveMinimum { .. } => text!("Enter more than {limit}.", limit = limit),
        ValidationErrorKind::ExclusiveMaximum { .. } => text!("Enter less than {limit}.", limit = limit),
        ValidationErrorKind::MultipleOf { .. } => text!("Enter a multiple of {limit}.", limit = limit),
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
            text!("Choose one of the answers that are offered.")
        }
        ValidationErrorKind::MinItems { limit } => text!("Give at least {limit}.", limit = *limit),
        ValidationErrorKind::MaxItems { limit } => text!("Give at most {limit}.", limit = *limit),
        ValidationErrorKind::UniqueItems => text!("Each may be given once only."),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            text!("This is not known here: {names}.", names = unexpected.join(", "))
        }
        ValidationErrorKind::Type {
            kind: TypeKind::Single(kind),
        } => must_be(&kind.to_string()),
        _ => text!("This answer does not fit what the template asks for."),
    }
}

fn must_be(kind: &str) -> Text {
    match kind {
        "integer" => text!("This must be a whole number."),
        "number" => text!("This must be a number."),
        "boolean" => text!("This must be yes or no."),
        "array" => text!("This must be a list."),
        "object" => text!("This must be a set of names and values."),
        "null" => text!("This must be empty."),
        _ => text!("This must be a text."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn wrong_answers_are_told_at_their_field() {
        let page = json!({
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": "^(?!-)[a-z-]+$", "maxLength": 5},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10},
                "size": {"enum": ["s", "l"]},
                "config": {"type": "object", "required": ["region"], "properties": {"region": {"type": "string"}}},
                "mail": {"type": "string", "format": "unheard-of"},
                "old": {"type": "string", "required": true},
                "own": {"type": "string", "minLength": 2, "errorMessage": {"minLength": "Longer, please."}},
            },
        });
        let table = [
            (json!({"old": "x"}), "name", "This needs an answer."),
            (
                json!({"name": "A", "old": "x"}),
                "name",
                "This does not match the pattern ^(?!-)[a-z-]+$.",
            ),
            (
                json!({"name": "abcdef", "old": "x"}),
                "name",
                "Enter at most 5 characters.",
            ),
            (
                json!({"name": "a", "replicas": 0, "old": "x"}),
                "replicas",
                "Enter 1 or more.",
            ),
            (
                json!({"name": "a", "replicas": "many", "old": "x"}),
                "replicas",
                "This must be a whole number.",
            ),
            (
                json!({"name": "a", "size": "m", "old": "x"}),
                "size",
                "Choose one of the answers that are offered.",
            ),
            (
                json!({"name": "a", "config": {}, "old": "x"}),
                "config.region",
                "This needs an answer.",
            ),
            (json!({"name": "a"}), "old", "This needs an answer."),
            (json!({"name": "a", "old": "x", "own": "y"}), "own", "Longer, please."),
        ];
        for (values, field, message) in table {
            let problems = validate_page(&page, &values);
            assert_eq!(problems.len(), 1, "{values}: {problems:?}");
            assert_eq!(
                (problems[0].field.as_str(), problems[0].message.to_string().as_str()),
                (field, message),
                "{values}"
            );
        }
        assert!(validate_page(&page, &json!({"name": "a", "mail": "x", "old": "x", "more": 1})).is_empty());
    }
}
