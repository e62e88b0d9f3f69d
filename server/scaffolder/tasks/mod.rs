//! `/create/tasks`: the list of tasks, and a task's page, which is complete when it is loaded and live after it.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::Scaffolder;
use super::model::{Event, Task, TaskStatus};
use super::operations::TaskError;
use super::queries::{self, Order, TaskFilter};
use crate::language::{Text, filters, text};
use crate::web::{Error, Query, Shell, SignedIn, page};
use view::{TaskView, log_text};

mod live;
mod recent;
#[cfg(test)]
mod tests;
mod view;

pub use recent::RecentTasks;

const PAGE: i64 = 30;

pub fn routes() -> Router<Scaffolder> {
    Router::new()
        .route("/create/tasks", get(list))
        .route("/create/tasks/live", get(live::list))
        .route("/create/tasks/{id}", get(show))
        .route("/create/tasks/{id}/live", get(live::stream))
        .route("/create/tasks/{id}/log", get(log))
        .route("/create/tasks/{id}/cancel", post(cancel))
        .route("/create/tasks/{id}/retry", post(retry))
}

#[derive(askama::Template)]
#[template(path = "scaffolder/tasks.html")]
struct TasksPage {
    shell: Shell,
    tasks: Vec<Task>,
    total: i64,
    /// Word of the status that is shown only; empty for all.
    status: &'static str,
    filters: Vec<Filter>,
    /// All people's tasks; administrators see them.
    everybody: bool,
    number: i64,
    pages: i64,
    /// Address of this page of the list, and where its news comes from.
    here: String,
    live: &'static str,
}

struct Filter {
    href: String,
    label: Text,
    current: bool,
}

impl TasksPage {
    fn link(&self, number: i64) -> String {
        address(self.status, self.everybody, number)
    }
}

fn address(status: &str, everybody: bool, number: i64) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !status.is_empty() {
        query.append_pair("status", status);
    }
    if everybody {
        query.append_pair("of", "everybody");
    }
    if number > 1 {
        query.append_pair("page", &number.to_string());
    }
    let query = query.finish();
    if query.is_empty() {
        "/create/tasks".to_owned()
    } else {
        format!("/create/tasks?{query}")
    }
}

#[derive(Deserialize)]
struct ListQuery {
    status: Option<String>,
    of: Option<String>,
    page: Option<i64>,
}

async fn list(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Response, Error> {
    let status = query.status.as_deref().and_then(TaskStatus::from_word);
    let everybody = caller.is_admin() && query.of.as_deref() == Some("everybody");
    let number = query.page.unwrap_or(1).clamp(1, 1_000_000);
    let filter = TaskFilter {
        created_by: if everybody { Vec::new() } else { vec![caller.actor()] },
        status: status.into_iter().collect(),
        order: Order::NewestFirst,
        limit: PAGE,
        offset: (number - 1) * PAGE,
    };
    let (tasks, total) = queries::list_tasks(scaffolder.db(), &filter).await?;
    let word = status.map_or("", TaskStatus::as_str);
    let labels = [
        ("", text!("All")),
        ("open", text!("Waiting")),
        ("processing", text!("Running")),
        ("completed", text!("Done")),
        ("failed", text!("Failed")),
        ("cancelled", text!("Cancelled")),
    ];
    let mut filters: Vec<Filter> = labels
        .into_iter()
        .map(|(status, label)| Filter {
            href: address(status, everybody, 1),
            label,
            current: status == word,
        })
        .collect();
    if caller.is_admin() {
        filters.push(Filter {
            href: address(word, !everybody, 1),
            label: text!("Everybody's"),
            current: everybody,
        });
    }
    let runs = tasks.iter().any(|task| !task.status.is_final());
    page(
        shell.locale,
        &TasksPage {
            here: address(word, everybody, number),
            live: if runs {
                "/create/tasks/live?now"
            } else {
                "/create/tasks/live"
            },
            shell,
            tasks,
            total,
            status: word,
            filters,
            everybody,
            number,
            pages: (total + PAGE - 1) / PAGE,
        },
    )
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
    async fn task_view(&self, task: Task, shell: &Shell) -> Result<TaskView, Error> {
        let events = self.all_events(task.id).await?;
        self.view_of(task, &events, shell.now).await
    }

    async fn view_of(&self, task: Task, events: &[Event], now: DateTime<Utc>) -> Result<TaskView, Error> {
        let (steps, effects) = tokio::try_join!(
            queries::list_steps(self.db(), task.id),
            queries::list_effects(self.db(), task.id)
        )?;
        Ok(TaskView::new(task, &steps, events, &effects, now, |name| {
            self.outside().gitops.get(name)?.url.clone()
        }))
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
    let view = scaffolder.task_view(task, &shell).await?;
    page(shell.locale, &TaskPage { shell, view })
}

async fn log(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let task = scaffolder.get_task(&caller, task_id(&id)?).await?;
    let text = log_text(&scaffolder.all_events(task.id).await?);
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
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

async fn retry(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let id = task_id(&id)?;
    match scaffolder.retry_task(&caller, id, serde_json::Map::new()).await {
        // Pressed twice: it runs already, and the page shows it.
        Ok(()) | Err(TaskError::Conflict(..)) => Ok(Redirect::to(&format!("/create/tasks/{id}")).into_response()),
        Err(error) => Err(error.into()),
    }
}
