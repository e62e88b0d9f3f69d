//! Stores what a read brought, in one transaction: all of it or nothing.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use uuid::Uuid;

use super::document::Parts;
use super::operations::ReadReport;
use super::queries::entities::Known;
use super::queries::locations::ReadState;
use super::read::{Body, Checked, Outcome, Problem, ReadEntity};
use super::write::{Draft, Write};
use super::{Catalog, CatalogError, EntityRef, LocationState, document, facets, queries, read};
use crate::ids::new_id;
use crate::scm::Repository;

/// An entity that another location had first: its ref, our file, and theirs.
type Claim = (String, String, String);

impl Catalog {
    pub(super) async fn store(
        &self,
        location: &LocationState,
        mut outcome: Outcome,
        started: DateTime<Utc>,
    ) -> Result<ReadReport, CatalogError> {
        let now = self.clock().now();
        let refs: Vec<String> = outcome
            .entities
            .iter()
            .map(|entity| entity.entity_ref.to_string())
            .collect();
        let mut write = self.begin_write().await?;
        match queries::locations::lock(write.db(), location.id, started).await? {
            Some(false) => {}
            // Another replica stored a read that began later: it saw at least what this one saw.
            Some(true) => {
                return Ok(ReadReport {
                    refs,
                    problems: outcome.problems,
                    ..ReadReport::default()
                });
            }
            None => {
                return Err(CatalogError::NotFound(
                    format!("{} was removed while it was read.", location.target).into(),
                ));
            }
        }
        let before = queries::locations::list_repositories(write.db(), location.id).await?;
        write.read_at(self.provenance(outcome.checked.clone(), before.clone()));
        let known = queries::entities::list_known(write.db(), location.id, &refs).await?;
        let own = read::location_ref(&location.kind, &location.target);
        let errors = errors_by_entity(&outcome, &refs, &own);
        let mut report = ReadReport::default();

        let read: Vec<ReadEntity> = outcome.entities.drain(..).collect();
        let claims = self
            .put(&mut write, location, read, &known, &errors, &mut report)
            .await?;
        let gone = self
            .keep(&mut write, location, &outcome, &refs, &known, &errors, &mut report)
            .await?;
        report.removed = write.remove(location.id, Some(&gone)).await?;
        report.removed.sort();
        write.touch(report.changed.iter().chain(&report.orphaned).cloned());

        let mut problems = outcome.problems;
        problems.extend(claims.iter().filter_map(conflict));
        // Open pages say what is wrong with their entity's file.
        if problems != location.problems {
            let ours = known.iter().filter(|(_, known)| known.location_id == location.id);
            write.touch(ours.map(|(reference, _)| reference.clone()));
        }
        let failures = match problems.iter().any(|problem| problem.temporary) {
            true => location.failures.saturating_add(1),
            false => 0,
        };
        let expiry = queries::entities::next_expiry(write.db(), location.id).await?;
        let expiry = expiry.map(|since| since + self.config().orphan_grace);
        let next = self.next_read(now, failures);
        let state = ReadState {
            started_at: started,
            now,
            next_read_at: expiry.map_or(next, |expiry| next.min(expiry)),
            read_by: &self.reader(),
            problems: &problems,
            claims: &claims.iter().map(|claim| claim.0.clone()).collect::<Vec<_>>(),
        };
        queries::locations::store_read(write.db(), location.id, &state, &outcome.checked).await?;
        write.commit().await?;

        let seen: HashSet<&Repository> = before.iter().map(|checked| &checked.repository).collect();
        let looked_into: HashSet<&Repository> = outcome.checked.iter().map(|checked| &checked.repository).collect();
        for repository in looked_into.difference(&seen) {
            self.tell_repository((*repository).clone());
        }
        // A push that nobody reported, found while polling.
        for checked in &outcome.checked {
            let moved = |known: &Checked| known.repository == checked.repository && known.commit != checked.commit;
            if before.iter().any(moved) {
                self.tell_push(&checked.repository);
            }
        }
        self.report_statuses(location, &outcome.checked, &problems);
        self.free(&gone).await?;
        let lost: HashSet<&String> = claims.iter().map(|claim| &claim.0).collect();
        report.refs = refs
            .iter()
            .filter(|reference| !lost.contains(reference))
            .cloned()
            .collect();
        report.problems = problems;
        Ok(report)
    }

    /// Writes what is new or different; answers what another location had first.
    async fn put(
        &self,
        write: &mut Write,
        location: &LocationState,
        read: Vec<ReadEntity>,
        known: &HashMap<String, Known>,
        errors: &BTreeMap<String, Vec<String>>,
        report: &mut ReadReport,
    ) -> Result<Vec<Claim>, CatalogError> {
        let mut claims = Vec::new();
        let mut drafts = Vec::new();
        let mut taken = Vec::new();
        let rewrite = location.read_by.as_deref() != Some(self.reader().as_str());
        for entity in read {
            let reference = entity.entity_ref.to_string();
            let body = match errors.get(&reference) {
                None => entity.body,
                errors => {
                    let mut body = entity.body.value()?;
                    set_status(&mut body, errors);
                    Body::of(&body)
                }
            };
            let digest = hex::encode(Sha1::digest(body.text()));
            let stored = known.get(&reference);
            let id = match stored {
                Some(told) if told.told => {
                    taken.push(reference.clone());
                    told.id
                }
                Some(other) if other.location_id != location.id => {
                    claims.push((reference, entity.source, other.source.clone()));
                    continue;
                }
                Some(same) if same.digest == digest && same.source == entity.source && !rewrite => continue,
                Some(same) => same.id,
                None => new_id(self.clock()),
            };
            match stored {
                None => report.added.push(reference),
                Some(same) if same.digest != digest => report.changed.push(reference),
                Some(_) => {}
            }
            drafts.push(Draft {
                id,
                entity_ref: entity.entity_ref,
                body,
                digest,
                source: entity.source,
                relations: entity.relations,
                is_new: stored.is_none(),
            });
        }
        report.added.sort();
        report.changed.sort();
        queries::writes::take_over(write.db(), location.id, &taken).await?;
        write.put(location.id, drafts, self.clock().now()).await?;
        Ok(claims)
    }

