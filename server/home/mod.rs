//! `/`, `/home`, `/settings`: what concerns the reader.

mod pages;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;

use crate::catalog::Catalog;
use crate::web::Section;

/// What the home page is made of. Cheap to clone.
#[derive(Clone)]
pub struct Home {
    catalog: Catalog,
    /// Sections around the reader's own entities, in order: what fails, recent tasks.
    sections: Arc<[Arc<dyn Section>]>,
}

impl Home {
    pub fn new(catalog: Catalog, sections: Vec<Arc<dyn Section>>) -> Self {
        Self {
            catalog,
            sections: sections.into(),
        }
    }
}

/// The pages; all need a caller.
pub fn router(home: Home) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/home") }))
        .route("/home", get(pages::home))
        .route("/settings", get(pages::settings))
        .with_state(home)
}
