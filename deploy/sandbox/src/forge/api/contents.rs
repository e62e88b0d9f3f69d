//! Files: read, list, download.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Answer;
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::git::TreeEntry;
use crate::forge::model::Permission;
use crate::forge::names::is_file_path;

#[derive(Debug, Deserialize)]
pub struct At {
    #[serde(default, rename = "ref")]
    reference: String,
}

/// `GET …/contents`: the root as a list; of an empty repository an empty one.
pub async fn root(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Query(at): Query<At>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    if at.reference.is_empty() && seen.git.refs().await?.is_empty() {
        return Ok(Json(json!([])));
    }
    described(&forge, &seen, &at.reference, "").await
}

/// `GET …/contents/{path}`: a file with its content in base64, or a folder as a list.
pub async fn show(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(at): Query<At>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    described(&forge, &seen, &at.reference, path.trim_matches('/')).await
}

/// `GET …/raw/{path}`.
pub async fn raw(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, path)): Path<(String, String, String)>,
    Query(at): Query<At>,
    headers: HeaderMap,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let is_id = at.reference.len() == 40 && at.reference.bytes().all(|byte| byte.is_ascii_hexdigit());
    // As on Gitea: a name that nothing has stands for the default branch, in these addresses only.
    let reference = if is_id || seen.commit(&at.reference).await.is_ok() {
        at.reference.as_str()
    } else {
        ""
    };
    raw_file(&seen, reference, &path, &headers).await
}

/// A file as it is, with its object id as tag.
pub async fn raw_file(seen: &Seen, reference: &str, path: &str, headers: &HeaderMap) -> Answer<Response> {
    let commit = seen.commit(reference).await?;
    let entry = if is_file_path(path) {
        seen.git.entry(&commit, path).await?
    } else {
        None
    };
    let entry = entry
        .filter(|entry| entry.kind == "blob")
        .ok_or_else(Refusal::not_found)?;
    let tag = format!("\"{}\"", entry.id);
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes())
    {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let bytes = seen.git.blob(&entry.id).await?;
    // Text is shown, the rest is not interpreted: a page in a repository shall not act as one of the forge's.
    let kind = if bytes.contains(&0) || std::str::from_utf8(&bytes).is_err() {
        "application/octet-stream"
    } else {
        "text/plain; charset=utf-8"
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::ETAG, &tag),
        (header::CACHE_CONTROL, "private, max-age=0, must-revalidate"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    ];
    Ok((headers, bytes).into_response())
}

/// `GET …/archive/{reference}.tar.gz` (or `.zip`): all files in a folder of the repository's name in lower case.
pub async fn archive(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, wanted)): Path<(String, String, String)>,
) -> Answer<Response> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let (reference, format, kind) = match (wanted.strip_suffix(".tar.gz"), wanted.strip_suffix(".zip")) {
        (Some(reference), _) => (reference, "tar.gz", "application/gzip"),
        (_, Some(reference)) => (reference, "zip", "application/zip"),
        (None, None) => {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                format!("unknown archive format: {wanted}"),
            ));
        }
    };
    let commit = seen.commit(reference).await?;
    let folder = seen.repository.name.to_lowercase();
    let arguments = [
        "archive",
        &format!("--format={format}"),
        &format!("--prefix={folder}/"),
        &commit,
    ];
    let bytes = seen.git.run(arguments).await?;
    let file = format!("attachment; filename={folder}-{}.{format}", reference.replace('/', "-"));
    let mut response = Response::new(Body::from(bytes));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(file) = HeaderValue::try_from(file) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

impl Seen {
    /// The commit that a name means; the default branch when empty.
    pub async fn commit(&self, reference: &str) -> Answer<String> {
        let reference = if reference.is_empty() {
            &self.repository.default_branch
        } else {
            reference
        };
        let missing = || {
            Refusal::new(
                StatusCode::NOT_FOUND,
                format!("object does not exist [id: {reference}, rel_path: ]"),
            )
        };
        self.git.resolve(reference).await?.ok_or_else(missing)
    }
}

async fn described(forge: &Forge, seen: &Seen, reference: &str, path: &str) -> Answer<Json<Value>> {
    let commit = seen.commit(reference).await?;
    let shown = if reference.is_empty() {
        &seen.repository.default_branch
    } else {
        reference
    };
    let entry = if path.is_empty() || is_file_path(path) {
        seen.git.entry(&commit, path).await?
    } else {
        None
    };
    let entry = entry.ok_or_else(|| {
        Refusal::new(
            StatusCode::NOT_FOUND,
            format!("object does not exist [id: , rel_path: {path}]"),
        )
    })?;
    if entry.kind != "tree" {
        return Ok(Json(entry_json(forge, seen, &commit, shown, &entry, true).await?));
    }
    let mut list = Vec::new();
    for mut child in seen.git.tree(&entry.id, false).await? {
        if !path.is_empty() {
            child.path = format!("{path}/{}", child.path);
        }
        list.push(entry_json(forge, seen, &commit, shown, &child, false).await?);
    }
    Ok(Json(Value::Array(list)))
}

/// One entry of a tree; files with their content only when it is asked for.
pub async fn entry_json(
    forge: &Forge,
    seen: &Seen,
    commit: &str,
    reference: &str,
    entry: &TreeEntry,
    with_content: bool,
) -> Answer<Value> {
    let full_name = forge.full_name(&seen.repository);
    let (root, path) = (forge.root(), &entry.path);
    let kind = match (entry.kind.as_str(), entry.mode.as_str()) {
        ("tree", _) => "dir",
        ("commit", _) => "submodule",
        (_, "120000") => "symlink",
        _ => "file",
    };
    let is_file = kind == "file";
    let encoded = path.split('/').map(segment).collect::<Vec<_>>().join("/");
    let url = format!(
        "{root}/api/v1/repos/{full_name}/contents/{encoded}?ref={}",
        segment(reference)
    );
    let html = format!("{root}/{full_name}/src/branch/{reference}/{encoded}");
    let object = if kind == "dir" { "trees" } else { "blobs" };
    let git_url = format!("{root}/api/v1/repos/{full_name}/git/{object}/{}", entry.id);
    let content = match with_content && entry.kind == "blob" {
        true => Some(STANDARD.encode(seen.git.blob(&entry.id).await?)),
        false => None,
    };
    let last = if with_content {
        seen.git
            .log(&[commit], path, 0, 1)
            .await?
            .into_iter()
            .next()
            .map(|found| found.id)
    } else {
        Some(commit.to_owned())
    };
    Ok(json!({
        "name": path.rsplit('/').next().unwrap_or(path),
        "path": path,
        "sha": entry.id,
        "last_commit_sha": last,
        "type": kind,
        "size": entry.size.unwrap_or(0),
        "encoding": content.as_ref().map(|_| "base64"),
        "content": content,
        "target": null,
        "url": url,
        "html_url": html,
        "git_url": git_url,
        "download_url": is_file.then(|| format!("{root}/{full_name}/raw/branch/{reference}/{encoded}")),
        "submodule_git_url": null,
        "_links": { "self": url, "git": git_url, "html": html },
    }))
}

fn segment(text: &str) -> String {
    let mut url = url::Url::parse("http://x/").ok();
    if let Some(mut path) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        path.clear().push(text);
    }
    url.map(|url| url.path().trim_start_matches('/').to_owned())
        .unwrap_or_default()
}
