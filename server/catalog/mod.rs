//! `/catalog`, `/api/catalog`: entities, the locations they are read from, their relations.
//!
//! A location is read without the database (`read`), then stored in one transaction (`operations`). The worker
//! (`refresh`) reconciles; pushes come in through [`Catalog::refresh_repository`].

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::{Notify, broadcast, watch};

mod ancestry;
mod api;
mod cards;
mod discovery;
mod document;
mod entity;
mod envelope;
mod facets;
mod faults;
mod filter;
mod graph;
mod history;
mod kinds;
mod live;
mod operations;
mod owners;
mod pages;
mod people;
mod polling;
mod queries;
mod read;
mod refresh;
mod register;
mod remembered;
mod rules;
mod search;
mod seen;
mod stars;
mod state;
mod statuses;
mod store;
mod tabs;
mod told;
mod validate;
mod write;
mod yaml;

#[cfg(test)]
pub mod tests;

pub use cards::{Additions, EntityCard, ListColumn, Related, SearchFound, SearchHit, SearchSection, Shown};
pub use discovery::{Discovery, Scanned};
pub use entity::{Entity, EntityRef, EntityRefError};
pub use filter::{Filter, FilterError};
pub use kinds::{ColumnDeclaration, KindDeclaration, Kinds, KindsError, RelationDeclaration};
pub use live::Changed;
pub use operations::{OnConflict, ReadReport};
pub use pages::{CatalogErrors, Heading, router};
pub use people::Person;
pub use read::{Problem, Sources, Web};
pub use refresh::run;
pub use rules::{Allow, CatalogConfig, ConfiguredLocation, LocationMatch, Rule, Rules};
pub use seen::RecentlySeen;
pub use state::{Location, LocationState, Origin, Registered};
pub use store::Rival;
pub use tabs::{EntityPages, EntityTab, ShownTab};
pub use told::{Told, count as told_count, relative as told_path};
pub use validate::{InFile, Validation, read_files, validate_files};
pub use yaml::{Fault, documents as yaml_documents, places as yaml_places, text as yaml_text};

use crate::clock::Clock;
use crate::ids::new_id;
use crate::language::{Text, text};
use crate::scm::{Repository, ScmError, Watched};
use crate::web;

/// The annotation of entities whose source has disappeared.
const ORPHAN: &str = "backstage.io/orphan";

/// Told of each repository that a location touches for the first time, and of owners whose repositories are looked
/// through.
pub type OnMeeting = Arc<dyn Fn(Watched) + Send + Sync>;

/// The catalog's operations. Cheap to clone.
#[derive(Clone)]
pub struct Catalog(Arc<Inner>);

struct Inner {
    db: PgPool,
    reads: queries::reads::Reads,
    clock: Clock,
    sources: Arc<dyn Sources>,
    rules: Rules,
    config: CatalogConfig,
    on_meeting: Option<OnMeeting>,
    news: live::News,
    pushes: broadcast::Sender<Repository>,
    pauses: polling::Pauses,
    bare: discovery::Bare,
    authors: history::Authors,
    work: owners::Work,
    faults: faults::Recent,
    wake: Notify,
    ready: watch::Sender<bool>,
}

/// Why the catalog could not do it.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be read or an entity in it is wrong; the text names file, line and field.
    #[error("{0}")]
    Invalid(Text),
    /// There is no such entity or location.
    #[error("{0}")]
    NotFound(Text),
    /// Somebody else was first.
    #[error("{0}")]
    Conflict(Text),
    /// The caller may not.
    #[error("{0}")]
    Forbidden(Text),
    #[error(transparent)]
    Scm(#[from] ScmError),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The same, of a read that several waited for.
    #[error("the database failed: {0}")]
    SharedRead(#[from] Arc<sqlx::Error>),
}

/// Entities of a filter.
#[derive(Debug)]
pub struct Matching {
    /// The first of them.
    pub entities: Vec<Entity>,
    /// How many there are in all.
    pub total: i64,
    /// Bytes that they take, about.
    bytes: usize,
}

impl CatalogError {
    /// What a reader is told.
    pub fn text(&self) -> Text {
        match self {
            Self::Invalid(text) | Self::NotFound(text) | Self::Conflict(text) | Self::Forbidden(text) => text.clone(),
            Self::Scm(_) | Self::Database(_) | Self::SharedRead(_) => self.to_string().into(),
        }
    }
}

impl From<CatalogError> for web::Error {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Invalid(text) => Self::invalid("", text),
            CatalogError::NotFound(text) => Self::NotFound(text),
            CatalogError::Conflict(text) => Self::Conflict(text),
            CatalogError::Forbidden(text) => Self::Forbidden(text),
            CatalogError::Scm(error) => match &error {
                ScmError::Denied { host, .. }
                | ScmError::RateLimited { host, .. }
                | ScmError::Unavailable { host, .. }
                | ScmError::Unexpected { host, .. } => Self::Upstream {
                    system: host.clone(),
                    reason: error.to_string(),
                    hint: match error.is_temporary() {
                        true => text!("Try again in a moment."),
                        false => text!("Check the integration of this host in the configuration."),
                    },
                },
                // The address that was given is wrong.
                _ => Self::invalid("target", error.to_string()),
            },
            CatalogError::Database(error) => error.into(),
            CatalogError::SharedRead(error) => error.into(),
        }
    }
}

