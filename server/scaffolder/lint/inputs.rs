//! What actions are given, against the schemas of their inputs.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Value, json};

use super::finding::Severity::{Error, Warning};
use super::outline::Outline;
use super::parameters::segments;
use super::source::{Source, at, below, help};
use crate::scaffolder::actions::{Registry, jsonata_problem};
use crate::scaffolder::expressions::analyse;
use crate::scaffolder::model::kind_of;

pub fn check(source: &mut Source<'_>, outline: &Outline, actions: &Registry) {
    for step in &outline.steps {
        let Some(action) = actions.find(&step.action) else {
            continue;
        };
        let way = below(&step.way, "input");
        let input = match source.at(&way) {
            Value::Null => json!({}),
            input => input.clone(),
        };
        if written(&input) == Written::Unknown {
            continue;
        }
        if !input.is_object() {
            source.tell_value(
                Error,
                &way,
                format!("the input of {} is not an object", step.action),
                None,
            );
            continue;
        }
        let (schema, _) = action.schemas();
        check_known(source, &way, &step.action, &input, &schema);
        let Ok(validator) = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft7)
            .build(&schema)
        else {
            continue;
        };
        let problems: Vec<_> = validator
            .iter_errors(&input)
            .filter(|error| counts(&input, error))
            .map(|error| {
                let is_missing = matches!(error.kind(), ValidationErrorKind::Required { .. });
                (is_missing, told(&step.action, &input, &schema, &error))
            })
            .collect();
        for (is_missing, (path, message, help)) in problems {
            let mut place = way.clone();
            place.extend(path);
            match is_missing {
                true => source.tell_key(Error, &place, message, help),
                false => source.tell_value(Error, &place, message, help),
            }
        }
        if let Some(message) = jsonata_problem(&step.action, &input) {
            // What has an expression in it is known only when it is rendered.
            if written(&input["expression"]) == Written::Known {
                let message = format!("the JSONata expression cannot be evaluated: {message}");
                source.tell_value(Error, &below(&way, "expression"), message, None);
            }
        }
    }
}

/// How much of a value is known before a render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// All of it.
    Known,
    /// That it is a text.
    Text,
    /// Nothing: it is wholly an expression, or does not parse.
    Unknown,
}

fn written(value: &Value) -> Written {
    match value.as_str().map(analyse) {
        None => Written::Known,
        Some(Ok(analysis)) if analysis.is_plain => Written::Known,
        Some(Ok(analysis)) if !analysis.is_value => Written::Text,
        Some(_) => Written::Unknown,
    }
}

/// There is something in the value that only a render knows.
fn has_expressions(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_expressions),
        Value::Object(members) => members.values().any(has_expressions),
        value => written(value) != Written::Known,
    }
}

/// The error does not hang on something that is not known yet.
fn counts(input: &Value, error: &ValidationError<'_>) -> bool {
    let way: Vec<String> = segments(&error.instance_path().to_string()).collect();
    let value = at(input, &way);
    match error.kind() {
        ValidationErrorKind::AnyOf { .. }
        | ValidationErrorKind::OneOfNotValid { .. }
        | ValidationErrorKind::OneOfMultipleValid { .. }
        | ValidationErrorKind::Not { .. } => !has_expressions(value),
        ValidationErrorKind::Type { .. } => written(value) != Written::Unknown,
        ValidationErrorKind::Required { .. } | ValidationErrorKind::AdditionalProperties { .. } => true,
        _ => written(value) == Written::Known && !value.is_array() && !value.is_object(),
    }
}

/// Keys that the action does not read. They do nothing, so that most are meant otherwise.
fn check_known(source: &mut Source<'_>, way: &[String], action: &str, input: &Value, schema: &Value) {
    if schema
        .get("additionalProperties")
        .is_some_and(|more| *more != Value::Bool(false))
    {
        return;
    }
    let Some(known) = schema["properties"].as_object() else {
        return;
    };
    for key in input.as_object().into_iter().flat_map(|members| members.keys()) {
        if !known.contains_key(key) {
            let message = format!("{action} has no input \"{key}\"; it is ignored");
            let others = known.keys().map(String::as_str);
            let others = others.filter(|other| input.get(other).is_none());
            source.tell_key(Warning, &below(way, key), message, help(key, others));
        }
    }
}

/// Where below the input, what, and what to do.
fn told(
    action: &str,
    input: &Value,
    schema: &Value,
    error: &ValidationError<'_>,
) -> (Vec<String>, String, Option<String>) {
    let way: Vec<String> = segments(&error.instance_path().to_string()).collect();
    let name = match way.is_empty() {
        true => format!("the input of {action}"),
        false => format!("the input \"{}\" of {action}", way.join(".")),
    };
    let value = at(input, &way);
    let message = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let help = schema["properties"][key]["description"].as_str().map(str::to_owned);
            let message = match way.is_empty() {
                true => format!("{action} needs the input \"{key}\""),
                false => format!("{name} needs \"{key}\""),
            };
            return (
                way,
                message,
                help.filter(|_| error.instance_path().to_string().is_empty()),
            );
        }
        ValidationErrorKind::Type { kind } => {
            format!("{name} must be {}, and this is {}", expected(kind), kind_of(value))
        }
        ValidationErrorKind::Enum { options } => {
            let options: Vec<&str> = options
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let known = value.as_str().and_then(|value| help(value, options.iter().copied()));
            return (way, format!("{name} must be one of {}", options.join(", ")), known);
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            format!("{name} has no \"{}\"", unexpected.join("\" and no \""))
        }
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!(
                "{name} has none of the forms that it may have, and this is {}",
                kind_of(value)
            )
        }
        _ => format!("{name}: {error}"),
    };
    (way, message, None)
}

fn expected(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(kind) => word(&kind.to_string()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let kinds: Vec<String> = kinds.iter().map(|kind| kind.to_string()).collect();
            let words = kinds.iter().filter(|kind| *kind != "null").map(|kind| word(kind));
            words.collect::<Vec<_>>().join(" or ")
        }
    }
}

fn word(kind: &str) -> &str {
    match kind {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        _ => "nothing",
    }
}
