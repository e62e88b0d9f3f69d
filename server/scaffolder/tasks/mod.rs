//! `/create/tasks`: the list of tasks, and a task's page, which is complete when it is loaded and live after it.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Scaffolder;
use super::model::{Event, Task};
use super::operations::{TaskError, may_decide};
use super::queries;
use crate::auth::Caller;
use crate::language::{filters, text};
use crate::web::{Error, Shell, SignedIn, page};
use view::{Decidable, TaskView, log_text};

mod approvals;
mod found;
mod list;
mod live;
mod made_by;
mod recent;
mod removal;
mod retry;
#[cfg(test)]
mod tests;
mod view;
mod workspace;

pub use found::FoundTasks;
pub use made_by::MadeByCard;
pub use recent::RecentTasks;

pub fn routes() -> Router<Scaffolder> {
    Router::new()
        .route("/create/tasks", get(list::show))
        .route("/create/tasks/live", get(live::list))
        .route("/create/tasks/{id}", get(show))
        .route("/create/tasks/{id}/live", get(live::stream))
        .route("/create/tasks/{id}/log", get(log))
        .route("/create/tasks/{id}/workspace", get(workspace::download))
        .route("/create/tasks/{id}/remove", get(removal::show).post(removal::start))
        .route("/create/tasks/{id}/cancel", post(cancel))
        .route("/create/tasks/{id}/retry", get(retry::show).post(retry::start))
        .merge(approvals::routes())
}

#[derive(askama::Template)]
#[template(path = "scaffolder/task.html")]
struct TaskPage {
    shell: Shell,
    view: TaskView,
}

/// Task ids are uuids; anything else names no task.
fn task_id(text: &str) -> Result<Uuid, Error> {
    text.parse()
        .map_err(|_| Error::NotFound(text!("There is no such task. It may have been removed.")))
}

impl Scaffolder {
    /// Everything that a task's page shows, as of one moment: what happens later is sent with a number above the
    /// page's last one.
    async fn task_view(&self, caller: &Caller, task: Task, shell: &Shell) -> Result<TaskView, Error> {
        let events = self.all_events(task.id).await?;
        self.view_of(caller, task, &events, shell.now).await
    }

    async fn view_of(
        &self,
        caller: &Caller,
        task: Task,
        events: &[Event],
        now: DateTime<Utc>,
    ) -> Result<TaskView, Error> {
        let (steps, effects, asked, has_files) = tokio::try_join!(
            queries::list_steps(self.db(), task.id),
            queries::list_effects(self.db(), task.id),
            self.approvals_of(task.id),
            queries::has_workspace(self.db(), task.id)
        )?;
        let kept = chrono::Duration::from_std(self.settings().workspace_retention).unwrap_or_default();
        let files_until = task.finished_at.filter(|_| has_files).map(|ended| ended + kept);
        let asked: Vec<_> = asked
            .into_iter()
            .map(|approval| {
                let decidable = match may_decide(caller, &approval) {
                    Ok(()) => Decidable::Yes,
                    Err(TaskError::OwnTask) => Decidable::Own,
                    Err(_) => Decidable::No,
                };
                (approval, decidable)
            })
            .collect();
        let (answers, redactor) = self.shown_answers(&task.spec).await;
        let mut view = TaskView::new(task, &steps, events, &effects, &asked, now, |name| {
            self.outside().gitops.get(name)?.url.clone()
        });
        view.files_until = files_until;
        view.answers = view::answers(&answers);
        for step in &mut view.steps {
            step.input = redactor.text(&step.input);
        }
        Ok(view)
    }

    async fn all_events(&self, id: Uuid) -> Result<Vec<Event>, sqlx::Error> {
        queries::list_events(self.db(), id, 0, i64::MAX).await
    }
}

async fn show(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let task = scaffolder.get_task(&caller, task_id(&id)?).await?;
    let view = scaffolder.task_view(&caller, task, &shell).await?;
    page(shell.locale, &TaskPage { shell, view })
}

async fn log(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let task = scaffolder.get_task(&caller, task_id(&id)?).await?;
    let text = log_text(&scaffolder.all_events(task.id).await?);
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"task-{}.log.txt\"", task.id),
        ),
    ];
    Ok((headers, text).into_response())
}

async fn cancel(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = task_id(&id)?;
    scaffolder.cancel_task(&caller, id).await?;
    Ok(Redirect::to(&format!("/create/tasks/{id}")).into_response())
}
