//! Removing what a task has made. Backstage has no such thing: these two operations are our own.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::task_id;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::model::Fate;
use crate::scaffolder::operations::Planned;
use crate::web::{Error, Json, SignedIn};

/// `GET /api/scaffolder/v2/tasks/{id}/removal`: what could be removed, and what can become of each; the proposal first.
pub async fn plan(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Json<Value>, Error> {
    let plan = scaffolder.removal_plan(&caller, task_id(&id)?).await?;
    let items: Vec<Value> = plan
        .items
        .iter()
        .map(|planned| {
            let state: Vec<String> = planned.state.iter().map(ToString::to_string).collect();
            json!({
                "key": planned.key(),
                "kind": planned.effect.kind,
                "reference": planned.effect.reference,
                "url": planned.effect.url,
                "removed": planned.effect.removed,
                "state": state.join(" "),
                "fates": planned.fates,
            })
        })
        .collect();
    Ok(Json(json!({"items": items, "running": plan.running})))
}

#[derive(Deserialize)]
pub struct RemovalBody {
    /// What becomes of what: keys and fates of the plan. What is not named stays.
    fates: BTreeMap<String, Fate>,
}

/// `POST /api/scaffolder/v2/tasks/{id}/removal`: 201 with the id of the task that removes it.
pub async fn start(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    Json(body): Json<RemovalBody>,
) -> Result<Response, Error> {
    let choose = |planned: &Planned| body.fates.get(&planned.key()).copied();
    let removal = scaffolder.remove_made(&caller, task_id(&id)?, choose).await?;
    Ok((StatusCode::CREATED, Json(json!({"id": removal}))).into_response())
}
