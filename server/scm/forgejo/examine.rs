//! What a Forgejo or Gitea says of itself and of the configured account.

use reqwest::Method;
use serde_json::json;

use super::super::{Examined, ScmError};
use super::{Forgejo, wire};

impl Forgejo {
    /// See [`super::Scm::examine`].
    pub(super) async fn examined(&self) -> Result<Examined, ScmError> {
        let request = self.api.request(Method::GET, &["version"])?;
        let version: wire::Version = self.api.json(request, "its version").await?;
        let mut examined = Examined {
            // Forgejo says which Gitea it is like.
            version: match version.version.contains("+gitea") {
                true => format!("Forgejo {}", version.version),
                false => format!("Gitea {}", version.version),
            },
            account: None,
            creates: None,
        };
        if self.password.is_some() {
            let request = self.api.request(Method::GET, &["user"])?;
            let account = self.api.json(request, "the configured account").await;
            examined.account = Some(account.map(|account: wire::Account| account.login));
            // Without a name nothing is created; whoever may not create is told so first.
            let request = self.api.request(Method::POST, &["user", "repos"])?;
            let request = request.json(&json!({"name": ""}));
            examined.creates = Some(self.api.try_it(request, "creating a repository").await);
        }
        Ok(examined)
    }
}
