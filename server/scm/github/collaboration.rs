//! Settings, webhooks, pull requests, issues, secrets and variables.

use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use serde_json::{Value, json};

use super::request::Ask;
use super::{Github, wire};
use crate::scm::{
    Collaboration, Issue, NewFile, NewHook, NewIssue, NewPullRequest, PullRequest, PullRequestState, Repository,
    RepositorySettings, Scm, ScmError, Watched,
};

/// Asked for in one page, and pages.
const A_PAGE: usize = 100;
const PAGES: usize = 20;

#[async_trait::async_trait]
impl Collaboration for Github {
    async fn update_repository(&self, repository: &Repository, settings: &RepositorySettings) -> Result<(), ScmError> {
        let all = [
            ("description", settings.description.clone().map(Value::from)),
            ("private", settings.private.map(Value::from)),
            ("archived", settings.archived.map(Value::from)),
            ("default_branch", settings.default_branch.clone().map(Value::from)),
            ("has_issues", settings.has_issues.map(Value::from)),
            ("has_wiki", settings.has_wiki.map(Value::from)),
        ];
        if settings.has_pull_requests.is_some() {
            return Err(self
                .api
                .unexpected("pull requests cannot be switched on or off on GitHub"));
        }
        let given = all
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)));
        let ask = Self::of(Method::PATCH, repository, &[]).json(Value::Object(given.collect()));
        self.api.send(ask, &full_name(repository)).await?;
        Ok(())
    }

    async fn delete_repository(&self, repository: &Repository) -> Result<(), ScmError> {
        let ask = Self::of(Method::DELETE, repository, &[]);
        self.api.send(ask, &full_name(repository)).await?;
        Ok(())
    }

    async fn ensure_hook(&self, repository: &Repository, hook: &NewHook<'_>) -> Result<(), ScmError> {
        self.put_webhook(&Watched::Repository(repository.clone()), hook).await
    }

    async fn propose_file(&self, repository: &Repository, file: &NewFile<'_>) -> Result<(), ScmError> {
        let what = format!("{} in {}", file.path, full_name(repository));
        match self.commit(repository, file.branch).await {
            Ok(_) => {}
            Err(ScmError::NotFound { .. }) => {
                let base = self.commit(repository, file.base).await?.id;
                let name = format!("refs/heads/{}", file.branch);
                let ask = Self::of(Method::POST, repository, &["git", "refs"]).json(json!({"ref": name, "sha": base}));
                self.api.send(ask, &what).await?;
            }
            Err(error) => return Err(error),
        }
        let content = STANDARD.encode(file.content);
        let segments: Vec<&str> = std::iter::once("contents").chain(file.path.split('/')).collect();
        let ask = Self::of(Method::GET, repository, &segments).query(&[("ref", file.branch)]);
        let there: Option<wire::Contents> = match self.api.json(ask, &what).await {
            Err(ScmError::NotFound { .. }) => None,
            other => Some(other?),
        };
        let mut body = json!({"message": file.message, "content": content, "branch": file.branch});
        if let Some(there) = there {
            let known: String = there.content.chars().filter(|letter| !letter.is_whitespace()).collect();
            if known == content {
                return Ok(());
            }
            body["sha"] = there.sha.into();
        }
        self.api
            .send(Self::of(Method::PUT, repository, &segments).json(body), &what)
            .await?;
        Ok(())
    }

    async fn open_pull_request(&self, repository: &Repository, new: &NewPullRequest) -> Result<PullRequest, ScmError> {
        let what = format!(
            "a pull request of {} to {} in {}",
            new.head,
            new.base,
            full_name(repository)
        );
        let ask = Self::of(Method::POST, repository, &["pulls"]).json(json!({
            "title": new.title, "body": new.body, "head": new.head, "base": new.base, "draft": new.draft,
        }));
        Ok(pull_request(self.api.json(ask, &what).await?))
    }

    async fn find_pull_request(
        &self,
        repository: &Repository,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, ScmError> {
        let what = format!("pull requests of {}", full_name(repository));
        let head = format!("{}:{head}", repository.owner);
        let query = [("state", "open"), ("head", head.as_str()), ("base", base)];
        let ask = Self::of(Method::GET, repository, &["pulls"]).query(&query);
        let found: Vec<wire::PullRequest> = self.api.json(ask, &what).await?;
        Ok(found.into_iter().next().map(pull_request))
    }

    async fn pull_request(&self, repository: &Repository, number: u64) -> Result<PullRequest, ScmError> {
        let what = format!("pull request {number} of {}", full_name(repository));
        let ask = Self::of(Method::GET, repository, &["pulls", &number.to_string()]);
        Ok(pull_request(self.api.json(ask, &what).await?))
    }

    async fn create_issue(&self, repository: &Repository, new: &NewIssue<'_>) -> Result<Issue, ScmError> {
        let what = format!("an issue in {}", full_name(repository));
        let ask = Self::of(Method::POST, repository, &["issues"]).json(json!({
            "title": new.title, "body": new.body, "assignees": new.assignees,
        }));
        Ok(issue(self.api.json(ask, &what).await?))
    }

    async fn find_issue(
        &self,
        repository: &Repository,
        mark: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<Issue>, ScmError> {
        let what = format!("issues of {}", full_name(repository));
        // The forge's clock may be behind ours.
        let since = (since - chrono::Duration::minutes(5)).to_rfc3339_opts(SecondsFormat::Secs, true);
        for page in 1..=PAGES {
            let (page, a_page) = (page.to_string(), A_PAGE.to_string());
            let query = [
                ("state", "all"),
                ("since", &since),
                ("page", &page),
                ("per_page", &a_page),
            ];
            let ask = Self::of(Method::GET, repository, &["issues"]).query(&query);
            let issues: Vec<wire::Issue> = self.api.json(ask, &what).await?;
            let last = issues.len() < A_PAGE;
            let found = issues
                .into_iter()
                .find(|issue| issue.pull_request.is_none() && issue.body.as_deref().unwrap_or_default().contains(mark));
            if last || found.is_some() {
                return Ok(found.map(issue));
            }
        }
        Ok(None)
    }

    async fn set_secret(&self, repository: &Repository, name: &str, value: &str) -> Result<(), ScmError> {
        let what = format!("the secret {name} of {}", full_name(repository));
        let ask = Self::of(Method::GET, repository, &["actions", "secrets", "public-key"]);
        let key: wire::PublicKey = self.api.json(ask, &what).await?;
        let sealed = sealed(&key.key, value).ok_or_else(|| self.api.unexpected("its public key cannot be used"))?;
        let ask = Self::of(Method::PUT, repository, &["actions", "secrets", name])
            .json(json!({"encrypted_value": sealed, "key_id": key.key_id}));
        self.api.send(ask, &what).await?;
        Ok(())
    }

    async fn set_variable(&self, repository: &Repository, name: &str, value: &str) -> Result<(), ScmError> {
        let what = format!("the variable {name} of {}", full_name(repository));
        let body = json!({"name": name, "value": value});
        let ask = Self::of(Method::POST, repository, &["actions", "variables"]).json(body.clone());
        match self.api.send(ask, &what).await {
            // It is there.
            Err(ScmError::Conflict { .. }) => {
                let ask = Self::of(Method::PATCH, repository, &["actions", "variables", name]).json(body);
                self.api.send(ask, &what).await?;
            }
            answer => drop(answer?),
        }
        Ok(())
    }
}

impl Github {
    /// See [`super::Scm::ensure_webhook`]. An account's own repositories have no hook in common on GitHub.
    pub(super) async fn put_webhook(&self, watched: &Watched, hook: &NewHook<'_>) -> Result<(), ScmError> {
        let what = format!("webhooks of {}/{}", watched.owner(), watched.name().unwrap_or("*"));
        let path = match watched {
            Watched::Repository(repository) => vec!["repos", &repository.owner, &repository.name, "hooks"],
            Watched::Owner { owner, .. } => vec!["orgs", owner, "hooks"],
        };
        let a_page = A_PAGE.to_string();
        let ask = Ask::new(Method::GET, &path).query(&[("per_page", &a_page)]);
        let hooks: Vec<wire::Hook> = self.api.json(ask, &what).await?;
        let body = json!({
            "name": "web",
            "active": hook.active,
            "events": hook.events,
            "config": {"url": hook.url, "content_type": hook.content_type, "secret": hook.secret, "insecure_ssl": "0"},
        });
        // GitHub refuses a second hook for an address, and takes a new secret for one that is there.
        let (method, id) = match hooks.iter().find(|earlier| earlier.config.url == hook.url) {
            Some(earlier) => (Method::PATCH, Some(earlier.id.to_string())),
            None => (Method::POST, None),
        };
        let path: Vec<&str> = path.into_iter().chain(id.as_deref()).collect();
        self.api.send(Ask::new(method, &path).json(body), &what).await?;
        Ok(())
    }
}

/// Sealed for the holder of the key, as libsodium's `crypto_box_seal` does.
fn sealed(key: &str, value: &str) -> Option<String> {
    let key: [u8; 32] = STANDARD.decode(key).ok()?.try_into().ok()?;
    let sealed = PublicKey::from(key).seal(&mut OsRng, value.as_bytes()).ok()?;
    Some(STANDARD.encode(sealed))
}

pub(super) fn full_name(repository: &Repository) -> String {
    format!("{}/{}", repository.owner, repository.name)
}

fn pull_request(pull: wire::PullRequest) -> PullRequest {
    PullRequest {
        number: pull.number,
        url: pull.html_url,
        state: match (pull.merged_at, pull.state.as_str()) {
            (Some(_), _) => PullRequestState::Merged,
            (None, "closed") => PullRequestState::Closed,
            (None, _) => PullRequestState::Open,
        },
    }
}

fn issue(issue: wire::Issue) -> Issue {
    Issue {
        number: issue.number,
        url: issue.html_url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_of_the_key_reads_a_secret() {
        let holder = crypto_box::SecretKey::generate(&mut OsRng);
        let key = STANDARD.encode(holder.public_key().as_bytes());
        let sealed = STANDARD.decode(sealed(&key, "hunter2").unwrap()).unwrap();
        assert_eq!(holder.unseal(&sealed).unwrap(), b"hunter2");
        assert_eq!(super::sealed("c2hvcnQ=", "x"), None);
    }
}
