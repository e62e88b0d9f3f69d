//! What would become of a task, found out before anything is created.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::Scaffolder;
use super::actions::{InputProblem, Unchecked};
use super::engine::rendering::{self, Rules};
use super::expressions;
use super::model::Step;
use super::template::Template;
use crate::catalog::Entity;
use crate::language::Text;

/// Something that stands in the way of a task, known before anything is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the parameter that it is about; `None` where it is about several, or none.
    pub field: Option<String>,
    pub message: Text,
}

/// What is known of a task before anything is created.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Precheck {
    pub problems: Vec<Problem>,
    /// What could not be asked, and why; one sentence each.
    pub unchecked: Vec<Text>,
}

impl Precheck {
    /// Several steps may say the same.
    fn add(&mut self, step: &Step, found: InputProblem) {
        let template = step.input.as_ref().and_then(|input| input.get(found.key));
        let problem = Problem {
            field: template.and_then(sole_parameter),
            message: found.message,
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

impl Scaffolder {
    /// What would fail, as far as it can be known from the answers alone: for each step that depends on no
    /// other, its action is asked. Changes nothing; `values` may be incomplete.
    pub async fn precheck(&self, template: &Entity, values: &Value) -> Precheck {
        let mut precheck = Precheck::default();
        let Ok(template) = Template::read(template) else {
            return precheck;
        };
        let context = json!({"parameters": values});
        let integrations = &self.settings().integrations;
        let rules = Rules {
            failed: false,
            strict: false,
            integrations,
        };
        let mut made = Vec::new();
        for step in &template.steps {
            if step.each.is_some() || !is_wanted(step, &context, rules) {
                continue;
            }
            let (Some(action), Some(input)) = (self.actions().find(&step.action), known_input(step, &context, rules))
            else {
                continue;
            };
            let repository = self.repository_in(&input);
            if repository.is_some() && made.contains(&repository) {
                // An earlier step makes it: how it is before that says nothing.
                continue;
            }
            if step.action.starts_with("publish:") {
                made.push(repository);
            }
            match action.precheck(self.outside(), &input).await {
                Ok(found) => {
                    for found in found {
                        precheck.add(step, found);
                    }
                }
                Err(Unchecked(what)) if !precheck.unchecked.contains(&what) => precheck.unchecked.push(what),
                Err(_) => {}
            }
        }
        precheck
    }
}

impl Scaffolder {
    /// Forge, owner and name that a step's `repoUrl` stands for, however it is written.
    fn repository_in(&self, input: &Value) -> Option<(String, String, String)> {
        let (forge, owner, name) = self.outside().forges.parse_repo_url(input["repoUrl"].as_str()?).ok()?;
        let owner = owner.unwrap_or_else(|| forge.account().to_owned());
        Some((forge.base().to_owned(), owner, name))
    }
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
}
