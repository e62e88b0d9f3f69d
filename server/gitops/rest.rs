//! Argo CD's own API, for where the cluster may not be written to or is not configured.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::GitOpsError;
use super::NewProject;
use super::create::{Created, NewApplication};
use super::error::innermost;
use crate::telemetry;

/// A list of Applications with their resources can be long.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
const MESSAGE_LIMIT: usize = 500;

/// How to sign in.
#[derive(Clone)]
pub enum Account {
    Token(String),
    Password { username: String, password: String },
}

/// The API of one Argo CD instance.
pub struct ArgoApi {
    instance: String,
    /// Without a trailing slash and without `/api/v1`.
    pub(super) base: Url,
    account: Account,
    pub(super) http: reqwest::Client,
    /// Token of the session, until it is refused.
    session: Mutex<Option<String>>,
}

impl ArgoApi {
    pub fn new(instance: String, base: Url, account: Account, http: reqwest::Client) -> Self {
        Self {
            instance,
            base,
            account,
            http,
            session: Mutex::new(None),
        }
    }

    /// Creates the Application, or finds the one that an earlier run of the same step created.
    pub async fn create(&self, new: &NewApplication) -> Result<Created, GitOpsError> {
        let conflict = || GitOpsError::Conflict {
            instance: self.instance.clone(),
            what: new.what(),
        };
        if let Some(existing) = self.find(&new.app_name, Some(new.project())).await? {
            return if new.made(&existing) {
                Ok(Created { already: true })
            } else {
                Err(conflict())
            };
        }
        let answer = self
            .json(&new.what(), |api| {
                Ok(api.request(Method::POST, &["applications"])?.json(&new.body()))
            })
            .await?;
        // An Application that appeared in between and happens to be the same is given back as if it were new.
        if new.made(&answer) {
            Ok(Created { already: false })
        } else {
            Err(conflict())
        }
    }

    /// Creates the project; true when it was not there before.
    pub async fn ensure_project(&self, new: &NewProject, body: &Value) -> Result<bool, GitOpsError> {
        let found = self
            .json(&new.what(), |api| api.request(Method::GET, &["projects", &new.name]))
            .await;
        let is_new = match found {
            Ok(_) => false,
            // An account may be allowed to create what it may not see.
            Err(GitOpsError::NotFound { .. } | GitOpsError::Denied { .. }) => true,
            Err(error) => return Err(error),
        };
        // One that says the same is given back as if it were new.
        self.json(&new.what(), |api| {
            Ok(api
                .request(Method::POST, &["projects"])?
                .json(&json!({"project": body})))
        })
        .await?;
        Ok(is_new)
    }

