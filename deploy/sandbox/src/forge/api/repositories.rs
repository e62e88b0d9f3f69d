//! Repositories: make, find, change, delete.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Input, Paging, counted};
use crate::forge::access::{Caller, Refusal};
use crate::forge::commits::{self, Change, Note};
use crate::forge::model::{Account, Permission, Repository};
use crate::forge::names::{is_name, is_ref_name};
use crate::forge::{Forge, payload, webhooks};

#[derive(Debug, Deserialize)]
pub struct NewRepository {
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    auto_init: bool,
    #[serde(default)]
    default_branch: String,
}

/// `GET /user/repos`.
pub async fn mine(State(forge): State<Forge>, caller: Caller, Query(paging): Query<Paging>) -> Answer<Response> {
    let account = caller.required()?;
    let key = account.name.to_lowercase();
    let wanted = |repository: &Repository| {
        repository.owner == key
            || repository.collaborators.contains_key(&key)
            || forge.inner.contents.read(|contents| {
                let members = contents
                    .account(&repository.owner)
                    .and_then(|owner| owner.members.clone());
                members.is_some_and(|members| members.contains(&key))
            })
    };
    listed(&forge, &Caller(Some(account.clone())), paging, wanted)
        .await
        .map(|(total, list)| counted(total, list).into_response())
}

/// `GET /users/{user}/repos` and `GET /orgs/{owner}/repos`.
pub async fn of_owner(
    State(forge): State<Forge>,
    caller: Caller,
    Path(owner): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let key = owner.to_lowercase();
    if forge.inner.contents.read(|contents| contents.account(&key).is_none()) {
        return Err(Refusal::not_found());
    }
    let (total, list) = listed(&forge, &caller, paging, |repository| repository.owner == key).await?;
    Ok(counted(total, list).into_response())
}

#[derive(Debug, Deserialize)]
pub struct Search {
    #[serde(default)]
    q: String,
    uid: Option<u64>,
}

/// `GET /repos/search`: by a part of the name or description.
pub async fn search(
    State(forge): State<Forge>,
    caller: Caller,
    Query(search): Query<Search>,
    Query(paging): Query<Paging>,
) -> Answer<Response> {
    let word = search.q.to_lowercase();
    let owner = search.uid.map(|uid| {
        let found = |contents: &crate::forge::model::Contents| {
            contents
                .accounts
                .iter()
                .find(|(_, account)| account.id == uid)
                .map(|(key, _)| key.clone())
        };
        forge.inner.contents.read(found).unwrap_or_default()
    });
    let wanted = |repository: &Repository| {
        owner.as_ref().is_none_or(|owner| *owner == repository.owner)
            && (repository.name.to_lowercase().contains(&word) || repository.description.to_lowercase().contains(&word))
    };
    let (total, list) = listed(&forge, &caller, paging, wanted).await?;
    Ok((
        [("X-Total-Count", total.to_string())],
        Json(json!({ "ok": true, "data": list })),
    )
        .into_response())
}

/// `POST /user/repos`.
pub async fn create_mine(
    State(forge): State<Forge>,
    caller: Caller,
    Input(wanted): Input<NewRepository>,
) -> Answer<Response> {
    let account = caller.required()?;
    create(&forge, &account, &account.name, wanted).await
}

/// `POST /orgs/{owner}/repos`: 404 for a user.
pub async fn create_for_organisation(
    State(forge): State<Forge>,
    caller: Caller,
    Path(owner): Path<String>,
    Input(wanted): Input<NewRepository>,
) -> Answer<Response> {
    let account = caller.required()?;
    let (is_organisation, allowed) = forge.inner.contents.read(|contents| {
        let found = contents.account(&owner).is_some_and(|owner| owner.members.is_some());
        (found, contents.may_administer(&account, &owner))
    });
    if !is_organisation {
        return Err(Refusal::not_found());
    }
    if !allowed {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Given user is not allowed to create repository in organization.",
        ));
    }
    create(&forge, &account, &owner, wanted).await
}

