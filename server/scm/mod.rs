//! Port to git forges: the portal's verbs, not a vendor's. [`Forges`] picks the forge by host,
//! port included, and understands the web URLs that catalogs are full of.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use url::Url;

mod address;
mod archive;
mod collaboration;
mod commits;
mod examined;
mod failure;
mod forgejo;
mod forges;
mod github;
mod trees;

pub use collaboration::{
    Collaboration, Issue, NewFile, NewHook, NewIssue, NewPullRequest, PullRequest, PullRequestState, RepositorySettings,
};
pub use examined::Examined;
pub use forgejo::{Forgejo, ForgejoConfig, is_signed, reported_event};
pub use forges::{ForgeSettingsError, Forges, RepoUrl};
pub use github::{Access, BranchProtection, Github, GithubConfig, NewGithubRepository, OidcSubject};

/// A repository, named independently of the URL it was reached by: two hosts of one forge
/// (integrations that share a `baseUrl`) give equal values.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// `scheme://host[:port][/path]` of the forge, without a trailing slash: the integration's `baseUrl`.
    pub forge: String,
    pub owner: String,
    pub name: String,
}

/// What changes are reported of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Watched {
    Repository(Repository),
    /// Every repository of an organisation, or of the account that the integration acts as, also those that come.
    Owner {
        /// As in [`Repository`].
        forge: String,
        owner: String,
    },
}

impl Watched {
    /// The forge, as in [`Repository`].
    pub fn forge(&self) -> &str {
        match self {
            Self::Repository(repository) => &repository.forge,
            Self::Owner { forge, .. } => forge,
        }
    }

    /// The organisation or user.
    pub fn owner(&self) -> &str {
        match self {
            Self::Repository(repository) => &repository.owner,
            Self::Owner { owner, .. } => owner,
        }
    }

    /// Name of the repository; `None` for all of the owner's.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Repository(repository) => Some(&repository.name),
            Self::Owner { .. } => None,
        }
    }
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.forge(), self.owner(), self.name().unwrap_or("*"))
    }
}

/// A file or folder of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    pub repository: Repository,
    /// Branch, tag or commit; `None` is the default branch.
    pub reference: Option<String>,
    /// Path inside the repository, without leading or trailing slash, no `.` or `..`; empty is the root.
    pub path: String,
}

/// What the forge says of a repository.
#[derive(Debug, Clone)]
pub struct RepositoryInfo {
    pub repository: Repository,
    pub default_branch: String,
    /// Nothing has been pushed yet.
    pub empty: bool,
    pub created_at: DateTime<Utc>,
    /// Something was pushed or set, to the second.
    pub updated_at: DateTime<Utc>,
    /// The integration's account may change settings and webhooks.
    pub may_administer: bool,
}

/// What to create.
#[derive(Debug, Clone)]
pub struct NewRepository {
    /// `None`: the integration's own account.
    pub owner: Option<String>,
    pub name: String,
    pub description: String,
    pub private: bool,
    pub default_branch: String,
}

/// A commit as the forge reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub id: String,
    pub message: String,
    pub author: String,
    /// Address of the author as git has it; empty where the forge keeps it to itself.
    pub email: String,
    /// Login name of the author's account on the forge, where it knows one.
    pub account: Option<String>,
    /// When it was written, as its author's clock had it.
    pub at: DateTime<Utc>,
}

impl Commit {
    /// First line of the message.
    pub fn subject(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// Commits that [`Scm::list_commits`] answers at most.
pub const MOST_COMMITS: usize = 50;

/// What is told of a commit on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    pub failed: bool,
    /// Tells checks apart.
    pub context: String,
    pub description: String,
    /// Page with the details.
    pub url: String,
}

/// One file of a tree.
#[derive(Debug, Clone)]
pub struct TreeFile {
    /// Relative to the repository's root, `/` between segments; never absolute, never `..`.
    pub path: String,
    /// The executable bit is set.
    pub executable: bool,
    /// `Some(target)` for a symbolic link; `content` is then empty.
    pub link: Option<String>,
    pub content: Bytes,
}

/// A whole repository at one commit.
#[derive(Debug, Clone)]
pub struct Tree {
    pub commit: String,
    /// Shared with others that have asked for the same commit.
    pub files: Arc<[TreeFile]>,
}

/// Where and as whom to push.
#[derive(Clone)]
pub struct PushTarget {
    /// HTTP(S) clone URL without credentials.
    pub url: Url,
    pub username: String,
    /// Password or token.
    pub password: String,
}

/// Why a forge did not do what was asked. `host` is what the operator configured.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ScmError {
    #[error("{what} was not found on {host}")]
    NotFound { host: String, what: String },
    #[error("{host} refuses it: {reason}")]
    Denied { host: String, reason: String },
    #[error("{what} exists already on {host}")]
    Conflict { host: String, what: String },
    #[error("{host} asks to slow down")]
    RateLimited {
        host: String,
        retry_after: Option<Duration>,
    },
    #[error("{host} cannot be reached or is failing: {reason}")]
    Unavailable { host: String, reason: String },
    #[error("{host} answered something unexpected: {reason}")]
    Unexpected { host: String, reason: String },
    /// No integration has this host.
    #[error(
        "no integration is configured for host {host}; add it under integrations.gitea or integrations.github, or, to read \
         single files of it, under backend.reading.allow"
    )]
    UnknownHost { host: String },
    /// The URL is not one of a repository, file or folder.
    #[error("{url} is not the address of a repository, file or folder: {reason}")]
    InvalidUrl { url: String, reason: String },
    #[error("{what} is larger than the limit of {}", size(*limit))]
    TooLarge { what: String, limit: u64 },
}

