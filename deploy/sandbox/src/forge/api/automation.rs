//! Secrets and variables for a repository's Actions. Nothing runs here; they are kept.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Input};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal};
use crate::forge::model::{Permission, Repository};

#[derive(Debug, Deserialize)]
pub struct Secret {
    data: String,
}

#[derive(Debug, Deserialize)]
pub struct Variable {
    value: String,
}

type Place = Path<(String, String, String)>;

/// `PUT …/actions/secrets/{name}`: 201 for a new one, 204 for one that was there.
pub async fn set_secret(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, secret)): Place,
    Input(wanted): Input<Secret>,
) -> Answer<StatusCode> {
    let key = checked(&secret)?;
    let before = change(&forge, &caller, &owner, &name, |repository| {
        repository.secrets.insert(key, wanted.data)
    })?;
    Ok(match before {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::NO_CONTENT,
    })
}

/// `DELETE …/actions/secrets/{name}`.
pub async fn delete_secret(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, secret)): Place,
) -> Answer<StatusCode> {
    let key = checked(&secret)?;
    let before = change(&forge, &caller, &owner, &name, |repository| {
        repository.secrets.remove(&key)
    })?;
    before.map(|_| StatusCode::NO_CONTENT).ok_or_else(Refusal::not_found)
}

/// `GET …/actions/variables/{name}`.
pub async fn show_variable(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, variable)): Place,
) -> Answer<Json<Value>> {
    let seen = forge.see(&caller, &owner, &name, Permission::Admin)?;
    let key = variable.to_uppercase();
    let value = seen.repository.variables.get(&key).ok_or_else(Refusal::not_found)?;
    Ok(Json(
        json!({"owner_id": 0, "repo_id": seen.repository.id, "name": key, "data": value}),
    ))
}

/// `POST …/actions/variables/{name}`: 409 where it is there.
pub async fn create_variable(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, variable)): Place,
    Input(wanted): Input<Variable>,
) -> Answer<StatusCode> {
    let key = checked(&variable)?;
    let made = change(&forge, &caller, &owner, &name, |repository| {
        let free = !repository.variables.contains_key(&key);
        free.then(|| repository.variables.insert(key, wanted.value))
    })?;
    made.map(|_| StatusCode::CREATED)
        .ok_or_else(|| Refusal::new(StatusCode::CONFLICT, "a variable of this name exists"))
}

/// `PUT …/actions/variables/{name}`: 404 where it is not there.
pub async fn update_variable(
    State(forge): State<Forge>,
    caller: Caller,
    Path((owner, name, variable)): Place,
    Input(wanted): Input<Variable>,
) -> Answer<StatusCode> {
    let key = checked(&variable)?;
    let found = change(&forge, &caller, &owner, &name, |repository| {
        let kept = repository.variables.get_mut(&key)?;
        *kept = wanted.value;
        Some(())
    })?;
    found.map(|()| StatusCode::NO_CONTENT).ok_or_else(Refusal::not_found)
}

/// The name in upper case, if it may be one.
fn checked(name: &str) -> Answer<String> {
    let upper = name.to_uppercase();
    let fine = !upper.starts_with(|first: char| first.is_ascii_digit())
        && upper
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        && !upper.starts_with("GITEA_")
        && !upper.starts_with("GITHUB_");
    if fine {
        Ok(upper)
    } else {
        Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid variable or secret name"))
    }
}

fn change<T>(
    forge: &Forge,
    caller: &Caller,
    owner: &str,
    name: &str,
    edit: impl FnOnce(&mut Repository) -> Option<T>,
) -> Answer<Option<T>> {
    let seen = forge.see(caller, owner, name, Permission::Admin)?;
    Ok(forge
        .inner
        .contents
        .update(|contents| edit(contents.repositories.get_mut(&seen.repository.id)?))?)
}
