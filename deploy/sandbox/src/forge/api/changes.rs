//! Files: changed by commits, one or several at a time.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::contents::entry_json;
use super::history::commit_json;
use super::{Answer, Input};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal, Seen};
use crate::forge::commits::{self, Change, Note};
use crate::forge::git::TreeEntry;
use crate::forge::model::{Account, Permission};
use crate::forge::names::{is_file_path, is_ref_name};

#[derive(Debug, Default, Deserialize)]
pub struct Person {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
}

/// What all changes have in common.
#[derive(Debug, Default, Deserialize)]
pub struct Commit {
    #[serde(default)]
    branch: String,
    #[serde(default)]
    new_branch: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    author: Person,
    #[serde(default)]
    committer: Person,
}

#[derive(Debug, Deserialize)]
pub struct OneFile {
    #[serde(flatten)]
    commit: Commit,
    #[serde(default)]
    content: String,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    from_path: String,
}

#[derive(Debug, Deserialize)]
pub struct ManyFiles {
    #[serde(flatten)]
    commit: Commit,
    files: Vec<FileChange>,
}

/// One of several changes.
#[derive(Debug, Deserialize)]
pub struct FileChange {
    operation: String,
    path: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    from_path: String,
}

type Place = Path<(String, String, String)>;

/// `POST …/contents/{path}`: a new file.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, path)): Place,
    Input(file): Input<OneFile>,
) -> Answer<Response> {
    one(&forge, caller, &owner, &name, path, "create", file).await
}

/// `PUT …/contents/{path}`: another content.
pub async fn update(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, path)): Place,
    Input(file): Input<OneFile>,
) -> Answer<Response> {
    let operation = if file.sha.is_empty() { "create" } else { "update" };
    one(&forge, caller, &owner, &name, path, operation, file).await
}

/// `DELETE …/contents/{path}`.
pub async fn delete(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, path)): Place,
    Input(file): Input<OneFile>,
) -> Answer<Response> {
    one(&forge, caller, &owner, &name, path, "delete", file).await
}

