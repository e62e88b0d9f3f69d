//! What is wrong with answers, in words for people.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, ValidationError};
use serde_json::Value;

use super::control::shown;
use super::parse::get;
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
                message: format!("The form of this template is broken, its author has to mend it: {error}"),
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
                message: "This needs an answer.".to_owned(),
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
fn custom(page: &Value, schema_path: &str) -> Option<String> {
    let (owner, keyword) = schema_path.rsplit_once('/')?;
    match page.pointer(owner)?.get("errorMessage")? {
        Value::String(text) => Some(text.clone()),
        messages => messages.get(keyword)?.as_str().map(str::to_owned),
    }
}

fn message(kind: &ValidationErrorKind, keyword: Option<&Value>) -> String {
    let limit = keyword.map(shown).unwrap_or_default();
    match kind {
        ValidationErrorKind::Required { .. } => "This needs an answer.".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("This does not match the pattern {pattern}."),
        ValidationErrorKind::MinLength { limit: 1 } => "This needs an answer.".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("Enter at least {limit} characters."),
        ValidationErrorKind::MaxLength { limit } => format!("Enter at most {limit} characters."),
        ValidationErrorKind::Minimum { .. } => format!("Enter {limit} or more."),
        ValidationErrorKind::Maximum { .. } => format!("Enter {limit} or less."),
        ValidationErrorKind::ExclusiveMinimum { .. } => format!("Enter more than {limit}."),
        ValidationErrorKind::ExclusiveMaximum { .. } => format!("Enter less than {limit}."),
        ValidationErrorKind::MultipleOf { .. } => format!("Enter a multiple of {limit}."),
        ValidationErrorKind::Enum { .. } | ValidationErrorKind::Constant { .. } => {
            "Choose one of the answers that are offered.".to_owned()
        }
        ValidationErrorKind::MinItems { limit } => format!("Give at least {limit}."),
        ValidationErrorKind::MaxItems { limit } => format!("Give at most {limit}."),
        ValidationErrorKind::UniqueItems => "Each may be given once only.".to_owned(),
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("This is not known here: {}.", unexpected.join(", "))
        }
        ValidationErrorKind::Type {
            kind: TypeKind::Single(kind),
        } => format!("This must be {}.", article(&kind.to_string())),
        _ => "This answer does not fit what the template asks for.".to_owned(),
    }
}

fn article(kind: &str) -> &'static str {
    match kind {
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "yes or no",
        "array" => "a list",
        "object" => "a set of names and values",
        "null" => "empty",
        _ => "a text",
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
                (problems[0].field.as_str(), problems[0].message.as_str()),
                (field, message),
                "{values}"
            );
        }
        assert!(validate_page(&page, &json!({"name": "a", "mail": "x", "old": "x", "more": 1})).is_empty());
    }
}
