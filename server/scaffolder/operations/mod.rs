//! What people and programs do with tasks: start, cancel, retry. Who may do what is decided here.

use serde_json::{Map, Value};
use uuid::Uuid;

mod approvals;
mod check;
mod dry_run;
mod removal;
mod shown;

pub use approvals::{Asked, may_decide};
pub use dry_run::DryRunError;
pub use removal::{Plan, Planned};

use super::Scaffolder;
use super::model::{SpecUser, Task, TaskSpec, TaskStatus};
use super::precheck::Problem;
use super::queries::{self, NewTask};
use super::template::Template;
use crate::auth::Caller;
use crate::catalog::{CatalogError, Entity, EntityRef};
use crate::ids::new_id;

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
    #[error("there is no approval with the id '{0}'")]
    NoApproval(Uuid),
    #[error("somebody else is asked")]
    NotAsked,
    #[error("the task is your own: somebody else has to decide")]
    OwnTask,
    #[error("it is decided already, or nobody waits for it any more")]
    Decided,
    #[error("nothing was chosen that can be removed")]
    NothingToRemove,
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
        let mut problems = check::answers(&template, &values, &secrets);
        if problems.is_empty() {
            // What cannot be checked now is found out by the steps themselves.
            problems = self.precheck(&entity, &values).await.problems;
        }
        if !problems.is_empty() {
            // Sent twice at once, what the first time has made by now stands in the way of the second.
            if self.is_started(id, caller).await? {
                return Ok(id);
            }
            return Err(StartError::Invalid(problems));
        }
        let spec = self.spec(caller, template, values).await;
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
            undoes: None,
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

    async fn spec(&self, caller: &Caller, template: Template, values: Value) -> TaskSpec {
        TaskSpec {
            api_version: template.api_version,
            steps: template.steps,
            parameters: values,
            output: template.output,
            user: self.spec_user(caller).await,
            template_info: template.info,
            recovery: template.recovery,
        }
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
        let start_over = strategy == "startOver" || task.status == TaskStatus::Completed;
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
