//! Commit statuses.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Answer, Input};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::model::{Permission, Status};
use crate::forge::payload::time;

/// States from worst to best: the worst of a commit is the combined one.
const STATES: [&str; 5] = ["error", "failure", "warning", "pending", "success"];

/// So many statuses are kept for a repository.
const KEPT: usize = 2000;

#[derive(Debug, Deserialize)]
pub struct NewStatus {
    state: String,
    #[serde(default)]
    context: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    target_url: String,
}

type Place = Path<(String, String, String)>;

/// `POST …/statuses/{sha}`.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, reference)): Place,
    Input(wanted): Input<NewStatus>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Write)?;
    let account = caller.required()?;
    if !STATES.contains(&wanted.state.as_str()) {
        return Err(Refusal::invalid(format!(
            "`{}` is not a state: {} are",
            wanted.state,
            STATES.join(", ")
        )));
    }
    let sha = seen.commit(&reference).await?;
    let status = forge.inner.contents.update(|contents| {
        let status = Status {
            id: contents.next_id(),
            sha,
            state: wanted.state,
            context: if wanted.context.is_empty() {
                "default".to_owned()
            } else {
                wanted.context
            },
            description: wanted.description,
            target_url: wanted.target_url,
            creator: account.name.to_lowercase(),
            created: Utc::now(),
        };
        if let Some(repository) = contents.repositories.get_mut(&seen.repository.id) {
            repository.statuses.push(status.clone());
            let surplus = repository.statuses.len().saturating_sub(KEPT);
            repository.statuses.drain(..surplus);
        }
        status
    })?;
    Ok((StatusCode::CREATED, Json(status_json(&forge, &seen, &status))).into_response())
}

/// `GET …/statuses/{sha}` and `GET …/commits/{reference}/statuses`: newest first.
pub async fn list(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, reference)): Place,
) -> Answer<Json<Vec<Value>>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let sha = seen.commit(&reference).await?;
    let of_commit = seen.repository.statuses.iter().rev().filter(|status| status.sha == sha);
    Ok(Json(
        of_commit.map(|status| status_json(&forge, &seen, status)).collect(),
    ))
}

/// `GET …/commits/{reference}/status`: the newest of each context, and the worst of them.
pub async fn combined(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, reference)): Place,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let sha = seen.commit(&reference).await?;
    let newest: BTreeMap<&str, &Status> = seen
        .repository
        .statuses
        .iter()
        .filter(|status| status.sha == sha)
        .map(|status| (status.context.as_str(), status))
        .collect();
    let worst = STATES
        .iter()
        .find(|state| newest.values().any(|status| status.state == **state));
    let commit_url = format!(
        "{}/api/v1/repos/{}/commits/{sha}",
        forge.root(),
        forge.full_name(&seen.repository)
    );
    Ok(Json(json!({
        "state": worst.copied().unwrap_or_default(),
        "sha": sha,
        "total_count": newest.len(),
        "statuses": newest.values().map(|status| status_json(&forge, &seen, status)).collect::<Vec<_>>(),
        "repository": forge.repository(&seen.repository, seen.permission).await,
        "commit_url": commit_url,
        "url": format!("{commit_url}/status"),
    })))
}

fn status_json(forge: &Forge, seen: &Seen, status: &Status) -> Value {
    let url = format!(
        "{}/api/v1/repos/{}/statuses/{}",
        forge.root(),
        forge.full_name(&seen.repository),
        status.sha
    );
    json!({
        "id": status.id,
        "status": status.state,
        "target_url": status.target_url,
        "description": status.description,
        "url": url,
        "context": status.context,
        "creator": forge.user_named(&status.creator),
        "created_at": time(status.created),
        "updated_at": time(status.created),
    })
}
