//! What a forge's refusal means, in the words of [`ScmError`].

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use super::ScmError;

/// As much of an error's text as a page shows.
const MESSAGE_LIMIT: usize = 300;
/// As much of an error's body as is read.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// Body of an error.
#[derive(Debug, Default, Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
    /// GitHub's details: objects with a message, or texts.
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

/// The error that an answer's status stands for; `what` was asked for, `message` is the forge's own.
pub(super) fn failure(
    host: &str,
    what: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
    message: Option<String>,
) -> ScmError {
    let host = host.to_owned();
    let what = what.to_owned();
    let reason = |otherwise: &str| {
        let text = message.as_deref().unwrap_or(otherwise);
        format!("{text} ({})", status.as_u16())
    };
    match status {
        StatusCode::NOT_FOUND => ScmError::NotFound { host, what },
        StatusCode::CONFLICT => ScmError::Conflict { host, what },
        StatusCode::UNAUTHORIZED => ScmError::Denied {
            host,
            reason: reason("the configured account is not accepted"),
        },
        StatusCode::FORBIDDEN => ScmError::Denied {
            host,
            reason: reason("the configured account may not do this"),
        },
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => ScmError::Denied {
            host,
            reason: reason("the values are not accepted"),
        },
        StatusCode::TOO_MANY_REQUESTS => ScmError::RateLimited { host, retry_after },
        status if status.is_server_error() => ScmError::Unavailable {
            host,
            reason: reason("it fails"),
        },
        status if status.is_redirection() => ScmError::Unexpected {
            host,
            reason: format!(
                "it redirects ({}); the integration must name the forge's final address",
                status.as_u16()
            ),
        },
        _ => ScmError::Unexpected {
            host,
            reason: reason("an unknown answer"),
        },
    }
}

/// How long the forge asks to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The texts of an error's JSON body, on one line and cut to a readable length.
pub(super) fn message(body: &[u8]) -> Option<String> {
    let failure: Failure = serde_json::from_slice(body).ok()?;
    let details = failure.errors.iter().filter_map(|detail| match detail {
        serde_json::Value::String(text) => Some(text.as_str()),
        detail => detail["message"].as_str(),
    });
    let texts: Vec<&str> = std::iter::once(failure.message.as_str())
        .chain(details)
        .flat_map(str::split_whitespace)
        .collect();
    let text: String = texts.join(" ").chars().take(MESSAGE_LIMIT).collect();
    (!text.is_empty()).then_some(text)
}

/// The cause that says something; the outer texts repeat the URL.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_errors_are_read() {
        for (body, text) in [
            (r#"{"message": "a\n b"}"#, Some("a b")),
            (
                r#"{"message": "Repository creation failed.", "errors": [{"resource": "Repository", "message": "name already exists on this account"}, "x"]}"#,
                Some("Repository creation failed. name already exists on this account x"),
            ),
            ("{}", None),
            ("<html>", None),
        ] {
            assert_eq!(message(body.as_bytes()).as_deref(), text, "{body}");
        }
    }
}
