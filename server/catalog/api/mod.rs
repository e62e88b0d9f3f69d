//! `/api/catalog`: Backstage's catalog API, as `@backstage/catalog-client` 1.16 speaks it.

mod by_query;
mod checks;
mod entities;
mod facets;
mod fields;
mod locations;
mod pagination;
mod wire;

use axum::Router;
use axum::routing::{delete, get, post, put};
use serde_json::Value;

use self::fields::Fields;
use self::wire::*;
use super::queries::entities::Row;
use super::{Catalog, Filter};
use crate::web::openapi::{self, Form, Operation, Parameter, Parameters};
use crate::web::{Error, Json};

const FILTER: Parameter = Parameter::new(
    "filter",
    Form::Texts,
    "key=value or key, several with commas: the same key again adds a value, different keys must all hold; given \
     several times, any of them",
);
const FIELDS: Parameter = Parameter::new("fields", Form::CommaList, "Paths to keep, such as kind,metadata.name");
const LIMIT: Parameter = Parameter::new("limit", Form::Number, "How many, 10,000 at most");
const OFFSET: Parameter = Parameter::new("offset", Form::Number, "How many to pass over");

fn filter_of(parameters: &Parameters) -> Result<Filter, Error> {
    Ok(Filter::from_parameters(&parameters.all(FILTER.name))?)
}

fn fields_of(parameters: &Parameters) -> Result<Option<Fields>, Error> {
    Fields::parse(parameters.all(FIELDS.name).iter().map(String::as_str))
}

/// An entity as it is answered: its stored document, or what `fields` leave of it.
fn shown(row: Row, fields: Option<&Fields>) -> Result<String, Error> {
    Ok(match fields {
        Some(fields) => fields.pick(&row.entity()?.body).to_string(),
        None => row.document,
    })
}

/// The routes; all of them need a known caller.
pub fn router(catalog: Catalog) -> Router {
    openapi::routes(operations())
        .route("/api/catalog/openapi.json", get(async || Json(document())))
        .with_state(catalog)
}

/// The OpenAPI document of this API.
pub fn document() -> Value {
    openapi::document(
        "Catalog",
        "Entities, the locations that they are read from, and their relations. Backstage's clients speak it.",
        &operations(),
    )
}

fn operations() -> Vec<Operation<Catalog>> {
    let by_name = "/api/catalog/entities/by-name/{kind}/{namespace}/{name}";
    vec![
        Operation::new(
            "GET",
            "/api/catalog/entities",
            "All entities that match, or a page of them",
            get(entities::list),
        )
        .parameters(entities::LIST)
        .answers::<Vec<EntityBody>>(200),
        Operation::new(
            "GET",
            "/api/catalog/entities/by-query",
            "A page of entities",
            get(by_query::list),
        )
        .parameters(by_query::PARAMETERS)
        .answers::<EntitiesPage>(200),
        Operation::new(
            "POST",
            "/api/catalog/entities/by-query",
            "A page of entities that satisfy a predicate",
            post(by_query::list_by_body),
        )
        .takes::<by_query::QueryBody>()
        .answers::<EntitiesPage>(200),
        Operation::new(
            "POST",
            "/api/catalog/entities/by-refs",
            "Entities by their refs",
            post(entities::by_refs),
        )
        .parameters(entities::BY_REFS)
        .takes::<entities::RefsBody>()
        .answers::<Batch>(200),
        Operation::new(
            "GET",
            "/api/catalog/entities/by-uid/{uid}",
            "One entity by its uid",
            get(entities::by_uid),
        )
        .answers::<EntityBody>(200),
        Operation::new(
            "DELETE",
            "/api/catalog/entities/by-uid/{uid}",
            "Forget an entity until its location is read again, which is at once",
            delete(entities::delete_by_uid),
        )
        .answers_nothing(204),
        Operation::new("GET", by_name, "One entity by its name", get(entities::by_name)).answers::<EntityBody>(200),
        Operation::new(
            "GET",
            "/api/catalog/entities/by-name/{kind}/{namespace}/{name}/ancestry",
            "The locations that led to an entity",
            get(entities::ancestry),
        )
        .answers::<Ancestry>(200),
        Operation::new(
            "GET",
            "/api/catalog/entities/unprocessed/failed",
            "Entities that are wrong in their files",
            get(checks::failed),
        )
        .parameters(checks::UNPROCESSED)
        .answers::<Unprocessed>(200),
        Operation::new(
            "GET",
            "/api/catalog/entities/unprocessed/pending",
            "Locations that were not read yet",
            get(checks::pending),
        )
        .parameters(checks::UNPROCESSED)
        .answers::<Unprocessed>(200),
        Operation::new(
            "GET",
            "/api/catalog/entity-facets",
            "Count entities by values",
            get(facets::count),
        )
        .parameters(facets::PARAMETERS)
        .answers::<Facets>(200),
        Operation::new(
            "POST",
            "/api/catalog/entity-facets",
            "Count entities that satisfy a predicate by values",
            post(facets::count_by_body),
        )
        .takes::<facets::FacetsBody>()
        .answers::<Facets>(200),
        Operation::new(
            "GET",
            "/api/catalog/locations",
            "All registered locations",
            get(locations::list),
        )
        .answers::<Vec<ListedLocation>>(200),
        Operation::new(
            "POST",
            "/api/catalog/locations",
            "Register a location",
            post(locations::create),
        )
        .parameters(locations::CREATE)
        .takes::<locations::Input>()
        .answers::<CreatedLocation>(201),
        Operation::new(
            "POST",
            "/api/catalog/locations/by-query",
            "A page of registered locations",
            post(locations::by_query),
        )
        .takes::<locations::QueryBody>()
        .answers::<LocationsPage>(200),
        Operation::new(
            "GET",
            "/api/catalog/locations/by-entity/{kind}/{namespace}/{name}",
            "The registered location that an entity comes from",
            get(locations::by_entity),
        )
        .answers::<LocationBody>(200),
        Operation::new(
            "GET",
            "/api/catalog/locations/{id}",
            "One location",
            get(locations::show),
        )
        .answers::<LocationBody>(200),
        Operation::new(
            "PUT",
            "/api/catalog/locations/{id}",
            "Give a location another address",
            put(locations::update),
        )
        .takes::<locations::Input>()
        .answers::<LocationBody>(200),
        Operation::new(
            "DELETE",
            "/api/catalog/locations/{id}",
            "Remove a location and its entities",
            delete(locations::delete),
        )
        .answers_nothing(204),
        Operation::new(
            "POST",
            "/api/catalog/refresh",
            "Read an entity's location soon",
            post(locations::refresh),
        )
        .takes::<locations::RefreshBody>()
        .answers_nothing(200),
        Operation::new(
            "POST",
            "/api/catalog/analyze-location",
            "The description files of a repository, or a proposal for one",
            post(checks::analyze),
        )
        .takes::<checks::AnalyzeBody>()
        .answers::<Analysis>(200),
        Operation::new(
            "POST",
            "/api/catalog/validate-entity",
            "Check an entity; 400 answers {errors: [{name, message}]}",
            post(checks::validate),
        )
        .takes::<checks::ValidateBody>()
        .answers_nothing(200)
        .refuses::<Refusal>(400),
    ]
}
