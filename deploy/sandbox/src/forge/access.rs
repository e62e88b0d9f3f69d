//! Who asks, and which repository is meant.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, extract::FromRequestParts, http::request::Parts};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Forge;
use super::git::{Git, GitError};
use super::model::{Account, Permission, Repository};

/// An error answer in the form of Gitea's API.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// Any status with a message.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// 404 in Gitea's words.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "The target couldn't be found.")
    }

    /// 422 with the reason.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = Json(json!({ "message": self.message, "url": "/api/swagger" }));
        (self.status, body).into_response()
    }
}

impl From<GitError> for Refusal {
    fn from(error: GitError) -> Self {
        tracing::error!(%error, "the forge cannot use a repository");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        let message = format!("{error:#}");
        tracing::error!(error = message, "the forge failed");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }
}

/// Who asks: nobody in particular, or an account that proved to be itself. A wrong password or token is refused.
#[derive(Debug, Clone)]
pub struct Caller(pub Option<Account>);

impl Caller {
    /// The account, or 401.
    pub fn required(self) -> Result<Account, Refusal> {
        self.0
            .ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "token is required"))
    }

    /// The account if it may do everything, or 401 or 403.
    pub fn admin(self) -> Result<Account, Refusal> {
        let account = self.required()?;
        if account.is_admin {
            return Ok(account);
        }
        Err(Refusal::new(StatusCode::FORBIDDEN, "user should be an admin"))
    }

    /// Reads `Authorization`: basic (password, or a token in either half), `token` or `bearer`.
    pub fn of(forge: &Forge, headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(Self(None));
        };
        let wrong = || Refusal::new(StatusCode::UNAUTHORIZED, "invalid username, password or token");
        let (scheme, rest) = value
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .ok_or_else(wrong)?;
        let rest = rest.trim();
        forge.inner.contents.read(|contents| {
            let found = match scheme.to_ascii_lowercase().as_str() {
                "token" | "bearer" => contents.by_token(rest),
                "basic" => {
                    let text = STANDARD
                        .decode(rest)
                        .ok()
                        .and_then(|bytes| String::from_utf8(bytes).ok());
                    let (name, password) = text
                        .as_deref()
                        .and_then(|text| text.split_once(':'))
                        .ok_or_else(wrong)?;
                    let by_name = contents.account(name).filter(|account| account.has_password(password));
                    by_name
                        .or_else(|| contents.by_token(password))
                        .or_else(|| contents.by_token(name))
                }
                _ => None,
            };
            found.cloned().map(|account| Self(Some(account))).ok_or_else(wrong)
        })
    }
}

impl FromRequestParts<Forge> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, forge: &Forge) -> Result<Self, Refusal> {
        Self::of(forge, &parts.headers)
    }
}

/// A repository that the caller may see.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its entry, as it was when the request came.
    pub repository: Repository,
    /// What the caller may do.
    pub permission: Permission,
    /// Its folder.
    pub git: Git,
}

impl Forge {
    /// The repository if the caller has at least this permission. What may not be seen does not exist (404); what may be
    /// seen but not done is 403, or 401 for nobody in particular.
    pub fn see(&self, caller: &Caller, owner: &str, name: &str, least: Permission) -> Result<Seen, Refusal> {
        let found = self.inner.contents.read(|contents| {
            let repository = contents.repository(owner, name)?;
            let permission = contents.permission(caller.0.as_ref(), repository)?;
            Some((repository.clone(), permission))
        });
        let (repository, permission) = found.ok_or_else(Refusal::not_found)?;
        if permission < least {
            return Err(match caller.0 {
                None => Refusal::new(StatusCode::UNAUTHORIZED, "token is required"),
                Some(_) => Refusal::new(
                    StatusCode::FORBIDDEN,
                    "user should have a permission to write to a repo",
                ),
            });
        }
        if least > Permission::Read && repository.archived && least != Permission::Admin {
            return Err(Refusal::new(StatusCode::LOCKED, format!("{owner}/{name} is archived")));
        }
        let git = self.git(repository.id);
        Ok(Seen {
            repository,
            permission,
            git,
        })
    }
}

/// Asks a browser or git for a name and password.
pub fn ask_for_password(mut response: Response) -> Response {
    response.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"Gitea\", charset=\"UTF-8\""),
    );
    response
}
