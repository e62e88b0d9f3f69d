//! Forgejo and Gitea, over their REST API v1 (checked against Forgejo's Swagger file and Gitea 1.26).

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use percent_encoding::utf8_percent_encode;
use reqwest::Method;
use url::Url;

use super::address::{SEGMENT, is_commit_id};
use super::commits;
use super::{
    Collaboration, Commit, CommitStatus, Examined, MOST_COMMITS, NewHook, NewRepository, PushTarget, Repository,
    RepositoryInfo, Scm, ScmError, Source, Tree, Watched, archive, trees::Trees,
};

mod collaboration;
mod examine;
mod request;
#[cfg(test)]
mod tests;
mod webhook;
mod wire;

pub use webhook::{is_signed, reported_event};

use request::Api;

/// Repositories asked for in one page, and pages.
const REPOSITORIES_A_PAGE: usize = 50;
const REPOSITORY_PAGES: usize = 200;
/// As much of a status as forges show.
const STATUS_LIMIT: usize = 200;

/// An entry of `integrations.gitea`.
#[derive(Clone)]
pub struct ForgejoConfig {
    /// Address that is talked to; a path such as `/gitea` is part of it.
    pub base_url: String,
    /// Host, with port, that URLs of this entry are recognised by.
    pub host: String,
    /// Without a user name the password is a token.
    pub username: Option<String>,
    pub password: Option<String>,
}

impl fmt::Debug for ForgejoConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForgejoConfig")
            .field("base_url", &self.base_url)
            .field("host", &self.host)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish()
    }
}

/// One Forgejo or Gitea.
pub struct Forgejo {
    api: Api,
    /// `baseUrl` without a trailing slash.
    base: String,
    username: Option<String>,
    password: Option<String>,
    /// Login name of the account, once known.
    account: OnceLock<String>,
    trees: Trees,
}

impl Forgejo {
    /// `base` has no trailing slash; `host` is the name used in errors.
    pub(super) fn new(base: String, host: String, config: ForgejoConfig, http: reqwest::Client) -> Self {
        let account = OnceLock::new();
        if let Some(username) = &config.username {
            // A new lock is empty.
            let _ = account.set(username.clone());
        }
        Self {
            api: Api::new(
                http,
                base.clone(),
                host,
                config.username.clone(),
                config.password.clone(),
            ),
            base,
            username: config.username,
            password: config.password,
            account,
            trees: Trees::default(),
        }
    }

    /// The account's name; a token's is asked for once.
    async fn known_account(&self) -> Result<&str, ScmError> {
        if let Some(account) = self.account.get() {
            return Ok(account);
        }
        let request = self.api.request(Method::GET, &["user"])?;
        let account: wire::Account = self.api.json(request, "the account of the configured token").await?;
        Ok(self.account.get_or_init(|| account.login))
    }

    fn page(&self, repository: &Repository, rest: &[&str]) -> String {
        let mut url = self.base.clone();
        for segment in [repository.owner.as_str(), repository.name.as_str()].iter().chain(rest) {
            url.push('/');
            url.extend(utf8_percent_encode(segment, SEGMENT));
        }
        url
    }

    fn commit_of(&self, found: commits::Answered) -> Result<Commit, ScmError> {
        found.read().map_err(|reason| self.api.unexpected(reason))
    }

    fn info(&self, found: wire::Repository, wanted_branch: &str) -> RepositoryInfo {
        RepositoryInfo {
            repository: Repository {
                forge: self.base.clone(),
                owner: found.owner.login,
                name: found.name,
            },
            default_branch: if found.default_branch.is_empty() {
                wanted_branch.to_owned()
            } else {
                found.default_branch
            },
            empty: found.empty,
            created_at: found.created_at,
            updated_at: found.updated_at.unwrap_or(found.created_at),
            may_administer: found.permissions.unwrap_or_default().admin,
        }
    }
}

#[async_trait::async_trait]
impl Scm for Forgejo {
    async fn examine(&self) -> Result<Examined, ScmError> {
        self.examined().await
    }

    fn web_url(&self, source: &Source, folder: bool) -> String {
        let mut url = match source.reference.as_deref() {
            Some(reference) => {
                let kind = if is_commit_id(reference) { "commit" } else { "branch" };
                let mut segments = vec!["src", kind];
                segments.extend(reference.split('/'));
                self.page(&source.repository, &segments)
            }
            // The forge answers this with a redirect to the default branch.
            None if !source.path.is_empty() => self.page(&source.repository, &["src"]),
            None => self.page(&source.repository, &[]),
        };
        for segment in source.path.split('/').filter(|segment| !segment.is_empty()) {
            url.push('/');
            url.extend(utf8_percent_encode(segment, SEGMENT));
        }
        if folder {
            url.push('/');
        }
        url
    }

