//! The user info endpoint (OpenID Connect Core 5.3).

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::token::live_login;
use super::{REALM, Shared, User, oauth_error};

/// Claims about a user that id token, access token and user info have in common.
pub fn profile(user: &User) -> Value {
    json!({
        "email_verified": false,
        "name": format!("{} {}", user.first_name, user.last_name),
        "groups": user.groups,
        "preferred_username": user.name,
        "given_name": user.first_name,
        "family_name": user.last_name,
    })
}

/// `GET` and `POST …/userinfo` with a bearer token.
pub async fn show(State(realm): Shared, headers: HeaderMap) -> Response {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    let Some(token) = token else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_request", "Missing token");
    };
    let claims = realm
        .keys
        .open_token(token)
        .filter(|claims| claims.get("typ").is_some_and(|kind| kind == "Bearer"));
    let Some(claims) = claims else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_token", "Token verification failed");
    };
    let Some(user) = live_login(&realm, &claims).and_then(|login| login.user()) else {
        return refuse(StatusCode::UNAUTHORIZED, "invalid_token", "Token verification failed");
    };
    let scope = claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    if !scope.split(' ').any(|word| word == "openid") {
        return refuse(StatusCode::FORBIDDEN, "insufficient_scope", "Missing openid scope");
    }
    let mut body = json!({ "sub": claims.get("sub") });
    if let (Some(object), Value::Object(profile)) = (body.as_object_mut(), profile(user)) {
        object.extend(profile);
    }
    Json(body).into_response()
}

fn refuse(status: StatusCode, error: &str, why: &str) -> Response {
    let mut response = oauth_error(status, error, why);
    let challenge = format!("Bearer realm=\"{REALM}\", error=\"{error}\", error_description=\"{why}\"");
    if let Ok(challenge) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
