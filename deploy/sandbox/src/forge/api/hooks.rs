//! Webhooks of a repository.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{Answer, Input, Paging, counted};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::model::{Hook, Permission};
use crate::forge::payload::{self, Event, time};
use crate::forge::webhooks;

/// Kinds whose payload is the forge's own; others would want another vendor's.
const KINDS: [&str; 3] = ["gitea", "forgejo", "gogs"];

#[derive(Debug, Deserialize)]
pub struct NewHook {
    #[serde(rename = "type")]
    kind: String,
    config: BTreeMap<String, String>,
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    active: bool,
    #[serde(default)]
    branch_filter: String,
    #[serde(default)]
    authorization_header: String,
}

#[derive(Debug, Deserialize)]
pub struct EditHook {
    config: Option<BTreeMap<String, String>>,
    events: Option<Vec<String>>,
    active: Option<bool>,
    branch_filter: Option<String>,
    authorization_header: Option<String>,
}

type Place = Path<(String, String, u64)>;

/// `GET …/hooks`.
pub async fn list(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    let total = seen.repository.hooks.len();
    let list = paging.of(seen.repository.hooks).iter().map(hook_json).collect();
    Ok(counted(total, list).into_response())
}

/// `POST …/hooks`.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(wanted): Input<NewHook>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    if !KINDS.contains(&wanted.kind.as_str()) {
        return Err(Refusal::invalid(format!("Invalid hook type: {}", wanted.kind)));
    }
    let url = wanted
        .config
        .get("url")
        .ok_or_else(|| Refusal::invalid("Missing config option: url"))?;
    let content_type = wanted
        .config
        .get("content_type")
        .ok_or_else(|| Refusal::invalid("Missing config option: content_type"))?;
    let hook = forge.inner.contents.update(|contents| {
        let now = Utc::now();
        let hook = Hook {
            id: contents.next_id(),
            kind: wanted.kind.clone(),
            url: url.clone(),
            content_type: content_type.clone(),
            secret: wanted.config.get("secret").cloned().unwrap_or_default(),
            authorization: wanted.authorization_header.clone(),
            active: wanted.active,
            events: if wanted.events.is_empty() {
                vec!["push".to_owned()]
            } else {
                wanted.events.clone()
            },
            branch_filter: wanted.branch_filter.clone(),
            created: now,
            updated: now,
            deliveries: Vec::new(),
        };
        check(&hook)?;
        if let Some(repository) = contents.repositories.get_mut(&seen.repository.id) {
            repository.hooks.push(hook.clone());
        }
        Ok::<_, Refusal>(hook)
    })??;
    Ok((StatusCode::CREATED, Json(hook_json(&hook))).into_response())
}

/// `GET …/hooks/{id}`.
pub async fn show(State(forge): State<Forge>, caller: Caller, Path((owner, name, id)): Place) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    Ok(Json(hook_json(find(&seen, id)?)))
}

/// `PATCH …/hooks/{id}`.
pub async fn update(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, id)): Place,
    Input(edit): Input<EditHook>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    let changed = forge.inner.contents.try_update(|contents| {
        let repository = contents
            .repositories
            .get_mut(&seen.repository.id)
            .ok_or_else(Refusal::not_found)?;
        let hook = repository
            .hooks
            .iter_mut()
            .find(|hook| hook.id == id)
            .ok_or_else(Refusal::not_found)?;
        let config = edit.config.unwrap_or_default();
        let replace = |kept: &mut String, key: &str| {
            if let Some(value) = config.get(key) {
                kept.clone_from(value);
            }
        };
        replace(&mut hook.url, "url");
        replace(&mut hook.content_type, "content_type");
        // As on Gitea, the secret stays what it was made with.
        if let Some(events) = edit.events {
            hook.events = events;
        }
        if let Some(active) = edit.active {
            hook.active = active;
        }
        if let Some(filter) = edit.branch_filter {
            hook.branch_filter = filter;
        }
        if let Some(authorization) = edit.authorization_header {
            hook.authorization = authorization;
        }
        hook.updated = Utc::now();
        check(hook)?;
        Ok::<_, Refusal>(hook.clone())
    })??;
    Ok(Json(hook_json(&changed)))
}

/// `DELETE …/hooks/{id}`.
pub async fn delete(State(forge): State<Forge>, caller: Caller, Path((owner, name, id)): Place) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    find(&seen, id)?;
    forge.inner.contents.update(|contents| {
        if let Some(repository) = contents.repositories.get_mut(&seen.repository.id) {
            repository.hooks.retain(|hook| hook.id != id);
        }
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/hooks/{id}/tests`: a push of nothing new.
pub async fn test(State(forge): State<Forge>, caller: Caller, Path((owner, name, id)): Place) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    find(&seen, id)?;
    let commit = seen.commit("").await?;
    let reference = format!("refs/heads/{}", seen.repository.default_branch);
    let repository = forge.repository(&seen.repository, seen.permission).await;
    let sender = caller
        .0
        .map_or(Value::Null, |account| payload::user(forge.root(), &account));
    let body = payload::push(
        &forge,
        &seen.repository,
        &reference,
        &commit,
        &commit,
        &repository,
        &sender,
    )
    .await?;
    let event = Event {
        name: "push",
        branch: None,
        payload: body,
    };
    forge
        .inner
        .contents
        .update(|contents| webhooks::order_one(contents, seen.repository.id, id, &event))?;
    forge.inner.deliveries.notify_one();
    Ok(StatusCode::NO_CONTENT)
}

fn find(seen: &Seen, id: u64) -> Answer<&Hook> {
    seen.repository
        .hooks
        .iter()
        .find(|hook| hook.id == id)
        .ok_or_else(Refusal::not_found)
}

fn check(hook: &Hook) -> Answer<()> {
    let is_web = url::Url::parse(&hook.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_web {
        return Err(Refusal::invalid("Invalid URL"));
    }
    if !matches!(hook.content_type.as_str(), "json" | "form") {
        return Err(Refusal::invalid("Invalid content type"));
    }
    Ok(())
}

// The secret is never shown again, as in Gitea.
fn hook_json(hook: &Hook) -> Value {
    json!({
        "id": hook.id,
        "type": hook.kind,
        "branch_filter": hook.branch_filter,
        "config": { "content_type": hook.content_type, "url": hook.url },
        "events": hook.events,
        "authorization_header": "",
        "active": hook.active,
        "updated_at": time(hook.updated),
        "created_at": time(hook.created),
    })
}
