//! The JSON Schema of a declared kind: compiled once, and safe to check what strangers write. It stands alone (nothing is
//! fetched), its patterns take time that grows with the text only, and its references end.

use std::collections::HashMap;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, PatternOptions, ValidationError, Validator};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::super::envelope::FieldFault;
use super::form::shown;

/// Faults told of one entity: enough to work through.
const MOST_FAULTS: usize = 50;
/// The deepest nesting of a schema, and the longest way over references.
const DEEPEST: usize = 100;
/// Bytes of a compiled pattern.
const LARGEST_PATTERN: usize = 1 << 20;
/// Letters of what a message repeats.
const LONGEST: usize = 200;

/// A compiled schema.
#[derive(Debug)]
pub(super) struct Schema(Validator);

impl Schema {
    /// Compiles a schema; fails with the reason why it cannot be used.
    pub fn new(schema: &Value) -> Result<Self, String> {
        if !schema.is_object() {
            return Err("must be a JSON Schema: a mapping with type, properties, required …".to_owned());
        }
        stands_alone(schema, 0)?;
        Walk::over(schema)?;
        jsonschema::options()
            .offline()
            .should_validate_formats(true)
            .with_pattern_options(PatternOptions::regex().size_limit(LARGEST_PATTERN))
            .build(schema)
            .map(Self)
            .map_err(|error| {
                let at = match error.instance_path().to_string() {
                    at if at.is_empty() => String::new(),
                    at => format!(" (at {at})"),
                };
                match error.kind() {
                    ValidationErrorKind::Format { format } if format == "regex" => format!(
                        "has a pattern that cannot be used{at}: {}; patterns know no look-around and no back-references",
                        cut(&error.instance().to_string())
                    ),
                    _ => format!("is no JSON Schema that can be used{at}: {}", cut(&error.to_string())),
                }
            })
    }

    /// What is wrong with a spec, each with its field.
    pub fn faults(&self, spec: &Value) -> Vec<FieldFault> {
        let mut faults: Vec<FieldFault> = Vec::new();
        for error in self.0.iter_errors(spec).take(MOST_FAULTS) {
            tell(&error, &mut faults);
        }
        faults.truncate(MOST_FAULTS);
        faults
    }
}

/// Fails where something else would have to be fetched, or the schema is nested too deep.
fn stands_alone(schema: &Value, depth: usize) -> Result<(), String> {
    if depth > DEEPEST {
        return Err(format!("is nested more than {DEEPEST} deep"));
    }
    match schema {
        Value::Object(members) => members.iter().try_for_each(|(key, value)| {
            match (key.as_str(), value) {
                ("$ref", Value::String(target)) if !(target == "#" || target.starts_with("#/")) => {
                    return Err(format!(
                        "refers to {}: only references within the schema are followed (#/$defs/…), nothing is fetched",
                        cut(target)
                    ));
                }
                ("$dynamicRef" | "$recursiveRef", Value::String(_)) => {
                    return Err(format!("uses {key}, which is not supported; use $ref with #/$defs/…"));
                }
                ("$id", Value::String(_)) if depth > 0 => {
                    return Err("has an $id below its root, which is not supported".to_owned());
                }
                _ => {}
            }
            stands_alone(value, depth + 1)
        }),
        Value::Array(items) => items.iter().try_for_each(|item| stands_alone(item, depth + 1)),
        _ => Ok(()),
    }
}

/// Looks for references that come back to where they began without going into the value: checking them would never end.
struct Walk<'a> {
    root: &'a Value,
    /// By the place in memory: still being looked at (`false`), or known to end (`true`).
    seen: HashMap<*const Value, bool>,
}

impl<'a> Walk<'a> {
    fn over(root: &'a Value) -> Result<(), String> {
        let mut walk = Self {
            root,
            seen: HashMap::new(),
        };
        walk.all(root)
    }

    fn all(&mut self, schema: &'a Value) -> Result<(), String> {
        self.ends(schema, 0)?;
        match schema {
            Value::Object(members) => members.values().try_for_each(|value| self.all(value)),
            Value::Array(items) => items.iter().try_for_each(|item| self.all(item)),
            _ => Ok(()),
        }
    }

    /// Fails if checking a value against this schema would check the same value against it again.
    fn ends(&mut self, schema: &'a Value, depth: usize) -> Result<(), String> {
        let Value::Object(members) = schema else { return Ok(()) };
        let place: *const Value = schema;
        match self.seen.get(&place) {
            Some(true) => return Ok(()),
            Some(false) => return Err("has a $ref that leads back to itself: checking it would never end".to_owned()),
            None if depth > DEEPEST => return Err(format!("goes over more than {DEEPEST} references in a row")),
            None => drop(self.seen.insert(place, false)),
        }
        for (key, value) in members {
            match (key.as_str(), value) {
                ("$ref", Value::String(target)) => {
                    let pointer = percent_decode_str(target.trim_start_matches('#')).decode_utf8_lossy();
                    let Some(target) = self.root.pointer(&pointer) else {
                        return Err(format!("refers to {}, which it does not have", cut(target)));
                    };
                    self.ends(target, depth + 1)?;
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                    schemas.iter().try_for_each(|schema| self.ends(schema, depth + 1))?;
                }
                ("not" | "if" | "then" | "else", schema) => self.ends(schema, depth + 1)?,
                ("dependentSchemas" | "dependencies", Value::Object(schemas)) => {
                    schemas.values().try_for_each(|schema| self.ends(schema, depth + 1))?;
                }
                _ => {}
            }
        }
        self.seen.insert(place, true);
        Ok(())
    }
}

