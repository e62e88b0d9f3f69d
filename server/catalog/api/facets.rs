//! How many entities have which values.

use axum::extract::{RawQuery, State};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::by_query::everything;
use super::wire::{FacetCount, Facets};
use super::{FILTER, filter_of};
use crate::catalog::{Catalog, Filter, queries};
use crate::web::openapi::{Form, Parameter, Parameters};
use crate::web::{Error, Json, SignedIn};

pub const PARAMETERS: &[Parameter] = &[
    Parameter::new(
        "facet",
        Form::Texts,
        "Key to count by, such as kind or metadata.tags; at least one",
    ),
    FILTER,
];

/// `GET /entity-facets?facet=…`.
pub async fn count(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Facets>, Error> {
    let parameters = Parameters::read(query.as_deref(), PARAMETERS)?;
    answer(&catalog, parameters.all("facet"), &filter_of(&parameters)?).await
}

#[derive(Deserialize, JsonSchema)]
pub struct FacetsBody {
    facets: Vec<String>,
    /// A predicate.
    #[serde(default = "everything")]
    query: Value,
}

/// `POST /entity-facets`.
pub async fn count_by_body(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<FacetsBody>,
) -> Result<Json<Facets>, Error> {
    let filter = Filter::from_predicate(&body.query)?;
    let keys = body.facets.into_iter().filter(|key| !key.is_empty()).collect();
    answer(&catalog, keys, &filter).await
}

async fn answer(catalog: &Catalog, keys: Vec<String>, filter: &Filter) -> Result<Json<Facets>, Error> {
    if keys.is_empty() {
        return Err(Error::invalid("facet", "Missing facet parameter"));
    }
    let mut facets = std::collections::BTreeMap::new();
    for key in keys {
        let counts = queries::facets::facet(catalog.reads(), filter, &key).await?;
        let counts = counts.iter().map(|(value, count)| FacetCount {
            value: value.clone(),
            count: *count,
        });
        facets.insert(key, counts.collect());
    }
    Ok(Json(Facets { facets }))
}
