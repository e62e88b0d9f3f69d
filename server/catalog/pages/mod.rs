//! `/catalog`: the list, entities, locations. Queries become structs, structs become templates.

mod asked;
mod columns;
mod entity;
mod errors;
mod export;
mod history;
mod list;
mod locations;
mod narrow;
mod owner;
mod palette;
mod parts;
mod reference;
mod register;
mod relations;
mod search;
mod search_api;
mod source;
mod star;
mod stream;
mod unregister;
mod words;

pub use entity::Heading;
pub use errors::CatalogErrors;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::{get, post};

use super::{Additions, Catalog, EntityCard, EntityPages, Kinds, ListColumn, SearchSection, api};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
struct Pages {
    catalog: Catalog,
    entities: EntityPages,
    cards: Arc<[Arc<dyn EntityCard>]>,
    columns: Arc<[Arc<dyn ListColumn>]>,
    sections: Arc<[Arc<dyn SearchSection>]>,
}

/// Every route of the catalog, `/catalog…`, `/search…` and their API; all of them need a known caller.
pub fn router(entities: EntityPages, additions: Additions) -> Router {
    let catalog = entities.catalog.clone();
    let api = api::router(catalog.clone());
    let pages = Pages {
        catalog,
        entities,
        cards: additions.cards.into(),
        columns: additions.columns.into(),
        sections: additions.sections.into(),
    };
    Router::new()
        .route("/catalog", get(list::list))
        .route("/search", get(search::show))
        .route("/search/palette", get(palette::show))
        .route("/api/search/query", get(search_api::query))
        .route("/catalog/export.csv", get(export::csv))
        .route("/catalog/export.json", get(export::json))
        .route("/catalog/api", get(reference::show))
        .route("/catalog/live", get(stream::live))
        .route("/catalog/register", get(register::show).post(register::register))
        .route("/catalog/register/check", post(register::check))
        .route("/catalog/register/propose", post(register::propose))
        .route("/catalog/errors", get(errors::show))
        .route("/catalog/locations", get(locations::list))
        .route("/catalog/locations/{id}", get(locations::show))
        .route("/catalog/locations/{id}/refresh", post(locations::refresh))
        .route(
            "/catalog/locations/{id}/delete",
            get(locations::confirm).post(locations::delete),
        )
        .route("/catalog/{namespace}/{kind}/{name}", get(entity::show))
        .route("/catalog/{namespace}/{kind}/{name}/about", get(entity::about))
        .route("/catalog/{namespace}/{kind}/{name}/relations", get(relations::show))
        .route("/catalog/{namespace}/{kind}/{name}/history", get(history::show))
        .route("/catalog/{namespace}/{kind}/{name}/source", get(source::show))
        .route("/catalog/{namespace}/{kind}/{name}/source.yaml", get(source::yaml))
        .route("/catalog/{namespace}/{kind}/{name}/source.json", get(source::json))
        .route(
            "/catalog/{namespace}/{kind}/{name}/unregister",
            get(unregister::show).post(unregister::delete),
        )
        .route("/catalog/{namespace}/{kind}/{name}/star", post(star::set))
        .route("/catalog-import", get(|| async { Redirect::to("/catalog/register") }))
        .with_state(pages)
        .merge(api)
}

impl Pages {
    fn kinds(&self) -> &Kinds {
        self.catalog.kinds()
    }

    /// Cookies are for https only.
    fn secure(&self) -> bool {
        self.catalog.config().base_url.starts_with("https:")
    }
}

/// Symbol of `static/icons.svg` for a kind in lower case.
fn icon(kinds: &Kinds, kind: &str) -> &'static str {
    match kind {
        "api" => "api",
        "system" | "domain" => "system",
        "resource" => "resource",
        "group" => "group",
        "user" => "user",
        "template" => "create",
        "location" => "repo",
        "component" => "component",
        other => kinds.find(other).map_or("component", |declared| declared.icon),
    }
}
