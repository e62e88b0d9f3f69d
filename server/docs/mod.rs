//! `/docs`: documentation that lies beside the code, read from the forge at a commit and rendered here: no build, no
//! storage of its own, nothing to run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::catalog::{Catalog, CatalogError, Entity, EntityPages, EntityRef, EntityTab, Sources};
use crate::clock::Clock;
use crate::language::{Text, text};
use crate::scm::Repository;
use crate::web::Error;

mod addresses;
mod admonitions;
mod api;
mod book;
mod clean;
mod files;
mod found;
mod index;
mod library;
mod markdown;
mod pages;
mod picture;
mod place;
mod plain;
mod queries;
#[cfg(test)]
mod tests;

pub use found::FoundPages;
use library::{Library, Opened};
use place::{NoPlace, Place};

/// Behind the address of a book, what stands before the path of a file of its repository.
const FILES: &str = "-";
/// Entities that are remembered to have no documentation, or to have some.
const MOST_KNOWN: usize = 10_000;

/// What the feature works with. Cheap to clone.
#[derive(Clone)]
pub struct Docs(Arc<Inner>);

struct Inner {
    db: PgPool,
    clock: Clock,
    catalog: Catalog,
    sources: Arc<dyn Sources>,
    library: Library,
    /// Entities that were looked at and have none. Forgotten with each push.
    bare: Mutex<HashSet<EntityRef>>,
    /// Entities whose books were opened: the search knows them.
    opened: Mutex<HashSet<EntityRef>>,
    /// A book is to be looked at.
    wake: Notify,
}

/// What asking for an entity's documentation finds.
enum Found {
    Book(Box<Opened>),
    /// It is that of another entity: its address.
    Elsewhere(String),
    /// There is none; what to say beyond that.
    Nothing(Option<Text>),
}

impl Docs {
    pub fn new(db: PgPool, clock: Clock, catalog: Catalog, sources: Arc<dyn Sources>) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            catalog,
            sources,
            library: Library::default(),
            bare: Mutex::default(),
            opened: Mutex::default(),
            wake: Notify::new(),
        }))
    }

    /// Opens the documentation of an entity.
    async fn open(&self, entity: &Entity) -> Result<Found, Error> {
        let inner = &self.0;
        if let Some(address) = place::elsewhere(entity) {
            return Ok(Found::Elsewhere(address));
        }
        let entity_ref = entity.entity_ref();
        let Some(origin) = inner.catalog.origin_of(&entity_ref).await? else {
            return Ok(Found::Nothing(None));
        };
        let place = match place::of(entity, &origin, &*inner.sources) {
            Ok(place) => place,
            Err(NoPlace::Nothing) => return Ok(Found::Nothing(None)),
            Err(NoPlace::Wrong(text)) => return Ok(Found::Nothing(Some(text))),
        };
        let base = book_path(&entity_ref);
        let opened = match inner.library.open(place, base, entity.title()).await {
            Ok(opened) => opened,
            Err(error @ crate::scm::ScmError::NotFound { .. }) => {
                return Ok(Found::Nothing(Some(error.to_string().into())));
            }
            Err(error) => return Err(CatalogError::Scm(error).into()),
        };
        if opened.book.pages.is_empty() {
            let mut bare = self.bare();
            if bare.len() < MOST_KNOWN {
                bare.insert(entity_ref);
            }
            return Ok(Found::Nothing(None));
        }
        Ok(Found::Book(Box::new(opened)))
    }

    /// Where an entity's documentation is read from, if it is a repository.
    async fn repository_of(&self, entity: &Entity) -> Result<Option<Repository>, Error> {
        let inner = &self.0;
        let Some(origin) = inner.catalog.origin_of(&entity.entity_ref()).await? else {
            return Ok(None);
        };
        Ok(match place::of(entity, &origin, &*inner.sources) {
            Ok(Place::Forge(located)) => Some(located.source.repository),
            _ => None,
        })
    }

    fn bare(&self) -> MutexGuard<'_, HashSet<EntityRef>> {
        self.0.bare.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tab of entities that have documentation.
pub struct DocsTab(pub Docs);

#[async_trait::async_trait]
impl EntityTab for DocsTab {
    fn id(&self) -> &'static str {
        "docs"
    }

    fn label(&self) -> Text {
        text!("Docs")
    }

    fn href(&self, entity_ref: &EntityRef) -> String {
        book_path(entity_ref)
    }

    async fn applies(&self, entity: &Entity) -> bool {
        place::is_told(entity).unwrap_or_else(|| !self.0.bare().contains(&entity.entity_ref()))
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Pages {
    docs: Docs,
    entities: EntityPages,
}

impl Pages {
    async fn entity(&self, (namespace, kind, name): &Name) -> Result<Entity, Error> {
        let entity_ref = EntityRef::new(kind, namespace, name);
        Ok(self.docs.0.catalog.get(&entity_ref).await?)
    }

    /// The book of an entity itself.
    async fn book(&self, name: &Name) -> Result<Box<Opened>, Error> {
        match self.docs.open(&self.entity(name).await?).await? {
            Found::Book(opened) => Ok(opened),
            _ => Err(Error::NotFound(text!("There is no such documentation."))),
        }
    }
}

/// Namespace, kind and name, as addresses have them.
type Name = (String, String, String);

/// `/docs…` and `/api/techdocs…`, for signed-in callers only.
pub fn router(docs: Docs, entities: EntityPages) -> Router {
    let of_entity = |axum::extract::Path((namespace, kind, name)): axum::extract::Path<(String, String, String)>| async move {
        Redirect::to(&book_path(&EntityRef::new(&kind, &namespace, &name)))
    };
    Router::new()
        .route("/docs", get(pages::list))
        .route("/docs/{namespace}/{kind}/{name}", get(pages::first))
        .route("/docs/{namespace}/{kind}/{name}/{*path}", get(pages::page))
        .route("/catalog/{namespace}/{kind}/{name}/docs", get(of_entity))
        .route(
            "/api/techdocs/metadata/techdocs/{namespace}/{kind}/{name}",
            get(api::metadata),
        )
        .route(
            "/api/techdocs/metadata/entity/{namespace}/{kind}/{name}",
            get(api::entity),
        )
        .route(
            "/api/techdocs/static/docs/{namespace}/{kind}/{name}/{*path}",
            get(api::file),
        )
        .with_state(Pages { docs, entities })
}

/// Address of the documentation of an entity.
fn book_path(entity_ref: &EntityRef) -> String {
    let path = entity_ref.path();
    format!("/docs{}", path.strip_prefix("/catalog").unwrap_or(&path))
}

/// Address of a page of a book.
fn page_path(base: &str, path: &str) -> String {
    match path.is_empty() {
        true => base.to_owned(),
        false => format!("{base}/{}", encoded(path)),
    }
}

/// The path for an address, its slashes kept.
fn encoded(path: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'/')
        .remove(b'~');
    utf8_percent_encode(path, KEPT).to_string()
}

fn is_picture_name(path: &str) -> bool {
    let end = path.rsplit_once('.').map_or("", |(_, end)| end).to_lowercase();
    ["png", "jpg", "jpeg", "gif", "webp", "avif", "svg"].contains(&end.as_str())
}
