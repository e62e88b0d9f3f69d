//! The parts of GitHub's JSON that are used.

use chrono::{DateTime, Utc};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Repository {
    pub name: String,
    pub owner: Account,
    #[serde(default)]
    pub default_branch: String,
    /// Kilobytes, as last written down.
    #[serde(default)]
    pub size: u64,
    pub created_at: DateTime<Utc>,
    pub updated_at: Option<DateTime<Utc>>,
    pub pushed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub permissions: Option<Permissions>,
}

#[derive(Debug, Deserialize)]
pub struct Meta {
    /// GitHub Enterprise Server only.
    pub installed_version: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Account {
    pub login: String,
    /// `User` or `Organization`.
    #[serde(default, rename = "type")]
    pub kind: String,
}

#[derive(Debug, Default, Deserialize)]
pub struct Permissions {
    #[serde(default)]
    pub admin: bool,
}

#[derive(Debug, Deserialize)]
pub struct Hook {
    pub id: u64,
    #[serde(default)]
    pub config: HookAddress,
}

#[derive(Debug, Default, Deserialize)]
pub struct HookAddress {
    #[serde(default)]
    pub url: String,
}

/// A file as the contents API shows it.
#[derive(Debug, Deserialize)]
pub struct Contents {
    pub sha: String,
    /// Base64 in lines; empty where the file is long.
    #[serde(default)]
    pub content: String,
}

#[derive(Debug, Deserialize)]
pub struct PullRequest {
    pub number: u64,
    pub html_url: String,
    pub state: String,
    pub merged_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Deserialize)]
pub struct Issue {
    pub number: u64,
    pub html_url: String,
    pub body: Option<String>,
    /// There for pull requests, which GitHub lists as issues too.
    pub pull_request: Option<serde_json::Value>,
}

/// What secrets of a repository are sealed for.
#[derive(Debug, Deserialize)]
pub struct PublicKey {
    pub key_id: String,
    /// Base64.
    pub key: String,
}
