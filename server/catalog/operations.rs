//! Changes: register, move, delete.

use uuid::Uuid;

use super::people::IDENTITY;
use super::read::{self, Problem, Snapshots};
use super::store::Rival;
use super::{Catalog, CatalogError, Entity, EntityRef, Location, LocationState, Registered, queries};
use crate::auth::Caller;
use crate::ids::new_id;
use crate::language::{Text, text};
use crate::scm::{Located, ScmError};

/// What a read of one location did.
#[derive(Debug, Clone, Default)]
pub struct ReadReport {
    /// Refs of entities that the location holds now, in the order in which they were read.
    pub refs: Vec<String>,
    pub problems: Vec<Problem>,
    /// Nothing was read, as no commit changed.
    pub unchanged: bool,
    /// Refs of entities that are new, different, gone, or stay although their source has disappeared.
    pub added: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    pub orphaned: Vec<String>,
}

impl ReadReport {
    pub(super) fn nothing_new() -> Self {
        Self {
            unchanged: true,
            ..Self::default()
        }
    }
}

/// What to do where a location is registered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    Reject,
    Refresh,
}

impl Catalog {
    /// Reads `target` and stores the location and its entities in one transaction: what it returns is
    /// readable when it returns. Registering the same target again reads it again.
    /// `actor` is recorded as who registered it.
    ///
    /// A new location of whose file nothing can be used is not stored: `Invalid` says why. Where a part
    /// is usable, it is stored, and the problems are with it.
    pub async fn register(&self, actor: &str, target: &str) -> Result<Registered, CatalogError> {
        self.writable()?;
        let target = read::web_target(target)?;
        let existing = queries::locations::find_by_target(self.db(), "url", &target).await?;
        let started = self.clock().now();
        let snapshots = Snapshots::default();
        // Asked first, so that a forge that is away is told as such and may be tried again.
        self.head_of(&target, &snapshots).await?;
        let previous = match &existing {
            Some(location) => queries::entities::list_previous(self.db(), location.id).await?,
            None => Vec::new(),
        };
        let outcome = read::read(self.sources(), &snapshots, self.policy(), ("url", &target), &previous).await;
        if existing.is_none() && outcome.entities.len() <= 1 && !outcome.problems.is_empty() {
            return Err(CatalogError::Invalid(told(&outcome.problems).into()));
        }
        let existed = match &existing {
            Some(_) => true,
            None => {
                let id = new_id(self.clock());
                let new = (id, "url", target.as_str());
                !queries::locations::ensure(self.db(), new, false, Some(actor), started).await?
            }
        };
        let location = queries::locations::find_by_target(self.db(), "url", &target)
            .await?
            .ok_or_else(|| {
                CatalogError::NotFound(text!(
                    "{target} was deleted while it was read; register it again",
                    target = target
                ))
            })?;
        let report = self.store(&location, outcome, started).await?;
        let entities = self.list_by_refs(&report.refs).await?.into_iter().flatten();
        let own = read::location_ref("url", &target);
        Ok(Registered {
            location: location.location(),
            entities: entities.filter(|entity| entity.entity_ref() != own).collect(),
            existed,
            problems: report.problems,
        })
    }

    /// As [`Self::register`], for callers that want to be told when somebody was first.
    pub async fn add_location(
        &self,
        actor: &str,
        target: &str,
        on_conflict: OnConflict,
    ) -> Result<Registered, CatalogError> {
        self.writable()?;
        let known = queries::locations::find_by_target(self.db(), "url", &read::web_target(target)?).await?;
        if known.is_some() && on_conflict == OnConflict::Reject {
            return Err(CatalogError::Conflict(text!(
                "Location url:{target} already exists",
                target = target
            )));
        }
        self.register(actor, target).await
    }

    /// Reads `target` and all below it without storing anything; problems are an error.
    pub async fn dry_run(&self, target: &str) -> Result<Registered, CatalogError> {
        let target = read::web_target(target)?;
        let snapshots = Snapshots::default();
        self.head_of(&target, &snapshots).await?;
        let existing = queries::locations::find_by_target(self.db(), "url", &target).await?;
        let outcome = read::read(self.sources(), &snapshots, self.policy(), ("url", &target), &[]).await;
        if !outcome.problems.is_empty() {
            return Err(CatalogError::Invalid(told(&outcome.problems).into()));
        }
        Ok(Registered {
            location: Location {
                id: existing
                    .as_ref()
                    .map_or_else(|| new_id(self.clock()), |location| location.id),
                kind: "url".to_owned(),
                target,
            },
            entities: outcome
                .entities
                .iter()
                .map(|entity| entity.body.value().map(|body| Entity { body }))
                .collect::<Result<_, _>>()?,
            existed: existing.is_some(),
            problems: Vec::new(),
        })
    }

    pub(super) fn writable(&self) -> Result<(), CatalogError> {
        match self.config().readonly {
            false => Ok(()),
            true => Err(CatalogError::Forbidden(text!(
                "The catalog is read-only (catalog.readonly); locations come from the configuration."
            ))),
        }
    }

