//! Errors as Argo CD's gateway writes them: `{error, code, message}` with a gRPC code and the HTTP status it maps to.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::kubernetes::status::Status;

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    status: StatusCode,
    code: u8,
    message: String,
}

impl Error {
    fn new(status: StatusCode, code: u8, message: impl Into<String>) -> Error {
        Error {
            status,
            code,
            message: message.into(),
        }
    }

    /// gRPC InvalidArgument.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, 3, message)
    }

    /// gRPC NotFound.
    pub fn not_found(message: impl Into<String>) -> Error {
        Error::new(StatusCode::NOT_FOUND, 5, message)
    }

    /// gRPC PermissionDenied: also the answer for an Application that is not there, so that nobody can probe for names.
    pub fn denied() -> Error {
        Error::new(StatusCode::FORBIDDEN, 7, "permission denied")
    }

    /// gRPC FailedPrecondition.
    pub fn precondition(message: impl Into<String>) -> Error {
        Error::new(StatusCode::BAD_REQUEST, 9, message)
    }

    /// gRPC Unauthenticated.
    pub fn unauthenticated(message: impl Into<String>) -> Error {
        Error::new(StatusCode::UNAUTHORIZED, 16, message)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Error {
        let code = match status.code {
            400 | 422 => return Error::invalid(status.message),
            404 => return Error::not_found(status.message),
            403 => return Error::denied(),
            409 if status.reason == "AlreadyExists" => (StatusCode::CONFLICT, 6),
            409 => (StatusCode::CONFLICT, 10),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, 13),
        };
        Error::new(code.0, code.1, status.message)
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.message, "code": self.code, "message": self.message });
        (self.status, Json(body)).into_response()
    }
}

/// What the gateway answers for a path it does not have.
pub async fn no_such_path() -> Error {
    Error::not_found("Not Found")
}
