//! The token endpoint, introspection (RFC 7662) and revocation (RFC 7009).

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::keys::{challenge, half_digest};
use super::parameters::Parameters;
use super::sessions::{ACCESS_SECONDS, IDLE_SECONDS, Login, MAXIMUM_SECONDS, now};
use super::userinfo::profile;
use super::{Realm, Shared, User, broken_store, oauth_error};
use crate::Credentials;

const BAD: StatusCode = StatusCode::BAD_REQUEST;

/// `POST …/token`.
pub async fn exchange(State(realm): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let form = Parameters::read(&body);
    if form.has_duplicate() {
        return oauth_error(BAD, "invalid_request", "duplicated parameter");
    }
    let Some(grant) = form.get("grant_type") else {
        return oauth_error(BAD, "invalid_request", "Missing form parameter: grant_type");
    };
    if let Err(response) = check_client(&realm, &headers, &form) {
        return *response;
    }
    match grant {
        "authorization_code" => by_code(&realm, &form),
        "refresh_token" => by_refresh(&realm, &form),
        "password" => by_password(&realm, &form),
        _ => oauth_error(BAD, "unsupported_grant_type", "Unsupported grant_type"),
    }
}

/// `POST …/token/introspect`.
pub async fn introspect(State(realm): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let form = Parameters::read(&body);
    if let Err(response) = check_client(&realm, &headers, &form) {
        return *response;
    }
    let Some(token) = form.get("token") else {
        return oauth_error(BAD, "invalid_request", "Token not provided.");
    };
    let claims = realm.keys.open_token(token).or_else(|| realm.keys.open_refresh(token));
    let active = claims.filter(|claims| live_login(&realm, claims).is_some());
    let Some(mut claims) = active else {
        return Json(json!({ "active": false })).into_response();
    };
    if let Some(object) = claims.as_object_mut() {
        let name = object.get("preferred_username").cloned().unwrap_or(Value::Null);
        object.insert("username".into(), name);
        object.insert("client_id".into(), Credentials::CLIENT_ID.into());
        object.insert("token_type".into(), object.get("typ").cloned().unwrap_or(Value::Null));
        object.insert("active".into(), true.into());
    }
    Json(claims).into_response()
}

/// `POST …/revoke`: 200 for every token, as RFC 7009 2.2 wants.
pub async fn revoke(State(realm): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let form = Parameters::read(&body);
    if let Err(response) = check_client(&realm, &headers, &form) {
        return *response;
    }
    let Some(token) = form.get("token") else {
        return oauth_error(BAD, "invalid_request", "Token not provided");
    };
    let sid = realm
        .keys
        .open_refresh(token)
        .and_then(|claims| Some(claims.get("sid")?.as_str()?.to_owned()));
    if let Some(sid) = sid
        && let Err(error) = realm.sessions.update(|sessions| sessions.detach(&sid))
    {
        return broken_store(&error);
    }
    StatusCode::OK.into_response()
}

/// Checks `client_secret_basic` or `client_secret_post`.
pub fn check_client(realm: &Realm, headers: &HeaderMap, form: &Parameters) -> Result<(), Box<Response>> {
    let refused = |error: &str| {
        let why = "Invalid client or Invalid client credentials";
        Err(Box::new(oauth_error(StatusCode::UNAUTHORIZED, error, why)))
    };
    let (id, secret) = match basic(headers) {
        Some((id, secret)) => (Some(id), Some(secret)),
        None => (
            form.get("client_id").map(str::to_owned),
            form.get("client_secret").map(str::to_owned),
        ),
    };
    match (id.as_deref(), secret) {
        (Some(Credentials::CLIENT_ID), Some(secret)) if secret == realm.settings.credentials.client_secret => Ok(()),
        (Some(Credentials::CLIENT_ID), _) => refused("unauthorized_client"),
        _ => refused("invalid_client"),
    }
}

