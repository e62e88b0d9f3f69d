//! Webhooks: keeps them on the forge, and reads what Forgejo and Gitea deliver to them, apart from the body.

use axum::http::HeaderMap;
use hmac::{Hmac, Mac};
use reqwest::Method;
use sha2::Sha256;

use super::super::{NewHook, ScmError, Watched};
use super::{Forgejo, wire};

/// Hooks asked for in one page, and pages: more hooks than anybody has.
const HOOKS_A_PAGE: usize = 50;
const HOOK_PAGES: usize = 20;
/// Changes of branches and tags.
const OF_A_REPOSITORY: &[&str] = &["push", "create", "delete"];
/// The same, and repositories that come and go.
const OF_AN_OWNER: &[&str] = &["push", "create", "delete", "repository"];

impl Watched {
    /// What is to be reported of it, in the forges' words (GitHub's are the same).
    pub(in crate::scm) fn events(&self) -> &'static [&'static str] {
        match self {
            Self::Repository(_) => OF_A_REPOSITORY,
            Self::Owner { .. } => OF_AN_OWNER,
        }
    }
}

impl Forgejo {
    /// Path of the hooks below the API. A user's own are for all repositories of the user; of others they cannot be set.
    async fn hooks_of<'a>(&self, watched: &'a Watched) -> Result<Vec<&'a str>, ScmError> {
        Ok(match watched {
            Watched::Repository(repository) => vec!["repos", &repository.owner, &repository.name, "hooks"],
            Watched::Owner { owner, .. } if owner.eq_ignore_ascii_case(self.known_account().await?) => {
                vec!["user", "hooks"]
            }
            Watched::Owner { owner, .. } => vec!["orgs", owner, "hooks"],
        })
    }

    async fn find_hooks(&self, path: &[&str], url: &str, what: &str) -> Result<Vec<i64>, ScmError> {
        let mut found = Vec::new();
        for page in 1..=HOOK_PAGES {
            let request = self.api.request(Method::GET, path)?;
            let request = request.query(&[("page", page), ("limit", HOOKS_A_PAGE)]);
            let hooks: Vec<wire::Hook> = self.api.json(request, what).await?;
            found.extend(hooks.iter().filter(|hook| hook.config.url == url).map(|hook| hook.id));
            if hooks.len() < HOOKS_A_PAGE {
                break;
            }
        }
        Ok(found)
    }

    /// See [`super::Scm::ensure_webhook`].
    pub(super) async fn put_webhook(&self, watched: &Watched, hook: &NewHook<'_>) -> Result<(), ScmError> {
        let what = format!("webhooks of {}/{}", watched.owner(), watched.name().unwrap_or("*"));
        let path = self.hooks_of(watched).await?;
        let earlier = self.find_hooks(&path, hook.url, &what).await?;
        let request = self.api.request(Method::POST, &path)?.json(&wire::CreateHook {
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
            let id = id.to_string();
            let path: Vec<&str> = path.iter().copied().chain([id.as_str()]).collect();
            match self.api.send(self.api.request(Method::DELETE, &path)?, &what).await {
                // Somebody else was quicker.
                Ok(_) | Err(ScmError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// What a delivery reports: `push` and the like. GitHub's are read the same way.
pub fn reported_event(headers: &HeaderMap) -> Option<&str> {
    ["x-forgejo-event", "x-gitea-event", "x-github-event"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
}

/// True when a signature header holds the HMAC-SHA256 of the body, in hexadecimal. `verify_slice` compares
/// in constant time.
pub fn is_signed(headers: &HeaderMap, secret: &str, body: &[u8]) -> bool {
    ["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"]
        .iter()
        .any(|name| {
            let Some(signature) = headers.get(*name).and_then(|value| value.to_str().ok()) else {
                return false;
            };
            let Ok(signature) = hex::decode(signature.trim_start_matches("sha256=")) else {
                return false;
            };
            Hmac::<Sha256>::new_from_slice(secret.as_bytes())
                .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_signature_is_believed() {
        let body = b"{}";
        let mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap().chain_update(body);
        let right = hex::encode(mac.finalize().into_bytes());
        let table = [
            ("x-gitea-signature", right.clone(), true),
            ("x-forgejo-signature", right.clone(), true),
            ("x-hub-signature-256", format!("sha256={right}"), true),
            (
                "x-gitea-signature",
                right.replace(|c: char| c.is_ascii_digit(), "0"),
                false,
            ),
            ("x-gitea-signature", String::new(), false),
            ("x-gitea-signature", right[..32].to_owned(), false),
            ("x-other", right.clone(), false),
        ];
        for (name, value, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(is_signed(&headers, "secret", body), expected, "{name}: {value}");
            assert!(!is_signed(&headers, "another", body), "{name}: {value}");
        }
    }
}
