//! What a GitHub says of itself and of the configured account.

use axum::http::Method;
use serde_json::json;

use super::super::{Examined, ScmError};
use super::{Ask, Github, wire};

impl Github {
    /// See [`super::Scm::examine`].
    pub(super) async fn examined(&self) -> Result<Examined, ScmError> {
        let meta: wire::Meta = self.api.json(Ask::new(Method::GET, &["meta"]), "its version").await?;
        let mut examined = Examined {
            version: match meta.installed_version {
                Some(version) => format!("GitHub Enterprise Server {version}"),
                None => "GitHub".to_owned(),
            },
            account: None,
            creates: None,
        };
        if self.token.is_some() {
            let ask = Ask::new(Method::GET, &["user"]);
            let account = self.api.json(ask, "the account of the configured token").await;
            examined.account = Some(account.map(|account: wire::Account| account.login));
            // Without a name nothing is created; whoever may not create is told so first.
            let ask = Ask::new(Method::POST, &["user", "repos"]).json(json!({"name": ""}));
            let created = match self.api.send(ask, "creating a repository").await {
                Err(ScmError::Denied { reason, .. }) if reason.ends_with("(422)") => Ok(()),
                other => other.map(drop),
            };
            examined.creates = Some(created);
        }
        Ok(examined)
    }
}
