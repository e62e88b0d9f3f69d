//! Requests to one forge: address, account, limits, and what a failure means.

use std::time::Duration;

use axum::body::Bytes;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use url::Url;

use super::super::ScmError;
use super::wire;
use crate::telemetry;

/// Answers in JSON that are longer are a fault of the forge.
const JSON_LIMIT: u64 = 8 * 1024 * 1024;
/// As much of an error's text as a page shows.
const MESSAGE_LIMIT: usize = 300;

/// The API of one forge.
pub struct Api {
    http: reqwest::Client,
    /// `baseUrl` without a trailing slash.
    base: String,
    /// Name of the forge in errors.
    pub host: String,
    username: Option<String>,
    password: Option<String>,
}

impl Api {
    pub fn new(
        http: reqwest::Client,
        base: String,
        host: String,
        username: Option<String>,
        password: Option<String>,
    ) -> Self {
        Self {
            http,
            base,
            host,
            username,
            password,
        }
    }

    /// A request to `<base>/api/v1/<segments>`, signed in as the configured account. Segments are encoded.
    pub fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, ScmError> {
        let mut url = Url::parse(&self.base).map_err(|error| self.unexpected(error))?;
        url.path_segments_mut()
            .map_err(|()| self.unexpected("baseUrl cannot have a path"))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(segments);
        let request = self.http.request(method, url);
        Ok(match (&self.username, &self.password) {
            (Some(username), password) => request.basic_auth(username, password.as_deref()),
            (None, Some(token)) => request.header(header::AUTHORIZATION, format!("token {token}")),
            (None, None) => request,
        })
    }

    /// Sends and gives back a success; everything else becomes an error about `what`.
    pub async fn send(&self, request: RequestBuilder, what: &str) -> Result<Response, ScmError> {
        let response = telemetry::outside(request.send()).await;
        let response = response.map_err(|error| self.unavailable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.failure(response, what).await)
    }

    /// Sends and reads a JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, request: RequestBuilder, what: &str) -> Result<T, ScmError> {
        let response = self.send(request, what).await?;
        let body = self.body(response, JSON_LIMIT, what).await?;
        serde_json::from_slice(&body).map_err(|error| {
            self.unexpected(format!(
                "the answer about {what} is not what the API describes: {error}"
            ))
        })
    }

    /// Reads a body of at most `limit` bytes.
    pub async fn body(&self, mut response: Response, limit: u64, what: &str) -> Result<Bytes, ScmError> {
        let too_large = || ScmError::TooLarge {
            what: what.to_owned(),
            limit,
        };
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        while let Some(chunk) = telemetry::outside(response.chunk())
            .await
            .map_err(|error| self.unavailable(&error))?
        {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }

    pub fn not_found(&self, what: &str) -> ScmError {
        ScmError::NotFound {
            host: self.host.clone(),
            what: what.to_owned(),
        }
    }

    pub fn unexpected(&self, reason: impl ToString) -> ScmError {
        ScmError::Unexpected {
            host: self.host.clone(),
            reason: reason.to_string(),
        }
    }

    /// No answer: connection refused, name unknown, certificate not trusted, time over, broken off. Or one that leads
    /// where nothing may be asked.
    fn unavailable(&self, error: &reqwest::Error) -> ScmError {
        if error.is_redirect() {
            return self.unexpected(innermost(error));
        }
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            format!("no connection: {}", innermost(error))
        };
        ScmError::Unavailable {
            host: self.host.clone(),
            reason,
        }
    }

    async fn failure(&self, mut response: Response, what: &str) -> ScmError {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > 64 * 1024 {
                break;
            }
        }
        let host = self.host.clone();
        let message = message(&body);
        let reason = |otherwise: &str| match &message {
            Some(message) => format!("{message} ({})", status.as_u16()),
            None => format!("{otherwise} ({})", status.as_u16()),
        };
        match status {
            StatusCode::NOT_FOUND => self.not_found(what),
            StatusCode::CONFLICT => ScmError::Conflict {
                host,
                what: what.to_owned(),
            },
            StatusCode::UNAUTHORIZED => ScmError::Denied {
                host,
                reason: reason("the configured username and password are not accepted"),
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
            status if status.is_redirection() => self.unexpected(format!(
                "it redirects ({}); baseUrl must be the forge's final address",
                status.as_u16()
            )),
            _ => self.unexpected(reason("an unknown answer")),
        }
    }
}

/// The cause that says something; the outer texts repeat the URL.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// The `message` of an error's JSON body, on one line and cut to a readable length.
fn message(body: &[u8]) -> Option<String> {
    let failure: wire::Failure = serde_json::from_slice(body).ok()?;
    let text: String = failure
        .message
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
        .take(MESSAGE_LIMIT)
        .collect();
    (!text.is_empty()).then_some(text)
}