/// `POST …/contents`: several files in one commit.
pub async fn change_many(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(wanted): Input<ManyFiles>,
) -> Answer<Response> {
    let (seen, account) = writable(&forge, caller, &owner, &name)?;
    let (commit, _) = apply(&forge, &seen, &account, &wanted.commit, &wanted.files).await?;
    let mut files = Vec::new();
    for file in wanted.files.iter().filter(|file| file.operation != "delete") {
        if let Some(entry) = seen.git.entry(&commit, &file.path).await? {
            files.push(entry_json(&forge, &seen, &commit, branch_of(&seen, &wanted.commit), &entry, true).await?);
        }
    }
    let body = json!({ "files": files, "commit": commit_details(&forge, &seen, &commit).await?, "verification": unverified() });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

async fn one(
    forge: &Forge,
    caller: Caller,
    owner: &str,
    name: &str,
    path: String,
    operation: &str,
    file: OneFile,
) -> Answer<Response> {
    let (seen, account) = writable(forge, caller, owner, name)?;
    let change = FileChange {
        operation: operation.to_owned(),
        path: path.clone(),
        content: file.content,
        sha: file.sha,
        from_path: file.from_path,
    };
    let (commit, _) = apply(forge, &seen, &account, &file.commit, &[change]).await?;
    let content = match seen.git.entry(&commit, &path).await? {
        Some(entry) => entry_json(forge, &seen, &commit, branch_of(&seen, &file.commit), &entry, true).await?,
        None => Value::Null,
    };
    let status = if operation == "create" {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let body = json!({ "content": content, "commit": commit_details(forge, &seen, &commit).await?, "verification": unverified() });
    Ok((status, Json(body)).into_response())
}

fn writable(forge: &Forge, caller: Caller, owner: &str, name: &str) -> Answer<(Seen, Account)> {
    let seen = forge.see(&caller, owner, name, Permission::Write)?;
    Ok((seen, caller.required()?))
}

fn branch_of<'a>(seen: &'a Seen, commit: &'a Commit) -> &'a str {
    [&commit.new_branch, &commit.branch]
        .into_iter()
        .find(|name| !name.is_empty())
        .unwrap_or(&seen.repository.default_branch)
}

/// Commits the changes and announces them; the commit's id and its branch.
async fn apply(
    forge: &Forge,
    seen: &Seen,
    account: &Account,
    wanted: &Commit,
    files: &[FileChange],
) -> Answer<(String, String)> {
    let base_name = if wanted.branch.is_empty() {
        &seen.repository.default_branch
    } else {
        &wanted.branch
    };
    let target = branch_of(seen, wanted);
    if !is_ref_name(target) || !is_ref_name(base_name) {
        return Err(Refusal::invalid(format!("`{target}` is not a possible branch name")));
    }
    if files.is_empty() {
        return Err(Refusal::invalid("[Files]: Required"));
    }
    let lock = forge.lock(seen.repository.id).await;
    let base = seen.git.resolve(&format!("refs/heads/{base_name}")).await?;
    let is_empty = seen.git.refs().await?.is_empty();
    if base.is_none() && !is_empty {
        return Err(Refusal::new(
            StatusCode::NOT_FOUND,
            format!("branch does not exist [name: {base_name}]"),
        ));
    }
    let existing = seen.git.resolve(&format!("refs/heads/{target}")).await?;
    if target != base_name && existing.is_some() {
        return Err(Refusal::invalid(format!("branch already exists [name: {target}]")));
    }
    let mut changes = Vec::new();
    for file in files {
        changes.extend(change(seen, base.as_deref(), file).await?);
    }
    let tree = commits::tree_with(&seen.git, base.as_deref(), &changes).await?;
    let person = |given: &Person, fallback: &(String, String)| match given.email.is_empty() {
        true => fallback.clone(),
        false => (
            if given.name.is_empty() {
                given.email.clone()
            } else {
                given.name.clone()
            },
            given.email.clone(),
        ),
    };
    let own = (account.name.clone(), account.email.clone());
    let author = person(&wanted.author, &own);
    let message = match (wanted.message.is_empty(), files) {
        (false, _) => wanted.message.clone(),
        (true, [file]) => format!("{} {}", capital(&file.operation), file.path),
        (true, _) => "Update files".to_owned(),
    };
    let note = Note {
        message,
        committer: person(&wanted.committer, &author),
        author,
    };
    let parents: Vec<&str> = base.as_deref().into_iter().collect();
    let commit = commits::commit(&seen.git, &tree, &parents, &note).await?;
    commits::move_branch(&seen.git, target, &commit, existing.as_deref()).await?;
    drop(lock);
    forge.announce(seen.repository.id, Some(&account.name)).await?;
    Ok((commit, target.to_owned()))
}

async fn change(seen: &Seen, base: Option<&str>, file: &FileChange) -> Answer<Vec<Change>> {
    let path = &file.path;
    if !is_file_path(path) {
        return Err(Refusal::invalid(format!(
            "path contains a malformed path component [path: {path}]"
        )));
    }
    let from = if file.from_path.is_empty() {
        path
    } else {
        &file.from_path
    };
    let present = match base {
        Some(base) => seen.git.entry(base, from).await?,
        None => None,
    };
    let bytes = || {
        STANDARD
            .decode(file.content.replace(['\n', '\r'], ""))
            .map_err(|error| Refusal::invalid(format!("the content of {path} is not base64: {error}")))
    };
    let missing = || {
        Refusal::new(
            StatusCode::NOT_FOUND,
            format!("repository file does not exist [path: {from}]"),
        )
    };
    let unchanged = |entry: &TreeEntry| {
        if file.sha.is_empty() || file.sha == entry.id {
            return Ok(());
        }
        let message = format!("sha does not match [given: {}, expected: {}]", file.sha, entry.id);
        Err(Refusal::invalid(message))
    };
    match file.operation.as_str() {
        "create" => {
            if present.is_some() {
                return Err(Refusal::invalid(format!(
                    "repository file already exists [path: {path}]"
                )));
            }
            Ok(vec![Change::Put {
                path: path.clone(),
                bytes: bytes()?,
                executable: false,
            }])
        }
        "update" => {
            let entry = present.filter(|entry| entry.kind == "blob").ok_or_else(missing)?;
            unchanged(&entry)?;
            let mut changes = Vec::new();
            if from != path {
                changes.push(Change::Remove { path: from.clone() });
            }
            changes.push(Change::Put {
                path: path.clone(),
                bytes: bytes()?,
                executable: entry.mode == "100755",
            });
            Ok(changes)
        }
        "delete" => {
            let entry = present.filter(|entry| entry.kind != "tree").ok_or_else(missing)?;
            unchanged(&entry)?;
            Ok(vec![Change::Remove { path: path.clone() }])
        }
        other => Err(Refusal::invalid(format!(
            "unknown operation `{other}`: create, update and delete are known"
        ))),
    }
}

fn capital(operation: &str) -> &'static str {
    match operation {
        "create" => "Add",
        "update" => "Update",
        _ => "Delete",
    }
}

async fn commit_details(forge: &Forge, seen: &Seen, id: &str) -> Answer<Value> {
    let commit = seen.git.commit(id).await?.ok_or_else(Refusal::not_found)?;
    let whole = commit_json(forge, &seen.repository, &commit, None);
    let inner = &whole["commit"];
    Ok(json!({
        "url": whole["url"],
        "sha": commit.id,
        "created": commit.committer.date,
        "html_url": whole["html_url"],
        "author": inner["author"],
        "committer": inner["committer"],
        "parents": whole["parents"],
        "message": commit.message,
        "tree": inner["tree"],
    }))
}

fn unverified() -> Value {
    json!({ "verified": false, "reason": "gpg.error.not_signed_commit", "signature": "", "signer": null, "payload": "" })
}

impl Forge {
    /// Puts one file by a commit of `account`; for the edit page.
    pub async fn save(
        &self,
        seen: &Seen,
        account: &Account,
        branch: &str,
        path: &str,
        text: &str,
        message: &str,
    ) -> Answer<()> {
        let base = seen.git.resolve(&format!("refs/heads/{branch}")).await?;
        let present = match &base {
            Some(base) if is_file_path(path) => seen.git.entry(base, path).await?,
            _ => None,
        };
        let change = FileChange {
            operation: if present.is_some() { "update" } else { "create" }.to_owned(),
            path: path.to_owned(),
            content: STANDARD.encode(text),
            sha: String::new(),
            from_path: String::new(),
        };
        let wanted = Commit {
            branch: branch.to_owned(),
            message: message.to_owned(),
            ..Commit::default()
        };
        apply(self, seen, account, &wanted, &[change]).await.map(|_| ())
    }
}
