//! The stand-in forge as a destination of golden paths.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result};
use portico_sandbox::{Credentials, Sandbox};
use tokio::process::Command;

use crate::golden_paths::{BRANCH, Destination};

impl Destination for Sandbox {
    fn url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.urls.forge, Credentials::FORGE_ADMIN)
    }

    async fn head(&self, name: &str) -> Result<Option<String>> {
        let Some(repository) = self
            .forge
            .repository_folder(&self.url(name))
            .filter(|repository| repository.is_dir())
        else {
            return Ok(None);
        };
        let output = Command::new("git")
            .arg("--git-dir")
            .arg(&repository)
            .args(["rev-parse", "--verify", "--quiet", &format!("refs/heads/{BRANCH}")])
            .stdin(Stdio::null())
            .output()
            .await
            .context("cannot run git")?;
        let commit = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok((output.status.success() && !commit.is_empty()).then_some(commit))
    }

    async fn put(&self, name: &str, folder: &Path) -> Result<()> {
        self.forge
            .put_tree(
                Credentials::FORGE_ADMIN,
                name,
                BRANCH,
                folder,
                "Golden paths of this machine",
            )
            .await?;
        Ok(())
    }
}
