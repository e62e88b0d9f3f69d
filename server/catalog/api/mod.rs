//! `/api/catalog`: Backstage's catalog API, as `@backstage/catalog-client` 1.16 speaks it.

mod entities;
mod fields;
mod locations;
mod pagination;

use axum::Router;
use axum::routing::{get, post};

use super::Catalog;

/// The routes; all of them need a known caller.
pub fn router(catalog: Catalog) -> Router {
    Router::new()
        .route("/api/catalog/entities", get(entities::list))
        .route(
            "/api/catalog/entities/by-query",
            get(entities::by_query).post(entities::by_query_body),
        )
        .route("/api/catalog/entities/by-refs", post(entities::by_refs))
        .route(
            "/api/catalog/entities/by-uid/{uid}",
            get(entities::by_uid).delete(entities::delete_by_uid),
        )
        .route(
            "/api/catalog/entities/by-name/{kind}/{namespace}/{name}",
            get(entities::by_name),
        )
        .route(
            "/api/catalog/entities/by-name/{kind}/{namespace}/{name}/ancestry",
            get(entities::ancestry),
        )
        .route(
            "/api/catalog/entity-facets",
            get(entities::facets).post(entities::facets_body),
        )
        .route("/api/catalog/locations", get(locations::list).post(locations::create))
        .route("/api/catalog/locations/by-query", post(locations::by_query))
        .route(
            "/api/catalog/locations/by-entity/{kind}/{namespace}/{name}",
            get(locations::by_entity),
        )
        .route(
            "/api/catalog/locations/{id}",
            get(locations::show).put(locations::update).delete(locations::delete),
        )
        .route("/api/catalog/refresh", post(locations::refresh))
        .route("/api/catalog/validate-entity", post(locations::validate))
        .with_state(catalog)
}
