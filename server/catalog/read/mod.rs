//! Reads a location and everything that it names, without the database: files, documents, substitutions,
//! checks, relations. What cannot be read or is wrong becomes a [`Problem`]; the rest loads.

mod annotate;
mod bundle;
mod check;
mod disk;
mod packed;
mod problem;
mod reader;
mod snapshots;
mod source;
mod substitute;
mod web;

use std::collections::HashSet;

use serde_json::Value;

pub use annotate::{is_web_address, location_entity, parse_location, web_target};
pub use check::check_text;
pub use packed::{Body, End};
pub use problem::Problem;
pub use snapshots::{MAX_TREE_BYTES, Snapshots};
pub use source::{Checked, Reading, Sources};
pub use web::Web;

use super::EntityRef;
use super::envelope::{self, FieldFault};
use super::kinds::{Kinds, Relation};
use super::rules::Rules;

/// What documents are checked against.
#[derive(Clone, Copy)]
pub struct Policy<'a> {
    pub kinds: &'a Kinds,
    pub rules: &'a Rules,
}

/// Problems kept for one location at most: enough to work through, few enough to show.
const MAX_PROBLEMS: usize = 200;

/// An entity that was read and is right.
#[derive(Debug, Clone)]
pub struct ReadEntity {
    pub entity_ref: EntityRef,
    pub body: Body,
    pub relations: Vec<End>,
    /// `<type>:<target>` of its file.
    pub source: String,
}

/// An entity as it is stored of the last good read.
#[derive(Debug, Clone)]
pub struct Previous {
    pub entity_ref: EntityRef,
    pub source: String,
    pub body: Value,
}

/// What reading a location brought.
#[derive(Debug, Default)]
pub struct Outcome {
    /// In the order in which they were read, the location's own entity first.
    pub entities: Vec<ReadEntity>,
    /// Refs whose stored version stays, as their source is broken or out of reach.
    pub kept: HashSet<EntityRef>,
    /// Those of them whose source has disappeared.
    pub missed: HashSet<EntityRef>,
    pub problems: Vec<Problem>,
    /// Repositories that were looked into, with their commits.
    pub checked: Vec<Checked>,
}

/// Reads the location `kind:target` and all below it. `previous` are the location's stored entities; what `snapshots`
/// knows of repositories is not asked for again.
pub async fn read(
    sources: &dyn Sources,
    snapshots: &Snapshots,
    policy: Policy<'_>,
    (kind, target): (&str, &str),
    previous: &[Previous],
) -> Outcome {
    let file = (kind == "file").then(|| std::path::PathBuf::from(target));
    let reading = Reading::new(sources, snapshots, file);
    let mut outcome = reader::Reader::new(policy, (kind, target), previous, reading)
        .run()
        .await;
    let told = outcome.problems.len();
    if told > MAX_PROBLEMS {
        outcome.problems.truncate(MAX_PROBLEMS);
        let message = format!("{} more problems are not listed; mend these first", told - MAX_PROBLEMS);
        outcome.problems.push(Problem::of_source(target, message));
    }
    // A ref that was read anew is not also kept.
    for entity in &outcome.entities {
        outcome.kept.remove(&entity.entity_ref);
        outcome.missed.remove(&entity.entity_ref);
    }
    outcome
}

/// Ref of the entity that stands for a registered location.
pub fn location_ref(kind: &str, target: &str) -> EntityRef {
    location_entity(kind, target).0
}

/// The ref of a document, where kind and name can be read.
fn ref_of(value: &Value) -> Option<EntityRef> {
    let text = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    Some(EntityRef::new(
        text("/kind")?,
        text("/metadata/namespace").unwrap_or("default"),
        text("/metadata/name")?,
    ))
}

/// Checks one entity as if it stood in the file `url:<target>`: what `/validate-entity` answers.
pub fn validate(kinds: &Kinds, mut value: Value) -> Result<Vec<Relation>, Vec<FieldFault>> {
    // Files may leave the mapping empty, as the catalog fills it; a program has no reason to.
    if value.pointer("/metadata/annotations") == Some(&Value::Null) {
        let path = ["metadata", "annotations"];
        return Err(vec![FieldFault::at(&path, "metadata.annotations must be a mapping")]);
    }
    let faults = envelope::check(&mut value);
    if !faults.is_empty() {
        return Err(faults);
    }
    kinds.check(&mut value)
}