/// `POST /admin/users/{owner}/repos`.
pub async fn create_for_user(
    State(forge): State<Forge>,
    caller: Caller,
    Path(owner): Path<String>,
    Input(wanted): Input<NewRepository>,
) -> Answer<Response> {
    let account = caller.admin()?;
    if forge.inner.contents.read(|contents| contents.account(&owner).is_none()) {
        return Err(Refusal::not_found());
    }
    create(&forge, &account, &owner, wanted).await
}

async fn create(forge: &Forge, doer: &Account, owner: &str, wanted: NewRepository) -> Answer<Response> {
    if !is_name(&wanted.name) {
        return Err(Refusal::invalid(format!(
            "The repository name is reserved or has characters that are not allowed [name: {}]",
            wanted.name
        )));
    }
    let branch = if wanted.default_branch.is_empty() {
        "main"
    } else {
        &wanted.default_branch
    };
    if !is_ref_name(branch) {
        return Err(Refusal::invalid(format!("`{branch}` is not a possible branch name")));
    }
    let exists = || {
        Refusal::new(
            StatusCode::CONFLICT,
            "The repository with the same name already exists.",
        )
    };
    if forge
        .inner
        .contents
        .read(|contents| contents.repository(owner, &wanted.name).is_some())
    {
        return Err(exists());
    }
    let id = forge
        .make_repository(owner, &wanted.name, branch, |repository| {
            repository.description = wanted.description.clone();
            repository.private = wanted.private;
        })
        .await?
        .ok_or_else(exists)?;
    if wanted.auto_init {
        let git = forge.git(id);
        let text = format!("# {}\n\n{}", wanted.name, wanted.description);
        let readme = Change::Put {
            path: "README.md".into(),
            bytes: text.into_bytes(),
            executable: false,
        };
        let tree = commits::tree_with(&git, None, &[readme]).await?;
        let who = (doer.name.clone(), doer.email.clone());
        let note = Note {
            message: "Initial commit".into(),
            author: who.clone(),
            committer: who,
        };
        let commit = commits::commit(&git, &tree, &[], &note).await?;
        commits::move_branch(&git, branch, &commit, None).await?;
        forge.announce(id, Some(&doer.name)).await?;
    }
    let repository = forge
        .inner
        .contents
        .read(|contents| contents.repositories.get(&id).cloned());
    let repository = repository.ok_or_else(Refusal::not_found)?;
    Ok((
        StatusCode::CREATED,
        Json(forge.repository(&repository, Permission::Admin).await),
    )
        .into_response())
}

/// `GET /repos/{owner}/{repository}`.
pub async fn show(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    Ok(Json(forge.repository(&seen.repository, seen.permission).await))
}

#[derive(Debug, Deserialize)]
pub struct Edit {
    name: Option<String>,
    description: Option<String>,
    private: Option<bool>,
    archived: Option<bool>,
    default_branch: Option<String>,
    has_issues: Option<bool>,
    has_wiki: Option<bool>,
    has_pull_requests: Option<bool>,
}

