//! Issues: made and listed.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Input, Paging, counted};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::model::{Issue, Permission};
use crate::forge::payload::time;

#[derive(Debug, Deserialize)]
pub struct NewIssue {
    title: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    assignees: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Filter {
    state: Option<String>,
    since: Option<DateTime<Utc>>,
}

/// `GET …/issues`: newest first. Pull requests are not among them; none is ever closed.
pub async fn list(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(filter): Query<Filter>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let open = filter.state.as_deref() != Some("closed");
    let issues = seen.repository.issues.iter().rev().filter(|_| open);
    let wanted: Vec<&Issue> = issues
        .filter(|issue| filter.since.is_none_or(|since| issue.created >= since))
        .collect();
    let total = wanted.len();
    let list = paging.of(wanted).into_iter();
    let list = list.map(|issue| issue_json(&forge, &seen, issue)).collect();
    Ok(counted(total, list).into_response())
}

/// `POST …/issues`.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(wanted): Input<NewIssue>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let account = caller.required()?;
    if !seen.repository.units.issues {
        return Err(Refusal::not_found());
    }
    if wanted.title.is_empty() {
        return Err(Refusal::invalid("[Title]: Required"));
    }
    let issue = forge.inner.contents.try_update(|contents| {
        if let Some(nobody) = wanted.assignees.iter().find(|name| contents.account(name).is_none()) {
            return Err(Refusal::invalid(format!("assignee does not exist: [name: {nobody}]")));
        }
        let id = contents.next_id();
        let repository = contents
            .repositories
            .get_mut(&seen.repository.id)
            .ok_or_else(Refusal::not_found)?;
        let issue = Issue {
            id,
            number: repository.next_number(),
            title: wanted.title,
            body: wanted.body,
            author: account.name.to_lowercase(),
            assignees: wanted.assignees.iter().map(|name| name.to_lowercase()).collect(),
            created: Utc::now(),
        };
        repository.issues.push(issue.clone());
        Ok(issue)
    })??;
    Ok((StatusCode::CREATED, Json(issue_json(&forge, &seen, &issue))).into_response())
}

fn issue_json(forge: &Forge, seen: &Seen, issue: &Issue) -> Value {
    let full_name = forge.full_name(&seen.repository);
    let page = format!("{}/{full_name}/issues/{}", forge.root(), issue.number);
    let assignees: Vec<Value> = issue.assignees.iter().map(|name| forge.user_named(name)).collect();
    json!({
        "id": issue.id,
        "url": format!("{}/api/v1/repos/{full_name}/issues/{}", forge.root(), issue.number),
        "html_url": page,
        "number": issue.number,
        "user": forge.user_named(&issue.author),
        "title": issue.title,
        "body": issue.body,
        "ref": "",
        "labels": [],
        "milestone": null,
        "assignee": assignees.first(),
        "assignees": if assignees.is_empty() { Value::Null } else { json!(assignees) },
        "state": "open",
        "is_locked": false,
        "comments": 0,
        "created_at": time(issue.created),
        "updated_at": time(issue.created),
        "closed_at": null,
        "due_date": null,
        "pull_request": null,
        "repository": { "id": seen.repository.id, "name": seen.repository.name, "owner": seen.repository.owner, "full_name": full_name },
    })
}
