//! `/catalog`: the list, entities, locations. Queries become structs, structs become templates.

mod asked;
mod columns;
mod entity;
mod export;
mod list;
mod locations;
mod narrow;
mod reference;
mod relations;
mod search;
mod source;
mod star;
mod stream;
mod words;

pub use entity::Heading;
pub use words::one as kind_word;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

use super::{Catalog, EntityCard, EntityPages, ListColumn, api};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
struct Pages {
    catalog: Catalog,
    entities: EntityPages,
    cards: Arc<[Arc<dyn EntityCard>]>,
    columns: Arc<[Arc<dyn ListColumn>]>,
}

/// Every route of the catalog, `/catalog…` and `/api/catalog…`; all of them need a known caller.
/// `cards` stand on entity pages, `columns` in the list, in the order given.
pub fn router(entities: EntityPages, cards: Vec<Arc<dyn EntityCard>>, columns: Vec<Arc<dyn ListColumn>>) -> Router {
    let catalog = entities.catalog.clone();
    let api = api::router(catalog.clone());
    let pages = Pages {
        catalog,
        entities,
        cards: cards.into(),
        columns: columns.into(),
    };
    Router::new()
        .route("/catalog", get(list::list))
        .route("/search", get(search::show))
        .route("/catalog/export.csv", get(export::csv))
        .route("/catalog/export.json", get(export::json))
        .route("/catalog/api", get(reference::show))
        .route("/catalog/live", get(stream::live))
        .route("/catalog/locations", get(locations::list).post(locations::register))
        .route("/catalog/locations/{id}", get(locations::show))
        .route("/catalog/locations/{id}/refresh", post(locations::refresh))
        .route(
            "/catalog/locations/{id}/delete",
            get(locations::confirm).post(locations::delete),
        )
        .route("/catalog/{namespace}/{kind}/{name}", get(entity::show))
        .route("/catalog/{namespace}/{kind}/{name}/about", get(entity::about))
        .route("/catalog/{namespace}/{kind}/{name}/relations", get(relations::show))
        .route("/catalog/{namespace}/{kind}/{name}/source", get(source::show))
        .route("/catalog/{namespace}/{kind}/{name}/source.yaml", get(source::yaml))
        .route("/catalog/{namespace}/{kind}/{name}/source.json", get(source::json))
        .route("/catalog/{namespace}/{kind}/{name}/star", post(star::set))
        .route("/catalog-import", get(|| async { Redirect::to("/catalog/locations") }))
        .with_state(pages)
        .merge(api)
}

impl Pages {
    /// Cookies are for https only.
    fn secure(&self) -> bool {
        self.catalog.config().base_url.starts_with("https:")
    }
}

/// Symbol of `static/icons.svg` for a kind in lower case.
fn icon(kind: &str) -> &'static str {
    match kind {
        "api" => "api",
        "system" | "domain" => "system",
        "resource" => "resource",
        "group" => "group",
        "user" => "user",
        "template" => "create",
        "location" => "repo",
        _ => "component",
    }
}
