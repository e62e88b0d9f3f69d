//! What people and programs do with tasks: start, cancel, retry. Who may do what is decided here.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Scaffolder;
use super::engine::rendering::{self, Rules};
use super::expressions;
use super::model::{SpecUser, Step, Task, TaskSpec};
use super::queries::{self, NewTask};
use super::template::Template;
use crate::auth::Caller;
use crate::catalog::{CatalogError, Entity, EntityRef};
use crate::ids::new_id;
use crate::language::Text;

/// Something that stands in the way of a task, known before anything is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the parameter that it is about; `None` where it is about several, or none.
    pub field: Option<String>,
    pub message: Text,
}

/// Why a task was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("there is no template {0}; it may have been removed from the catalog")]
    NoTemplate(String),
    #[error("{0}")]
    BrokenTemplate(String),
    /// The answers need a change.
    #[error("{}", .0.iter().map(|problem| problem.message.to_string()).collect::<Vec<_>>().join(" "))]
    Invalid(Vec<Problem>),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Why a task was not changed, or is not shown.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    #[error("Task with id '{0}' does not exist")]
    NotFound(Uuid),
    #[error("the task belongs to somebody else")]
    Forbidden,
    #[error("the task is {0}: {1}")]
    Conflict(&'static str, &'static str),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Scaffolder {
    /// The template's entity and what it says.
    pub(super) async fn template(&self, template_ref: &str) -> Result<(Entity, Template), StartError> {
        let missing = || StartError::NoTemplate(template_ref.to_owned());
        let entity_ref = EntityRef::parse(template_ref, Some("template"), None).map_err(|_| missing())?;
        if entity_ref.kind != "template" {
            return Err(missing());
        }
        let entity = self.outside().catalog.find(&entity_ref).await?.ok_or_else(missing)?;
        let template = Template::read(&entity).map_err(StartError::BrokenTemplate)?;
        Ok((entity, template))
    }

    /// Starts a task. Before anything is created the values are checked against the template's pages, and
    /// the actions are asked what would fail. `values` and `secrets` are objects. Gives the task's id.
    pub async fn start_task(
        &self,
        caller: &Caller,
        template_ref: &str,
        values: Value,
        secrets: Map<String, Value>,
    ) -> Result<Uuid, StartError> {
        self.start_task_as(new_id(self.clock()), caller, template_ref, values, secrets)
            .await
    }

    /// As [`Self::start_task`], under an id that was given out before. The same id starts one task, however
    /// often it comes: a form that is sent twice leads to the task of the first time.
    pub async fn start_task_as(
        &self,
        id: Uuid,
        caller: &Caller,
        template_ref: &str,
        values: Value,
        secrets: Map<String, Value>,
    ) -> Result<Uuid, StartError> {
        let id = match queries::find_task(self.db(), id).await? {
            Some(task) if task.created_by == caller.actor() => return Ok(id),
            // An id of somebody else's task leads nowhere.
            Some(_) => new_id(self.clock()),
            None => id,
        };
        let (entity, template) = self.template(template_ref).await?;
        let mut problems = validate(&template.parameters, &values);
        if problems.is_empty() {
            problems = validate_secrets(template.secrets_schema.as_ref(), &secrets);
        }
        if problems.is_empty() {
            problems = self.precheck(&entity, &values).await;
        }
        if !problems.is_empty() {
            // Sent twice at once, what the first time has made by now stands in the way of the second.
            if self.is_started(id, caller).await? {
                return Ok(id);
            }
            return Err(StartError::Invalid(problems));
        }
        let spec = TaskSpec {
            api_version: template.api_version,
            steps: template.steps,
            parameters: values,
            output: template.output,
            user: self.spec_user(caller).await,
            template_info: template.info,
            recovery: template.recovery,
        };
        let secrets = Value::Object(secrets);
        let has_secrets = secrets.as_object().is_some_and(|secrets| !secrets.is_empty());
        let sealed = if has_secrets {
            self.vault().keep(id, &secrets)
        } else {
            None
        };
        let title = title(&spec);
        let new = NewTask {
            id,
            title: &title,
            spec: &spec,
            created_by: &caller.actor(),
            created_at: self.clock().now(),
            has_secrets,
            secrets: sealed.as_deref(),
        };
        if let Err(error) = queries::insert_task(self.db(), &new).await {
            if self.is_started(id, caller).await? {
                return Ok(id);
            }
            return Err(error.into());
        }
        tracing::info!(task = %id, template = %spec.template_info.entity_ref, actor = %caller.actor(), "task started");
        Ok(id)
    }

    async fn is_started(&self, id: Uuid, caller: &Caller) -> Result<bool, sqlx::Error> {
        let task = queries::find_task(self.db(), id).await?;
        Ok(task.is_some_and(|task| task.created_by == caller.actor()))
    }

    async fn spec_user(&self, caller: &Caller) -> SpecUser {
        let Some(user) = caller.user() else {
            return SpecUser::default();
        };
        let entity = match EntityRef::parse(&user.entity_ref, Some("user"), None) {
            Ok(entity_ref) => self.outside().catalog.find(&entity_ref).await.ok().flatten(),
            Err(_) => None,
        };
        SpecUser {
            entity: entity.map(|entity| entity.body),
            entity_ref: Some(user.entity_ref.clone()),
        }
    }

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

    /// A task that the caller may see.
    pub async fn get_task(&self, caller: &Caller, id: Uuid) -> Result<Task, TaskError> {
        let task = queries::find_task(self.db(), id)
            .await?
            .ok_or(TaskError::NotFound(id))?;
        if caller.may_act_for(&task.created_by) {
            Ok(task)
        } else {
            Err(TaskError::Forbidden)
        }
    }

    /// Ends a task at once. One that has ended stays as it is.
    pub async fn cancel_task(&self, caller: &Caller, id: Uuid) -> Result<(), TaskError> {
        self.get_task(caller, id).await?;
        if queries::cancel(self.db(), id, self.clock().now()).await? {
            tracing::info!(task = %id, actor = %caller.actor(), "task cancelled");
            self.vault().forget(id);
        }
        Ok(())
    }

    /// Has an ended task go on from the step that failed, or from the beginning where it had completed or its
    /// template says so. Secrets are not kept beyond a task's end: where it had some they are given anew.
    pub async fn retry_task(&self, caller: &Caller, id: Uuid, secrets: Map<String, Value>) -> Result<(), TaskError> {
        let task = self.get_task(caller, id).await?;
        let strategy = task.spec.recover_strategy();
        let start_over = strategy == "startOver" || task.status == super::model::TaskStatus::Completed;
        let sealed = if secrets.is_empty() {
            None
        } else {
            self.vault().keep(id, &Value::Object(secrets))
        };
        let now = self.clock().now();
        if !queries::retry(self.db(), id, start_over, strategy, sealed.as_deref(), now).await? {
            return Err(TaskError::Conflict(
                task.status.as_str(),
                "only a task that has ended can be retried",
            ));
        }
        tracing::info!(task = %id, actor = %caller.actor(), "task retried");
        Ok(())
    }
}

/// What the task is called in lists: the name that it was given, else the template's title.
fn title(spec: &TaskSpec) -> String {
    ["name", "component_id", "componentName", "title"]
        .iter()
        .find_map(|key| spec.parameters[key].as_str())
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| spec.template_title())
        .chars()
        .take(200)
        .collect()
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
        .build(&super::forms::draft7(schema))
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
            validate_secrets(Some(&json!({"required": ["token"]})), &Map::new())[0]
                .message
                .to_string(),
            "secrets.token is required"
        );
    }
}
