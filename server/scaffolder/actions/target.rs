//! What the input of these actions names: a repository, a branch, a folder of the workspace.

use std::path::PathBuf;
use std::sync::Arc;

use crate::scaffolder::actions::{ActionError, Context};
use crate::scm::{Collaboration, Forges, Github, Repository, Scm, ScmError};

/// What `repoUrl` names.
pub struct Target {
    pub forge: Arc<dyn Scm>,
    /// The owner as the template names it.
    pub owner: Option<String>,
    pub repository: Repository,
}

impl Target {
    pub fn parse(forges: &Forges, repo_url: &str) -> Result<Self, ScmError> {
        let (forge, owner, name) = forges.parse_repo_url(repo_url)?;
        let unplaced = Repository {
            forge: String::new(),
            owner: owner.clone().unwrap_or_else(|| forge.account().to_owned()),
            name,
        };
        let repository = forges.locate(&forge.repository_url(&unplaced))?.source.repository;
        Ok(Self {
            forge,
            owner,
            repository,
        })
    }

    pub fn name(&self) -> String {
        format!("{}/{}", self.repository.owner, self.repository.name)
    }

    pub fn taken(&self) -> ActionError {
        ActionError::Scm(ScmError::Conflict {
            host: self.repository.forge.clone(),
            what: format!(
                "The repository {} was not made by this task: the name is taken. It",
                self.name()
            ),
        })
    }

    /// The same for somebody with a token of their own, where a template gives one.
    pub fn with_token(mut self, cx: &Context, token: Option<&str>) -> Result<Self, ActionError> {
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            cx.hide(token);
            self.forge = self.forge.with_token(token)?;
        }
        Ok(self)
    }

    /// What only GitHub offers. There every repository has an owner.
    pub fn github(&self) -> Result<&Github, ActionError> {
        let github = self.forge.github().ok_or_else(|| {
            ActionError::Input(format!(
                "{} is no GitHub; use the actions for Forgejo and Gitea, such as publish:gitea",
                self.repository.forge
            ))
        })?;
        match self.owner {
            Some(_) => Ok(github),
            None => Err(ActionError::Input(
                "repoUrl names no owner: <host>?owner=<owner>&repo=<name>".to_owned(),
            )),
        }
    }

    /// What the forge offers beyond repositories.
    pub fn collaboration(&self) -> Result<&dyn Collaboration, ActionError> {
        self.forge.collaboration().ok_or_else(|| {
            ActionError::Input(format!(
                "the portal does this on Forgejo and Gitea only, and {} is neither",
                self.repository.forge
            ))
        })
    }
}

/// The folder that `sourcePath` names; the whole workspace where it names none.
pub fn source_folder(cx: &Context, source_path: Option<&str>) -> Result<PathBuf, ActionError> {
    let path = source_path.unwrap_or_default();
    let folder = cx.workspace.resolve(path)?;
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(ActionError::Input(format!(
            "sourcePath \"{path}\" is no folder of the workspace"
        )))
    }
}

/// `branch` is a name and never an option; `key` is the input that it came from.
pub fn check_branch(key: &str, branch: &str) -> Result<(), ActionError> {
    let fine = !branch.is_empty()
        && branch.len() <= 200
        && !branch.starts_with(['-', '/', '.'])
        && !branch.ends_with(['/', '.'])
        && !branch.ends_with(".lock")
        && !branch.contains("..")
        && !branch.contains("//")
        && branch.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    if fine {
        Ok(())
    } else {
        Err(ActionError::Input(format!(
            "{key} \"{branch}\" is no name for a branch"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_are_names_and_never_options() {
        for (branch, fine) in [
            ("main", true),
            ("feature/a-1.x", true),
            ("--upload-pack=x", false),
            ("a..b", false),
            ("a b", false),
            ("a:b", false),
            ("", false),
            ("x.lock", false),
        ] {
            assert_eq!(check_branch("branchName", branch).is_ok(), fine, "{branch}");
        }
    }
}
