//! What an Argo CD says of itself and of the configured account.

use reqwest::Method;
use serde_json::Value;

use super::rest::ArgoApi;
use super::{GitOps, GitOpsError};

/// What the portal does by Argo CD's API: resource and action.
const USED: [(&str, &str); 5] = [
    ("applications", "get"),
    ("applications", "create"),
    ("applications", "delete"),
    ("projects", "get"),
    ("projects", "create"),
];

/// Found without changing anything.
#[derive(Debug, Clone)]
pub struct Examined {
    pub version: String,
    /// Name of the account, or why Argo CD does not accept it.
    pub account: Result<String, GitOpsError>,
    /// What the account may not do, `create applications`; `None` where Argo CD does not tell.
    pub missing: Option<Vec<String>>,
}

impl GitOps {
    /// What an instance says of itself and of its account; `None` where it has no account, and is not talked to.
    ///
    /// # Errors
    /// Where it does not answer, or is no Argo CD.
    pub async fn examine(&self, instance: &str) -> Result<Option<Examined>, GitOpsError> {
        match &self.instance(instance)?.api {
            Some(api) => api.examine().await.map(Some),
            None => Ok(None),
        }
    }
}

impl ArgoApi {
    async fn examine(&self) -> Result<Examined, GitOpsError> {
        let mut url = self.base.clone();
        url.path_segments_mut()
            .map_err(|()| self.unexpected("the url of the instance cannot have a path".to_owned()))?
            .pop_if_empty()
            .extend(["api", "version"]);
        let answer = self.send(self.http.get(url)).await?;
        let status = answer.status();
        let body = self.body(answer).await?;
        let version = serde_json::from_slice::<Value>(&body)
            .ok()
            .and_then(|body| body.get("Version")?.as_str().map(str::to_owned))
            .ok_or_else(|| {
                self.unexpected(format!(
                    "there is no Argo CD at this url: it answers {}",
                    status.as_u16()
                ))
            })?;
        let user = self
            .json("the account", |api| api.request(Method::GET, &["session", "userinfo"]))
            .await;
        let account = user.and_then(|user| {
            let name = user.get("username").and_then(Value::as_str).map(str::to_owned);
            let known = user.get("loggedIn").and_then(Value::as_bool).unwrap_or(name.is_some());
            name.filter(|_| known).ok_or_else(|| GitOpsError::Denied {
                instance: "its API".to_owned(),
                reason: "the account or token is not accepted".to_owned(),
            })
        });
        let missing = match &account {
            Ok(_) => self.missing().await,
            Err(_) => None,
        };
        Ok(Examined {
            version,
            account,
            missing,
        })
    }

    async fn missing(&self) -> Option<Vec<String>> {
        let mut missing = Vec::new();
        for (resource, action) in USED {
            let answer = self
                .json("the rights of the account", |api| {
                    api.request(Method::GET, &["account", "can-i", resource, action, "*"])
                })
                .await
                .ok()?;
            if answer.get("value").and_then(Value::as_str) != Some("yes") {
                missing.push(format!("{action} {resource}"));
            }
        }
        Some(missing)
    }
}