    fn edit_url(&self, source: &Source) -> String {
        let Some(reference) = source.reference.as_deref() else {
            return self.web_url(source, false);
        };
        let mut segments = vec!["_edit"];
        segments.extend(reference.split('/'));
        segments.extend(source.path.split('/').filter(|segment| !segment.is_empty()));
        self.page(&source.repository, &segments)
    }

    fn repository_url(&self, repository: &Repository) -> String {
        self.page(repository, &[])
    }

    fn clone_url(&self, repository: &Repository) -> String {
        format!("{}.git", self.page(repository, &[]))
    }

    fn commit_url(&self, repository: &Repository, commit: &str) -> String {
        self.page(repository, &["commit", commit])
    }

    fn base(&self) -> &str {
        &self.base
    }

    fn account(&self) -> &str {
        self.account.get().map(String::as_str).unwrap_or_default()
    }

    fn with_token(&self, token: &str) -> Result<Arc<dyn Scm>, ScmError> {
        Ok(Arc::new(Self {
            api: self.api.with_token(token),
            base: self.base.clone(),
            username: None,
            password: Some(token.to_owned()),
            account: OnceLock::new(),
            trees: Trees::default(),
        }))
    }

    async fn repository(&self, repository: &Repository) -> Result<RepositoryInfo, ScmError> {
        let request = self
            .api
            .request(Method::GET, &["repos", &repository.owner, &repository.name])?;
        let what = format!("repository {}/{}", repository.owner, repository.name);
        Ok(self.info(self.api.json(request, &what).await?, ""))
    }

    async fn commit(&self, repository: &Repository, reference: &str) -> Result<Commit, ScmError> {
        let what = format!("{reference} in {}/{}", repository.owner, repository.name);
        // The reference goes into the query, where slashes of branch names are harmless.
        let request = self
            .api
            .request(Method::GET, &["repos", &repository.owner, &repository.name, "commits"])?
            .query(&[
                ("sha", reference),
                ("limit", "1"),
                ("stat", "false"),
                ("verification", "false"),
                ("files", "false"),
            ]);
        let commits: Vec<commits::Answered> = match self.api.json(request, &what).await {
            // "Git Repository is empty."
            Err(ScmError::Conflict { .. }) => return Err(self.api.not_found(&what)),
            other => other?,
        };
        let commit = commits.into_iter().next().ok_or_else(|| self.api.not_found(&what))?;
        self.commit_of(commit)
    }

    async fn list_commits(&self, source: &Source, limit: usize) -> Result<Vec<Commit>, ScmError> {
        let repository = &source.repository;
        let what = format!("commits of {}/{}", repository.owner, repository.name);
        let limit = limit.clamp(1, MOST_COMMITS).to_string();
        let mut query = vec![
            ("limit", limit.as_str()),
            ("stat", "false"),
            ("verification", "false"),
            ("files", "false"),
        ];
        query.extend(source.reference.as_deref().map(|reference| ("sha", reference)));
        if !source.path.is_empty() {
            query.push(("path", &source.path));
        }
        let request = self
            .api
            .request(Method::GET, &["repos", &repository.owner, &repository.name, "commits"])?
            .query(&query);
        let found: Vec<commits::Answered> = match self.api.json(request, &what).await {
            // "Git Repository is empty."
            Err(ScmError::Conflict { .. }) => return Ok(Vec::new()),
            // Of a path that never was, Gitea says what it says of a repository that is not there.
            Err(ScmError::NotFound { .. }) if !source.path.is_empty() => {
                self.list_commits(
                    &Source {
                        path: String::new(),
                        ..source.clone()
                    },
                    1,
                )
                .await?;
                return Ok(Vec::new());
            }
            other => other?,
        };
        found.into_iter().map(|commit| self.commit_of(commit)).collect()
    }

    async fn read_file(&self, source: &Source, limit: u64) -> Result<Bytes, ScmError> {
        let repository = &source.repository;
        let what = match source.reference.as_deref() {
            Some(reference) => format!(
                "{} at {reference} in {}/{}",
                source.path, repository.owner, repository.name
            ),
            None => format!("{} in {}/{}", source.path, repository.owner, repository.name),
        };
        let mut segments = vec!["repos", &repository.owner, &repository.name, "raw"];
        segments.extend(source.path.split('/').filter(|segment| !segment.is_empty()));
        let mut request = self.api.request(Method::GET, &segments)?;
        if let Some(reference) = &source.reference {
            // Gitea answers a branch that is not there with the file of the default branch.
            let commit = if is_commit_id(reference) {
                reference.clone()
            } else {
                self.commit(repository, reference).await?.id
            };
            request = request.query(&[("ref", commit)]);
        }
        let response = match self.api.send(request, &what).await {
            Err(ScmError::Conflict { .. }) => return Err(self.api.not_found(&what)),
            other => other?,
        };
        self.api.body(response, limit, &what).await
    }

