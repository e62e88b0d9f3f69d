//! Webhooks: one for each address.

use reqwest::Method;

use super::{Forgejo, wire};
use crate::scm::{NewHook, Repository, ScmError};

/// Hooks asked for in one page, and pages: more hooks than anybody has.
const HOOKS_A_PAGE: usize = 50;
const HOOK_PAGES: usize = 20;

impl Forgejo {
    pub(super) async fn replace_hook(&self, repository: &Repository, hook: &NewHook<'_>) -> Result<(), ScmError> {
        let (owner, name) = (repository.owner.as_str(), repository.name.as_str());
        let what = format!("webhooks of {owner}/{name}");
        let earlier = self.find_hooks(repository, hook.url).await?;
        let request = self
            .api
            .request(Method::POST, &["repos", owner, name, "hooks"])?
            .json(&wire::CreateHook {
                kind: "gitea",
                active: hook.active,
                branch_filter: "*",
                events: hook.events,
                config: wire::HookConfig {
                    url: hook.url,
                    content_type: hook.content_type,
                    secret: hook.secret,
                },
            });
        self.api.send(request, &what).await?;
        // A secret can neither be read back nor be changed, so a new hook takes the place of an old one, and no push
        // falls in between.
        for id in earlier {
            let request = self
                .api
                .request(Method::DELETE, &["repos", owner, name, "hooks", &id.to_string()])?;
            match self.api.send(request, &what).await {
                // Somebody else was quicker.
                Ok(_) | Err(ScmError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn find_hooks(&self, repository: &Repository, url: &str) -> Result<Vec<i64>, ScmError> {
        let what = format!("webhooks of {}/{}", repository.owner, repository.name);
        let mut found = Vec::new();
        for page in 1..=HOOK_PAGES {
            let request = self
                .api
                .request(Method::GET, &["repos", &repository.owner, &repository.name, "hooks"])?
                .query(&[("page", page), ("limit", HOOKS_A_PAGE)]);
            let hooks: Vec<wire::Hook> = self.api.json(request, &what).await?;
            found.extend(hooks.iter().filter(|hook| hook.config.url == url).map(|hook| hook.id));
            if hooks.len() < HOOKS_A_PAGE {
                break;
            }
        }
        Ok(found)
    }
}