    /// Marks entities whose source is broken or has disappeared; answers those that go: what no source tells of,
    /// and what was missed for the whole grace period.
    #[expect(clippy::too_many_arguments, reason = "the parts of one transaction")]
    async fn keep(
        &self,
        write: &mut Write,
        location: &LocationState,
        outcome: &Outcome,
        refs: &[String],
        known: &HashMap<String, Known>,
        errors: &BTreeMap<String, Vec<String>>,
        report: &mut ReadReport,
    ) -> Result<Vec<String>, CatalogError> {
        let now = self.clock().now();
        let current: HashSet<&String> = refs.iter().collect();
        let kept: HashSet<String> = outcome.kept.iter().map(EntityRef::to_string).collect();
        let missed: HashSet<String> = outcome.missed.iter().map(EntityRef::to_string).collect();
        let mut gone = Vec::new();
        let mut marked = Vec::new();
        for (reference, known) in known {
            if known.location_id != location.id || current.contains(reference) {
                continue;
            }
            let over = known
                .orphaned_at
                .is_some_and(|since| since + self.config().orphan_grace <= now);
            match (kept.contains(reference), missed.contains(reference)) {
                (_, true) if !over => marked.push(reference.clone()),
                (true, false) => marked.push(reference.clone()),
                _ => gone.push(reference.clone()),
            }
        }
        for stored in queries::entities::list_marked(write.db(), &marked).await? {
            let is_missed = missed.contains(&stored.entity_ref);
            let mut body = stored.body;
            set_status(&mut body, errors.get(&stored.entity_ref));
            set_orphan(&mut body, is_missed);
            let digest = hex::encode(Sha1::digest(body.to_string()));
            let since = is_missed.then(|| stored.orphaned_at.unwrap_or(now));
            if digest == stored.digest && since == stored.orphaned_at {
                continue;
            }
            let facets = facets::of(&body, &stored.id.to_string());
            let parts = Parts::of(&body, stored.id);
            let etag = document::etag(&digest, &stored.relations);
            queries::writes::update_marks(write.db(), stored.id, &parts, (&digest, &etag), &facets, since).await?;
            match since {
                Some(_) => report.orphaned.push(stored.entity_ref),
                None => report.changed.push(stored.entity_ref),
            }
        }
        gone.sort();
        Ok(gone)
    }
}

/// Messages by the ref of the entity that they are about; those about none are about the location.
fn errors_by_entity(outcome: &Outcome, refs: &[String], own: &EntityRef) -> BTreeMap<String, Vec<String>> {
    let read: HashSet<&String> = refs.iter().collect();
    let kept: HashSet<String> = outcome.kept.iter().map(EntityRef::to_string).collect();
    let stored = |reference: &String| read.contains(reference) || kept.contains(reference);
    let mut errors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for problem in &outcome.problems {
        let about = problem.entity.clone().filter(stored);
        // Without the lines around: pages show those.
        let told = Problem {
            excerpt: String::new(),
            entity: None,
            ..problem.clone()
        };
        errors
            .entry(about.unwrap_or_else(|| own.to_string()))
            .or_default()
            .push(told.to_string());
    }
    errors
}

/// `status.items`, as the field has it for entities whose processing failed.
fn set_status(body: &mut Value, errors: Option<&Vec<String>>) {
    let Some(body) = body.as_object_mut() else { return };
    body.shift_remove("status");
    let Some(errors) = errors else { return };
    let items: Vec<Value> = errors
        .iter()
        .map(|message| {
            json!({
                "type": "backstage.io/catalog-processing",
                "level": "error",
                "message": format!("InputError: {message}"),
                "error": {"name": "InputError", "message": message},
            })
        })
        .collect();
    body.insert("status".to_owned(), json!({ "items": items }));
}

/// The annotation of entities whose source has disappeared.
fn set_orphan(body: &mut Value, orphan: bool) {
    let annotations = body.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    let Some(annotations) = annotations else { return };
    match orphan {
        true => drop(annotations.insert(super::ORPHAN.to_owned(), json!("true"))),
        false => drop(annotations.shift_remove(super::ORPHAN)),
    }
}

/// Two locations describe the same name: the first keeps it. The same file reached by two ways is no problem.
fn conflict((reference, source, holder): &Claim) -> Option<Problem> {
    if source == holder {
        return None;
    }
    let (_, target) = source.split_once(':').unwrap_or(("", source));
    Some(Problem {
        source: target.to_owned(),
        line: None,
        column: None,
        entity: Some(reference.to_owned()),
        message: format!(
            "{reference} exists already, described in {holder}, which keeps the name; rename one of them, or remove \
             the location that should not have it"
        ),
        excerpt: String::new(),
        temporary: false,
    })
}

/// A name that another location describes too, and that this one keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    pub entity_ref: String,
    /// The other location.
    pub location: Uuid,
    pub target: String,
}
