//! GitHub, github.com's and GitHub Enterprise Server's, over its REST API (version 2022-11-28).

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::http::Method;
use percent_encoding::utf8_percent_encode;
use serde_json::json;
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
mod settings;
#[cfg(test)]
mod tests;
mod wire;

pub use settings::{Access, BranchProtection, NewGithubRepository, OidcSubject};

use request::{Api, Ask};

/// Repositories asked for in one page, and pages.
const REPOSITORIES_A_PAGE: usize = 100;
const REPOSITORY_PAGES: usize = 100;
/// As much of a status as GitHub takes.
const STATUS_LIMIT: usize = 140;

/// An entry of `integrations.github`.
#[derive(Clone)]
pub struct GithubConfig {
    /// Host, with port, of repositories' addresses.
    pub host: String,
    pub api_base_url: String,
    pub token: Option<String>,
}

impl fmt::Debug for GithubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GithubConfig")
            .field("host", &self.host)
            .field("api_base_url", &self.api_base_url)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}

/// One GitHub.
pub struct Github {
    api: Api,
    /// `https://<host>`.
    base: String,
    token: Option<String>,
    /// Login name of the account, once known.
    account: OnceLock<String>,
    trees: Trees,
}

impl Github {
    /// `base` has no trailing slash; the text of an error names the key.
    pub(super) fn new(base: String, config: GithubConfig, http: reqwest::Client) -> Result<Self, String> {
        Ok(Self {
            api: Api::new(http, &config.api_base_url, config.host, config.token.as_deref())?,
            base,
            token: config.token,
            account: OnceLock::new(),
            trees: Trees::default(),
        })
    }

    /// The account's name, asked for once.
    async fn known_account(&self) -> Result<&str, ScmError> {
        if let Some(account) = self.account.get() {
            return Ok(account);
        }
        let ask = Ask::new(Method::GET, &["user"]);
        let account: wire::Account = self.api.json(ask, "the account of the configured token").await?;
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

    /// A page of a file or folder: `view` is `blob`, `tree` or `edit`.
    fn page_of(&self, view: &str, source: &Source) -> String {
        let mut segments = vec![view];
        segments.extend(source.reference.as_deref().unwrap_or("HEAD").split('/'));
        segments.extend(source.path.split('/').filter(|segment| !segment.is_empty()));
        self.page(&source.repository, &segments)
    }

    /// A request about a repository.
    fn of<'a>(method: Method, repository: &Repository, rest: &[&str]) -> Ask<'a> {
        let mut segments = vec!["repos", &repository.owner, &repository.name];
        segments.extend(rest);
        Ask::new(method, &segments)
    }

    fn contents<'a>(source: &Source) -> Ask<'a> {
        let mut segments = vec!["contents"];
        segments.extend(source.path.split('/').filter(|segment| !segment.is_empty()));
        let ask = Self::of(Method::GET, &source.repository, &segments);
        match &source.reference {
            Some(reference) => ask.query(&[("ref", reference)]),
            None => ask,
        }
    }

    async fn info(&self, found: wire::Repository) -> Result<RepositoryInfo, ScmError> {
        let repository = Repository {
            forge: self.base.clone(),
            owner: found.owner.login,
            name: found.name,
        };
        // The size of a repository is written down a while after a push.
        let empty = found.size == 0 && {
            let ask = Self::of(Method::GET, &repository, &["commits"]).query(&[("per_page", "1")]);
            match self.api.send(ask, "commits").await {
                // "Git Repository is empty."
                Err(ScmError::Conflict { .. }) => true,
                Ok(_) => false,
                Err(error) => return Err(error),
            }
        };
        Ok(RepositoryInfo {
            repository,
            default_branch: found.default_branch,
            empty,
            created_at: found.created_at,
            updated_at: found.pushed_at.or(found.updated_at).unwrap_or(found.created_at),
            may_administer: found.permissions.unwrap_or_default().admin,
        })
    }

    fn commit_of(&self, found: commits::Answered) -> Result<Commit, ScmError> {
        found.read().map_err(|reason| self.api.unexpected(reason))
    }

    /// What kind of account an owner is.
    pub(super) async fn is_organization(&self, owner: &str) -> Result<bool, ScmError> {
        let ask = Ask::new(Method::GET, &["users", owner]);
        let found: wire::Account = self.api.json(ask, &format!("the account {owner}")).await?;
        Ok(found.kind == "Organization")
    }
}

#[async_trait::async_trait]
impl Scm for Github {
    async fn examine(&self) -> Result<Examined, ScmError> {
        self.examined().await
    }

    fn web_url(&self, source: &Source, folder: bool) -> String {
        if source.path.is_empty() && source.reference.is_none() {
            return self.page(&source.repository, &[]);
        }
        // With the slash, relative addresses lead to the files below.
        match folder {
            true => format!("{}/", self.page_of("tree", source)),
            false => self.page_of("blob", source),
        }
    }

