//! A repository, and what belongs to it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Hook;

/// A repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Repository {
    /// Unique; also the name of its folder.
    pub id: u64,
    /// Lower-case name of the account that has it.
    pub owner: String,
    /// As it was written when it was made; unique for the owner without regard to case.
    pub name: String,
    /// One line.
    pub description: String,
    /// Whether it is hidden from others than owner, members and collaborators.
    pub private: bool,
    /// Whether it is read-only.
    pub archived: bool,
    /// The branch that HEAD points to.
    pub default_branch: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When a ref or a setting was last changed.
    pub updated: DateTime<Utc>,
    /// Lower-case user name → permission.
    pub collaborators: BTreeMap<String, Permission>,
    /// Webhooks.
    pub hooks: Vec<Hook>,
    /// Commit statuses, oldest first.
    pub statuses: Vec<Status>,
    /// Pull requests, oldest first.
    pub pulls: Vec<Pull>,
    /// Issues, oldest first.
    #[serde(default)]
    pub issues: Vec<Issue>,
    /// Upper-case names of the secrets for Actions → their values.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Upper-case names of the variables for Actions → their values.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Which parts of it are on.
    #[serde(default)]
    pub units: Units,
    /// Refs (full name → object) that webhooks were told of.
    pub announced: BTreeMap<String, String>,
    /// The tree that was last put here from a folder.
    pub seeded: Option<String>,
}

/// What somebody may do with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Clone and look.
    Read,
    /// Push.
    Write,
    /// Settings, webhooks, deletion.
    Admin,
}

/// A commit status.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// Unique.
    pub id: u64,
    /// Of the commit.
    pub sha: String,
    /// `pending`, `success`, `error`, `failure` or `warning`.
    pub state: String,
    /// Tells statuses of one commit apart.
    pub context: String,
    /// One line.
    pub description: String,
    /// Link.
    pub target_url: String,
    /// Lower-case name of who set it.
    pub creator: String,
    /// When.
    pub created: DateTime<Utc>,
}

/// A pull request inside one repository.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pull {
    /// Unique.
    pub id: u64,
    /// Counted in the repository, from 1.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Text.
    pub body: String,
    /// Branch with the changes.
    pub head: String,
    /// Branch that gets them.
    pub base: String,
    /// Lower-case name of who opened it.
    pub author: String,
    /// `open` or `closed`.
    pub state: String,
    /// The commit that merged it.
    pub merged: Option<String>,
    /// When.
    pub created: DateTime<Utc>,
    /// When it was changed.
    pub updated: DateTime<Utc>,
}

/// An issue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Issue {
    /// Unique.
    pub id: u64,
    /// Counted in the repository together with pull requests, from 1.
    pub number: u64,
    /// One line.
    pub title: String,
    /// Text.
    pub body: String,
    /// Lower-case name of who opened it.
    pub author: String,
    /// Lower-case names.
    pub assignees: Vec<String>,
    /// When.
    pub created: DateTime<Utc>,
}

/// Parts of a repository that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Units {
    /// Issues.
    pub issues: bool,
    /// The wiki.
    pub wiki: bool,
    /// Pull requests.
    pub pulls: bool,
}

impl Default for Units {
    fn default() -> Self {
        Self {
            issues: true,
            wiki: true,
            pulls: true,
        }
    }
}

impl Repository {
    /// An open repository without anything in it.
    pub fn new(id: u64, owner: &str, name: &str, default_branch: &str) -> Self {
        let now = Utc::now();
        Self {
            id,
            owner: owner.to_lowercase(),
            name: name.to_owned(),
            description: String::new(),
            private: false,
            archived: false,
            default_branch: default_branch.to_owned(),
            created: now,
            updated: now,
            collaborators: BTreeMap::new(),
            hooks: Vec::new(),
            statuses: Vec::new(),
            pulls: Vec::new(),
            announced: BTreeMap::new(),
            issues: Vec::new(),
            secrets: BTreeMap::new(),
            variables: BTreeMap::new(),
            units: Units::default(),
            seeded: None,
        }
    }

    /// Number of the next issue or pull request.
    pub fn next_number(&self) -> u64 {
        (self.pulls.len() + self.issues.len()) as u64 + 1
    }
}
