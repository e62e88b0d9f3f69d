//! Finds description files: every repository of an organisation or user of a forge that has one becomes a location.

use std::collections::HashSet;
use std::time::Duration;

use super::{Catalog, CatalogError, queries};
use crate::ids::new_id;
use crate::scm::{Repository, RepositoryInfo, Scm, ScmError, Source};

/// One of `catalog.providers.gitea`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Its key in the configuration.
    pub id: String,
    /// Host of an integration, with its port.
    pub host: String,
    /// An organisation, or a user.
    pub organization: String,
    /// `None`: the default branch of each repository.
    pub branch: Option<String>,
    /// Path of the file in each repository.
    pub catalog_path: String,
    /// Time between two scans.
    pub frequency: Duration,
}

/// What a scan found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    pub repositories: usize,
    /// Those with the file.
    pub locations: usize,
}

impl Discovery {
    /// What its locations are marked with.
    pub(super) fn mark(&self) -> String {
        format!("gitea:{}", self.id)
    }

    fn source(&self, repository: &RepositoryInfo) -> Source {
        Source {
            repository: repository.repository.clone(),
            reference: Some(self.branch.clone().unwrap_or_else(|| repository.default_branch.clone())),
            path: self.catalog_path.clone(),
        }
    }
}

impl Catalog {
    /// Looks through the repositories of one provider: new files are read at once, those that are gone lose their
    /// location when the last of their entities has gone.
    pub async fn discover(&self, discovery: &Discovery) -> Result<Scanned, CatalogError> {
        let forge = self.sources().forge_by_host(&discovery.host)?;
        let repositories = forge.list_repositories(&discovery.organization).await?;
        let known = queries::locations::list_discovered(self.db(), &discovery.mark()).await?;
        let known: HashSet<String> = known.into_iter().map(|location| location.target).collect();
        let mut scanned = Scanned {
            repositories: repositories.len(),
            locations: 0,
        };
        let mut found = HashSet::new();
        for repository in repositories.iter().filter(|repository| !repository.empty) {
            // Its pushes tell of a file that comes later.
            self.tell_repository(repository.repository.clone());
            let target = forge.web_url(&discovery.source(repository), false);
            // What is a location already is read as one: it needs no request here.
            if known.contains(&target) || self.is_described(&*forge, discovery, repository).await? {
                scanned.locations += 1;
                if !known.contains(&target) {
                    self.add_discovered(discovery, &target).await?;
                }
                found.insert(target);
            }
        }
        for location in queries::locations::list_discovered(self.db(), &discovery.mark()).await? {
            // Its own entity is left when the others have gone.
            if (!found.contains(&location.target) || !location.problems.is_empty()) && location.entities <= 1 {
                self.forget(location.id).await?;
            }
        }
        Ok(scanned)
    }

    /// A push was reported: a repository of a provider may have got its file.
    pub(super) async fn discover_in(&self, repository: &Repository) -> Result<(), CatalogError> {
        for discovery in &self.config().discoveries {
            let Ok(forge) = self.sources().forge_by_host(&discovery.host) else {
                continue;
            };
            if !discovery.organization.eq_ignore_ascii_case(&repository.owner) {
                continue;
            }
            let info = forge.repository(repository).await?;
            // Another forge has an owner of the same name.
            if info.repository.forge != repository.forge || info.empty {
                continue;
            }
            let target = forge.web_url(&discovery.source(&info), false);
            let known = queries::locations::find_by_target(self.db(), "url", &target).await?;
            if known.is_none() && self.is_described(&*forge, discovery, &info).await? {
                self.add_discovered(discovery, &target).await?;
            }
        }
        Ok(())
    }

    async fn is_described(
        &self,
        forge: &dyn Scm,
        discovery: &Discovery,
        repository: &RepositoryInfo,
    ) -> Result<bool, CatalogError> {
        match forge.has_file(&discovery.source(repository)).await {
            Ok(has) => Ok(has),
            // One repository that may not be looked into is no reason to stop.
            Err(ScmError::Denied { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn add_discovered(&self, discovery: &Discovery, target: &str) -> Result<(), CatalogError> {
        let now = self.clock().now();
        let new = (new_id(self.clock()), "url", target);
        queries::locations::ensure(self.db(), new, true, None, now).await?;
        let Some(location) = queries::locations::find_by_target(self.db(), "url", target).await? else {
            return Ok(());
        };
        // One that somebody registered, or that the configuration names, stays theirs.
        if location.checked_at.is_none() && location.registered_by.is_none() {
            queries::locations::set_discovered(self.db(), location.id, &discovery.mark()).await?;
            self.read_location(location.id, true).await?;
        }
        Ok(())
    }
}
