//! Logging in with the account `admin`, and the signed token that stands for it afterwards.

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{ArgoCd, error::Error};
use crate::Credentials;

/// How long a session lasts, in seconds; Argo CD's default.
const LIFETIME: i64 = 24 * 3600;

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// Who makes a request.
#[derive(Debug, Clone)]
pub struct User(pub String);

/// `POST /api/v1/session`: `{username, password}` → `{token}`.
pub async fn create(State(argocd): State<ArgoCd>, body: Bytes) -> Result<Json<Value>, Error> {
    let login: Login = serde_json::from_slice(&body).map_err(|error| Error::invalid(error.to_string()))?;
    if login.username.is_empty() || login.password.is_empty() {
        return Err(Error::unauthenticated("no credentials supplied"));
    }
    if login.username != Credentials::ARGOCD_ADMIN || login.password != argocd.shared.password {
        return Err(Error::unauthenticated("Invalid username or password"));
    }
    let now = Utc::now().timestamp();
    let claims = json!({
        "iss": "argocd", "sub": format!("{}:login", login.username), "iat": now, "nbf": now, "exp": now + LIFETIME,
        "jti": uuid::Uuid::new_v4().to_string(),
    });
    Ok(Json(json!({ "token": sign(&argocd.shared.key, &claims) })))
}

/// `DELETE /api/v1/session`: nothing is kept on the server.
pub async fn end() -> Json<Value> {
    Json(json!({ "jwtToken": "" }))
}

/// `GET /api/v1/session/userinfo`.
pub async fn user_info(Extension(user): Extension<User>) -> Json<Value> {
    Json(json!({ "loggedIn": true, "username": user.0, "iss": "argocd" }))
}

/// `GET /api/v1/account`.
pub async fn accounts() -> Json<Value> {
    Json(json!({ "items": [{
        "name": Credentials::ARGOCD_ADMIN, "enabled": true, "capabilities": ["login", "apiKey"],
    }] }))
}

/// Lets only requests with a valid token pass, as a bearer or in the cookie `argocd.token`.
pub async fn required(State(argocd): State<ArgoCd>, mut request: Request, next: Next) -> Response {
    let Some(token) = token(request.headers()) else {
        return Error::unauthenticated("no session information").into_response();
    };
    match verify(&argocd.shared.key, &token) {
        Ok(user) => {
            request.extensions_mut().insert(User(user));
            next.run(request).await
        }
        Err(why) => Error::unauthenticated(format!("invalid session: {why}")).into_response(),
    }
}

fn token(headers: &HeaderMap) -> Option<String> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &axum::http::HeaderValue| value.to_str().ok())
    };
    if let Some((scheme, token)) = text(header::AUTHORIZATION).and_then(|value| value.split_once(' '))
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return Some(token.trim().to_owned());
    }
    let cookies = text(header::COOKIE)?.split(';').map(str::trim);
    cookies
        .into_iter()
        .find_map(|cookie| cookie.strip_prefix("argocd.token="))
        .map(String::from)
}

fn signature(key: &str, text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

fn sign(key: &str, claims: &Value) -> String {
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS256", "typ": "JWT" }).to_string());
    let text = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = signature(key, &text).finalize().into_bytes();
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn verify(key: &str, token: &str) -> Result<String, &'static str> {
    let malformed = "token is malformed";
    let (text, sent) = token.rsplit_once('.').ok_or(malformed)?;
    let sent = URL_SAFE_NO_PAD.decode(sent).map_err(|_| malformed)?;
    signature(key, text)
        .verify_slice(&sent)
        .map_err(|_| "token signature is invalid")?;
    let (_, claims) = text.split_once('.').ok_or(malformed)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| malformed)?;
    let claims: Value = serde_json::from_slice(&claims).map_err(|_| malformed)?;
    if claims["exp"].as_i64().is_none_or(|end| end < Utc::now().timestamp()) {
        return Err("token has invalid claims: token is expired");
    }
    let subject = claims["sub"].as_str().unwrap_or_default();
    Ok(subject.trim_end_matches(":login").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_and_fresh_tokens_are_taken() {
        let later = Utc::now().timestamp() + 60;
        let good = sign("key", &json!({"sub": "admin:login", "exp": later}));
        assert_eq!(verify("key", &good).as_deref(), Ok("admin"));
        assert!(verify("other", &good).is_err());
        assert!(verify("key", &sign("key", &json!({"sub": "admin:login", "exp": 1}))).is_err());
        assert!(verify("key", &format!("{good}x")).is_err());
        assert!(verify("key", "nonsense").is_err());
    }
}
