//! `/docs`: documentation that lies beside the code, read from the forge at a commit and rendered here: no build, no
//! storage of its own, nothing to run.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, CatalogError, Entity, EntityPages, EntityRef, EntityTab, Sources};
use crate::language::{Text, text};
use crate::web::Error;

mod addresses;
mod admonitions;
mod api;
mod book;
mod files;
mod library;
mod markdown;
mod pages;
mod picture;
mod place;
#[cfg(test)]
mod tests;

use library::{Library, Opened};
use place::NoPlace;

/// Behind the address of a book, what stands before the path of a file of its repository.
const FILES: &str = "-";
/// Entities that are remembered to have no documentation.
const MOST_BARE: usize = 10_000;

/// What the feature works with. Cheap to clone.
#[derive(Clone)]
pub struct Docs(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    sources: Arc<dyn Sources>,
    library: Library,
    /// Entities that were looked at and have none. Forgotten with each push.
    bare: Mutex<HashSet<EntityRef>>,
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
    pub fn new(catalog: Catalog, sources: Arc<dyn Sources>) -> Self {
        Self(Arc::new(Inner {
            catalog,
            sources,
            library: Library::default(),
            bare: Mutex::default(),
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
            let mut bare = inner.bare.lock().unwrap_or_else(PoisonError::into_inner);
            if bare.len() < MOST_BARE {
                bare.insert(entity_ref);
            }
            return Ok(Found::Nothing(None));
        }
        Ok(Found::Book(Box::new(opened)))
    }

    fn is_bare(&self, entity_ref: &EntityRef) -> bool {
        self.0
            .bare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(entity_ref)
    }

    /// Hears of pushes until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let mut pushes = self.0.catalog.pushes();
        loop {
            let pushed = tokio::select! {
                () = stop.cancelled() => return,
                pushed = pushes.recv() => pushed,
            };
            match pushed {
                Ok(repository) => self.0.library.pushed(Some(&repository)),
                Err(RecvError::Lagged(_)) => self.0.library.pushed(None),
                Err(RecvError::Closed) => return,
            }
            self.0.bare.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
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
        place::is_told(entity).unwrap_or_else(|| !self.0.is_bare(&entity.entity_ref()))
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Pages {
    docs: Docs,
    entities: EntityPages,
}

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
