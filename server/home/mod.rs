//! `/`, `/home`, `/settings`, `/keys`: what concerns the reader.

mod pages;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
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
    cookies: settings::Cookies,
}

impl Home {
    /// `secure`: cookies are for https only.
    pub fn new(catalog: Catalog, sections: Vec<Arc<dyn Section>>, secure: bool) -> Self {
        Self {
            catalog,
            sections: sections.into(),
            cookies: settings::Cookies { secure },
        }
    }
}

impl FromRef<Home> for settings::Cookies {
    fn from_ref(home: &Home) -> Self {
        home.cookies
    }
}

/// The pages; all need a caller.
pub fn router(home: Home) -> Router {
    Router::new()
        .route("/", get(|| async { Redirect::to("/home") }))
        .route("/home", get(pages::home))
        .route("/keys", get(pages::keys))
        .route("/settings", get(settings::show).post(settings::save))
        .with_state(home)
}