    fn edit_url(&self, source: &Source) -> String {
        self.page_of("edit", source)
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
            api: self.api.with_token(token)?,
            base: self.base.clone(),
            token: Some(token.to_owned()),
            account: OnceLock::new(),
            trees: Trees::default(),
        }))
    }

    async fn repository(&self, repository: &Repository) -> Result<RepositoryInfo, ScmError> {
        let what = format!("repository {}/{}", repository.owner, repository.name);
        let found = self.api.json(Self::of(Method::GET, repository, &[]), &what).await?;
        self.info(found).await
    }

    async fn list_repositories(&self, owner: &str) -> Result<Vec<RepositoryInfo>, ScmError> {
        let what = format!("the repositories of {owner}");
        let kind = if self.is_organization(owner).await? {
            "orgs"
        } else {
            "users"
        };
        let mut found = Vec::new();
        for page in 1..=REPOSITORY_PAGES {
            let query = [
                ("page", page.to_string()),
                ("per_page", REPOSITORIES_A_PAGE.to_string()),
            ];
            let query = query.each_ref().map(|(key, value)| (*key, value.as_str()));
            let ask = Ask::new(Method::GET, &[kind, owner, "repos"]).query(&query);
            let listed: Vec<wire::Repository> = self.api.json(ask, &what).await?;
            let last = listed.len() < REPOSITORIES_A_PAGE;
            for repository in listed {
                found.push(self.info(repository).await?);
            }
            if last {
                break;
            }
        }
        Ok(found)
    }

    async fn has_file(&self, source: &Source) -> Result<bool, ScmError> {
        let what = format!("{} of {}", source.path, source.repository.name);
        match self.api.send(Self::contents(source), &what).await {
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
        let what = format!(
            "the status of commit {commit} in {}/{}",
            repository.owner, repository.name
        );
        let description: String = status.description.chars().take(STATUS_LIMIT).collect();
        let ask = Self::of(Method::POST, repository, &["statuses", commit]).json(json!({
            "state": if status.failed { "failure" } else { "success" },
            "context": status.context,
            "description": description,
            "target_url": status.url,
        }));
        self.api.send(ask, &what).await?;
        Ok(())
    }

    async fn commit(&self, repository: &Repository, reference: &str) -> Result<Commit, ScmError> {
        let what = format!("{reference} in {}/{}", repository.owner, repository.name);
        // The commits of a reference are asked for, not the reference: the answer has no changed files in it, and
        // slashes of branch names are harmless.
        let query = [("sha", reference), ("per_page", "1")];
        let ask = Self::of(Method::GET, repository, &["commits"]).query(&query);
        let commits: Vec<commits::Answered> = match self.api.json(ask, &what).await {
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
        let mut query = vec![("per_page", limit.as_str())];
        query.extend(source.reference.as_deref().map(|reference| ("sha", reference)));
        if !source.path.is_empty() {
            query.push(("path", &source.path));
        }
        let ask = Self::of(Method::GET, repository, &["commits"]).query(&query);
        let found: Vec<commits::Answered> = match self.api.json(ask, &what).await {
            // "Git Repository is empty."
            Err(ScmError::Conflict { .. }) => return Ok(Vec::new()),
            other => other?,
        };
        found.into_iter().map(|commit| self.commit_of(commit)).collect()
    }

    async fn read_file(&self, source: &Source, limit: u64) -> Result<Bytes, ScmError> {
        let repository = &source.repository;
        let what = format!(
            "{} at {} in {}/{}",
            source.path,
            source.reference.as_deref().unwrap_or("HEAD"),
            repository.owner,
            repository.name
        );
        let response = match self.api.send(Self::contents(source).raw(), &what).await {
            Err(ScmError::Conflict { .. }) => return Err(self.api.not_found(&what)),
            other => other?,
        };
        self.api.body(response, limit, &what).await
    }

    async fn read_tree(&self, repository: &Repository, reference: &str, limit: u64) -> Result<Tree, ScmError> {
        let commit = match is_commit_id(reference) {
            true => reference.to_owned(),
            false => self.commit(repository, reference).await?.id,
        };
        let what = format!("the files of {}/{} at {reference}", repository.owner, repository.name);
        let ask = Self::of(Method::GET, repository, &["tarball", &commit]);
        let packed = async {
            let response = self.api.send(ask, &what).await?;
            self.api.body(response, archive::packed_limit(limit), &what).await
        };
        let unexpected = |reason| self.api.unexpected(reason);
        self.trees
            .get(repository, commit, limit, &what, packed, unexpected)
            .await
    }

    async fn create_repository(&self, new: &NewRepository) -> Result<RepositoryInfo, ScmError> {
        let owner = match &new.owner {
            Some(owner) => owner.clone(),
            None => self.known_account().await?.to_owned(),
        };
        let visibility = if new.private { "private" } else { "public" };
        let new = NewGithubRepository {
            owner,
            name: new.name.clone(),
            description: Some(new.description.clone()),
            visibility: visibility.to_owned(),
            ..NewGithubRepository::default()
        };
        self.create(&new).await
    }

    fn push_target(&self, repository: &Repository) -> Result<PushTarget, ScmError> {
        let password = self.token.clone().ok_or_else(|| ScmError::Denied {
            host: self.api.host.clone(),
            reason: "no token is configured for it under integrations.github".to_owned(),
        })?;
        Ok(PushTarget {
            url: Url::parse(&self.clone_url(repository)).map_err(|error| self.api.unexpected(error))?,
            username: "x-access-token".to_owned(),
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

    fn github(&self) -> Option<&Github> {
        Some(self)
    }
}
