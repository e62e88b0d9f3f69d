//! What the scaffolder is told by the configuration, and what it may reach.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::catalog::Catalog;
use crate::gitops::GitOps;
use crate::kubernetes::Cluster;
use crate::scaffolder::requests::Requests;
use crate::scm::Forges;

/// The portal's ports, as far as actions use them. Cheap to clone.
#[derive(Clone)]
pub struct Outside {
    pub catalog: Catalog,
    pub forges: Forges,
    pub gitops: GitOps,
    /// Configured clusters, in order; the portal's own where none is configured.
    pub clusters: Arc<[Cluster]>,
    /// The portal's own API, and what steps may send requests to.
    pub requests: Requests,
}

/// Name and e-mail of a commit's author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    pub name: String,
    pub email: String,
}

/// The git program.
#[derive(Debug, Clone)]
pub struct Git {
    pub program: PathBuf,
    /// PEM file with the authorities to trust; the system's where there is none.
    pub ca_file: Option<PathBuf>,
}

impl Default for Git {
    fn default() -> Self {
        Self {
            program: PathBuf::from("git"),
            ca_file: None,
        }
    }
}

/// Settings of the scaffolder; the defaults are those of an empty configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `scaffolder.concurrentTasksLimit`; 0: this process runs no tasks.
    pub concurrent_tasks: usize,
    /// `scaffolder.defaultAuthor`.
    pub default_author: Author,
    /// `scaffolder.defaultCommitMessage`; where it is set it wins over a template's.
    pub default_commit_message: Option<String>,
    /// `scaffolder.defaultEnvironment.parameters`: an object.
    pub environment_parameters: Value,
    /// `scaffolder.defaultEnvironment.secrets`: an object.
    pub environment_secrets: Value,
    /// `portico.workspaceLimit`, bytes.
    pub workspace_limit: u64,
    /// `scaffolder.taskTimeout`: how long a step may take that has no timeout of its own.
    pub step_timeout: Duration,
    /// `portico.workspaceRetention`: how long the workspace of a task that did not complete is kept.
    pub workspace_retention: Duration,
    /// Bytes of one file of a skeleton.
    pub file_limit: u64,
    /// Folder for the workspaces of running tasks.
    pub workspace_root: PathBuf,
    pub git: Git,
    /// Host (with its port) and kind (`gitea`, `github`, …) of each entry under `integrations`.
    pub integrations: Vec<(String, String)>,
    /// Seals the secrets of running tasks, so that they survive a crash.
    pub secrets_key: Option<SecretsKey>,
}

/// A key that never shows.
#[derive(Clone)]
pub struct SecretsKey(pub [u8; 32]);

impl std::fmt::Debug for SecretsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretsKey(***)")
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            concurrent_tasks: 10,
            default_author: Author {
                name: "Scaffolder".to_owned(),
                email: "scaffolder@backstage.io".to_owned(),
            },
            default_commit_message: None,
            environment_parameters: json!({}),
            environment_secrets: json!({}),
            workspace_limit: 64 * 1024 * 1024,
            step_timeout: Duration::from_secs(24 * 3600),
            workspace_retention: Duration::from_secs(7 * 24 * 3600),
            file_limit: 10 * 1024 * 1024,
            workspace_root: std::env::temp_dir().join("portico-workspaces"),
            git: Git::default(),
            integrations: Vec::new(),
            secrets_key: None,
        }
    }
}
