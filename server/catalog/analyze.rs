//! What a repository describes already, before anybody registers it.

use super::read::{self, MAX_TREE_BYTES};
use super::{Catalog, CatalogError};
use crate::scm::{Repository, ScmError, Source};

/// Files of one repository that are looked into, at most.
const MAX_FILES: usize = 100;

/// The description files of a repository.
#[derive(Debug, Clone)]
pub struct DescriptionFiles {
    pub repository: Repository,
    /// Addresses, sorted by path.
    pub files: Vec<String>,
}

impl Catalog {
    /// Files called `name`, in any folder of the repository that `target` names or lies in.
    pub async fn description_files(&self, target: &str, name: &str) -> Result<DescriptionFiles, CatalogError> {
        let located = self.sources().locate(&read::web_target(target)?)?;
        let (forge, repository) = (&*located.forge, located.source.repository.clone());
        let reference = match located.source.reference {
            Some(reference) => reference,
            None => forge.repository(&repository).await?.default_branch,
        };
        let tree = match forge.read_tree(&repository, &reference, MAX_TREE_BYTES).await {
            Ok(tree) => tree,
            // Nothing has been pushed yet.
            Err(ScmError::NotFound { .. }) if forge.repository(&repository).await?.empty => {
                let files = Vec::new();
                return Ok(DescriptionFiles { repository, files });
            }
            Err(error) => return Err(error.into()),
        };
        let mut paths: Vec<String> = tree
            .files
            .iter()
            .filter(|file| file.link.is_none() && file.path.rsplit('/').next() == Some(name))
            .map(|file| file.path.clone())
            .collect();
        paths.sort();
        if paths.len() > MAX_FILES {
            return Err(CatalogError::Invalid(format!(
                "the repository has {} files called {name}; more than {MAX_FILES} are not looked into, register them \
                 one by one or by a pattern",
                paths.len()
            ).into()));
        }
        let address = |path| {
            let source = Source {
                repository: repository.clone(),
                reference: Some(reference.clone()),
                path,
            };
            forge.web_url(&source, false)
        };
        let files = paths.into_iter().map(address).collect();
        Ok(DescriptionFiles { repository, files })
    }
}
