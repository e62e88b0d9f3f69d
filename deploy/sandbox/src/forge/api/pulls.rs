//! Pull requests between branches of one repository.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Input, Paging, counted};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::commits::{self, Note};
use crate::forge::model::{Permission, Pull};
use crate::forge::payload::{Event, time};
use crate::forge::webhooks;

#[derive(Debug, Deserialize)]
pub struct NewPull {
    head: String,
    base: String,
    title: String,
    #[serde(default)]
    body: String,
}

#[derive(Debug, Deserialize)]
pub struct Filter {
    state: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct EditPull {
    title: Option<String>,
    body: Option<String>,
    state: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Merge {
    #[serde(rename = "Do")]
    way: String,
    #[serde(default, rename = "MergeTitleField")]
    title: String,
}

type Place = Path<(String, String, u64)>;

/// `GET …/pulls`: newest first; open ones unless `state` says `closed` or `all`.
pub async fn list(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let state = filter.state.as_deref().unwrap_or("open");
    let wanted: Vec<Pull> = seen
        .repository
        .pulls
        .iter()
        .rev()
        .filter(|pull| state == "all" || pull.state == state)
        .cloned()
        .collect();
    let total = wanted.len();
    let mut list = Vec::new();
    for pull in paging.of(wanted) {
        list.push(pull_json(&forge, &seen, &pull).await?);
    }
    Ok(counted(total, list).into_response())
}

/// `POST …/pulls`.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(wanted): Input<NewPull>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let account = caller.required()?;
    let head = wanted
        .head
        .split_once(':')
        .map_or(wanted.head.as_str(), |(_, branch)| branch)
        .to_owned();
    let (from, to) = (branch(&seen, &head).await?, branch(&seen, &wanted.base).await?);
    if from == to || head == wanted.base {
        return Err(Refusal::invalid("there are no changes between the head and the base"));
    }
    let pull = forge.inner.contents.try_update(|contents| {
        let id = contents.next_id();
        let repository = contents
            .repositories
            .get_mut(&seen.repository.id)
            .ok_or_else(Refusal::not_found)?;
        let open = repository
            .pulls
            .iter()
            .find(|pull| pull.state == "open" && pull.head == head && pull.base == wanted.base);
        if let Some(open) = open {
            let message = format!(
                "pull request already exists for these targets [issue_id: {}]",
                open.number
            );
            return Err(Refusal::new(StatusCode::CONFLICT, message));
        }
        let now = Utc::now();
        let pull = Pull {
            id,
            number: repository.next_number(),
            title: wanted.title,
            body: wanted.body,
            head: head.clone(),
            base: wanted.base,
            author: account.name.to_lowercase(),
            state: "open".to_owned(),
            merged: None,
            created: now,
            updated: now,
        };
        repository.pulls.push(pull.clone());
        Ok(pull)
    })??;
    let body = pull_json(&forge, &seen, &pull).await?;
    tell(&forge, &seen, "opened", &pull, &body, &account.name).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// `GET …/pulls/{number}`.
pub async fn show(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, number)): Place,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let pull = find(&seen, number)?;
    Ok(Json(pull_json(&forge, &seen, pull).await?))
}

/// `PATCH …/pulls/{number}`: title, text, `state`.
pub async fn update(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, number)): Place,
    Input(edit): Input<EditPull>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Write)?;
    let account = caller.required()?;
    let before = find(&seen, number)?.clone();
    if edit
        .state
        .as_deref()
        .is_some_and(|state| !matches!(state, "open" | "closed"))
    {
        return Err(Refusal::invalid("state is `open` or `closed`"));
    }
    let pull = change(&forge, &seen, number, |pull| {
        if let Some(title) = edit.title {
            pull.title = title;
        }
        if let Some(body) = edit.body {
            pull.body = body;
        }
        if let Some(state) = edit.state {
            pull.state = state;
        }
    })?;
    let body = pull_json(&forge, &seen, &pull).await?;
    let action = match (before.state.as_str(), pull.state.as_str()) {
        ("open", "closed") => "closed",
        ("closed", "open") => "reopened",
        _ => "edited",
    };
    tell(&forge, &seen, action, &pull, &body, &account.name).await?;
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// `POST …/pulls/{number}/merge`: `merge` or `squash`.
pub async fn merge(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, number)): Place,
    Input(wanted): Input<Merge>,
) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Write)?;
    let account = caller.required()?;
    let pull = find(&seen, number)?.clone();
    if pull.state != "open" {
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "the pull request is not open",
        ));
    }
    let lock = forge.lock(seen.repository.id).await;
    let (head, base) = (branch(&seen, &pull.head).await?, branch(&seen, &pull.base).await?);
    let tree = merged_tree(&seen, &base, &head).await?;
    let parents: &[&str] = match wanted.way.as_str() {
        "merge" => &[&base, &head],
        "squash" => &[&base],
        other => {
            return Err(Refusal::invalid(format!(
                "`{other}` is not a way to merge here: merge and squash are"
            )));
        }
    };
    let title = if wanted.title.is_empty() {
        format!("{} (#{number})", pull.title)
    } else {
        wanted.title
    };
    let who = (account.name.clone(), account.email.clone());
    let note = Note {
        message: title,
        author: who.clone(),
        committer: who,
    };
    let commit = commits::commit(&seen.git, &tree, parents, &note).await?;
    commits::move_branch(&seen.git, &pull.base, &commit, Some(&base)).await?;
    drop(lock);
    let pull = change(&forge, &seen, number, |pull| {
        pull.state = "closed".to_owned();
        pull.merged = Some(commit);
    })?;
    forge.announce(seen.repository.id, Some(&account.name)).await?;
    let body = pull_json(&forge, &seen, &pull).await?;
    tell(&forge, &seen, "closed", &pull, &body, &account.name).await?;
    Ok(StatusCode::OK)
}

