//! `/catalog/…/definition`: what an API entity's definition says, to read: OpenAPI, AsyncAPI, GraphQL, gRPC, and others as
//! text.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;

use crate::catalog::{Catalog, Entity, EntityPages, EntityRef, EntityTab, yaml_documents};
use crate::language::{Text, text};
use crate::web::Error;

mod asyncapi;
mod graphql;
mod openapi;
mod outline;
mod pages;
mod proto;
mod schema;
#[cfg(test)]
mod tests;
mod tokens;

use outline::Outline;

/// Bytes of a definition that is read; of a longer one, the text is shown.
const LONGEST_READ: usize = 6 * 1024 * 1024;
/// Bytes of outlines that are kept.
const ROOM: usize = 32 * 1024 * 1024;

/// What the feature works with. Cheap to clone.
#[derive(Clone)]
pub struct Definitions(Arc<Inner>);

struct Inner {
    catalog: Catalog,
    /// What was read of entities, by uid and etag; used last stays.
    kept: Mutex<Vec<(Key, Arc<Read>)>>,
}

/// `metadata.uid` and `metadata.etag`.
type Key = (String, String);

/// What came of reading a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Read {
    Outline(Outline),
    /// It is shown as text, and what is to say about that.
    Text(Option<Text>),
}

impl Read {
    fn size(&self) -> usize {
        match self {
            Self::Outline(outline) => outline.size(),
            Self::Text(_) => 256,
        }
    }
}

/// A definition as an entity has it.
fn definition(entity: &Entity) -> Option<&str> {
    let is_api = entity.kind().eq_ignore_ascii_case("api");
    entity.spec("definition").filter(|_| is_api)
}

impl Definitions {
    pub fn new(catalog: Catalog) -> Self {
        Self(Arc::new(Inner {
            catalog,
            kept: Mutex::default(),
        }))
    }

    /// What the definition of an API says.
    async fn read(&self, entity: &Entity) -> Result<Arc<Read>, Error> {
        let metadata = |key: &str| entity.body["metadata"][key].as_str().unwrap_or_default().to_owned();
        let key = (metadata("uid"), metadata("etag"));
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let kind = entity.spec("type").unwrap_or_default().to_lowercase();
        let text = definition(entity).unwrap_or_default().to_owned();
        let read = tokio::task::spawn_blocking(move || read(&kind, &text)).await;
        let read = Arc::new(read.map_err(Error::internal)?);
        self.keep(key, read.clone());
        Ok(read)
    }

    fn known(&self, key: &Key) -> Option<Arc<Read>> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| known == key)?;
        let found = kept.remove(at);
        let read = found.1.clone();
        kept.push(found);
        Some(read)
    }

    fn keep(&self, key: Key, read: Arc<Read>) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // An older version of it is not asked for again.
        kept.retain(|((uid, _), _)| *uid != key.0);
        kept.push((key, read));
        let mut size: usize = kept.iter().map(|(_, read)| read.size()).sum();
        while size > ROOM && !kept.is_empty() {
            size -= kept.remove(0).1.size();
        }
    }
}

/// Reads a definition by the type of its API; blocks, for a long one for a second.
fn read(kind: &str, text: &str) -> Read {
    if text.len() > LONGEST_READ {
        return Read::Text(Some(text!("The definition is too long to be laid out.")));
    }
    let outline = match kind {
        "graphql" => graphql::read(text).map_err(|fault| fault.to_string()),
        "grpc" | "protobuf" | "proto" => proto::read(text).map_err(|fault| fault.to_string()),
        _ => match document(text) {
            Ok(document) => match openapi::read(&document).or_else(|| asyncapi::read(&document)) {
                Some(outline) => Ok(outline),
                None if ["openapi", "asyncapi"].contains(&kind) => {
                    Err("it has neither openapi, swagger nor asyncapi, which say what it is".to_owned())
                }
                None => return Read::Text(None),
            },
            Err(_) if !["openapi", "asyncapi"].contains(&kind) => return Read::Text(None),
            Err(reason) => Err(reason),
        },
    };
    match outline {
        Ok(outline) => Read::Outline(outline.finished()),
        Err(reason) => Read::Text(Some(text!("The definition cannot be read: {reason}", reason = reason))),
    }
}

/// JSON is YAML, but read much faster as what it is.
fn document(text: &str) -> Result<serde_json::Value, String> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let Some(document) = yaml_documents(text).into_iter().next() else {
        return Err("it is empty".to_owned());
    };
    document.value.map_err(|fault| match (fault.line, fault.column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: {}", fault.message),
        (Some(line), None) => format!("line {line}: {}", fault.message),
        _ => fault.message,
    })
}

/// The tab of APIs.
pub struct DefinitionTab;

#[async_trait::async_trait]
impl EntityTab for DefinitionTab {
    fn id(&self) -> &'static str {
        "definition"
    }

    fn label(&self) -> Text {
        text!("Definition")
    }

    fn href(&self, entity_ref: &EntityRef) -> String {
        format!("{}/definition", entity_ref.path())
    }

    async fn applies(&self, entity: &Entity) -> bool {
        definition(entity).is_some()
    }
}

/// What the handlers share.
#[derive(Clone)]
struct Pages {
    definitions: Definitions,
    entities: EntityPages,
}

/// `/api-docs`, `/catalog/…/definition`, and below it the text as it is, for signed-in callers only.
pub fn router(definitions: Definitions, entities: EntityPages) -> Router {
    Router::new()
        // As Backstage calls the list of APIs.
        .route("/api-docs", get(|| async { Redirect::to("/catalog?kind=api") }))
        .route("/catalog/{namespace}/{kind}/{name}/definition", get(pages::show))
        .route("/catalog/{namespace}/{kind}/{name}/definition/raw", get(pages::raw))
        .with_state(Pages { definitions, entities })
}