/// Adds the faults of an error. No message repeats a long value.
fn tell(error: &ValidationError<'_>, faults: &mut Vec<FieldFault>) {
    let path = path_of(error);
    let place = path.join(".");
    let value = || shown(error.instance());
    let mut add = |path: Vec<String>, message: String| {
        // Several branches of a schema may say the same.
        if !faults
            .iter()
            .any(|known| known.path == path && known.message == message)
        {
            faults.push(FieldFault { path, message });
        }
    };
    let below = |name: &str| {
        let mut path = path.clone();
        path.push(name.to_owned());
        path
    };
    let wrong = match error.kind() {
        ValidationErrorKind::Required { property } => {
            let path = below(property.as_str().unwrap_or_default());
            let message = format!("{} is missing", path.join("."));
            return add(path, message);
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected.iter().take(MOST_FAULTS) {
                add(below(name), format!("{place} has no field {}", cut(name)));
            }
            return;
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            // Most likely the branch was meant that has least against it, if it is not against the value as a whole.
            let likely = context.iter().min_by_key(|branch| branch.len());
            match likely {
                Some(branch)
                    if !branch.is_empty() && branch.iter().all(|inner| path_of(inner) != path || is_inside(inner)) =>
                {
                    branch.iter().take(MOST_FAULTS).for_each(|inner| tell(inner, faults));
                    return;
                }
                _ => format!("fits none of the forms that are allowed: {}", value()),
            }
        }
        ValidationErrorKind::OneOfMultipleValid { .. } => {
            format!("fits several of the forms of which it must have one: {}", value())
        }
        ValidationErrorKind::Type { kind } => format!("must be {}, not {}", types(kind), value()),
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options.as_array().into_iter().flatten().map(word).collect();
            format!("must be one of {}, not {}", cut(&options.join(", ")), value())
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}, not {}", cut(&word(expected_value)), value())
        }
        ValidationErrorKind::Pattern { pattern } => format!("must match {}, unlike {}", cut(pattern), value()),
        ValidationErrorKind::Format { format } => format!("must have the format {}, unlike {}", cut(format), value()),
        ValidationErrorKind::Minimum { limit } => format!("must be {limit} or more, not {}", value()),
        ValidationErrorKind::Maximum { limit } => format!("must be {limit} or less, not {}", value()),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}, not {}", value()),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}, not {}", value()),
        ValidationErrorKind::MultipleOf { multiple_of } => {
            format!("must be a multiple of {multiple_of}, not {}", value())
        }
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("must have {limit} characters or more"),
        ValidationErrorKind::MaxLength { limit } => format!("must have {limit} characters or less"),
        ValidationErrorKind::MinItems { limit } => format!("must have {limit} items or more"),
        ValidationErrorKind::MaxItems { limit } => format!("must have {limit} items or less"),
        ValidationErrorKind::MinProperties { limit } => format!("must have {limit} fields or more"),
        ValidationErrorKind::MaxProperties { limit } => format!("must have {limit} fields or less"),
        ValidationErrorKind::UniqueItems => "must have each item once only".to_owned(),
        ValidationErrorKind::Contains => "lacks an item that the schema asks for".to_owned(),
        ValidationErrorKind::FalseSchema => "is not allowed here".to_owned(),
        ValidationErrorKind::PropertyNames { error } => {
            format!("has a field whose name is not allowed: {}", shown(error.instance()))
        }
        other => format!("does not fit the schema ({}): {}", other.keyword(), value()),
    };
    add(path, format!("{place} {wrong}"));
}

/// Is it about a field of the value rather than the value as a whole?
fn is_inside(error: &ValidationError<'_>) -> bool {
    matches!(
        error.kind(),
        ValidationErrorKind::Required { .. }
            | ValidationErrorKind::AdditionalProperties { .. }
            | ValidationErrorKind::UnevaluatedProperties { .. }
    )
}

/// Path of the field within the entity.
fn path_of(error: &ValidationError<'_>) -> Vec<String> {
    let pointer = error.instance_path().to_string();
    let parts = pointer.split('/').skip(1);
    std::iter::once("spec".to_owned())
        .chain(parts.map(|part| part.replace("~1", "/").replace("~0", "~")))
        .collect()
}

fn types(kind: &TypeKind) -> String {
    let name = |kind: JsonType| match kind {
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::Boolean => "true or false",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
        JsonType::Null => "null",
        JsonType::String => "text",
    };
    match kind {
        TypeKind::Single(kind) => name(*kind).to_owned(),
        TypeKind::Multiple(kinds) => kinds.iter().map(name).collect::<Vec<_>>().join(" or "),
    }
}

/// A value that the schema allows, as a file would have it.
fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