    /// The Application, if there is one. To a request without the right project Argo CD answers 403 for those
    /// that are there and for those that are not alike, so then the list is asked.
    pub async fn find(&self, name: &str, project: Option<&str>) -> Result<Option<Value>, GitOpsError> {
        let what = format!("Application {name}");
        if let Some(project) = project {
            let found = self
                .json(&what, |api| {
                    Ok(api
                        .request(Method::GET, &["applications", name])?
                        .query(&[("project", project)]))
                })
                .await;
            match found {
                Ok(found) => return Ok(Some(found)),
                Err(GitOpsError::NotFound { .. }) => return Ok(None),
                Err(GitOpsError::Denied { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let list = self.list(&[("name", name)]).await?;
        Ok(list
            .into_iter()
            .find(|item| item.pointer("/metadata/name").and_then(Value::as_str) == Some(name)))
    }

    /// All Applications that the account may see.
    pub async fn list(&self, query: &[(&str, &str)]) -> Result<Vec<Value>, GitOpsError> {
        let mut list = self
            .json("the list of Applications", |api| {
                Ok(api.request(Method::GET, &["applications"])?.query(query))
            })
            .await?;
        Ok(match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => items,
            // Nothing to list is written as null.
            _ => Vec::new(),
        })
    }

    /// Has the Application compared with its repository now.
    pub async fn refresh(&self, name: &str) -> Result<(), GitOpsError> {
        let what = format!("Application {name}");
        self.json(&what, |api| {
            Ok(api
                .request(Method::GET, &["applications", name])?
                .query(&[("refresh", "normal")]))
        })
        .await?;
        Ok(())
    }

    /// Deletes the Application; with what it has rolled out, or without.
    pub async fn delete(&self, name: &str, project: &str, with_resources: bool) -> Result<(), GitOpsError> {
        let cascade = if with_resources { "true" } else { "false" };
        let mut query = vec![("project", project), ("cascade", cascade)];
        if with_resources {
            query.push(("propagationPolicy", "foreground"));
        }
        self.json(&format!("Application {name}"), |api| {
            Ok(api.request(Method::DELETE, &["applications", name])?.query(&query))
        })
        .await?;
        Ok(())
    }

    /// Ends the running sync.
    pub async fn terminate(&self, name: &str, project: &str) -> Result<(), GitOpsError> {
        self.json(&format!("the sync of Application {name}"), |api| {
            Ok(api
                .request(Method::DELETE, &["applications", name, "operation"])?
                .query(&[("project", project)]))
        })
        .await?;
        Ok(())
    }

    pub(super) fn request(&self, method: Method, segments: &[&str]) -> Result<RequestBuilder, GitOpsError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| self.unexpected("the url of the instance cannot have a path".to_owned()))?
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(segments);
        Ok(self.http.request(method, url))
    }

    /// Sends as the configured account and reads JSON. A session that has ended is renewed, once.
    pub(super) async fn json(
        &self,
        what: &str,
        make: impl Fn(&Self) -> Result<RequestBuilder, GitOpsError>,
    ) -> Result<Value, GitOpsError> {
        let token = self.token(None).await?;
        let mut response = self.send(make(self)?.bearer_auth(&token)).await?;
        if response.status() == StatusCode::UNAUTHORIZED && matches!(self.account, Account::Password { .. }) {
            let token = self.token(Some(&token)).await?;
            response = self.send(make(self)?.bearer_auth(&token)).await?;
        }
        let status = response.status();
        let body = self.body(response).await?;
        if !status.is_success() {
            return Err(self.failure(status, &body, what));
        }
        serde_json::from_slice(&body)
            .map_err(|error| self.unexpected(format!("the answer about {what} is not JSON: {error}")))
    }

    /// The token of the session; `refused` is one that no longer counts.
    async fn token(&self, refused: Option<&str>) -> Result<String, GitOpsError> {
        let (username, password) = match &self.account {
            Account::Token(token) => return Ok(token.clone()),
            Account::Password { username, password } => (username, password),
        };
        let mut session = self.session.lock().await;
        if let Some(token) = session.as_ref().filter(|token| refused != Some(token.as_str())) {
            return Ok(token.clone());
        }
        let request = self
            .request(Method::POST, &["session"])?
            .json(&json!({"username": username, "password": password}));
        let response = self.send(request).await?;
        let status = response.status();
        let body = self.body(response).await?;
        if !status.is_success() {
            return Err(self.failure(status, &body, "the session"));
        }
        let token = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|body| body.get("token")?.as_str().map(str::to_owned))
            .ok_or_else(|| self.unexpected("signing in gave no token".to_owned()))?;
        *session = Some(token.clone());
        Ok(token)
    }

    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, GitOpsError> {
        let answer = telemetry::outside(request.send()).await;
        answer.map_err(|error| self.unavailable(&error))
    }

    pub(super) async fn body(&self, mut response: Response) -> Result<Vec<u8>, GitOpsError> {
        let mut body = Vec::new();
        while let Some(chunk) = telemetry::outside(response.chunk())
            .await
            .map_err(|error| self.unavailable(&error))?
        {
            if body.len() + chunk.len() > BODY_LIMIT {
                return Err(self.unexpected(format!("the answer is longer than {BODY_LIMIT} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failure(&self, status: StatusCode, body: &[u8], what: &str) -> GitOpsError {
        let instance = self.instance.clone();
        let what = what.to_owned();
        let message = serde_json::from_slice::<Value>(body)
            .ok()
            .and_then(|body| body.get("message")?.as_str().map(one_line))
            .filter(|message| !message.is_empty());
        let reason = match &message {
            Some(message) => format!("{message} ({})", status.as_u16()),
            None => format!("it answers {}", status.as_u16()),
        };
        match status.as_u16() {
            404 => GitOpsError::NotFound { instance, what },
            409 => GitOpsError::Conflict { instance, what },
            // "existing application spec is different", or project: the one refusal that means that the name is taken.
            400 if message.is_some_and(|message| message.contains("spec is different")) => {
                GitOpsError::Conflict { instance, what }
            }
            400 | 401 | 403 | 422 => GitOpsError::Denied { instance, reason },
            429 | 500.. => GitOpsError::Unavailable { instance, reason },
            _ => GitOpsError::Unexpected { instance, reason },
        }
    }

    fn unavailable(&self, error: &reqwest::Error) -> GitOpsError {
        let reason = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            innermost(error)
        };
        GitOpsError::Unavailable {
            instance: self.instance.clone(),
            reason,
        }
    }

    pub(super) fn unexpected(&self, reason: String) -> GitOpsError {
        GitOpsError::Unexpected {
            instance: self.instance.clone(),
            reason,
        }
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MESSAGE_LIMIT).collect()
}
