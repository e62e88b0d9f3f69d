//! The configured forges, picked by host.

use super::{Located, Repository, Scm, ScmError};
use std::sync::Arc;

/// All configured forges.
#[derive(Clone)]
pub struct Forges {}

impl Forges {
    /// What a web URL names: `…/<owner>/<name>/(src|raw)/(branch|tag|commit)/<ref>/<path>`, or a repository.
    /// Hosts are compared port included; an alias host is matched after its own path prefix.
    pub fn locate(&self, _url: &str) -> Result<Located, ScmError> {
        todo!()
    }

    /// The forge of a repository.
    pub fn forge_of(&self, _repository: &Repository) -> Result<Arc<dyn Scm>, ScmError> {
        todo!()
    }

    /// Reads a `repoUrl` of a template, `<host>[/path]?repo=<name>[&owner=<owner>]` (contract 1.4):
    /// the forge, the owner where one is named, and the name.
    pub fn parse_repo_url(&self, _repo_url: &str) -> Result<(Arc<dyn Scm>, Option<String>, String), ScmError> {
        todo!()
    }
}
