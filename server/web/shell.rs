//! The frame around every page, and who is looking at it. Middleware puts both into the request.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::Error;
use crate::auth::{Caller, User};

/// What `templates/shell.html` needs. A page's struct has it as field `shell`.
#[derive(Debug, Clone)]
pub struct Shell {
    pub user: Option<User>,
    /// Path of the request, to mark where the reader is.
    pub path: String,
    /// Nonce of the content security policy.
    pub nonce: String,
    pub request_id: String,
    /// Time of the request: relative times on the page count from here.
    pub now: DateTime<Utc>,
}

impl<S: Send + Sync> FromRequestParts<S> for Shell {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Error::Internal("the shell layer is missing".into()))
    }
}

/// The caller of a request that only known callers may make.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Caller>()
            .cloned()
            .map(Self)
            .ok_or(Error::Unauthenticated)
    }
}

/// Renders a page or fragment.
pub fn page(template: &impl askama::Template) -> Result<Response, Error> {
    Ok(Html(template.render()?).into_response())
}