    async fn list_repositories(&self, owner: &str) -> Result<Vec<RepositoryInfo>, ScmError> {
        let what = format!("the repositories of {owner}");
        let mut kind = "orgs";
        let mut found = Vec::new();
        for page in 1..=REPOSITORY_PAGES {
            let ask = |kind: &str| {
                let request = self.api.request(Method::GET, &[kind, owner, "repos"])?;
                Ok(request.query(&[("page", page), ("limit", REPOSITORIES_A_PAGE)]))
            };
            let listed: Vec<wire::Repository> = match self.api.json(ask(kind)?, &what).await {
                // A user, then.
                Err(ScmError::NotFound { .. }) if page == 1 => {
                    kind = "users";
                    self.api.json(ask(kind)?, &what).await?
                }
                other => other?,
            };
            // A forge may hold its pages shorter than asked for.
            if listed.is_empty() {
                break;
            }
            found.extend(listed.into_iter().map(|repository| self.info(repository, "main")));
        }
        Ok(found)
    }

    async fn has_file(&self, source: &Source) -> Result<bool, ScmError> {
        let repository = &source.repository;
        let mut segments = vec!["repos", &repository.owner, &repository.name, "contents"];
        segments.extend(source.path.split('/').filter(|segment| !segment.is_empty()));
        let mut request = self.api.request(Method::GET, &segments)?;
        if let Some(reference) = &source.reference {
            request = request.query(&[("ref", reference)]);
        }
        match self
            .api
            .send(request, &format!("{} of {}", source.path, repository.name))
            .await
        {
            Ok(_) => Ok(true),
            Err(ScmError::NotFound { .. } | ScmError::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn report_status(
        &self,
        repository: &Repository,
        commit: &str,
        status: &CommitStatus,
    ) -> Result<(), ScmError> {
        let segments = ["repos", &repository.owner, &repository.name, "statuses", commit];
        let description: String = status.description.chars().take(STATUS_LIMIT).collect();
        let request = self.api.request(Method::POST, &segments)?.json(&wire::WriteStatus {
            state: if status.failed { "failure" } else { "success" },
            context: &status.context,
            description: &description,
            target_url: &status.url,
        });
        let what = format!(
            "the status of commit {commit} in {}/{}",
            repository.owner, repository.name
        );
        self.api.send(request, &what).await?;
        Ok(())
    }

    async fn read_tree(&self, repository: &Repository, reference: &str, limit: u64) -> Result<Tree, ScmError> {
        let commit = match is_commit_id(reference) {
            true => reference.to_owned(),
            false => self.commit(repository, reference).await?.id,
        };
        let what = format!("the files of {}/{} at {reference}", repository.owner, repository.name);
        let file = format!("{commit}.tar.gz");
        let packed = async {
            let request = self.api.request(
                Method::GET,
                &["repos", &repository.owner, &repository.name, "archive", &file],
            )?;
            let response = self.api.send(request, &what).await?;
            self.api.body(response, archive::packed_limit(limit), &what).await
        };
        let unexpected = |reason| self.api.unexpected(reason);
        self.trees
            .get(repository, commit, limit, &what, packed, unexpected)
            .await
    }

    async fn create_repository(&self, new: &NewRepository) -> Result<RepositoryInfo, ScmError> {
        let account = self.known_account().await?;
        let own = new
            .owner
            .as_deref()
            .filter(|owner| !owner.eq_ignore_ascii_case(account));
        let (segments, what) = match own {
            None => (vec!["user", "repos"], format!("repository {account}/{}", new.name)),
            Some(organisation) => {
                let request = self.api.request(Method::GET, &["orgs", organisation])?;
                self.api.send(request, &format!("organisation {organisation}")).await?;
                (
                    vec!["orgs", organisation, "repos"],
                    format!("repository {organisation}/{}", new.name),
                )
            }
        };
        let request = self
            .api
            .request(Method::POST, &segments)?
            .json(&wire::CreateRepository {
                name: &new.name,
                description: &new.description,
                private: new.private,
                auto_init: false,
                default_branch: &new.default_branch,
            });
        Ok(self.info(self.api.json(request, &what).await?, &new.default_branch))
    }

    fn push_target(&self, repository: &Repository) -> Result<PushTarget, ScmError> {
        let password = self.password.clone().ok_or_else(|| ScmError::Denied {
            host: self.api.host.clone(),
            reason: "no password or token is configured for it under integrations.gitea".to_owned(),
        })?;
        Ok(PushTarget {
            url: Url::parse(&self.clone_url(repository)).map_err(|error| self.api.unexpected(error))?,
            // Over HTTP a token is the password, and any name goes with it.
            username: self.username.clone().unwrap_or_else(|| "token".to_owned()),
            password,
        })
    }

    async fn ensure_webhook(&self, watched: &Watched, url: &str, secret: &str) -> Result<(), ScmError> {
        let hook = NewHook {
            url,
            secret,
            events: watched.events(),
            content_type: "json",
            active: true,
        };
        self.put_webhook(watched, &hook).await
    }

    fn collaboration(&self) -> Option<&dyn Collaboration> {
        Some(self)
    }
}
