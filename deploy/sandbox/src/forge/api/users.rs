//! Users, organisations and access tokens.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Input};
use crate::forge::Forge;
use crate::forge::access::{Caller, Refusal};
use crate::forge::model::{Account, Token};
use crate::forge::names::is_name;
use crate::forge::payload::user;

/// `GET /user`.
pub async fn myself(State(forge): State<Forge>, caller: Caller) -> Answer<Json<Value>> {
    Ok(Json(user(forge.root(), &caller.required()?)))
}

/// `GET /users/{user}`.
pub async fn show(State(forge): State<Forge>, Path(name): Path<String>) -> Answer<Json<Value>> {
    Ok(Json(user(forge.root(), &account(&forge, &name)?)))
}

#[derive(Debug, Deserialize)]
pub struct NewUser {
    username: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    full_name: String,
}

/// `POST /admin/users`.
pub async fn create(
    State(forge): State<Forge>,
    caller: Caller,
    Input(wanted): Input<NewUser>,
) -> Answer<impl IntoResponse> {
    caller.admin()?;
    check_name(&wanted.username)?;
    if wanted.password.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "PasswordIsRequired"));
    }
    let made = forge.inner.contents.update(|contents| {
        let account = contents.add_account(&wanted.username, Some(&wanted.password), None)?;
        account.full_name = wanted.full_name;
        if !wanted.email.is_empty() {
            account.email = wanted.email;
        }
        Some(account.clone())
    })?;
    let made = made.ok_or_else(|| taken(&wanted.username))?;
    Ok((StatusCode::CREATED, Json(user(forge.root(), &made))))
}

#[derive(Debug, Deserialize)]
pub struct NewToken {
    name: String,
    #[serde(default)]
    scopes: Vec<String>,
}

/// `GET /users/{user}/tokens`: without the tokens themselves.
pub async fn tokens(State(forge): State<Forge>, caller: Caller, Path(name): Path<String>) -> Answer<Json<Vec<Value>>> {
    let account = own(&forge, caller, &name)?;
    Ok(Json(account.tokens.iter().map(|token| token_json(token, "")).collect()))
}

/// `POST /users/{user}/tokens`: the only answer with the token itself.
pub async fn create_token(
    State(forge): State<Forge>,
    caller: Caller,
    Path(name): Path<String>,
    Input(wanted): Input<NewToken>,
) -> Answer<impl IntoResponse> {
    let account = own(&forge, caller, &name)?;
    if account.tokens.iter().any(|token| token.name == wanted.name) {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "access token name has been used already",
        ));
    }
    let made = forge.inner.contents.update(|contents| {
        let id = contents.next_id();
        let account = contents.accounts.get_mut(&name.to_lowercase())?;
        Some(account.add_token(id, &wanted.name, wanted.scopes))
    })?;
    let (token, text) = made.ok_or_else(Refusal::not_found)?;
    Ok((StatusCode::CREATED, Json(token_json(&token, &text))))
}

/// `DELETE /users/{user}/tokens/{token}`, by name or id.
pub async fn delete_token(
    State(forge): State<Forge>,
    caller: Caller,
    Path((name, token)): Path<(String, String)>,
) -> Answer<StatusCode> {
    own(&forge, caller, &name)?;
    let removed = forge.inner.contents.update(|contents| {
        let account = contents.accounts.get_mut(&name.to_lowercase())?;
        let before = account.tokens.len();
        account
            .tokens
            .retain(|known| known.name != token && known.id.to_string() != token);
        (account.tokens.len() < before).then_some(())
    })?;
    removed.map(|()| StatusCode::NO_CONTENT).ok_or_else(Refusal::not_found)
}

#[derive(Debug, Deserialize)]
pub struct NewOrganisation {
    username: String,
    #[serde(default)]
    full_name: String,
}

/// `POST /orgs`: whoever makes it may administer it.
pub async fn create_organisation(
    State(forge): State<Forge>,
    caller: Caller,
    Input(wanted): Input<NewOrganisation>,
) -> Answer<impl IntoResponse> {
    let account = caller.required()?;
    check_name(&wanted.username)?;
    let made = forge.inner.contents.update(|contents| {
        let members = Some(vec![account.name.to_lowercase()]);
        let organisation = contents.add_account(&wanted.username, None, members)?;
        organisation.full_name = wanted.full_name;
        Some(organisation.clone())
    })?;
    let made = made.ok_or_else(|| taken(&wanted.username))?;
    Ok((StatusCode::CREATED, Json(organisation_json(&made))))
}

/// `GET /orgs/{owner}`: 404 for a user.
pub async fn organisation(State(forge): State<Forge>, Path(name): Path<String>) -> Answer<Json<Value>> {
    let found = account(&forge, &name)?;
    if found.members.is_none() {
        return Err(Refusal::not_found());
    }
    Ok(Json(organisation_json(&found)))
}

/// `DELETE /orgs/{owner}`, when it has no repositories.
pub async fn delete_organisation(
    State(forge): State<Forge>,
    caller: Caller,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    let caller = caller.required()?;
    let found = account(&forge, &name)?;
    let key = name.to_lowercase();
    let allowed = forge
        .inner
        .contents
        .read(|contents| contents.may_administer(&caller, &name));
    if found.members.is_none() || !allowed {
        return Err(Refusal::not_found());
    }
    let removed = forge.inner.contents.update(|contents| {
        let used = contents.repositories.values().any(|repository| repository.owner == key);
        if !used {
            contents.accounts.remove(&key);
        }
        !used
    })?;
    if removed {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "organization still has ownership of repositories",
    ))
}

/// `GET /user/orgs`.
pub async fn my_organisations(State(forge): State<Forge>, caller: Caller) -> Answer<Json<Vec<Value>>> {
    let key = caller.required()?.name.to_lowercase();
    Ok(Json(forge.inner.contents.read(|contents| {
        let mine = |account: &&Account| account.members.as_ref().is_some_and(|members| members.contains(&key));
        contents.accounts.values().filter(mine).map(organisation_json).collect()
    })))
}

fn account(forge: &Forge, name: &str) -> Answer<Account> {
    forge
        .inner
        .contents
        .read(|contents| contents.account(name).cloned())
        .ok_or_else(Refusal::not_found)
}

fn own(forge: &Forge, caller: Caller, name: &str) -> Answer<Account> {
    let caller = caller.required()?;
    if !caller.is_admin && !caller.name.eq_ignore_ascii_case(name) {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "doer should be the site admin or be same as the contextUser",
        ));
    }
    account(forge, name)
}

fn check_name(name: &str) -> Answer<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "name is reserved or has characters that are not allowed [name: {name}]"
    )))
}

fn taken(name: &str) -> Refusal {
    Refusal::invalid(format!("user already exists [name: {name}]"))
}

fn token_json(token: &Token, text: &str) -> Value {
    json!({
        "id": token.id,
        "name": token.name,
        "sha1": text,
        "token_last_eight": token.last_eight,
        "scopes": token.scopes,
    })
}

fn organisation_json(account: &Account) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "full_name": account.full_name,
        "email": account.email,
        "avatar_url": "",
        "description": "",
        "website": "",
        "location": "",
        "visibility": "public",
        "repo_admin_change_team_access": false,
        "username": account.name,
    })
}
