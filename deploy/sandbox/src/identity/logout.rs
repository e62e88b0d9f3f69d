//! Log-out (OpenID Connect RP-Initiated Logout 1.0), as Keycloak asks and answers.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::authorize::{COOKIE, current_login, redirect};
use super::parameters::Parameters;
use super::token::check_client;
use super::{REALM, Realm, Shared, broken_store, oauth_error};
use crate::Credentials;
use crate::html::escape;

/// `GET …/logout`.
pub async fn by_query(State(realm): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    begin(
        &realm,
        &Parameters::read(query.unwrap_or_default().as_bytes()),
        &headers,
    )
}

/// `POST …/logout`: the same with a form, or a client that ends a login by its refresh token (204).
pub async fn by_form(State(realm): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let form = Parameters::read(&body);
    let Some(token) = form.get("refresh_token") else {
        return begin(&realm, &form, &headers);
    };
    if let Err(response) = check_client(&realm, &headers, &form) {
        return *response;
    }
    let Some(sid) = realm.keys.open_refresh(token).and_then(|claims| sid(&claims)) else {
        return oauth_error(StatusCode::BAD_REQUEST, "invalid_grant", "Invalid refresh token");
    };
    match realm.sessions.update(|sessions| sessions.end(&sid)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => broken_store(&error),
    }
}

/// `POST …/logout/logout-confirm`: the button of the confirmation page.
pub async fn confirmed(State(realm): Shared, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return realm.error_page("The form was sent from another site.");
    }
    let parameters = Parameters::read(query.unwrap_or_default().as_bytes());
    match target(&realm, &parameters, true) {
        Ok(target) => end(
            &realm,
            current_login(&realm, &headers).map(|login| login.id),
            target,
            &parameters,
        ),
        Err(response) => *response,
    }
}

fn begin(realm: &Realm, parameters: &Parameters, headers: &HeaderMap) -> Response {
    // An id token is a hint also when it is too old.
    let hint = match parameters.get("id_token_hint") {
        None => None,
        Some(token) => match realm
            .keys
            .open_token(token)
            .filter(|claims| claims.get("typ").is_some_and(|kind| kind == "ID"))
        {
            Some(claims) => Some(claims),
            None => return realm.error_page("Invalid parameter: id_token_hint"),
        },
    };
    if let (Some(claims), Some(client)) = (&hint, parameters.get("client_id"))
        && claims.get("azp").and_then(Value::as_str) != Some(client)
    {
        return realm.error_page("Parameter client_id is different to the client to which ID Token was issued");
    }
    let known_client = hint.is_some() || parameters.get("client_id") == Some(Credentials::CLIENT_ID);
    let target = match target(realm, parameters, known_client) {
        Ok(target) => target,
        Err(response) => return *response,
    };
    let current = current_login(realm, headers);
    let hinted = hint.as_ref().and_then(sid);
    match (hinted, current) {
        // Only the login that the token is of ends without a question.
        (Some(hinted), Some(current)) if hinted != current.id => confirmation(realm, parameters),
        (Some(hinted), _) => end(realm, Some(hinted), target, parameters),
        (None, Some(_)) => confirmation(realm, parameters),
        (None, None) => end(realm, None, target, parameters),
    }
}

/// Where to go afterwards: the portal's base URL or an address under it.
fn target(realm: &Realm, parameters: &Parameters, known_client: bool) -> Result<Option<String>, Box<Response>> {
    let Some(wanted) = parameters.get("post_logout_redirect_uri") else {
        return Ok(None);
    };
    if !known_client {
        return Err(Box::new(realm.error_page("Missing parameters: id_token_hint")));
    }
    let portal = &realm.settings.portal_url;
    let under = wanted
        .strip_prefix(portal.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !under {
        return Err(Box::new(realm.error_page("Invalid redirect uri")));
    }
    Ok(Some(wanted.to_owned()))
}

fn end(realm: &Realm, login: Option<String>, target: Option<String>, parameters: &Parameters) -> Response {
    if let Some(login) = login
        && let Err(error) = realm.sessions.update(|sessions| sessions.end(&login))
    {
        return broken_store(&error);
    }
    let mut response = match target {
        Some(target) => {
            let state = parameters.get("state").map(|state| ("state", state));
            redirect(&target, state.as_slice())
        }
        None => realm.page(StatusCode::OK, "You are logged out", ""),
    };
    let cookie = format!("{COOKIE}=; Path=/realms/{REALM}/; HttpOnly; SameSite=Lax; Max-Age=0");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn confirmation(realm: &Realm, parameters: &Parameters) -> Response {
    let action = escape(&format!(
        "{}?{}",
        realm.endpoint("logout/logout-confirm"),
        parameters.to_query()
    ));
    let main = format!(
        "<p>Do you want to log out?</p>\n<form method=\"post\" action=\"{action}\">\
         <button id=\"kc-logout\" name=\"confirmLogout\">Log out</button></form>"
    );
    realm.page(StatusCode::OK, "Logging out", &main)
}

fn sid(claims: &Value) -> Option<String> {
    Some(claims.get("sid")?.as_str()?.to_owned())
}
