//! `/create/tasks/<id>/retry`: one more run of a task that has ended. The secrets of one that had some are asked anew,
//! because nothing keeps them beyond a task's end.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::task_id;
use crate::language::filters;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::forms::{Control, Page};
use crate::scaffolder::model::Task;
use crate::scaffolder::operations::TaskError;
use crate::web::{Error, Form, Shell, SignedIn, page};

#[derive(Template)]
#[template(path = "scaffolder/retry.html")]
struct RetryPage {
    shell: Shell,
    id: Uuid,
    title: String,
    /// Names and labels.
    secrets: Vec<(String, String)>,
    /// Something is missing.
    refused: bool,
}

/// The page that asks.
pub async fn show(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let task = scaffolder.get_task(&caller, task_id(&id)?).await?;
    let secrets = asked(&scaffolder, &task).await;
    ask(shell, task, secrets, false)
}

fn ask(shell: Shell, task: Task, secrets: Vec<(String, String)>, refused: bool) -> Result<Response, Error> {
    let status = if refused {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let response = page(
        shell.locale,
        &RetryPage {
            shell,
            id: task.id,
            title: task.title,
            secrets,
            refused,
        },
    )?;
    Ok((status, response).into_response())
}

/// The secrets that a task has to be given: what its template asks for, as far as the task had any.
async fn asked(scaffolder: &Scaffolder, task: &Task) -> Vec<(String, String)> {
    if !task.has_secrets {
        return Vec::new();
    }
    // A template that is gone asks for nothing; the task then says itself what it lacks.
    let Ok((_, template)) = scaffolder.template(&task.template_ref).await else {
        return Vec::new();
    };
    let pages = template
        .parameters
        .iter()
        .map(|page| Page::read(page, &task.spec.parameters));
    pages
        .flat_map(|page| {
            let secrets = page.fields().filter(|field| field.control == Control::Secret);
            secrets
                .map(|field| (field.path.clone(), field.label.clone()))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Tries again.
pub async fn start(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Form(given): Form<Vec<(String, String)>>,
) -> Result<Response, Error> {
    let task = scaffolder.get_task(&caller, task_id(&id)?).await?;
    let id = task.id;
    let wanted = asked(&scaffolder, &task).await;
    let secrets: Map<String, Value> = given
        .into_iter()
        .filter(|(name, value)| !value.is_empty() && wanted.iter().any(|(known, _)| known == name))
        .map(|(name, value)| (name, Value::String(value)))
        .collect();
    if task.status.is_final() && secrets.len() < wanted.len() {
        return ask(shell, task, wanted, true);
    }
    match scaffolder.retry_task(&caller, id, secrets).await {
        // Pressed twice: it runs already, and the page shows it.
        Ok(()) | Err(TaskError::Conflict(..)) => Ok(Redirect::to(&format!("/create/tasks/{id}")).into_response()),
        Err(error) => Err(error.into()),
    }
}
