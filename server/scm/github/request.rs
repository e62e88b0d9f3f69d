//! Requests to one GitHub, through octocrab over the portal's own HTTP client.
//!
//! octocrab builds and signs the requests; answers are read here, because its own readers take bodies of any length.

use axum::body::Bytes;
use axum::http::request::Builder;
use axum::http::{HeaderValue, Method, StatusCode, header};
use octocrab::Octocrab;
use percent_encoding::utf8_percent_encode;
use reqwest::Response;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::scm::address::SEGMENT;
use crate::scm::{ScmError, failure};
use crate::telemetry;

/// Answers in JSON that are longer are a fault of the forge.
const JSON_LIMIT: u64 = 8 * 1024 * 1024;
const JSON: &str = "application/vnd.github+json";

/// The API of one GitHub.
pub struct Api {
    crab: Octocrab,
    http: reqwest::Client,
    /// `apiBaseUrl`.
    base: String,
    /// Name of the forge in errors.
    pub host: String,
}

/// A request that is being put together.
pub struct Ask<'a> {
    method: Method,
    path: String,
    accept: &'a str,
    body: Option<Value>,
}

impl Ask<'_> {
    /// A request below the API's address. Segments are encoded.
    pub fn new(method: Method, segments: &[&str]) -> Self {
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        Self {
            method,
            path,
            accept: JSON,
            body: None,
        }
    }

    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.path = format!("{}?{query}", self.path);
        self
    }

    /// The file itself in place of a description of it.
    pub fn raw(mut self) -> Self {
        self.accept = "application/vnd.github.raw+json";
        self
    }

    pub fn json(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Api {
    /// `base` is `apiBaseUrl`; the text of an error says what is wrong with it or the token.
    pub fn new(http: reqwest::Client, base: &str, host: String, token: Option<&str>) -> Result<Self, String> {
        let mut builder = Octocrab::builder()
            .base_uri(base.trim_end_matches('/'))
            .map_err(|error| format!("apiBaseUrl {base:?} is no address: {error}"))?;
        if let Some(token) = token {
            if HeaderValue::from_str(token).is_err() || token.is_empty() {
                return Err("the token has a character that no token has".to_owned());
            }
            builder = builder.personal_token(token.to_owned());
        }
        let crab = builder
            .build_with_reqwest(http.clone())
            .map_err(|error| format!("no client can be made: {}", failure::innermost(&error)))?;
        Ok(Self {
            crab,
            http,
            base: base.to_owned(),
            host,
        })
    }

    /// The same for a token.
    pub fn with_token(&self, token: &str) -> Result<Self, ScmError> {
        Self::new(self.http.clone(), &self.base, self.host.clone(), Some(token)).map_err(|reason| ScmError::Denied {
            host: self.host.clone(),
            reason,
        })
    }

    /// Sends and gives back a success; everything else becomes an error about `what`.
    pub async fn send(&self, ask: Ask<'_>, what: &str) -> Result<Response, ScmError> {
        let builder = Builder::new()
            .method(ask.method)
            .uri(ask.path)
            .header(header::ACCEPT, ask.accept);
        let request = self
            .crab
            .build_request(builder, ask.body.as_ref())
            .map_err(|error| self.unexpected(failure::innermost(&error)))?;
        let response = telemetry::outside(self.crab.execute(request)).await;
        let response = response.map_err(|error| self.unavailable(&error))?;
        let response = Response::from(response.map(reqwest::Body::wrap));
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.failure(response, what).await)
    }

    /// Sends and reads a JSON answer.
    pub async fn json<T: DeserializeOwned>(&self, ask: Ask<'_>, what: &str) -> Result<T, ScmError> {
        let response = self.send(ask, what).await?;
        let body = self.body(response, JSON_LIMIT, what).await?;
        serde_json::from_slice(&body).map_err(|error| {
            self.unexpected(format!(
                "the answer about {what} is not what the API describes: {error}"
            ))
        })
    }

    /// Reads a body of at most `limit` bytes.
    pub async fn body(&self, mut response: Response, limit: u64, what: &str) -> Result<Bytes, ScmError> {
        let mut body = Vec::new();
        while let Some(chunk) = telemetry::outside(response.chunk())
            .await
            .map_err(|error| self.unavailable(&error))?
        {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(ScmError::TooLarge {
                    what: what.to_owned(),
                    limit,
                });
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

    /// No answer, or one that leads where nothing may be asked.
    fn unavailable(&self, error: &(dyn std::error::Error + 'static)) -> ScmError {
        let mut next = Some(error);
        let sent = std::iter::from_fn(|| {
            let this = next?;
            next = this.source();
            Some(this)
        })
        .find_map(|cause| cause.downcast_ref::<reqwest::Error>());
        if sent.is_some_and(reqwest::Error::is_redirect) {
            return self.unexpected(failure::innermost(error));
        }
        let reason = match sent.is_some_and(reqwest::Error::is_timeout) {
            true => "no answer in time".to_owned(),
            false => format!("no connection: {}", failure::innermost(error)),
        };
        ScmError::Unavailable {
            host: self.host.clone(),
            reason,
        }
    }

    async fn failure(&self, mut response: Response, what: &str) -> ScmError {
        let status = response.status();
        let retry_after = failure::retry_after(response.headers());
        let remaining = response.headers().get("x-ratelimit-remaining");
        let used_up = remaining.is_some_and(|left| left.as_bytes() == b"0");
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > failure::BODY_LIMIT {
                break;
            }
        }
        let message = failure::message(&body);
        let says = |part: &str| message.as_ref().is_some_and(|message| message.contains(part));
        if status == StatusCode::FORBIDDEN && (used_up || retry_after.is_some() || says("rate limit")) {
            return ScmError::RateLimited {
                host: self.host.clone(),
                retry_after,
            };
        }
        let status = match status {
            // How GitHub says that a name is taken, and that a commit or branch is not there.
            StatusCode::UNPROCESSABLE_ENTITY if says("already exists") => StatusCode::CONFLICT,
            StatusCode::UNPROCESSABLE_ENTITY if says("No commit found") => StatusCode::NOT_FOUND,
            status => status,
        };
        failure::failure(&self.host, what, status, retry_after, message)
    }
}
