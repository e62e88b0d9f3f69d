//! What people do with a repository beyond its files: settings, pull requests, issues, webhooks, automation.

use chrono::{DateTime, Utc};

use super::{Repository, ScmError};

/// Settings of a repository; those that are `None` stay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepositorySettings {
    pub description: Option<String>,
    pub private: Option<bool>,
    pub archived: Option<bool>,
    pub default_branch: Option<String>,
    pub has_issues: Option<bool>,
    pub has_wiki: Option<bool>,
    pub has_pull_requests: Option<bool>,
}

/// A pull request between two branches of one repository.
#[derive(Debug, Clone)]
pub struct NewPullRequest {
    /// Branch with the changes.
    pub head: String,
    /// Branch that shall get them.
    pub base: String,
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Not to be merged yet.
    pub draft: bool,
}

/// What has become of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullRequestState {
    Open,
    Merged,
    /// Closed without being merged.
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    /// Its page.
    pub url: String,
    pub state: PullRequestState,
}

/// A file as a pull request shall bring it.
#[derive(Debug, Clone, Copy)]
pub struct NewFile<'a> {
    /// As in [`super::Source`].
    pub path: &'a str,
    pub content: &'a str,
    /// Where it is to be; made from `base` where there is no such branch.
    pub branch: &'a str,
    pub base: &'a str,
    /// Of the commit.
    pub message: &'a str,
}

#[derive(Debug, Clone)]
pub struct NewIssue<'a> {
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
    /// Names of accounts.
    pub assignees: &'a [String],
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub number: u64,
    /// Its page.
    pub url: String,
}

/// A webhook as it shall be.
#[derive(Clone)]
pub struct NewHook<'a> {
    pub url: &'a str,
    /// Key of the signature; empty for none.
    pub secret: &'a str,
    /// The forge's words, such as `push`.
    pub events: &'a [&'a str],
    /// `json` or `form`.
    pub content_type: &'a str,
    pub active: bool,
}

/// What the portal asks of a forge that offers it. All calls are bounded in time and size.
#[async_trait::async_trait]
pub trait Collaboration: Send + Sync {
    /// Changes settings.
    async fn update_repository(&self, repository: &Repository, settings: &RepositorySettings) -> Result<(), ScmError>;
    /// Deletes a repository with everything in it; `NotFound` where there is none.
    async fn delete_repository(&self, repository: &Repository) -> Result<(), ScmError>;
    /// Makes sure that there is this hook, in place of those that there are for its address.
    async fn ensure_hook(&self, repository: &Repository, hook: &NewHook<'_>) -> Result<(), ScmError>;

    /// Makes sure that the file is on its branch with this content; `NotFound` where there is no `base`. Asked again, it makes
    /// no second commit.
    async fn propose_file(&self, repository: &Repository, file: &NewFile<'_>) -> Result<(), ScmError>;
    /// Opens a pull request; `Conflict` where one is open between these branches.
    async fn open_pull_request(&self, repository: &Repository, new: &NewPullRequest) -> Result<PullRequest, ScmError>;
    /// The open pull request between two branches.
    async fn find_pull_request(
        &self,
        repository: &Repository,
        head: &str,
        base: &str,
    ) -> Result<Option<PullRequest>, ScmError>;
    /// A pull request by its number.
    async fn pull_request(&self, repository: &Repository, number: u64) -> Result<PullRequest, ScmError>;

    async fn create_issue(&self, repository: &Repository, new: &NewIssue<'_>) -> Result<Issue, ScmError>;
    /// The issue whose text holds `mark`, among those that were changed since a time.
    async fn find_issue(
        &self,
        repository: &Repository,
        mark: &str,
        since: DateTime<Utc>,
    ) -> Result<Option<Issue>, ScmError>;

    /// Sets a secret for the repository's workflows, whether it was there or not.
    async fn set_secret(&self, repository: &Repository, name: &str, value: &str) -> Result<(), ScmError>;
    /// Sets a variable for the repository's workflows, whether it was there or not.
    async fn set_variable(&self, repository: &Repository, name: &str, value: &str) -> Result<(), ScmError>;
}