impl From<FilterError> for web::Error {
    fn from(error: FilterError) -> Self {
        Self::invalid("filter", error.to_string())
    }
}

impl Catalog {
    /// A catalog over a database and the configured forges. Nothing is read until [`run`] runs or somebody
    /// registers a location. `on_meeting` must return at once.
    pub fn new(
        db: PgPool,
        clock: Clock,
        sources: Arc<dyn Sources>,
        config: CatalogConfig,
        on_meeting: Option<OnMeeting>,
    ) -> Self {
        Self(Arc::new(Inner {
            news: live::News::new(new_id(&clock)),
            reads: queries::reads::Reads::new(&db),
            db,
            authors: history::Authors::new(clock.clone()),
            work: owners::Work::new(&clock),
            faults: faults::Recent::default(),
            clock,
            sources,
            rules: Rules::new(&config),
            config,
            on_meeting,
            pushes: broadcast::Sender::new(64),
            pauses: polling::Pauses::default(),
            bare: discovery::Bare::default(),
            wake: Notify::new(),
            ready: watch::Sender::new(false),
        }))
    }

    /// The entity, if there is one.
    pub async fn find(&self, entity_ref: &EntityRef) -> Result<Option<Entity>, CatalogError> {
        Ok(queries::entities::find(self.reads().readers(), &entity_ref.to_string()).await?)
    }

    /// The entity.
    ///
    /// # Errors
    /// `NotFound` where there is none, with words that say where to look.
    pub async fn get(&self, entity_ref: &EntityRef) -> Result<Entity, CatalogError> {
        self.find(entity_ref).await?.ok_or_else(|| {
            CatalogError::NotFound(text!(
                "The catalog has no entity {entity}. It may have been renamed or removed, or its file has an error: the locations (/catalog/locations) tell.",
                entity = entity_ref.to_string()
            ))
        })
    }

    /// Every entity of a kind, ordered by ref.
    pub async fn list_kind(&self, kind: &str) -> Result<Vec<Entity>, CatalogError> {
        Ok(queries::entities::list_kind(self.db(), &kind.to_lowercase()).await?)
    }

    /// The entities of these canonical refs, in their order; `None` for those that are missing.
    pub async fn list_by_refs(&self, refs: &[String]) -> Result<Vec<Option<Entity>>, CatalogError> {
        let mut found = queries::entities::list_by_refs(self.reads().readers(), refs).await?;
        let mut taken = std::collections::HashMap::new();
        Ok(refs
            .iter()
            .map(|reference| match found.remove(reference) {
                Some(entity) => {
                    taken.insert(reference, entity.clone());
                    Some(entity)
                }
                // Asked for twice.
                None => taken.get(reference).cloned(),
            })
            .collect())
    }

    /// The entities that one of these refs owns, by their refs, `limit` at most, and how many there are in all.
    pub async fn list_owned(&self, owners: &[String], limit: i64) -> Result<Arc<Matching>, CatalogError> {
        let owned = Filter::Relation(Some("ownedby".to_owned()), Some(owners.to_vec()));
        self.list_matching(owned, limit).await
    }

    /// The entities of a filter, by their refs, `limit` at most. Worked out once for a version of the catalog.
    pub async fn list_matching(&self, filter: Filter, limit: i64) -> Result<Arc<Matching>, CatalogError> {
        let question = format!("{limit} {filter:?}");
        let work = async {
            let mut query = queries::search::Query::of(filter);
            let mut reader = self.reads().reader().await?;
            let total = queries::search::total(self.reads(), &mut reader, &query).await?;
            query.limit = Some(limit);
            let found = queries::search::page(&mut reader, &query, Some(total)).await?;
            reader.keep();
            let entities = found.iter().map(|found| found.row.entity());
            Ok(Matching {
                entities: entities.collect::<Result<_, _>>()?,
                total,
                bytes: found.iter().map(|found| found.row.parsed_bytes()).sum(),
            })
        };
        self.reads()
            .known(&question, |matching: &Matching| matching.bytes, work)
            .await
    }

