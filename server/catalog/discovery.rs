//! Finds description files: every repository of an organisation or user of a forge that has one becomes a location.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Catalog, CatalogError, queries};
use crate::ids::new_id;
use crate::scm::{Repository, RepositoryInfo, Scm, ScmError, Source, Watched};

/// A scan that was taken by a replica that dies is taken by another after this.
const LEASE: TimeDelta = TimeDelta::minutes(5);
/// A scan that failed is tried again after this, or at its time where that is sooner.
const AGAIN_SECONDS: f64 = 60.0;
/// Times of changes are told to the second, and the clocks of forge and portal differ: what was changed longer ago
/// than this is not changed a second time under the same time.
const SETTLED_AFTER: TimeDelta = TimeDelta::minutes(1);

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

/// Addresses that had no file, and when their repository was changed last: until it changes again, there is no reason
/// to ask.
#[derive(Default)]
pub struct Bare(Mutex<HashMap<String, DateTime<Utc>>>);

impl Bare {
    fn is_still(&self, target: &str, updated_at: DateTime<Utc>) -> bool {
        let bare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bare.get(target) == Some(&updated_at)
    }

    fn note(&self, target: String, updated_at: DateTime<Utc>, described: bool) {
        let mut bare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match described {
            true => drop(bare.remove(&target)),
            false => drop(bare.insert(target, updated_at)),
        }
    }
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
    /// Scans where a scan is due and nobody else does it; answers how long to wait.
    pub(super) async fn scan_due(&self, discovery: &Discovery) -> Result<Duration, CatalogError> {
        let (now, mark) = (self.clock().now(), discovery.mark());
        if queries::polling::take_scan(self.db(), &mark, &format!("{discovery:?}"), now, now + LEASE).await? {
            let next = self.scan(discovery).await;
            queries::polling::set_next_scan(self.db(), &mark, next).await?;
        }
        let next = queries::polling::find_next_scan(self.db(), &mark).await?;
        Ok(next.map_or(Duration::ZERO, |next| {
            (next - self.clock().now()).to_std().unwrap_or_default()
        }))
    }

    /// Scans; answers when to do it again.
    async fn scan(&self, discovery: &Discovery) -> DateTime<Utc> {
        let forge = self
            .sources()
            .forge_by_host(&discovery.host)
            .map(|forge| forge.base().to_owned());
        let outcome = match &forge {
            Ok(forge) if self.pauses().until(forge, self.clock().now()).is_some() => None,
            _ => Some(self.discover(discovery).await),
        };
        let now = self.clock().now();
        let mut seconds = discovery.frequency.as_secs_f64();
        match (outcome, &forge) {
            (Some(Ok(found)), _) => tracing::info!(
                provider = discovery.id,
                repositories = found.repositories,
                locations = found.locations,
                "the repositories of a provider were looked through"
            ),
            (Some(Err(error)), forge) => {
                tracing::warn!(provider = discovery.id, %error, "the repositories of a provider cannot be looked through");
                seconds = seconds.min(AGAIN_SECONDS);
                if let (CatalogError::Scm(error), Ok(forge)) = (&error, forge)
                    && error.is_temporary()
                {
                    self.pauses().note(forge, Some(error), now);
                }
            }
            (None, _) => {}
        }
        let next = now + TimeDelta::milliseconds((seconds * 1000.0 * rand::random_range(1.0..=1.2)) as i64);
        let pause = forge.ok().and_then(|forge| self.pauses().until(&forge, now));
        pause.map_or(next, |pause| next.max(pause))
    }

    /// Looks through the repositories of one provider: new files are read at once, those that are gone lose their
    /// location when the last of their entities has gone.
    pub async fn discover(&self, discovery: &Discovery) -> Result<Scanned, CatalogError> {
        let forge = self.sources().forge_by_host(&discovery.host)?;
        self.tell(Watched::Owner {
            forge: forge.base().to_owned(),
            owner: discovery.organization.clone(),
        });
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
            if known.contains(&target) || self.is_described(&*forge, discovery, repository, &target).await? {
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
                self.forget(location.id, None).await?;
            }
        }
        Ok(scanned)
    }

    /// The provider of the configuration that finds a file by itself.
    pub fn provider_of(&self, target: &str) -> Option<String> {
        let located = self.sources().locate(target).ok()?;
        let (forge, source) = (located.forge, located.source);
        let found = self.config().discoveries.iter().find(|discovery| {
            let same_forge = self
                .sources()
                .forge_by_host(&discovery.host)
                .is_ok_and(|own| own.base() == forge.base());
            same_forge
                && discovery.organization.eq_ignore_ascii_case(&source.repository.owner)
                && discovery.catalog_path == source.path
                && (discovery.branch.is_none() || discovery.branch == source.reference)
        });
        found.map(|discovery| discovery.id.clone())
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
            // Another forge may have an owner of the same name; and what was found before was read already.
            if forge.base() != repository.forge
                || queries::polling::is_discovered(self.db(), repository, &discovery.mark()).await?
            {
                continue;
            }
            let info = match forge.repository(repository).await {
                Ok(info) if !info.empty => info,
                // It was deleted, or is yet to be filled.
                Ok(_) | Err(ScmError::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            let target = forge.web_url(&discovery.source(&info), false);
            let known = queries::locations::find_by_target(self.db(), "url", &target).await?;
            if known.is_none() && self.is_described(&*forge, discovery, &info, &target).await? {
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
        target: &str,
    ) -> Result<bool, CatalogError> {
        let settled = repository.updated_at + SETTLED_AFTER < self.clock().now();
        if settled && self.bare().is_still(target, repository.updated_at) {
            return Ok(false);
        }
        let described = match forge.has_file(&discovery.source(repository)).await {
            Ok(has) => has,
            // One repository that may not be looked into is no reason to stop.
            Err(ScmError::Denied { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        if settled || described {
            self.bare().note(target.to_owned(), repository.updated_at, described);
        }
        Ok(described)
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
