//! What is not in the catalog yet, or not as its file has it: proposals, checks, failures.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::SecondsFormat;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::wire::{
    Analysis, EntityBody, EntityName, ExistingEntity, Faults, GeneratedEntity, GeneratedField, LocationSpec,
    NamedError, Unprocessed, UnprocessedEntity,
};
use crate::catalog::read::{self, location_entity, parse_location};
use crate::catalog::register::{Guess, Proposal};
use crate::catalog::{Catalog, EntityRef, LocationState};
use crate::web::openapi::{Form, Parameter, Parameters};
use crate::web::{Error, Json, SignedIn};

/// Name of the files that describe entities, where the caller gives none.
const DESCRIPTION_FILE: &str = "catalog-info.yaml";

#[derive(Deserialize, JsonSchema)]
pub struct ValidateBody {
    entity: Map<String, Value>,
    /// url:https://…
    location: String,
}

/// `POST /validate-entity`: 200 with an empty body, or 400 with the errors.
pub async fn validate(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<ValidateBody>,
) -> Response {
    let errors: Vec<NamedError> = match parse_location(&body.location) {
        Err(message) => vec![NamedError::of_type(message)],
        Ok((kind, _)) if kind != "url" => vec![NamedError::of_type(format!(
            "Invalid location ref {}, only 'url:<target>' is supported, e.g. url:https://host/path",
            body.location
        ))],
        Ok(_) => match read::validate(catalog.kinds(), Value::Object(body.entity)) {
            Ok(_) => return StatusCode::OK.into_response(),
            Err(faults) => faults
                .into_iter()
                .map(|fault| NamedError::input(fault.message))
                .collect(),
        },
    };
    (StatusCode::BAD_REQUEST, Json(Faults { errors })).into_response()
}

#[derive(Deserialize, JsonSchema)]
pub struct AnalyzeBody {
    location: AnalyzedLocation,
    #[serde(rename = "catalogFilename", alias = "catalogFileName")]
    catalog_filename: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct AnalyzedLocation {
    /// url
    #[serde(rename = "type")]
    kind: String,
    target: String,
}

/// `POST /analyze-location`: the description files of a repository, or a proposal for one.
pub async fn analyze(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    Json(body): Json<AnalyzeBody>,
) -> Result<Json<Analysis>, Error> {
    if body.location.kind != "url" {
        let text = format!("Only locations of type url can be analyzed, not {}", body.location.kind);
        return Err(Error::invalid("location.type", text));
    }
    let name = body.catalog_filename.as_deref().unwrap_or(DESCRIPTION_FILE);
    let (found, files) = catalog.description_files(&body.location.target, name).await?;
    let mut existing = Vec::new();
    for target in files {
        let registered = catalog.dry_run(&target).await?;
        let location = LocationSpec { kind: "url", target };
        let own = read::location_ref("url", &location.target);
        for entity in registered.entities.iter().filter(|entity| entity.entity_ref() != own) {
            existing.push(ExistingEntity {
                location: location.clone(),
                is_registered: registered.existed,
                entity: EntityName {
                    kind: entity.kind().to_owned(),
                    namespace: entity.namespace().to_owned(),
                    name: entity.name().to_owned(),
                },
            });
        }
    }
    let generate_entities = match existing.is_empty() {
        true => generated(Proposal::of(&found, name, "")),
        false => Vec::new(),
    };
    Ok(Json(Analysis {
        existing_entity_files: existing,
        generate_entities,
    }))
}

/// What is proposed, without an owner: the program that asks knows who it asks for.
fn generated(proposal: Proposal) -> Vec<GeneratedEntity> {
    let mut fields: Vec<GeneratedField> = proposal.guesses.iter().map(field).collect();
    proposal
        .entities
        .into_iter()
        .map(|mut entity| {
            if let Some(spec) = entity["spec"].as_object_mut() {
                spec.shift_remove("owner");
            }
            GeneratedEntity {
                entity: EntityBody(entity),
                // They are about the first.
                fields: std::mem::take(&mut fields),
            }
        })
        .collect()
}

fn field(guess: &Guess) -> GeneratedField {
    let known = !guess.value.is_empty();
    GeneratedField {
        field: guess.field,
        state: if known {
            "analysisSuggestedValue"
        } else {
            "needsUserInput"
        },
        value: known.then(|| guess.value.clone()),
        description: match known {
            true => guess.reason.to_string(),
            false => "who owns it".to_owned(),
        },
    }
}

pub const UNPROCESSED: &[Parameter] = &[Parameter::new("owner", Form::Text, "spec.owner as it is written")];

/// `GET /entities/unprocessed/failed`: what is wrong in its file; the last good version stays in the catalog.
pub async fn failed(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Unprocessed>, Error> {
    let parameters = Parameters::read(query.as_deref(), UNPROCESSED)?;
    let mut entities = Vec::new();
    for state in catalog.locations().await? {
        let mut refs: Vec<&String> = state
            .problems
            .iter()
            .filter_map(|problem| problem.entity.as_ref())
            .collect();
        refs.sort();
        refs.dedup();
        for reference in refs {
            let of_entity = state
                .problems
                .iter()
                .filter(|problem| problem.entity.as_ref() == Some(reference));
            let errors = of_entity
                .map(|problem| NamedError::input(problem.to_string()))
                .collect();
            let stored = match EntityRef::parse(reference, None, None) {
                Ok(reference) => catalog.find(&reference).await?,
                Err(_) => None,
            };
            let owner = stored.as_ref().and_then(|entity| entity.spec("owner"));
            if parameters.one("owner").is_some_and(|wanted| owner != Some(wanted)) {
                continue;
            }
            let id = stored
                .as_ref()
                .and_then(|entity| entity.body["metadata"]["uid"].as_str());
            entities.push(UnprocessedEntity {
                entity_id: id.map_or_else(|| state.id.to_string(), str::to_owned),
                errors,
                ..unprocessed(&state, reference, stored.map_or(Value::Null, |entity| entity.body))
            });
        }
    }
    let kind = "failed";
    Ok(Json(Unprocessed { kind, entities }))
}

/// `GET /entities/unprocessed/pending`: locations that were not read yet.
pub async fn pending(
    State(catalog): State<Catalog>,
    SignedIn(_): SignedIn,
    RawQuery(query): RawQuery,
) -> Result<Json<Unprocessed>, Error> {
    let parameters = Parameters::read(query.as_deref(), UNPROCESSED)?;
    let mut states = catalog.locations().await?;
    // Nobody owns a location.
    states.retain(|state| state.checked_at.is_none() && parameters.one("owner").is_none());
    let entities = states.iter().map(|state| {
        let (entity_ref, body) = location_entity(&state.kind, &state.target);
        unprocessed(state, &entity_ref.to_string(), body)
    });
    Ok(Json(Unprocessed {
        kind: "pending",
        entities: entities.collect(),
    }))
}

fn unprocessed(state: &LocationState, reference: &str, body: Value) -> UnprocessedEntity {
    let time = |at: chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    UnprocessedEntity {
        entity_id: state.id.to_string(),
        entity_ref: reference.to_owned(),
        unprocessed_entity: EntityBody(body),
        errors: Vec::new(),
        next_update_at: time(state.next_read_at),
        last_discovery_at: time(state.checked_at.unwrap_or(state.created_at)),
        location_key: format!("{}:{}", state.kind, state.target),
    }
}