    /// Where an entity was read from: what the catalog knows, not what the entity says of itself.
    pub async fn origin_of(&self, entity_ref: &EntityRef) -> Result<Option<Origin>, CatalogError> {
        let Some(found) = queries::entities::find_origin(self.reads().readers(), &entity_ref.to_string()).await? else {
            return Ok(None);
        };
        let location = queries::locations::find_uncounted(self.db(), found.location_id).await?;
        Ok(location.map(|location| Origin {
            source: found.source,
            location: location.location(),
        }))
    }

    /// Repositories, each time that a push to one was reported to this process or found by it; some more than once.
    pub fn pushes(&self) -> broadcast::Receiver<Repository> {
        self.0.pushes.subscribe()
    }

    /// Every location with the state of its last read, those with problems first.
    pub async fn locations(&self) -> Result<Vec<LocationState>, CatalogError> {
        let counts = async { Ok::<_, CatalogError>(queries::locations::count_entities(self.db()).await?) };
        let bytes = |counts: &HashMap<uuid::Uuid, i64>| counts.len() * 50;
        let counts = self.reads().known("locations", bytes, counts).await?;
        let mut locations = queries::locations::list_uncounted(self.db()).await?;
        for location in &mut locations {
            location.entities = counts.get(&location.id).copied().unwrap_or_default();
        }
        Ok(locations)
    }

    /// One location.
    pub async fn location(&self, id: uuid::Uuid) -> Result<LocationState, CatalogError> {
        queries::locations::find(self.db(), id).await?.ok_or_else(|| {
            CatalogError::NotFound(text!(
                "There is no location {id}. It may have been removed.",
                id = id.to_string()
            ))
        })
    }

    /// News of changed entities, of all replicas while [`run`] runs.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<Changed> {
        self.0.news.subscribe()
    }

    /// Returns when each configured location was read or failed once, or 10 s after [`run`] began.
    pub async fn ready(&self) {
        // The sender lives as long as `self`.
        let _ = self.0.ready.subscribe().wait_for(|ready| *ready).await;
    }

    /// Whether [`Self::ready`] would return at once.
    pub fn is_ready(&self) -> bool {
        *self.0.ready.borrow()
    }

    fn set_ready(&self) {
        self.0.ready.send_replace(true);
    }

    fn db(&self) -> &PgPool {
        &self.0.db
    }

    fn reads(&self) -> &queries::reads::Reads {
        &self.0.reads
    }

    fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn sources(&self) -> &dyn Sources {
        &*self.0.sources
    }

    /// Every kind that there is.
    pub fn kinds(&self) -> &Kinds {
        &self.config().kinds
    }

    fn policy(&self) -> read::Policy<'_> {
        read::Policy {
            kinds: self.kinds(),
            rules: &self.0.rules,
        }
    }

    fn config(&self) -> &CatalogConfig {
        &self.0.config
    }

    fn bare(&self) -> &discovery::Bare {
        &self.0.bare
    }

    fn pauses(&self) -> &polling::Pauses {
        &self.0.pauses
    }

    fn news(&self) -> &live::News {
        &self.0.news
    }

    /// All repositories that locations have files in.
    pub async fn list_repositories(&self) -> Result<Vec<Repository>, sqlx::Error> {
        queries::locations::list_all_repositories(self.db()).await
    }

    fn tell_push(&self, repository: &Repository) {
        // Without a listener there is nobody to tell.
        let _ = self.0.pushes.send(repository.clone());
    }

    fn tell_repository(&self, repository: Repository) {
        self.tell(Watched::Repository(repository));
    }

    fn tell(&self, met: Watched) {
        if let Some(tell) = &self.0.on_meeting {
            tell(met);
        }
    }

    /// Wakes the workers of all replicas.
    async fn wake(&self) -> Result<(), CatalogError> {
        self.wake_here();
        let mut connection = self.db().acquire().await?;
        queries::locations::notify(&mut connection, live::DUE, "").await?;
        Ok(())
    }

    fn wake_here(&self) {
        self.0.wake.notify_one();
    }

    async fn woken(&self) {
        self.0.wake.notified().await;
    }
}