// Both halves are form-encoded before they are joined (RFC 6749 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |half: &str| {
        url::form_urlencoded::parse(format!("v={half}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}

fn by_code(realm: &Realm, form: &Parameters) -> Response {
    let Some(code) = form.get("code") else {
        return oauth_error(BAD, "invalid_request", "Missing parameter: code");
    };
    let spent = match realm.sessions.update(|sessions| sessions.spend_code(code, now())) {
        Ok(spent) => spent,
        Err(error) => return broken_store(&error),
    };
    let Some((code, login)) = spent else {
        return oauth_error(BAD, "invalid_grant", "Code not valid");
    };
    if form.get("redirect_uri") != Some(&code.redirect_uri) {
        return oauth_error(BAD, "invalid_grant", "Incorrect redirect_uri");
    }
    match (&code.challenge, form.get("code_verifier")) {
        (None, None) => {}
        (None, Some(_)) => {
            return oauth_error(
                BAD,
                "invalid_grant",
                "PKCE code verifier specified but challenge not present in authorization",
            );
        }
        (Some(_), None) => return oauth_error(BAD, "invalid_grant", "PKCE code verifier not specified"),
        (Some((wanted, hashed)), Some(verifier)) => {
            let given = if *hashed {
                challenge(verifier)
            } else {
                verifier.to_owned()
            };
            if given != *wanted {
                return oauth_error(BAD, "invalid_grant", "PKCE verification failed: Code mismatch");
            }
        }
    }
    tokens(realm, &login, &code.scope, code.nonce.as_deref())
}

// Each refresh gives a new refresh token; the old ones stay good while the login lives, since "Revoke Refresh Token" is
// off in a new realm of Keycloak.
fn by_refresh(realm: &Realm, form: &Parameters) -> Response {
    let Some(token) = form.get("refresh_token") else {
        return oauth_error(BAD, "invalid_request", "No refresh token");
    };
    let Some(claims) = realm.keys.open_refresh(token) else {
        return oauth_error(BAD, "invalid_grant", "Invalid refresh token");
    };
    let expired = claims.get("exp").and_then(Value::as_i64).is_none_or(|end| now() >= end);
    if expired {
        return oauth_error(BAD, "invalid_grant", "Token is not active");
    }
    let Some(login) = live_login(realm, &claims) else {
        return oauth_error(BAD, "invalid_grant", "Session not active");
    };
    if let Err(error) = realm.sessions.update(|sessions| sessions.touch(&login.id, now())) {
        return broken_store(&error);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    tokens(realm, &login, text("scope").unwrap_or_default(), text("nonce"))
}

fn by_password(realm: &Realm, form: &Parameters) -> Response {
    let Some(name) = form.get("username") else {
        return oauth_error(
            StatusCode::UNAUTHORIZED,
            "invalid_request",
            "Missing parameter: username",
        );
    };
    let user = User::find(name).filter(|_| form.get("password") == Some(&realm.settings.credentials.user_password));
    let Some(user) = user else {
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_grant", "Invalid user credentials");
    };
    match realm.sessions.update(|sessions| sessions.begin(user, false, now())) {
        Ok(login) => tokens(realm, &login, form.get("scope").unwrap_or_default(), None),
        Err(error) => broken_store(&error),
    }
}

/// The login that a token belongs to, while both are good.
pub fn live_login(realm: &Realm, claims: &Value) -> Option<Login> {
    if now() >= claims.get("exp")?.as_i64()? {
        return None;
    }
    let sid = claims.get("sid")?.as_str()?;
    realm.sessions.read(|sessions| sessions.attached(sid, now()))
}

fn tokens(realm: &Realm, login: &Login, scope: &str, nonce: Option<&str>) -> Response {
    let Some(user) = login.user() else {
        return oauth_error(BAD, "invalid_grant", "User not found");
    };
    let now = now();
    let subject = realm.sessions.read(|sessions| sessions.subject(user));
    // Profile, e-mail and groups are default scopes of the client: they are given without being asked for.
    let with_id = scope.split_whitespace().any(|word| word == "openid");
    let granted = if with_id {
        "openid profile groups email"
    } else {
        "profile groups email"
    };
    let claims = |kind: &str, audience: &str, seconds: i64| {
        json!({
            "exp": now + seconds,
            "iat": now,
            "auth_time": login.started,
            "jti": uuid::Uuid::new_v4().to_string(),
            "iss": realm.settings.issuer,
            "aud": audience,
            "sub": subject,
            "typ": kind,
            "azp": Credentials::CLIENT_ID,
            "sid": login.id,
        })
    };
    let mut access = claims("Bearer", "account", ACCESS_SECONDS);
    add(
        &mut access,
        json!({ "acr": "1", "allowed-origins": ["/*"], "scope": granted }),
    );
    add(&mut access, profile(user));
    let access = realm.keys.sign(&access);

    let refresh_seconds = IDLE_SECONDS.min(login.started + MAXIMUM_SECONDS - now);
    let mut refresh = claims("Refresh", &realm.settings.issuer, refresh_seconds);
    add(&mut refresh, json!({ "scope": granted }));
    if let Some(nonce) = nonce {
        add(&mut refresh, json!({ "nonce": nonce }));
    }
    let Some(refresh) = realm.keys.sign_refresh(&refresh) else {
        return broken_store(&anyhow::anyhow!("the key of refresh tokens cannot be used"));
    };
    let mut body = json!({
        "access_token": access,
        "expires_in": ACCESS_SECONDS,
        "refresh_expires_in": refresh_seconds,
        "refresh_token": refresh,
        "token_type": "Bearer",
    });
    if with_id {
        let mut id = claims("ID", Credentials::CLIENT_ID, ACCESS_SECONDS);
        if let Some(nonce) = nonce {
            add(&mut id, json!({ "nonce": nonce }));
        }
        add(&mut id, json!({ "at_hash": half_digest(&access), "acr": "1" }));
        add(&mut id, profile(user));
        add(&mut body, json!({ "id_token": realm.keys.sign(&id) }));
    }
    add(
        &mut body,
        json!({ "not-before-policy": 0, "session_state": login.id, "scope": granted }),
    );
    (
        [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")],
        Json(body),
    )
        .into_response()
}

fn add(to: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (to.as_object_mut(), more) {
        object.extend(more);
    }
}
