//! The catalog over a forge in memory and a database of its own for each test.

mod addresses;
mod answers;
mod bundle;
mod described;
mod discovery;
mod errors;
pub mod forge;
mod history;
mod http;
mod ingestion;
mod kept;
mod kinds;
mod lifecycle;
mod model;
mod owners;
mod polling;
mod recorded;
mod registering;
mod stars;
mod views;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::*;
use forge::MemoryForge;

/// A clock that the test moves.
#[derive(Clone)]
pub struct Hand(Arc<Mutex<DateTime<Utc>>>);

impl Hand {
    pub fn at_the_present() -> Self {
        Self(Arc::new(Mutex::new(Clock::system().now())))
    }

    pub fn clock(&self) -> Clock {
        let now = self.0.clone();
        Clock::from_fn(move || *now.lock().unwrap())
    }

    pub fn pass(&self, time: TimeDelta) {
        *self.0.lock().unwrap() += time;
    }
}

/// A catalog in which locations may define every kind.
pub fn catalog(db: &PgPool, forge: &MemoryForge) -> Catalog {
    catalog_with(db, forge, Clock::system(), config())
}

fn catalog_with(db: &PgPool, forge: &MemoryForge, clock: Clock, config: CatalogConfig) -> Catalog {
    Catalog::new(db.clone(), clock, Arc::new(forge.clone()), config, None)
}

fn config() -> CatalogConfig {
    CatalogConfig {
        rules: Some(vec![Rule {
            allow: [
                "Component",
                "API",
                "Resource",
                "System",
                "Domain",
                "Group",
                "User",
                "Location",
                "Template",
            ]
            .map(Allow::kind)
            .to_vec(),
            locations: None,
        }]),
        ..CatalogConfig::default()
    }
}

/// The kinds of Backstage, and Database with its columns and relations.
pub fn kinds() -> Kinds {
    Kinds::new(&[database()]).unwrap()
}

pub fn database() -> KindDeclaration {
    let column = |title: &str, field: &str| ColumnDeclaration {
        title: title.into(),
        field: field.to_owned(),
    };
    let relation = |field: &str, forward: &str, inverse: &str, kind: &str| RelationDeclaration {
        field: field.to_owned(),
        forward: forward.to_owned(),
        inverse: inverse.to_owned(),
        default_kind: Some(kind.to_owned()),
        label: None,
        inverse_label: None,
    };
    KindDeclaration {
        name: "Database".to_owned(),
        api_versions: vec!["example.com/v1".to_owned()],
        title: None,
        plural: None,
        icon: Some("database".to_owned()),
        schema: Some(serde_json::json!({
            "type": "object",
            "required": ["engine", "owner"],
            "properties": {
                "engine": {"enum": ["postgres", "mysql"]},
                "size": {"type": "integer"},
                "owner": {"type": "string"},
                "runsOn": {"type": ["string", "array"]},
            },
        })),
        relations: vec![
            relation("owner", "ownedBy", "ownerOf", "Group"),
            relation("runsOn", "runsOn", "runs", "Resource"),
            relation("replicas.of", "replicates", "replicatedBy", "Database"),
        ],
        columns: vec![
            column("Engine", "spec.engine"),
            column("Size", "spec.size"),
            column("Runs on", "spec.runsOn"),
        ],
    }
}

fn url(repository: &str, path: &str) -> String {
    format!("https://forge.test/{repository}/src/branch/main/{path}")
}

/// Registers a location; gives its id.
async fn register(catalog: &Catalog, target: &str) -> uuid::Uuid {
    catalog.register("a", target).await.unwrap().location.id
}

fn component(name: &str, more: &str) -> String {
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\n{more}spec:\n  type: service\n  \
         lifecycle: experimental\n  owner: guests\n"
    )
}

fn location(name: &str, targets: &[&str]) -> String {
    let targets: String = targets.iter().map(|target| format!("    - {target}\n")).collect();
    format!(
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: {name}\nspec:\n  targets:\n{targets}"
    )
}

async fn refs(catalog: &Catalog) -> Vec<String> {
    let query = queries::search::Query::of(Filter::everything());
    let mut reader = catalog.reads().reader().await.unwrap();
    let found = queries::search::page(&mut reader, &query, None).await.unwrap();
    reader.keep();
    found
        .into_iter()
        .map(|found| found.row.entity_ref)
        .filter(|reference| !reference.contains("/generated-"))
        .collect()
}

async fn problems(catalog: &Catalog) -> Vec<String> {
    let locations = catalog.locations().await.unwrap();
    locations
        .into_iter()
        .flat_map(|location| location.problems)
        .map(|problem| problem.to_string())
        .collect()
}