/// A limit as people say it.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    match bytes % MIB {
        0 if bytes > 0 => format!("{} MiB", bytes / MIB),
        _ => format!("{bytes} bytes"),
    }
}

impl ScmError {
    /// The same request may succeed later without anything being changed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    /// What the operator or the reader can do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "Check the name and that the integration's account may see it.",
            Self::Denied { .. } => "Check the account or token of this host under integrations, and what it may do.",
            Self::Conflict { .. } => "Choose another name.",
            Self::RateLimited { .. } | Self::Unavailable { .. } => {
                "Try again later; if it stays, look at the forge itself."
            }
            Self::Unexpected { .. } => {
                "Check that baseUrl under integrations.gitea is the address of a Forgejo or Gitea, or apiBaseUrl under integrations.github that of a GitHub."
            }
            Self::UnknownHost { .. } => {
                "Add the host, with its port, under integrations.gitea, integrations.github or backend.reading.allow."
            }
            Self::InvalidUrl { .. } => "Correct the address.",
            Self::TooLarge { .. } => "Make it smaller, or ask the operator for a higher limit.",
        }
    }
}

/// What the portal asks of a forge. All calls are bounded in time and size.
#[async_trait::async_trait]
pub trait Scm: Send + Sync {
    /// Page of the file or folder (`…/src/branch/main/<path>` on Forgejo; folders end with a slash).
    fn web_url(&self, source: &Source, folder: bool) -> String;
    /// Page on which a file is edited.
    fn edit_url(&self, source: &Source) -> String;
    /// Page of the repository itself, without `.git`.
    fn repository_url(&self, repository: &Repository) -> String;
    /// Address for `git clone`, with `.git`, without credentials.
    fn clone_url(&self, repository: &Repository) -> String;
    /// Page of one commit.
    fn commit_url(&self, repository: &Repository, commit: &str) -> String;
    /// What its repositories name it by: see [`Repository`].
    fn base(&self) -> &str;
    /// The account that the integration acts as; empty where only a token is configured and no call that
    /// needs the name (such as creating a repository) has asked the forge for it yet.
    fn account(&self) -> &str;

    /// The same forge for somebody who has a token of their own.
    fn with_token(&self, _token: &str) -> Result<Arc<dyn Scm>, ScmError> {
        Err(ScmError::Denied {
            host: self.base().to_owned(),
            reason: "it takes no token of a template".to_owned(),
        })
    }

    /// What the forge says of itself and of the configured account. Changes nothing.
    async fn examine(&self) -> Result<Examined, ScmError> {
        Err(ScmError::Unexpected {
            host: self.base().to_owned(),
            reason: "it says nothing of itself".to_owned(),
        })
    }

    /// The repository's state; `NotFound` where there is none (or it may not be seen).
    async fn repository(&self, repository: &Repository) -> Result<RepositoryInfo, ScmError>;
    /// Every repository of an organisation or user that may be seen; `NotFound` where there is no such owner.
    async fn list_repositories(&self, owner: &str) -> Result<Vec<RepositoryInfo>, ScmError>;
    /// Is there such a file?
    async fn has_file(&self, source: &Source) -> Result<bool, ScmError>;
    /// Shows a status at a commit; a later one of the same context takes its place.
    async fn report_status(&self, repository: &Repository, commit: &str, status: &CommitStatus)
    -> Result<(), ScmError>;
    /// The commit that a branch, tag or commit name stands for; `NotFound` for an empty repository.
    async fn commit(&self, repository: &Repository, reference: &str) -> Result<Commit, ScmError>;
    /// The last commits that touched a file or folder, or of the whole repository where the path is empty, newest first:
    /// at most `limit`, and never more than [`MOST_COMMITS`]. None for an empty repository or a path that never was;
    /// `NotFound` where there is no such repository or reference.
    async fn list_commits(&self, source: &Source, limit: usize) -> Result<Vec<Commit>, ScmError>;
    /// Content of one file; at most `limit` bytes.
    async fn read_file(&self, source: &Source, limit: u64) -> Result<Bytes, ScmError>;
    /// The whole tree at a reference (resolved to a commit first); `limit` bytes of content at most.
    async fn read_tree(&self, repository: &Repository, reference: &str, limit: u64) -> Result<Tree, ScmError>;
    /// Creates an empty repository. `Conflict` where the name is taken.
    async fn create_repository(&self, new: &NewRepository) -> Result<RepositoryInfo, ScmError>;
    /// Where to push the repository's first commit, with credentials.
    fn push_target(&self, repository: &Repository) -> Result<PushTarget, ScmError>;
    /// Makes sure that pushes, and for an owner repositories that come and go, are reported to `url`, signed with
    /// `secret`: one hook, in place of those that there are for this address.
    /// `Denied` where the account may not.
    async fn ensure_webhook(&self, watched: &Watched, url: &str, secret: &str) -> Result<(), ScmError>;

    /// What only some forges offer.
    fn collaboration(&self) -> Option<&dyn Collaboration> {
        None
    }

    /// What only GitHub offers.
    fn github(&self) -> Option<&Github> {
        None
    }
}

/// A resolved URL: the forge that serves it, and what it names there.
#[derive(Clone)]
pub struct Located {
    pub forge: Arc<dyn Scm>,
    pub source: Source,
}
