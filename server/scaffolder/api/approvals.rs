//! Questions of steps that wait for somebody's word. Backstage has no such thing: these two operations are our own.

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::language::text;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::iso;
use crate::web::{Error, Json, SignedIn};

/// `GET /api/scaffolder/v2/approvals`: what waits for the caller's word.
pub async fn list(State(scaffolder): State<Scaffolder>, SignedIn(caller): SignedIn) -> Result<Json<Value>, Error> {
    let asked = scaffolder.approvals(&caller).await?;
    let approvals: Vec<Value> = asked
        .iter()
        .map(|asked| {
            json!({
                "id": asked.approval.id,
                "taskId": asked.task.id,
                "stepId": asked.approval.step_id,
                "title": asked.task.title,
                "templateRef": asked.task.template_ref,
                "createdBy": asked.task.created_by,
                "approvers": asked.approval.approvers,
                "message": asked.approval.message,
                "askedAt": iso(asked.approval.asked_at),
                "parameters": asked.answers,
                "mayDecide": asked.may_decide,
            })
        })
        .collect();
    Ok(Json(json!({"approvals": approvals})))
}

#[derive(Deserialize)]
pub struct DecisionBody {
    decision: Word,
    #[serde(default)]
    comment: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Word {
    Approved,
    Rejected,
}

/// `POST /api/scaffolder/v2/approvals/{id}`: decides. 403 for who is not asked, 409 where it is decided already.
pub async fn decide(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Json(body): Json<DecisionBody>,
) -> Result<Json<Value>, Error> {
    let id = id
        .parse()
        .map_err(|_| Error::NotFound(text!("There is no such approval. Its task may have been removed.")))?;
    let approved = body.decision == Word::Approved;
    let approval = scaffolder.decide(&caller, id, approved, &body.comment).await?;
    let decision = if approved { "approved" } else { "rejected" };
    Ok(Json(
        json!({"id": id, "taskId": approval.task_id, "decision": decision}),
    ))
}
