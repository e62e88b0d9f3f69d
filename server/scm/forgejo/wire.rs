//! The parts of Forgejo's and Gitea's JSON that are used. Both leave fields out at times, so only what
//! nothing can be done without is required.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
pub struct Repository {
    pub name: String,
    pub owner: Account,
    #[serde(default)]
    pub default_branch: String,
    #[serde(default)]
    pub empty: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub permissions: Option<Permissions>,
}

#[derive(Debug, Deserialize)]
pub struct Version {
    pub version: String,
}

#[derive(Debug, Deserialize)]
pub struct Account {
    pub login: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct Permissions {
    #[serde(default)]
    pub admin: bool,
}

#[derive(Debug, Serialize)]
pub struct CreateRepository<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub private: bool,
    pub auto_init: bool,
    pub default_branch: &'a str,
}

#[derive(Debug, Deserialize)]
pub struct Hook {
    pub id: i64,
    #[serde(default)]
    pub config: HookAddress,
}

#[derive(Debug, Default, Deserialize)]
pub struct HookAddress {
    #[serde(default)]
    pub url: String,
}

#[derive(Debug, Serialize)]
pub struct CreateHook<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub active: bool,
    pub branch_filter: &'a str,
    pub events: &'a [&'a str],
    pub config: HookConfig<'a>,
}

#[derive(Debug, Serialize)]
pub struct HookConfig<'a> {
    pub url: &'a str,
    pub content_type: &'a str,
    pub secret: &'a str,
}

#[derive(Debug, Serialize)]
pub struct WriteStatus<'a> {
    pub state: &'a str,
    pub context: &'a str,
    pub description: &'a str,
    pub target_url: &'a str,
}

#[derive(Debug, Serialize)]
pub struct EditRepository<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_issues: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_wiki: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_pull_requests: Option<bool>,
}

/// A file as the contents API shows it.
#[derive(Debug, Deserialize)]
pub struct Contents {
    pub sha: String,
    /// Base64.
    #[serde(default)]
    pub content: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct WriteContents<'a> {
    /// Base64.
    pub content: &'a str,
    pub message: &'a str,
    pub branch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_branch: Option<&'a str>,
    /// Of the file that is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<&'a str>,
}

#[derive(Debug, Serialize)]
pub struct CreatePullRequest<'a> {
    pub head: &'a str,
    pub base: &'a str,
    pub title: &'a str,
    pub body: &'a str,
}

#[derive(Debug, Deserialize)]
pub struct PullRequest {
    pub number: u64,
    pub html_url: String,
    pub state: String,
    #[serde(default)]
    pub merged: bool,
    pub head: Branch,
    pub base: Branch,
}

/// One side of a pull request.
#[derive(Debug, Deserialize)]
pub struct Branch {
    #[serde(rename = "ref")]
    pub name: String,
    /// A fork's number where the branch is in a fork.
    #[serde(default)]
    pub repo_id: i64,
}

#[derive(Debug, Serialize)]
pub struct CreateIssue<'a> {
    pub title: &'a str,
    pub body: &'a str,
    pub assignees: &'a [String],
}

#[derive(Debug, Deserialize)]
pub struct Issue {
    pub number: u64,
    pub html_url: String,
    #[serde(default)]
    pub body: String,
}

#[derive(Debug, Serialize)]
pub struct WriteSecret<'a> {
    pub data: &'a str,
}

#[derive(Debug, Serialize)]
pub struct WriteVariable<'a> {
    pub value: &'a str,
}
