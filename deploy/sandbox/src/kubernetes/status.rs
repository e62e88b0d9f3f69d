//! The `Status` object with which Kubernetes answers everything that went wrong.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::kinds::Kind;

/// An error as the Kubernetes API reports it: `metav1.Status` of `k8s.io/apimachinery`.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Status {
    /// The HTTP status code, repeated in the body.
    pub code: u16,
    /// The machine-readable reason, such as `NotFound`.
    pub reason: &'static str,
    /// What a person reads.
    pub message: String,
    /// `name`, `group`, `kind` and `causes`, where they apply.
    pub details: Value,
}

/// One field that a request got wrong, an entry of `details.causes`.
#[derive(Debug, Clone)]
pub struct Cause {
    /// Path of the field, such as `metadata.name`.
    pub field: String,
    /// For example `FieldValueInvalid`.
    pub reason: &'static str,
    /// What is wrong with it, without the field's path.
    pub message: String,
}

impl Cause {
    /// A value that is there and not allowed.
    pub fn invalid(field: &str, value: &Value, why: &str) -> Cause {
        Cause {
            field: field.into(),
            reason: "FieldValueInvalid",
            message: format!("Invalid value: {value}: {why}"),
        }
    }

    /// A value that must be there; `why` may be empty.
    pub fn required(field: &str, why: &str) -> Cause {
        let message = if why.is_empty() {
            "Required value".into()
        } else {
            format!("Required value: {why}")
        };
        Cause {
            field: field.into(),
            reason: "FieldValueRequired",
            message,
        }
    }
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
        Status {
            code,
            reason,
            message: message.into(),
            details: json!({}),
        }
    }

    fn about(code: u16, reason: &'static str, kind: &Kind, name: &str, message: String) -> Status {
        let mut details = json!({ "name": name, "kind": kind.plural });
        if !kind.group.is_empty() {
            details["group"] = json!(kind.group);
        }
        Status {
            code,
            reason,
            message,
            details,
        }
    }

    /// 404 for an object that is not there.
    pub fn not_found(kind: &Kind, name: &str) -> Status {
        Status::about(
            404,
            "NotFound",
            kind,
            name,
            format!("{} \"{name}\" not found", kind.qualified()),
        )
    }

    /// 404 for a path that names no resource.
    pub fn no_such_resource() -> Status {
        Status::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 409 for the creation of something that is there.
    pub fn already_exists(kind: &Kind, name: &str) -> Status {
        let message = format!("{} \"{name}\" already exists", kind.qualified());
        Status::about(409, "AlreadyExists", kind, name, message)
    }

    /// 409 for a write that was based on an old version.
    pub fn conflict(kind: &Kind, name: &str, why: &str) -> Status {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            kind.qualified()
        );
        Status::about(409, "Conflict", kind, name, message)
    }

    /// 409 for a server-side apply of fields that other managers own; each cause is a field of another manager.
    pub fn apply_conflict(causes: Vec<Cause>) -> Status {
        let fields = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.message, cause.field))
            .collect::<Vec<_>>()
            .join("; ");
        let noun = if causes.len() == 1 { "conflict" } else { "conflicts" };
        let mut status = Status::new(
            409,
            "Conflict",
            format!("Apply failed with {} {noun}: {fields}", causes.len()),
        );
        status.details = json!({ "causes": causes_of(&causes, false) });
        status
    }

    /// 403 for a creation in a namespace that is being deleted.
    pub fn namespace_terminating(kind: &Kind, name: &str, namespace: &str) -> Status {
        let message = format!(
            "{} \"{name}\" is forbidden: unable to create new content in namespace {namespace} because it is being \
             terminated",
            kind.qualified()
        );
        let mut status = Status::about(403, "Forbidden", kind, name, message);
        status.details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        status
    }

    /// 422 with every field that is wrong.
    pub fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Status {
        let texts = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect::<Vec<_>>();
        let list = if let [only] = texts.as_slice() {
            only.clone()
        } else {
            format!("[{}]", texts.join(", "))
        };
        let qualified = if kind.group.is_empty() {
            kind.kind.clone()
        } else {
            format!("{}.{}", kind.kind, kind.group)
        };
        let mut status = Status::about(
            422,
            "Invalid",
            kind,
            name,
            format!("{qualified} \"{name}\" is invalid: {list}"),
        );
        status.details["kind"] = json!(kind.kind);
        status.details["causes"] = causes_of(causes, true);
        status
    }

    /// 400 for a request that cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Status {
        Status::new(400, "BadRequest", message)
    }

    /// 401 without a token, or with an unknown one.
    pub fn unauthorized() -> Status {
        Status::new(401, "Unauthorized", "Unauthorized")
    }

    /// 405 for a verb that the resource does not have.
    pub fn method_not_allowed() -> Status {
        Status::new(
            405,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        )
    }

    /// 415 for a body or patch in a format that is not accepted.
    pub fn unsupported_media_type(accepted: &str) -> Status {
        let message =
            format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Status::new(415, "UnsupportedMediaType", message)
    }

    /// 410 when a list or watch asks for a version that is no longer kept.
    pub fn expired(asked: u64, oldest: u64) -> Status {
        Status::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 504 when a client knows a version that this server has not reached, for example after its data was reset.
    pub fn too_large_version(asked: u64, current: u64) -> Status {
        let mut status = Status::new(
            504,
            "Timeout",
            format!("Too large resource version: {asked}, current: {current}"),
        );
        status.details = json!({
            "causes": [{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }],
            "retryAfterSeconds": 1,
        });
        status
    }

    /// 500 when the data folder cannot be written.
    pub fn internal(message: impl std::fmt::Display) -> Status {
        Status::new(500, "InternalError", format!("Internal error occurred: {message}"))
    }

    /// The body, as it is also sent inside a watch's `ERROR` event.
    pub fn to_value(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        })
    }
}

impl IntoResponse for Status {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (code, axum::Json(self.to_value())).into_response()
    }
}

fn causes_of(causes: &[Cause], with_reason: bool) -> Value {
    let list = causes.iter().map(|cause| {
        let reason = if with_reason {
            cause.reason
        } else {
            "FieldManagerConflict"
        };
        json!({ "reason": reason, "message": cause.message, "field": cause.field })
    });
    Value::Array(list.collect())
}
