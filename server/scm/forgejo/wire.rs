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
pub struct Commit {
    pub sha: String,
    pub commit: CommitBody,
}

#[derive(Debug, Deserialize)]
pub struct CommitBody {
    #[serde(default)]
    pub message: String,
    pub author: Signature,
}

#[derive(Debug, Deserialize)]
pub struct Signature {
    #[serde(default)]
    pub name: String,
    pub date: DateTime<Utc>,
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

/// Body of an error.
#[derive(Debug, Default, Deserialize)]
pub struct Failure {
    #[serde(default)]
    pub message: String,
}
