//! The one error of pages and APIs, by what the reader can do about it.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path of the field; empty for the whole form.
    pub field: String,
    pub message: String,
}

/// Why a request was not answered as asked. Texts say what failed, why, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Log in to see this.")]
    Unauthenticated,
    #[error("{0}")]
    Forbidden(String),
    #[error("{0}")]
    NotFound(String),
    #[error("Some answers need a change.")]
    Invalid(Vec<FieldError>),
    #[error("{0}")]
    Conflict(String),
    /// Another system failed; `hint` says what the reader or the operator can do.
    #[error("{system}: {reason}")]
    Upstream {
        system: String,
        reason: String,
        hint: String,
    },
    /// A fault of ours, or the database is away; the chain goes to the log only.
    #[error("Something went wrong on our side.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// HTTP status: Unauthenticated 401, Forbidden 403, NotFound 404, Invalid 422 (400 under `/api/`),
    /// Conflict 409, Upstream 502, Internal 500 (503 while the database is away).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Upstream { .. } => StatusCode::BAD_GATEWAY,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// One wrong field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}
