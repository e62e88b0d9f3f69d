//! The one error of pages and APIs, by what the reader can do about it.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::language::{Text, text};

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Dotted path of the field; empty for the whole form.
    pub field: String,
    pub message: Text,
}

/// Why a request was not answered as asked. Texts say what failed, why, and what to do.
///
/// As a response it is a short text with the status; the frame around all routes turns it into a page,
/// a fragment or Backstage's error body, and logs it once.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Log in to see this.")]
    Unauthenticated,
    #[error("{0}")]
    Forbidden(Text),
    #[error("{0}")]
    NotFound(Text),
    #[error("Some answers need a change.")]
    Invalid(Vec<FieldError>),
    #[error("{0}")]
    Conflict(Text),
    /// The request's body is over a limit; the text names the limit.
    #[error("{0}")]
    TooLarge(Text),
    /// Another system failed; `hint` says what the reader or the operator can do.
    #[error("{system}: {reason}")]
    Upstream { system: String, reason: String, hint: Text },
    /// A fault of ours, or the database is away; the chain goes to the log only.
    #[error("Something went wrong on our side.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// HTTP status: Unauthenticated 401, Forbidden 403, NotFound 404, Invalid 422 (400 under `/api/`),
    /// Conflict 409, TooLarge 413, Upstream 502, Internal 500 (503 while the database is away).
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upstream { .. } => StatusCode::BAD_GATEWAY,
            Self::Internal(_) if self.database_is_away() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a reader is told first.
    pub(super) fn text(&self) -> Text {
        match self {
            Self::Unauthenticated => text!("Log in to see this."),
            Self::Forbidden(text) | Self::NotFound(text) | Self::Conflict(text) | Self::TooLarge(text) => text.clone(),
            Self::Invalid(_) => text!("Some answers need a change."),
            Self::Upstream { .. } | Self::Internal(_) => self.to_string().into(),
        }
    }

    /// One wrong field.
    pub fn invalid(field: impl Into<String>, message: impl Into<Text>) -> Self {
        Self::Invalid(vec![FieldError {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// A fault of ours.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(source.into())
    }

    /// Somewhere in the chain is a database that cannot be reached: the same request may work in a moment.
    pub fn database_is_away(&self) -> bool {
        self.is_of_database(crate::db::is_away)
    }

    /// Somewhere in the chain is a database whose disk is full.
    pub fn database_is_full(&self) -> bool {
        self.is_of_database(crate::db::is_full)
    }

    fn is_of_database(&self, what: impl Fn(&sqlx::Error) -> bool) -> bool {
        let Self::Internal(source) = self else { return false };
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
        while let Some(error) = next {
            let of_database = error
                .downcast_ref::<sqlx::Error>()
                .or_else(|| error.downcast_ref::<Arc<sqlx::Error>>().map(Arc::as_ref));
            if of_database.is_some_and(&what) {
                return true;
            }
            next = error.source();
        }
        false
    }

    /// The text with everything that caused it, for the log.
    pub fn chain(&self) -> String {
        // "Something went wrong" says nothing to those who read logs.
        let mut text = match self {
            Self::Internal(source) => source.to_string(),
            other => other.to_string(),
        };
        let mut next = match self {
            Self::Internal(source) => source.source(),
            other => std::error::Error::source(other),
        };
        while let Some(error) = next {
            let cause = error.to_string();
            // Transparent errors repeat their source.
            if !text.ends_with(&cause) {
                text.push_str(": ");
                text.push_str(&cause);
            }
            next = error.source();
        }
        text
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// Of a read that several requests waited for.
impl From<Arc<sqlx::Error>> for Error {
    fn from(error: Arc<sqlx::Error>) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<askama::Error> for Error {
    fn from(error: askama::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

/// How an [`Error`] reaches the frame through the response.
#[derive(Clone)]
pub(super) struct Failure(pub Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_string()).into_response();
        response.extensions_mut().insert(Failure(Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the catalog failed")]
    struct Wrapped(#[source] sqlx::Error);

    #[test]
    fn an_absent_database_is_recognised_inside_other_errors() {
        let away = Error::internal(Wrapped(sqlx::Error::PoolTimedOut));
        assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(away.chain().starts_with("the catalog failed: "), "{}", away.chain());
        let shared = Error::internal(Arc::new(sqlx::Error::PoolTimedOut));
        assert_eq!(shared.status(), StatusCode::SERVICE_UNAVAILABLE);
        let ours = Error::internal(Wrapped(sqlx::Error::RowNotFound));
        assert_eq!(ours.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    /// What the server answers when its disk is full.
    #[derive(Debug, thiserror::Error)]
    #[error("could not extend file: No space left on device")]
    struct DiskFull;

    impl sqlx::error::DatabaseError for DiskFull {
        fn message(&self) -> &str {
            "could not extend file: No space left on device"
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some("53100".into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn a_full_disk_passes_and_has_its_own_name() {
        let full = Error::internal(Wrapped(sqlx::Error::Database(Box::new(DiskFull))));
        assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(full.database_is_full());
        assert!(!Error::internal(Wrapped(sqlx::Error::PoolTimedOut)).database_is_full());
    }
}
