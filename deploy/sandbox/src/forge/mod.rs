//! The git forge: real repositories, REST API, webhooks and plain pages.

use std::path::{Path, PathBuf};

use anyhow::Result;
use axum::Router;

use crate::Credentials;

/// What the forge needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for repositories and state.
    pub data: PathBuf,
    /// Its own URL, `http://localhost:<port>`; all links in answers start with it.
    pub root_url: String,
    /// Further `host:port` names that it is known by.
    pub aliases: Vec<String>,
    /// Passwords.
    pub credentials: Credentials,
}

/// The forge. Clones share it.
#[derive(Debug, Clone)]
pub struct Forge {}

impl Forge {
    /// Opens the forge in its folder; makes the administrator and the users that are missing.
    pub async fn open(_settings: Settings) -> Result<Self> {
        Ok(Self {})
    }

    /// All its pages and endpoints.
    pub fn routes(&self) -> Router {
        Router::new()
    }

    /// Folder of the bare repository that a clone URL means: `<root>/<owner>/<name>[.git]`, or the same under an alias,
    /// there also with the prefix `/gitea`. `None` when the URL is not of this forge or there is no such repository.
    pub fn repository_folder(&self, _clone_url: &str) -> Option<PathBuf> {
        None
    }

    /// Makes or updates a repository from a folder on disk as one commit.
    pub async fn put_tree(
        &self,
        _owner: &str,
        _name: &str,
        _branch: &str,
        _folder: &Path,
        _message: &str,
    ) -> Result<()> {
        Ok(())
    }
}