/// The tree of both, or 409 when they touched the same lines.
async fn merged_tree(seen: &Seen, base: &str, head: &str) -> Answer<String> {
    let merged = seen.git.run(["merge-tree", "--write-tree", base, head]).await;
    match merged {
        Ok(tree) => Ok(String::from_utf8_lossy(&tree)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()),
        Err(_) => Err(Refusal::new(
            StatusCode::CONFLICT,
            "the branches cannot be merged: both changed the same lines",
        )),
    }
}

fn change(forge: &Forge, seen: &Seen, number: u64, edit: impl FnOnce(&mut Pull)) -> Answer<Pull> {
    forge
        .inner
        .contents
        .update(|contents| {
            let repository = contents.repositories.get_mut(&seen.repository.id)?;
            let pull = repository.pulls.iter_mut().find(|pull| pull.number == number)?;
            edit(pull);
            pull.updated = Utc::now();
            Some(pull.clone())
        })?
        .ok_or_else(Refusal::not_found)
}

fn find(seen: &Seen, number: u64) -> Answer<&Pull> {
    seen.repository
        .pulls
        .iter()
        .find(|pull| pull.number == number)
        .ok_or_else(Refusal::not_found)
}

async fn branch(seen: &Seen, name: &str) -> Answer<String> {
    seen.git
        .resolve(&format!("refs/heads/{name}"))
        .await?
        .ok_or_else(Refusal::not_found)
}

async fn tell(forge: &Forge, seen: &Seen, action: &str, pull: &Pull, body: &Value, sender: &str) -> Answer<()> {
    let payload = json!({
        "action": action,
        "number": pull.number,
        "pull_request": body,
        "repository": forge.repository(&seen.repository, Permission::Admin).await,
        "sender": forge.user_named(sender),
    });
    let event = Event {
        name: "pull_request",
        branch: Some(pull.base.clone()),
        payload,
    };
    forge
        .inner
        .contents
        .update(|contents| webhooks::order(contents, &seen.repository, &[event]))?;
    forge.inner.deliveries.notify_one();
    Ok(())
}

async fn pull_json(forge: &Forge, seen: &Seen, pull: &Pull) -> Answer<Value> {
    let repository = forge.repository(&seen.repository, seen.permission).await;
    let html = format!(
        "{}/{}/pulls/{}",
        forge.root(),
        forge.full_name(&seen.repository),
        pull.number
    );
    let head = seen.git.resolve(&format!("refs/heads/{}", pull.head)).await?;
    let base = seen.git.resolve(&format!("refs/heads/{}", pull.base)).await?;
    let mergeable = match (&pull.merged, &head, &base) {
        (None, Some(head), Some(base)) => merged_tree(seen, base, head).await.is_ok(),
        _ => false,
    };
    let end = |name: &str, sha: &Option<String>| json!({ "label": name, "ref": name, "sha": sha, "repo_id": seen.repository.id, "repo": repository });
    Ok(json!({
        "id": pull.id,
        "url": html,
        "number": pull.number,
        "user": forge.user_named(&pull.author),
        "title": pull.title,
        "body": pull.body,
        "labels": [],
        "milestone": null,
        "assignee": null,
        "assignees": null,
        "state": pull.state,
        "draft": false,
        "is_locked": false,
        "comments": 0,
        "html_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "mergeable": mergeable,
        "merged": pull.merged.is_some(),
        "merged_at": pull.merged.as_ref().map(|_| time(pull.updated)),
        "merge_commit_sha": pull.merged,
        "merged_by": null,
        "base": end(&pull.base, &base),
        "head": end(&pull.head, &head),
        "merge_base": base,
        "due_date": null,
        "created_at": time(pull.created),
        "updated_at": time(pull.updated),
        "closed_at": (pull.state == "closed").then(|| time(pull.updated)),
    }))
}
