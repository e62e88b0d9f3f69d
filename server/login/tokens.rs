//! Tokens for browsers and programs that speak to the APIs on a user's behalf, as Backstage's auth backend has them.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

use super::LoginContext;
use crate::auth::{Caller, IssueError, bearer};
use crate::language::text;
use crate::web::{Error, Json, Shell};

/// `GET`, `POST /api/auth/<provider>/refresh`: a token for whoever is signed in. Other sites cannot send the header.
pub(super) async fn refresh(
    State(context): State<LoginContext>,
    shell: Shell,
    Path(provider): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Error> {
    let by_script = headers.get("x-requested-with");
    if by_script.is_none_or(|value| value != "XMLHttpRequest") {
        return Err(Error::Unauthenticated);
    }
    if context.sessions.provider(&provider).is_none() {
        return Err(Error::NotFound(text!(
            "There is no identity provider {id}.",
            id = provider
        )));
    }
    let user = shell.user.ok_or(Error::Unauthenticated)?;
    let ownership = Caller::User(user.clone()).ownership_refs();
    let issued = context
        .tokens
        .issue(&user, ownership)
        .await
        .map_err(|error| match error {
            IssueError::Database(error) => Error::from(error),
            IssueError::Sealed => Error::internal(error),
        })?;
    Ok(Json(json!({
        "profile": {"displayName": user.display_name, "email": user.email},
        "providerInfo": {},
        "backstageIdentity": {
            "token": issued.token,
            "expiresInSeconds": issued.expires_in_seconds,
            "identity": {
                "type": "user",
                "userEntityRef": user.entity_ref,
                "ownershipEntityRefs": issued.ownership,
            },
        },
    })))
}

/// `GET /api/auth/.well-known/jwks.json`.
pub(super) async fn key_set(State(context): State<LoginContext>) -> Result<Json<Value>, Error> {
    Ok(Json(context.tokens.key_set().await?))
}

/// `GET /api/auth/.well-known/openid-configuration`: what there is of it; nobody is sent here to log in.
pub(super) async fn configuration(State(context): State<LoginContext>) -> Json<Value> {
    let issuer = context.tokens.issuer();
    Json(json!({
        "issuer": issuer,
        "userinfo_endpoint": format!("{issuer}/v1/userinfo"),
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid"],
        "token_endpoint_auth_methods_supported": [],
        "claims_supported": ["sub", "ent"],
        "grant_types_supported": [],
    }))
}

/// `GET /api/auth/v1/userinfo`, with a token.
pub(super) async fn user_info(
    State(context): State<LoginContext>,
    headers: HeaderMap,
) -> Result<([(header::HeaderName, &'static str); 1], Json<Value>), Error> {
    let token = bearer(&headers).ok_or(Error::Unauthenticated)?;
    let info = context.tokens.user_info(token).await?.ok_or(Error::Unauthenticated)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(info)))
}
