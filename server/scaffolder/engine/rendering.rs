//! Renders what a template says into what a step gets.

use serde_json::{Value, json};

use crate::scaffolder::expressions::{ExpressionError, Options, Warning, is_truthy, render_value_with_warnings};
use crate::scaffolder::model::TaskSpec;

/// The expressions of a text, each with its delimiters.
pub fn expressions(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find("${{")?;
        let end = start + rest[start..].find("}}")? + 2;
        let expression = &rest[start..end];
        rest = &rest[end..];
        Some(expression)
    })
}

/// How a template is rendered at one point of a run.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// An earlier step has failed: what `failure()` answers.
    pub failed: bool,
    /// An expression that fails, and a name that is not defined, is an error, as the template's annotation
    /// `portico/expressions: strict` says. Otherwise its text stays, and the log tells.
    pub strict: bool,
    /// Host and kind of each configured integration.
    pub integrations: &'a [(String, String)],
}

impl<'a> Rules<'a> {
    pub fn new(spec: &TaskSpec, failed: bool, integrations: &'a [(String, String)]) -> Self {
        let annotations = &spec.template_info.entity["metadata"]["annotations"];
        Self {
            failed,
            strict: annotations["portico/expressions"] == "strict",
            integrations,
        }
    }
}

/// Renders a value of a template: an expression alone keeps its type, `None` is undefined.
pub fn render(template: &Value, context: &Value, rules: Rules<'_>) -> Result<Option<Value>, ExpressionError> {
    render_and_warn(template, context, rules, &mut Vec::new())
}

/// As [`render`]; what failed and was left as it is comes back in `warnings`.
pub fn render_and_warn(
    template: &Value,
    context: &Value,
    rules: Rules<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Value>, ExpressionError> {
    #[expect(clippy::field_reassign_with_default, reason = "not all fields can be named here")]
    let options = {
        let mut options = Options::default();
        options.failed = Some(rules.failed);
        options.strict = rules.strict;
        options.defined = rules.strict;
        options.integrations = rules.integrations.to_vec();
        options
    };
    render_value_with_warnings(template, context, &options, warnings)
}

/// The answer of an `if`: without one it is yes, unless an earlier step failed.
pub fn condition(condition: Option<&Value>, context: &Value, rules: Rules<'_>) -> Result<bool, ExpressionError> {
    match condition {
        None => Ok(!rules.failed),
        Some(condition) if rules.failed && !asks_status(condition) => Ok(false),
        Some(condition) => Ok(render(condition, context, rules)?.as_ref().is_some_and(is_truthy)),
    }
}

/// The `if` of a step calls `always()` or `failure()`: it wants to be asked after a failure, too.
fn asks_status(condition: &Value) -> bool {
    condition.as_str().is_some_and(|text| {
        ["always", "failure"].iter().any(|name| {
            text.match_indices(name).any(|(at, _)| {
                let before = text[..at].chars().next_back();
                let free = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
                free && text[at + name.len()..].trim_start().starts_with('(')
            })
        })
    })
}

/// Links and texts of an output whose `if` says no are left out; `if` itself never shows.
pub fn drop_unwanted(mut output: Value) -> Value {
    for list in ["links", "text"] {
        if let Some(items) = output.get_mut(list).and_then(Value::as_array_mut) {
            items.retain(|item| item.get("if").is_none_or(is_truthy));
            for item in items.iter_mut().filter_map(Value::as_object_mut) {
                item.shift_remove("if");
            }
        }
    }
    output
}

/// `each` as pairs of key and value, in order; `None` where it is neither a list nor an object.
pub fn iterations(each: &Value) -> Option<Vec<Value>> {
    match each {
        Value::Array(items) => Some(
            items
                .iter()
                .enumerate()
                .map(|(key, value)| json!({"key": key.to_string(), "value": value}))
                .collect(),
        ),
        Value::Object(fields) => Some(
            fields
                .iter()
                .map(|(key, value)| json!({"key": key, "value": value}))
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_ask_for_the_status() {
        for (text, asks) in [
            ("${{ always() }}", true),
            ("${{ failure () and parameters.x }}", true),
            ("${{ parameters.always }}", false),
            ("${{ parameters.failure() }}", false),
            ("${{ not_always() }}", false),
            ("yes", false),
        ] {
            assert_eq!(asks_status(&json!(text)), asks, "{text}");
        }
    }

    #[test]
    fn each_takes_lists_and_objects() {
        assert_eq!(iterations(&json!(["a"])), Some(vec![json!({"key": "0", "value": "a"})]));
        assert_eq!(
            iterations(&json!({"k": 1})),
            Some(vec![json!({"key": "k", "value": 1})])
        );
        assert_eq!(iterations(&json!("text")), None);
    }

    #[test]
    fn unwanted_links_are_left_out() {
        let output =
            json!({"links": [{"title": "a", "if": false}, {"title": "b", "if": true}, {"title": "c"}], "own": 1});
        assert_eq!(
            drop_unwanted(output),
            json!({"links": [{"title": "b"}, {"title": "c"}], "own": 1})
        );
    }
}