/// `PATCH /repos/{owner}/{repository}`.
pub async fn update(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
    Input(edit): Input<Edit>,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    if let Some(new) = edit.name.as_ref().filter(|new| !is_name(new)) {
        return Err(Refusal::invalid(format!(
            "repository name is not allowed [name: {new}]"
        )));
    }
    if let Some(branch) = &edit.default_branch {
        let exists = is_ref_name(branch) && seen.git.resolve(&format!("refs/heads/{branch}")).await?.is_some();
        if !exists && !seen.git.refs().await?.is_empty() {
            return Err(Refusal::invalid(format!("branch does not exist [name: {branch}]")));
        }
        if !is_ref_name(branch) {
            return Err(Refusal::invalid(format!("`{branch}` is not a possible branch name")));
        }
        seen.git.set_head(branch).await?;
    }
    let changed = forge.inner.contents.try_update(|contents| {
        if let Some(new) = &edit.name
            && contents
                .repository(&owner, new)
                .is_some_and(|other| other.id != seen.repository.id)
        {
            return Err(Refusal::invalid(format!("repo name is already taken [name: {new}]")));
        }
        let repository = contents
            .repositories
            .get_mut(&seen.repository.id)
            .ok_or_else(Refusal::not_found)?;
        if let Some(new) = edit.name {
            repository.name = new;
        }
        if let Some(description) = edit.description {
            repository.description = description;
        }
        if let Some(private) = edit.private {
            repository.private = private;
        }
        if let Some(archived) = edit.archived {
            repository.archived = archived;
        }
        if let Some(branch) = edit.default_branch {
            repository.default_branch = branch;
        }
        let units = &mut repository.units;
        units.issues = edit.has_issues.unwrap_or(units.issues);
        units.wiki = edit.has_wiki.unwrap_or(units.wiki);
        units.pulls = edit.has_pull_requests.unwrap_or(units.pulls);
        repository.updated = Utc::now();
        Ok(repository.clone())
    })??;
    Ok(Json(forge.repository(&changed, seen.permission).await))
}

/// `DELETE /repos/{owner}/{repository}`.
pub async fn delete(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name)): Path<(String, String)>,
) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    let _lock = forge.lock(seen.repository.id).await;
    let event = payload::of_repository(&forge, &seen.repository, "deleted").await;
    forge.inner.contents.update(|contents| {
        contents.repositories.remove(&seen.repository.id);
        webhooks::order(contents, &seen.repository, &[event]);
    })?;
    forge.inner.deliveries.notify_one();
    if let Err(error) = tokio::fs::remove_dir_all(seen.git.folder()).await {
        tracing::warn!(%error, folder = %seen.git.folder().display(), "the folder of a deleted repository stays");
    }
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
pub struct Grant {
    permission: Option<Permission>,
}

/// `PUT /repos/{owner}/{repository}/collaborators/{user}`.
pub async fn add_collaborator(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, user)): Path<(String, String, String)>,
    Input(grant): Input<Grant>,
) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    if forge.inner.contents.read(|contents| contents.account(&user).is_none()) {
        return Err(Refusal::invalid(format!("user does not exist [name: {user}]")));
    }
    forge.inner.contents.update(|contents| {
        if let Some(repository) = contents.repositories.get_mut(&seen.repository.id) {
            repository
                .collaborators
                .insert(user.to_lowercase(), grant.permission.unwrap_or(Permission::Write));
        }
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /repos/{owner}/{repository}/collaborators/{user}`: 204 or 404.
pub async fn is_collaborator(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, user)): Path<(String, String, String)>,
) -> Answer<StatusCode> {
    let seen = forge.see(&caller, &owner, &name, Permission::Read)?;
    let known = seen.repository.collaborators.contains_key(&user.to_lowercase());
    known.then_some(StatusCode::NO_CONTENT).ok_or_else(Refusal::not_found)
}

async fn listed(
    forge: &Forge,
    caller: &Caller,
    paging: Paging,
    wanted: impl Fn(&Repository) -> bool,
) -> Answer<(usize, Vec<Value>)> {
    let all: Vec<Repository> = forge
        .inner
        .contents
        .read(|contents| contents.repositories.values().cloned().collect());
    let seen: Vec<(Repository, Permission)> = all
        .into_iter()
        .filter(|repository| wanted(repository))
        .filter_map(|repository| {
            let may = forge
                .inner
                .contents
                .read(|contents| contents.permission(caller.0.as_ref(), &repository));
            may.map(|permission| (repository, permission))
        })
        .collect();
    let total = seen.len();
    let mut list = Vec::new();
    for (repository, permission) in paging.of(seen) {
        list.push(forge.repository(&repository, permission).await);
    }
    Ok((total, list))
}
