//! Webhooks of a repository, of an organisation, and of the user who asks.

use axum::Json;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

use super::{Answer, Input, Paging, counted};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal};
use crate::forge::model::{Contents, Hook, Permission};
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

/// Whose webhooks are meant.
#[derive(Debug)]
pub struct Hooks(Holder);

#[derive(Debug)]
enum Holder {
    Repository(u64),
    /// Lower-case name of an organisation or user.
    Account(String),
}

impl FromRequestParts<Forge> for Hooks {
    type Rejection = Refusal;

    /// By the path: `/repos/{owner}/{repository}/…`, `/orgs/{owner}/…`, `/user/…`. The caller must administer it.
    async fn from_request_parts(parts: &mut Parts, forge: &Forge) -> Result<Self, Refusal> {
        let caller = Caller::of(forge, &parts.headers)?;
        let path: HashMap<String, String> = match Path::from_request_parts(parts, forge).await {
            Ok(Path(path)) => path,
            Err(_) => HashMap::new(),
        };
        match (path.get("owner"), path.get("repository")) {
            (Some(owner), Some(name)) => {
                let seen = forge.see(&caller, owner, name, Permission::Admin)?;
                Ok(Self(Holder::Repository(seen.repository.id)))
            }
            (Some(owner), None) => {
                let account = caller.required()?;
                let (is_organisation, allowed) = forge.inner.contents.read(|contents| {
                    let found = contents.account(owner).is_some_and(|owner| owner.members.is_some());
                    (found, contents.may_administer(&account, owner))
                });
                match (is_organisation, allowed) {
                    (false, _) => Err(Refusal::not_found()),
                    (true, false) => Err(Refusal::new(StatusCode::FORBIDDEN, "Must be an organization owner")),
                    (true, true) => Ok(Self(Holder::Account(owner.to_lowercase()))),
                }
            }
            _ => Ok(Self(Holder::Account(caller.required()?.name.to_lowercase()))),
        }
    }
}

impl Hooks {
    fn of<'a>(&self, contents: &'a mut Contents) -> Answer<&'a mut Vec<Hook>> {
        let found = match &self.0 {
            Holder::Repository(id) => contents.repositories.get_mut(id).map(|found| &mut found.hooks),
            Holder::Account(name) => contents.accounts.get_mut(name).map(|found| &mut found.hooks),
        };
        found.ok_or_else(Refusal::not_found)
    }

    fn all(&self, forge: &Forge) -> Answer<Vec<Hook>> {
        forge.inner.contents.read(|contents| {
            let found = match &self.0 {
                Holder::Repository(id) => contents.repositories.get(id).map(|found| found.hooks.clone()),
                Holder::Account(name) => contents.accounts.get(name).map(|found| found.hooks.clone()),
            };
            found.ok_or_else(Refusal::not_found)
        })
    }
}

/// Number of a hook, the last of the path's parts.
#[derive(Debug, Deserialize)]
pub struct HookId {
    id: u64,
}

/// `GET …/hooks`.
pub async fn list(State(forge): State<Forge>, hooks: Hooks, Query(paging): Query<Paging>) -> Answer<Response> {
    let all = hooks.all(&forge)?;
    let total = all.len();
    let list = paging.of(all).iter().map(hook_json).collect();
    Ok(counted(total, list).into_response())
}

/// `POST …/hooks`.
pub async fn create(State(forge): State<Forge>, hooks: Hooks, Input(wanted): Input<NewHook>) -> Answer<Response> {
    if !KINDS.contains(&wanted.kind.as_str()) {
        return Err(Refusal::invalid(format!("Invalid hook type: {}", wanted.kind)));
    }
    let option = |name: &str| {
        let found = wanted.config.get(name).cloned();
        found.ok_or_else(|| Refusal::invalid(format!("Missing config option: {name}")))
    };
    let (url, content_type) = (option("url")?, option("content_type")?);
    let hook = forge.inner.contents.update(|contents| {
        let now = Utc::now();
        let hook = Hook {
            id: contents.next_id(),
            kind: wanted.kind.clone(),
            url,
            content_type,
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
        hooks.of(contents)?.push(hook.clone());
        Ok::<_, Refusal>(hook)
    })??;
    Ok((StatusCode::CREATED, Json(hook_json(&hook))).into_response())
}

/// `GET …/hooks/{id}`.
pub async fn show(State(forge): State<Forge>, hooks: Hooks, Path(HookId { id }): Path<HookId>) -> Answer<Json<Value>> {
    Ok(Json(hook_json(find(&hooks.all(&forge)?, id)?)))
}

/// `PATCH …/hooks/{id}`.
pub async fn update(
    State(forge): State<Forge>,
    hooks: Hooks,
    Path(HookId { id }): Path<HookId>,
    Input(edit): Input<EditHook>,
) -> Answer<Json<Value>> {
    let changed = forge.inner.contents.try_update(|contents| {
        let mut all = hooks.of(contents)?.iter_mut();
        let hook = all.find(|hook| hook.id == id).ok_or_else(Refusal::not_found)?;
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
pub async fn delete(State(forge): State<Forge>, hooks: Hooks, Path(HookId { id }): Path<HookId>) -> Answer<StatusCode> {
    find(&hooks.all(&forge)?, id)?;
    forge.inner.contents.update(|contents| {
        hooks.of(contents)?.retain(|hook| hook.id != id);
        Ok::<_, Refusal>(())
    })??;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST …/hooks/{id}/tests`: a push of nothing new.
pub async fn test(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, u64)>,
) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    find(&seen.repository.hooks, id)?;
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

fn find(hooks: &[Hook], id: u64) -> Answer<&Hook> {
    hooks.iter().find(|hook| hook.id == id).ok_or_else(Refusal::not_found)
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
