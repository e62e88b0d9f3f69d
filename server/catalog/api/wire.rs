//! What the API answers, as `@backstage/catalog-client` 1.16 expects it.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde_json::Value;

use crate::catalog::read::location_ref;
use crate::catalog::{Entity, Location};
use crate::web::openapi::Failure;

/// An entity, or what `fields` left of it.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct EntityBody(pub Value);

impl From<Entity> for EntityBody {
    fn from(entity: Entity) -> Self {
        Self(entity.body)
    }
}

impl JsonSchema for EntityBody {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Entity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "required": ["apiVersion", "kind", "metadata"],
            "properties": {
                "apiVersion": {"type": "string"},
                "kind": {"type": "string"},
                "metadata": {
                    "type": "object",
                    "required": ["name"],
                    "properties": {
                        "name": {"type": "string"},
                        "namespace": {"type": "string"},
                        "uid": {"type": "string"},
                        "etag": {"type": "string"},
                        "title": {"type": "string"},
                        "description": {"type": "string"},
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "links": {"type": "array", "items": {
                            "type": "object",
                            "required": ["url"],
                            "properties": {
                                "url": {"type": "string"},
                                "title": {"type": "string"},
                                "icon": {"type": "string"},
                                "type": {"type": "string"},
                            },
                        }},
                    },
                },
                "spec": {"type": "object"},
                "relations": {"type": "array", "items": {
                    "type": "object",
                    "required": ["type", "targetRef"],
                    "properties": {"type": {"type": "string"}, "targetRef": {"type": "string"}},
                }},
                "status": {"type": "object"},
            },
        })
    }
}

/// JSON that is text already: stored documents are passed on as they are.
pub struct JsonText(pub Bytes);

impl JsonText {
    /// A list of documents.
    pub fn list(items: &[String]) -> String {
        let mut text = String::with_capacity(items.iter().map(|item| item.len() + 1).sum::<usize>() + 2);
        text.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(item);
        }
        text.push(']');
        text
    }
}

impl IntoResponse for JsonText {
    fn into_response(self) -> Response {
        let kind = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, kind)], self.0).into_response()
    }
}

/// A page of entities, as [`EntitiesPage::text`] writes it.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes the answer")]
pub struct EntitiesPage {
    items: Vec<EntityBody>,
    /// Of all pages; 0 where `totalItems=exclude` was asked for.
    total_items: i64,
    page_info: PageInfo,
}

impl EntitiesPage {
    pub fn text(items: &[String], total_items: i64, page_info: &PageInfo) -> Bytes {
        let items = JsonText::list(items);
        // Serializing plain data does not fail.
        let page_info = serde_json::to_string(page_info).unwrap_or_default();
        format!(r#"{{"items":{items},"totalItems":{total_items},"pageInfo":{page_info}}}"#).into()
    }
}

#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_cursor: Option<String>,
}

/// In the order of the refs; null for what is missing or does not match.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "describes the answer")]
pub struct Batch {
    items: Vec<Option<EntityBody>>,
}

impl Batch {
    pub fn text(items: &[String]) -> JsonText {
        JsonText(format!(r#"{{"items":{}}}"#, JsonText::list(items)).into())
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ancestry {
    pub root_entity_ref: String,
    /// The entity itself, then the locations that led to it.
    pub items: Vec<Ancestor>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ancestor {
    pub entity: EntityBody,
    pub parent_entity_refs: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Facets {
    /// By the key as it was asked for; values sorted.
    pub facets: BTreeMap<String, Vec<FacetCount>>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct FacetCount {
    pub value: String,
    pub count: i64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Location")]
pub struct LocationBody {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub target: String,
    /// Ref of the entity of kind Location that stands for it.
    pub entity_ref: String,
}

impl From<Location> for LocationBody {
    fn from(location: Location) -> Self {
        Self {
            id: location.id.to_string(),
            entity_ref: location_ref(&location.kind, &location.target).to_string(),
            kind: location.kind,
            target: location.target,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct ListedLocation {
    pub data: LocationBody,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocationsPage {
    pub items: Vec<LocationBody>,
    pub total_items: usize,
    pub page_info: PageInfo,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct CreatedLocation {
    pub location: LocationBody,
    /// What a dry run found; empty otherwise.
    pub entities: Vec<EntityBody>,
    /// Of a dry run: the location is registered already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Analysis {
    pub existing_entity_files: Vec<ExistingEntity>,
    /// A proposal where there is no file yet.
    pub generate_entities: Vec<GeneratedEntity>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExistingEntity {
    pub location: LocationSpec,
    pub is_registered: bool,
    pub entity: EntityName,
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LocationSpec {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub target: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct EntityName {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct GeneratedEntity {
    pub entity: EntityBody,
    /// Fields that somebody should look at.
    pub fields: Vec<GeneratedField>,
}

/// A field of a proposal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GeneratedField {
    /// Dotted path.
    pub field: &'static str,
    /// `analysisSuggestedValue` or `needsUserInput`.
    pub state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    pub description: String,
}

/// Why an entity is not valid.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Faults {
    pub errors: Vec<NamedError>,
}

/// What a check answers with 400: faults of the entity, or a fault of the question.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub enum Refusal {
    Entity(Faults),
    Question(Failure),
}

#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct NamedError {
    pub name: &'static str,
    pub message: String,
}

impl NamedError {
    pub fn of_type(message: impl Into<String>) -> Self {
        Self {
            name: "TypeError",
            message: message.into(),
        }
    }

    pub fn input(message: impl Into<String>) -> Self {
        Self {
            name: "InputError",
            message: message.into(),
        }
    }
}

/// Entities that are not in the catalog, or only in their last good version.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Unprocessed {
    /// `failed` or `pending`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub entities: Vec<UnprocessedEntity>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct UnprocessedEntity {
    /// `metadata.uid` of the version that is in the catalog, else the id of the location.
    pub entity_id: String,
    pub entity_ref: String,
    pub unprocessed_entity: EntityBody,
    pub errors: Vec<NamedError>,
    pub next_update_at: String,
    pub last_discovery_at: String,
    /// `<type>:<target>` of the location.
    pub location_key: String,
}