    pub(super) async fn head_of(&self, target: &str, snapshots: &Snapshots) -> Result<(), ScmError> {
        let Located { forge, source } = match self.sources().locate(target) {
            // A file at an address of no forge: reading it tells.
            Err(ScmError::UnknownHost { .. }) if self.sources().permits(target) => return Ok(()),
            located => located?,
        };
        snapshots.head(&*forge, &(source.repository, source.reference)).await?;
        Ok(())
    }

    /// Marks the location of an entity as due; a worker reads it at once.
    pub async fn refresh_entity(&self, entity_ref: &EntityRef) -> Result<(), CatalogError> {
        let origin = queries::entities::find_origin(self.reads().readers(), &entity_ref.to_string())
            .await?
            .ok_or_else(|| {
                CatalogError::NotFound(text!("There is no entity {entity}.", entity = entity_ref.to_string()))
            })?;
        queries::locations::set_due(self.db(), origin.location_id, self.clock().now()).await?;
        self.wake().await
    }

    /// Deletes a location and its entities. Configured ones go with their line in the configuration only.
    pub async fn delete_location(&self, caller: &Caller, id: Uuid) -> Result<(), CatalogError> {
        let location = queries::locations::find(self.db(), id)
            .await?
            .ok_or_else(|| CatalogError::NotFound(text!("There is no location {id}.", id = id.to_string())))?;
        self.may_delete(caller, &location)?;
        self.forget(id, Some(&caller.actor())).await
    }

    /// The location of a web address, where it is registered.
    pub async fn location_at(&self, target: &str) -> Result<Option<LocationState>, CatalogError> {
        Ok(queries::locations::find_by_target(self.db(), "url", target).await?)
    }

    /// Deletes the location of a web address and its entities, on behalf of somebody who was found to be allowed to.
    /// False where there is none, or none any more.
    pub async fn unregister(&self, target: &str) -> Result<bool, CatalogError> {
        match self.location_at(target).await? {
            Some(location) => self.forget(location.id, None).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Deletes a location and its entities, whoever asks for it.
    pub(super) async fn forget(&self, id: Uuid, actor: Option<&str>) -> Result<(), CatalogError> {
        let mut write = self.begin_write().await?;
        if let Some(actor) = actor {
            write.asked_by(actor);
        }
        let refs = write.remove(id, None).await?;
        queries::locations::delete(write.db(), id).await?;
        write.commit().await?;
        self.free(&refs).await
    }

    /// Gives a location another address and reads it.
    pub async fn move_location(&self, location: &LocationState, target: &str) -> Result<(), CatalogError> {
        self.writable()?;
        let target = read::web_target(target)?;
        self.head_of(&target, &Snapshots::default()).await?;
        let other = queries::locations::find_by_target(self.db(), "url", &target).await?;
        if other.is_some_and(|other| other.id != location.id) {
            return Err(CatalogError::Conflict(text!(
                "Location url:{target} already exists",
                target = target
            )));
        }
        queries::locations::set_target(self.db(), location.id, &target).await?;
        self.read_location(location.id, true).await?;
        Ok(())
    }

    /// Why the caller may not delete the location, or nothing.
    pub fn may_delete(&self, caller: &Caller, location: &LocationState) -> Result<(), CatalogError> {
        let refuse = |reason: Text| Err(CatalogError::Forbidden(reason));
        match &location.registered_by {
            _ if self.config().readonly => refuse(text!("The catalog is read-only (catalog.readonly).")),
            _ if location.kind == IDENTITY => refuse(text!(
                "People and groups come from here when they log in; it goes when the provider leaves the configuration."
            )),
            _ if location.discovered_by.is_some() => refuse(text!(
                "A provider of the configuration (catalog.providers) finds this location; remove the file from the repository, or the provider from the configuration."
            )),
            _ if location.configured => refuse(text!(
                "This location is named in the configuration (catalog.locations); remove it there."
            )),
            Some(actor) if caller.may_act_for(actor) => Ok(()),
            None if caller.is_admin() => Ok(()),
            _ => refuse(text!(
                "Only who registered a location, or an administrator, may remove it."
            )),
        }
    }

    /// Names that this location keeps and others describe too.
    pub async fn rivals(&self, id: Uuid) -> Result<Vec<Rival>, CatalogError> {
        Ok(queries::locations::list_rivals(self.db(), id).await?)
    }

    /// Page of the forge for an address of a file, such as that of its raw content.
    pub fn page_of(&self, url: &str) -> String {
        match self.sources().locate(url) {
            Ok(located) => located.forge.web_url(&located.source, false),
            Err(_) => url.to_owned(),
        }
    }

    /// Names became free: whoever waits for them is read.
    pub(super) async fn free(&self, refs: &[String]) -> Result<(), CatalogError> {
        let waiting = queries::locations::wake_claims(self.db(), refs, self.clock().now()).await?;
        match waiting.is_empty() {
            true => Ok(()),
            false => self.wake().await,
        }
    }
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}
