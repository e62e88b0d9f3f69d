//! Requests to one forge: address, account, limits, and what a failure means.

use axum::body::Bytes;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use url::Url;

use super::super::{ScmError, failure};
use crate::telemetry;

/// Answers in JSON that are longer are a fault of the forge.
const JSON_LIMIT: u64 = 8 * 1024 * 1024;

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

    /// The same for a token.
    pub fn with_token(&self, token: &str) -> Self {
        Self::new(
            self.http.clone(),
            self.base.clone(),
            self.host.clone(),
            None,
            Some(token.to_owned()),
        )
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

    /// Sends what cannot be carried out: that its values are not accepted means that it would be allowed.
    pub async fn try_it(&self, request: RequestBuilder, what: &str) -> Result<(), ScmError> {
        let response = telemetry::outside(request.send()).await;
        let response = response.map_err(|error| self.unavailable(&error))?;
        match response.status() {
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST => Ok(()),
            status if status.is_success() => Ok(()),
            _ => Err(self.failure(response, what).await),
        }
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
            return self.unexpected(failure::innermost(error));
        }
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            format!("no connection: {}", failure::innermost(error))
        };
        ScmError::Unavailable {
            host: self.host.clone(),
            reason,
        }
    }

    async fn failure(&self, mut response: Response, what: &str) -> ScmError {
        let status = response.status();
        let retry_after = failure::retry_after(response.headers());
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > failure::BODY_LIMIT {
                break;
            }
        }
        failure::failure(&self.host, what, status, retry_after, failure::message(&body))
    }
}
