//! `/create/approvals`: the questions of steps that wait for somebody's word.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use uuid::Uuid;

use super::view::answers;
use crate::language::{filters, text};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::operations::Asked;
use crate::web::{Error, Form, Shell, SignedIn, page};

pub fn routes() -> Router<Scaffolder> {
    Router::new()
        .route("/create/approvals", get(list))
        .route("/create/approvals/{id}", post(decide))
}

#[derive(Template)]
#[template(path = "scaffolder/approvals.html")]
struct ApprovalsPage {
    shell: Shell,
    asked: Vec<Question>,
}

struct Question {
    id: Uuid,
    asked: Asked,
    /// The task's page, where the reader may see it.
    task_path: Option<String>,
    answers: Vec<(String, String)>,
}

async fn list(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
) -> Result<Response, Error> {
    let asked = scaffolder
        .approvals(&caller)
        .await?
        .into_iter()
        .map(|asked| Question {
            id: asked.approval.id,
            task_path: caller
                .may_act_for(&asked.task.created_by)
                .then(|| format!("/create/tasks/{}", asked.task.id)),
            answers: answers(&asked.answers),
            asked,
        })
        .collect();
    page(shell.locale, &ApprovalsPage { shell, asked })
}

#[derive(Deserialize)]
struct DecisionForm {
    decision: String,
    #[serde(default)]
    comment: String,
}

async fn decide(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, Error> {
    let id = id
        .parse()
        .map_err(|_| Error::NotFound(text!("There is no such approval. Its task may have been removed.")))?;
    let approved = match form.decision.as_str() {
        "approved" => true,
        "rejected" => false,
        _ => return Err(Error::invalid("decision", text!("Approve it, or reject it."))),
    };
    let approval = scaffolder.decide(&caller, id, approved, &form.comment).await?;
    let to = match caller.may_act_for(&approval.created_by) {
        true => format!("/create/tasks/{}", approval.task_id),
        false => "/create/approvals".to_owned(),
    };
    Ok(Redirect::to(&to).into_response())
}
