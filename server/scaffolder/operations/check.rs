//! What stands in the way of a task, told before anything is created.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::Problem;
use crate::catalog::Entity;
use crate::scaffolder::engine::rendering::{self, Rules};
use crate::scaffolder::model::Step;
use crate::scaffolder::template::Template;
use crate::scaffolder::{Scaffolder, expressions, forms};

/// Checks values and secrets against what the template asks for.
pub fn answers(template: &Template, values: &Value, secrets: &Map<String, Value>) -> Vec<Problem> {
    let problems = validate(&template.parameters, values);
    if problems.is_empty() {
        validate_secrets(template.secrets_schema.as_ref(), secrets)
    } else {
        problems
    }
}

impl Scaffolder {
    /// What would fail, as far as it can be known from the answers alone: for each step that depends on no
    /// other, its action is asked. Changes nothing; `values` may be incomplete.
    pub async fn precheck(&self, template: &Entity, values: &Value) -> Vec<Problem> {
        let Ok(template) = Template::read(template) else {
            return Vec::new();
        };
        let context = json!({"parameters": values});
        let integrations = &self.settings().integrations;
        let rules = Rules {
            failed: false,
            strict: false,
            integrations,
        };
        let mut problems: Vec<Problem> = Vec::new();
        for step in &template.steps {
            if step.each.is_some() || !is_wanted(step, &context, rules) {
                continue;
            }
            let (Some(action), Some(input)) = (self.actions().find(&step.action), known_input(step, &context, rules))
            else {
                continue;
            };
            for found in action.precheck(self.outside(), &input).await {
                let problem = Problem {
                    field: step
                        .input
                        .as_ref()
                        .and_then(|input| sole_parameter(input.get(found.key)?)),
                    message: found.message,
                };
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
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
                message: format!("the template's form is broken: {error}"),
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
                message,
            }
        })
        .collect()
}

/// Text that only a running task can render.
static LATER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(steps|secrets|each|user|environment|context)\b\s*[.\[]"));
static PARAMETER: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"\bparameters(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*['"]([^'"]+)['"]\s*\])"#));

#[expect(clippy::expect_used, reason = "the patterns are constants and tested")]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// Whether the text needs more than the parameters.
fn is_known(value: &Value) -> bool {
    match value {
        Value::String(text) => !rendering::expressions(text).any(|expression| LATER.is_match(expression)),
        Value::Array(items) => items.iter().all(is_known),
        Value::Object(fields) => fields.values().all(is_known),
        _ => true,
    }
}

fn is_wanted(step: &Step, context: &Value, rules: Rules<'_>) -> bool {
    let Some(condition) = &step.condition else {
        return true;
    };
    is_known(condition)
        && rendering::render(condition, context, rules)
            .is_ok_and(|answer| answer.as_ref().is_some_and(expressions::is_truthy))
}

/// The keys of the input that the parameters alone decide, rendered.
fn known_input(step: &Step, context: &Value, rules: Rules<'_>) -> Option<Value> {
    let input = step.input.as_ref()?.as_object()?;
    let known: Map<String, Value> = input
        .iter()
        .filter(|(_, value)| is_known(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    rendering::render(&Value::Object(known), context, rules).ok().flatten()
}

/// The one parameter that a text is made of.
fn sole_parameter(template: &Value) -> Option<String> {
    let text = template.as_str()?;
    let mut names = rendering::expressions(text).flat_map(|expression| {
        PARAMETER
            .captures_iter(expression)
            .filter_map(|found| Some(found.get(1).or(found.get(2))?.as_str()))
    });
    let first = names.next()?;
    names.all(|name| name == first).then(|| first.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_find_their_field() {
        for (text, field) in [
            ("host:8443/gitea?repo=${{parameters.name}}", Some("name")),
            ("${{ parameters['app-name'] | lower }}", Some("app-name")),
            ("${{ parameters.owner }}/${{ parameters.name }}", None),
            ("${{ parameters.name }}-${{ parameters.name }}", Some("name")),
            ("fixed", None),
        ] {
            assert_eq!(sole_parameter(&json!(text)).as_deref(), field, "{text}");
        }
    }

    #[test]
    fn only_what_parameters_decide_is_checked() {
        for (value, known) in [
            (json!("${{ parameters.name }}"), true),
            (json!("${{ steps.publish.output.url }}"), false),
            (json!("${{ steps['publish'].output.url }}"), false),
            (json!("steps.txt"), true),
            (json!(["${{ secrets.token }}"]), false),
        ] {
            assert_eq!(is_known(&value), known, "{value}");
        }
    }

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
            validate_secrets(Some(&json!({"required": ["token"]})), &Map::new())[0].message,
            "secrets.token is required"
        );
    }
}
