//! How many entities have which values.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::by_query::everything;
use super::wire::{FacetCount, Facets, JsonText};
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
) -> Result<JsonText, Error> {
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
) -> Result<JsonText, Error> {
    let filter = Filter::from_predicate(&body.query)?;
    let keys = body.facets.into_iter().filter(|key| !key.is_empty()).collect();
    answer(&catalog, keys, &filter).await
}

async fn answer(catalog: &Catalog, keys: Vec<String>, filter: &Filter) -> Result<JsonText, Error> {
    if keys.is_empty() {
        return Err(Error::invalid("facet", "Missing facet parameter"));
    }
    let question = format!("{keys:?} {filter:?}");
    let answer = catalog.reads().answer(question, work_out(catalog, keys, filter)).await;
    answer.map(JsonText)
}

async fn work_out(catalog: &Catalog, keys: Vec<String>, filter: &Filter) -> Result<Bytes, Error> {
    let mut facets = std::collections::BTreeMap::new();
    let mut reader = catalog.reads().reader().await?;
    for key in keys {
        let counts = queries::facets::facet(&mut reader, filter, &key).await?.into_iter();
        let counts = counts.map(|(value, count)| FacetCount { value, count });
        facets.insert(key, counts.collect());
    }
    reader.keep();
    let text = serde_json::to_vec(&Facets { facets }).map_err(Error::internal)?;
    Ok(text.into())
}
