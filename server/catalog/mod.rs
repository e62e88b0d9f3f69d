//! `/catalog`, `/api/catalog`: entities, the locations they are read from, their relations.

mod cards;
mod entity;

pub use cards::{EntityCard, ListColumn};
pub use entity::{Entity, EntityRef, EntityRefError};

use crate::scm::{Repository, ScmError};

/// The catalog's operations. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {}

/// A registered source of entities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    pub id: uuid::Uuid,
    /// `url` or `file`.
    pub kind: String,
    pub target: String,
}

/// What registering a location brought.
#[derive(Debug, Clone)]
pub struct Registered {
    pub location: Location,
    /// Every entity that is readable now because of the location, in the order of the file.
    pub entities: Vec<Entity>,
    /// The location was registered before, by anybody.
    pub existed: bool,
}

/// Why the catalog could not do it.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be read or an entity in it is wrong; the text names file, line and field.
    #[error("{0}")]
    Invalid(String),
    #[error(transparent)]
    Scm(#[from] ScmError),
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
}

impl Catalog {
    /// The entity, if there is one.
    pub async fn find(&self, _entity_ref: &EntityRef) -> Result<Option<Entity>, CatalogError> {
        todo!()
    }

    /// Every entity of a kind, ordered by ref.
    pub async fn list_kind(&self, _kind: &str) -> Result<Vec<Entity>, CatalogError> {
        todo!()
    }

    /// Reads `target` and stores the location and its entities in one transaction: what it returns is
    /// readable when it returns. Registering the same target again reads it again.
    /// `actor` is recorded as who registered it.
    pub async fn register(&self, _actor: &str, _target: &str) -> Result<Registered, CatalogError> {
        todo!()
    }

    /// Reads again, now, every location in this repository (a push was reported).
    pub async fn refresh_repository(&self, _repository: &Repository) -> Result<(), CatalogError> {
        todo!()
    }
}
