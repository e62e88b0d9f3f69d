//! Commits, trees, blobs and refs.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Paging, counted};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal};
use crate::forge::git::{Commit, Git, GitError, Signature, Touched};
use crate::forge::model::{Permission, Repository};
use crate::forge::names::is_file_path;
use crate::forge::payload;

#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    sha: String,
    #[serde(default)]
    path: String,
}

/// `GET …/commits`: newest first; 409 for an empty repository.
pub async fn list(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    if seen.git.refs().await?.is_empty() {
        return Err(Refusal::new(StatusCode::CONFLICT, "Git Repository is empty."));
    }
    let from = seen.commit(&wanted.sha).await?;
    if !wanted.path.is_empty() && !is_file_path(&wanted.path) {
        return Err(Refusal::not_found());
    }
    let (skip, limit) = paging.window();
    let total = seen.git.count(&from, &wanted.path).await?;
    let mut list = Vec::new();
    for commit in seen.git.log(&[&from], &wanted.path, skip, limit).await? {
        let touched = seen.git.touched(&commit.id).await?;
        list.push(commit_json(&forge, &seen.repository, &commit, Some(&touched)));
    }
    let more = skip + list.len() < total;
    let headers = [("X-HasMore", more.to_string()), ("X-Total", total.to_string())];
    Ok((headers, counted(total, list)).into_response())
}

/// `GET …/git/commits/{reference}`.
pub async fn show(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, reference)): Path<(String, String, String)>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let id = seen.commit(&reference).await?;
    let commit = seen.git.commit(&id).await?.ok_or_else(Refusal::not_found)?;
    let touched = seen.git.touched(&id).await?;
    Ok(Json(commit_json(&forge, &seen.repository, &commit, Some(&touched))))
}

#[derive(Debug, Deserialize)]
pub struct TreeWanted {
    #[serde(default)]
    recursive: String,
    page: Option<usize>,
    per_page: Option<usize>,
}

/// `GET …/git/trees/{reference}`: 1,000 entries a page, as Gitea is set.
pub async fn tree(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, reference)): Path<(String, String, String)>,
    Query(wanted): Query<TreeWanted>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let tree = match seen.git.resolve(&reference).await? {
        Some(commit) => commit,
        None => object(&seen.git, &reference, "tree").await?,
    };
    let recursive = matches!(wanted.recursive.as_str(), "1" | "true");
    let entries = seen.git.tree(&tree, recursive).await?;
    let id = seen
        .git
        .run(["rev-parse", "--verify", "--end-of-options", &format!("{tree}^{{tree}}")])
        .await?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    let api = format!(
        "{}/api/v1/repos/{}/git",
        forge.root(),
        forge.full_name(&seen.repository)
    );
    let per_page = wanted.per_page.unwrap_or(1000).clamp(1, 1000);
    let page = wanted.page.unwrap_or(1).max(1);
    let total = entries.len();
    let skip = (page - 1).saturating_mul(per_page);
    let list: Vec<Value> = entries
        .iter()
        .skip(skip)
        .take(per_page)
        .map(|entry| {
            let place = if entry.kind == "tree" { "trees" } else { "blobs" };
            json!({
                "path": entry.path,
                "mode": entry.mode,
                "type": entry.kind,
                "size": entry.size.unwrap_or(0),
                "sha": entry.id,
                "url": format!("{api}/{place}/{}", entry.id),
            })
        })
        .collect();
    Ok(Json(json!({
        "sha": id,
        "url": format!("{api}/trees/{id}"),
        "tree": list,
        "truncated": skip + per_page < total,
        "page": page,
        "total_count": total,
    })))
}

/// `GET …/git/blobs/{id}`.
pub async fn blob(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, id)): Path<(String, String, String)>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let id = object(&seen.git, &id, "blob").await?;
    let bytes = seen.git.blob(&id).await?;
    let url = format!(
        "{}/api/v1/repos/{}/git/blobs/{id}",
        forge.root(),
        forge.full_name(&seen.repository)
    );
    Ok(Json(json!({
        "sha": id, "size": bytes.len(), "encoding": "base64", "content": STANDARD.encode(bytes), "url": url,
    })))
}

/// `GET …/git/refs`.
pub async fn refs(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
) -> Answer<Json<Vec<Value>>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let api = format!(
        "{}/api/v1/repos/{}/git",
        forge.root(),
        forge.full_name(&seen.repository)
    );
    let refs = seen.git.refs().await?;
    let list = refs.iter().map(|(name, id)| {
        let target = json!({ "type": "commit", "sha": id, "url": format!("{api}/commits/{id}") });
        json!({ "ref": name, "url": format!("{api}/{name}"), "object": target })
    });
    Ok(Json(list.collect()))
}

async fn object(git: &Git, id: &str, kind: &str) -> Answer<String> {
    let is_id = (4..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return Err(Refusal::not_found());
    }
    match git
        .run([
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &format!("{id}^{{{kind}}}"),
        ])
        .await
    {
        Ok(found) => Ok(String::from_utf8_lossy(&found).trim().to_owned()),
        Err(GitError::Failed { .. }) => Err(Refusal::not_found()),
        Err(error) => Err(error.into()),
    }
}

/// A commit as the commits API shows it.
pub fn commit_json(forge: &Forge, repository: &Repository, commit: &Commit, touched: Option<&Touched>) -> Value {
    let full_name = forge.full_name(repository);
    let api = format!("{}/api/v1/repos/{full_name}/git", forge.root());
    let html = format!("{}/{full_name}/commit", forge.root());
    let person = |who: &Signature| json!({ "name": who.name, "email": who.email, "date": who.date });
    let account = |who: &Signature| {
        forge
            .user_of_email(&who.email)
            .map_or(Value::Null, |account| payload::user(forge.root(), &account))
    };
    let link = |id: &String| json!({ "url": format!("{api}/commits/{id}"), "sha": id, "created": "0001-01-01T00:00:00Z", "html_url": format!("{html}/{id}") });
    let files: Vec<Value> = touched.map_or(Vec::new(), |touched| {
        let named = |paths: &[String], status: &str| {
            paths
                .iter()
                .map(|path| json!({ "filename": path, "status": status }))
                .collect::<Vec<_>>()
        };
        [
            named(&touched.added, "added"),
            named(&touched.removed, "removed"),
            named(&touched.modified, "modified"),
        ]
        .concat()
    });
    json!({
        "url": format!("{api}/commits/{}", commit.id),
        "sha": commit.id,
        "created": commit.committer.date,
        "html_url": format!("{html}/{}", commit.id),
        "commit": {
            "url": format!("{api}/commits/{}", commit.id),
            "author": person(&commit.author),
            "committer": person(&commit.committer),
            "message": commit.message,
            "tree": { "url": format!("{api}/trees/{}", commit.tree), "sha": commit.tree, "created": commit.committer.date },
            "verification": null,
        },
        "author": account(&commit.author),
        "committer": account(&commit.committer),
        "parents": commit.parents.iter().map(link).collect::<Vec<_>>(),
        "files": files,
        "stats": null,
    })
}
