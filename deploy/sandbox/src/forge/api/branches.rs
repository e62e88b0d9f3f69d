//! Branches.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Input, Paging, counted};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::commits;
use crate::forge::model::Permission;
use crate::forge::names::is_ref_name;

/// `GET …/branches`.
pub async fn list(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let refs = seen.git.refs().await?;
    let names: Vec<String> = refs
        .keys()
        .filter_map(|name| name.strip_prefix("refs/heads/"))
        .map(str::to_owned)
        .collect();
    let total = names.len();
    let mut list = Vec::new();
    for branch in paging.of(names) {
        list.push(branch_json(&forge, &seen, &branch).await?);
    }
    Ok(counted(total, list).into_response())
}

/// `GET …/branches/{branch}`.
pub async fn show(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    Ok(Json(branch_json(&forge, &seen, &branch).await?))
}

#[derive(Debug, Deserialize)]
pub struct NewBranch {
    new_branch_name: String,
    #[serde(default)]
    old_branch_name: String,
    #[serde(default)]
    old_ref_name: String,
}

/// `POST …/branches`.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(wanted): Input<NewBranch>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Write)?;
    let branch = &wanted.new_branch_name;
    if !is_ref_name(branch) {
        return Err(Refusal::invalid(format!("`{branch}` is not a possible branch name")));
    }
    let from = if wanted.old_ref_name.is_empty() {
        &wanted.old_branch_name
    } else {
        &wanted.old_ref_name
    };
    let commit = seen.commit(from).await?;
    let lock = forge.lock(seen.repository.id).await;
    if seen.git.resolve(&format!("refs/heads/{branch}")).await?.is_some() {
        return Err(Refusal::new(StatusCode::CONFLICT, "The branch already exists."));
    }
    commits::move_branch(&seen.git, branch, &commit, None).await?;
    drop(lock);
    let doer = caller.0.map(|account| account.name);
    forge.announce(seen.repository.id, doer.as_deref()).await?;
    Ok((StatusCode::CREATED, Json(branch_json(&forge, &seen, branch).await?)).into_response())
}

/// `DELETE …/branches/{branch}`: not the default one.
pub async fn delete(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, branch)): Path<(String, String, String)>,
) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Write)?;
    if branch == seen.repository.default_branch {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "branch is default"));
    }
    let lock = forge.lock(seen.repository.id).await;
    let reference = format!("refs/heads/{branch}");
    if !is_ref_name(&branch) || seen.git.resolve(&reference).await?.is_none() {
        return Err(Refusal::not_found());
    }
    seen.git.run(["update-ref", "-d", &reference]).await?;
    drop(lock);
    let doer = caller.0.map(|account| account.name);
    forge.announce(seen.repository.id, doer.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn branch_json(forge: &Forge, seen: &Seen, branch: &str) -> Answer<Value> {
    let found = if is_ref_name(branch) {
        seen.git.resolve(&format!("refs/heads/{branch}")).await?
    } else {
        None
    };
    let commit = match found {
        Some(id) => seen.git.commit(&id).await?.ok_or_else(Refusal::not_found)?,
        None => return Err(Refusal::not_found()),
    };
    Ok(json!({
        "name": branch,
        "commit": forge.payload_commit(&seen.repository, &commit).await?,
        "protected": false,
        "required_approvals": 0,
        "enable_status_check": false,
        "status_check_contexts": [],
        "user_can_push": seen.permission >= Permission::Write,
        "user_can_merge": seen.permission >= Permission::Write,
        "effective_branch_protection_name": "",
    }))
}
