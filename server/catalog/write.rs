//! Changes of what is stored. Whoever writes has the catalog alone until the transaction ends: writers follow each other,
//! so documents, relations, counts and version always belong together, and no two can wait for each other.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{PgConnection, Postgres, Transaction};
use uuid::Uuid;

use super::history::{self, Change, Provenance};
use super::queries::counts;
use super::queries::history::{self as events, NewEvent};
use super::queries::writes::{self, NewEntity, NewRelation, StoredRelation};
use super::read::{Body, End};
use super::{Catalog, EntityRef, document, facets, live};

/// Entities of one statement. Only so many are held unpacked at a time.
const CHUNK: usize = 500;
/// A change of so many entities may surprise the planner.
const MANY: usize = 500;

/// An entity to be written.
pub struct Draft {
    pub id: Uuid,
    pub entity_ref: EntityRef,
    pub body: Body,
    pub digest: String,
    pub source: String,
    pub relations: Vec<End>,
    /// There is no row of this id yet.
    pub is_new: bool,
}

/// A transaction that changes the catalog.
pub struct Write {
    transaction: Transaction<'static, Postgres>,
    counts: counts::Changes,
    /// Refs of entities that are another document now, or may be.
    touched: BTreeSet<String>,
    /// Those of them whose relations are stored already.
    linked: HashSet<String>,
    /// How many entities were put.
    written: usize,
    /// At which commits files were read; of a change that reads none, nothing.
    provenance: Option<Provenance>,
    /// Who asks for it within the portal.
    actor: Option<String>,
    /// Refs whose history has grown.
    recorded: BTreeSet<String>,
    /// The time of the change, and how long what has gone is remembered.
    now: DateTime<Utc>,
    remembered_for: TimeDelta,
}

impl Catalog {
    /// Begins a change, after those that are under way.
    pub(super) async fn begin_write(&self) -> Result<Write, sqlx::Error> {
        let mut transaction = self.db().begin().await?;
        writes::lock(&mut transaction).await?;
        Ok(Write {
            transaction,
            counts: counts::Changes::default(),
            touched: BTreeSet::new(),
            linked: HashSet::new(),
            written: 0,
            provenance: None,
            actor: None,
            recorded: BTreeSet::new(),
            now: self.clock().now(),
            remembered_for: self.config().orphan_grace,
        })
    }
}

impl Write {
    pub fn db(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// The history says at which commits the files were read.
    pub fn read_at(&mut self, provenance: Provenance) {
        self.provenance = Some(provenance);
    }

    /// The history says who asked for it.
    pub fn asked_by(&mut self, actor: &str) {
        self.actor = Some(actor.to_owned());
    }

    /// Open pages of these entities are told.
    pub fn touch(&mut self, refs: impl IntoIterator<Item = String>) {
        self.touched.extend(refs);
    }

    /// Writes entities of a location with the relations that they make. No other location may hold them. Once a
    /// transaction.
    pub async fn put(&mut self, location: Uuid, mut drafts: Vec<Draft>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        drafts.sort_by(|a, b| a.entity_ref.cmp(&b.entity_ref));
        let old: Vec<Uuid> = drafts
            .iter()
            .filter(|draft| !draft.is_new)
            .map(|draft| draft.id)
            .collect();
        self.record_put(&drafts, now).await?;
        if !old.is_empty() {
            self.counts.subtract(&mut self.transaction, &old).await?;
            let lost = writes::delete_relations(&mut self.transaction, &old).await?;
            self.touched.extend(lost);
        }
        let refs: Vec<String> = drafts.iter().map(|draft| draft.entity_ref.to_string()).collect();
        let mut made: Vec<NewRelation<'_>> = Vec::new();
        for (draft, own) in std::iter::zip(&drafts, &refs) {
            made.extend(draft.relations.iter().map(|end| relation(draft.id, own, end)));
        }
        made.sort_unstable();
        made.dedup();
        self.written += drafts.len();
        for (drafts, refs) in std::iter::zip(drafts.chunks(CHUNK), refs.chunks(CHUNK)) {
            self.put_chunk(location, drafts, refs, &made, now).await?;
        }
        writes::insert_relations(&mut self.transaction, &made).await?;
        self.touched
            .extend(made.iter().map(|relation| relation.source.to_owned()));
        self.linked.extend(refs.iter().cloned());
        self.touched.extend(refs);
        Ok(())
    }

    /// `made` are the relations of all drafts, sorted by source, type and target.
    async fn put_chunk(
        &mut self,
        location: Uuid,
        drafts: &[Draft],
        refs: &[String],
        made: &[NewRelation<'_>],
        now: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let own: Vec<&str> = refs.iter().map(String::as_str).collect();
        let stored = writes::list_relations(&mut self.transaction, &own).await?;
        let mut stored = by_source(&stored);
        let mut rows = Vec::with_capacity(drafts.len());
        for (draft, &reference) in std::iter::zip(drafts, &own) {
            let body = draft.body.value()?;
            let facets = facets::of(&body, &draft.id.to_string());
            self.counts.add(&facets);
            let mut relations = stored.remove(reference).unwrap_or_default();
            let start = made.partition_point(|relation| relation.source < reference);
            let made = made[start..].iter().take_while(|relation| relation.source == reference);
            relations.extend(made.map(|relation| (relation.kind, relation.target)));
            let relations = document::relations(relations);
            rows.push(NewEntity {
                id: draft.id,
                entity_ref: &draft.entity_ref,
                body,
                digest: &draft.digest,
                facets,
                source: &draft.source,
                etag: document::etag(&draft.digest, &relations),
                relations,
            });
        }
        let written = writes::upsert(&mut self.transaction, location, &rows, now).await?;
        match written == rows.len() as u64 {
            true => Ok(()),
            // Nobody writes beside us, and the caller has looked: undone rather than taken from another location.
            false => Err(sqlx::Error::RowNotFound),
        }
    }

    /// Deletes a location's entities: those of these refs, or all. Answers their refs.
    pub async fn remove(&mut self, location: Uuid, refs: Option<&[String]>) -> Result<Vec<String>, sqlx::Error> {
        if refs.is_some_and(<[String]>::is_empty) {
            return Ok(Vec::new());
        }
        let ids = writes::list_ids(&mut self.transaction, location, refs).await?;
        self.record_removed(&ids).await?;
        self.counts.subtract(&mut self.transaction, &ids).await?;
        let lost = writes::delete_relations(&mut self.transaction, &ids).await?;
        self.touched.extend(lost);
        let removed = writes::delete(&mut self.transaction, &ids).await?;
        self.touched.extend(removed.iter().cloned());
        Ok(removed)
    }

    /// Ends the change: what other entities' documents show of it is stored, and open pages are told.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.link().await?;
        self.forget().await?;
        let counts = std::mem::take(&mut self.counts);
        counts.store(&mut self.transaction).await?;
        if self.written >= MANY && writes::has_outgrown_statistics(&mut self.transaction).await? {
            writes::analyze(&mut self.transaction).await?;
        }
        if !self.touched.is_empty() {
            writes::bump(&mut self.transaction).await?;
        }
        live::announce(&mut self.transaction, self.touched.into_iter().collect()).await?;
        self.transaction.commit().await
    }

    /// Records what these drafts change: entities whose content becomes another one, and those that are back. A first
    /// reading leaves nothing.
    async fn record_put(&mut self, drafts: &[Draft], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        for drafts in drafts.chunks(CHUNK) {
            let (new, old): (Vec<&Draft>, Vec<&Draft>) = drafts.iter().partition(|draft| draft.is_new);
            let ids: Vec<Uuid> = old.iter().map(|draft| draft.id).collect();
            let digests: Vec<&str> = old.iter().map(|draft| draft.digest.as_str()).collect();
            let replaced = match ids.is_empty() {
                true => HashMap::new(),
                false => events::list_replaced(&mut self.transaction, &ids, &digests)
                    .await?
                    .into_iter()
                    .collect(),
            };
            let mut changed = Vec::new();
            for draft in old {
                let Some(before) = replaced.get(&draft.id) else {
                    continue;
                };
                let before = serde_json::from_str(before).map_err(|error| sqlx::Error::Decode(error.into()))?;
                // As text: the order of keys counts.
                let before = history::content(before).to_string();
                let after = history::content(draft.body.value()?).to_string();
                if before != after {
                    changed.push(self.event(draft));
                }
            }
            self.record(Change::Changed, changed, now).await?;
            let refs: Vec<String> = new.iter().map(|draft| draft.entity_ref.to_string()).collect();
            let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
            let back: HashSet<String> = match refs.is_empty() {
                true => HashSet::new(),
                false => events::list_remembered(&mut self.transaction, &refs)
                    .await?
                    .into_iter()
                    .collect(),
            };
            let back = std::iter::zip(new, refs).filter(|(_, reference)| back.contains(*reference));
            let back = back.map(|(draft, _)| self.event(draft)).collect();
            self.record(Change::Added, back, now).await?;
        }
        Ok(())
    }

    async fn record_removed(&mut self, ids: &[Uuid]) -> Result<(), sqlx::Error> {
        for ids in ids.chunks(CHUNK) {
            let mut gone = events::list_sources(&mut self.transaction, ids).await?;
            // A folder of generated names is not what anybody looks up.
            gone.retain(|event| !event.entity_ref.starts_with("location:default/generated-"));
            for event in &mut gone {
                event.read_at = self
                    .provenance
                    .as_ref()
                    .and_then(|provenance| provenance.of(&event.source));
            }
            self.record(Change::Removed, gone, self.now).await?;
        }
        Ok(())
    }

    fn event(&self, draft: &Draft) -> NewEvent {
        NewEvent {
            id: draft.id,
            entity_ref: draft.entity_ref.to_string(),
            read_at: self
                .provenance
                .as_ref()
                .and_then(|provenance| provenance.of(&draft.source)),
            source: draft.source.clone(),
        }
    }

    async fn record(&mut self, change: Change, events: Vec<NewEvent>, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        if events.is_empty() {
            return Ok(());
        }
        events::insert(&mut self.transaction, change, &events, self.actor.as_deref(), now).await?;
        self.recorded.extend(events.into_iter().map(|event| event.entity_ref));
        Ok(())
    }

    /// Keeps the history bounded.
    async fn forget(&mut self) -> Result<(), sqlx::Error> {
        if self.recorded.is_empty() {
            return Ok(());
        }
        let refs: Vec<&str> = self.recorded.iter().map(String::as_str).collect();
        for refs in refs.chunks(CHUNK) {
            events::trim(&mut self.transaction, refs).await?;
        }
        let gone = self
            .now
            .checked_sub_signed(self.remembered_for)
            .unwrap_or(DateTime::UNIX_EPOCH);
        events::forget(&mut self.transaction, self.now, gone).await
    }

    /// Stores the relations of entities that others have changed.
    async fn link(&mut self) -> Result<(), sqlx::Error> {
        let others: Vec<&str> = self
            .touched
            .iter()
            .filter(|reference| !self.linked.contains(*reference))
            .map(String::as_str)
            .collect();
        for refs in others.chunks(CHUNK) {
            let entities = writes::list_linked(&mut self.transaction, refs).await?;
            let stored = writes::list_relations(&mut self.transaction, refs).await?;
            let mut stored = by_source(&stored);
            let rows: Vec<(String, String, String)> = entities
                .into_iter()
                .filter_map(|entity| {
                    let relations = document::relations(stored.remove(entity.entity_ref.as_str()).unwrap_or_default());
                    let etag = document::etag(&entity.digest, &relations);
                    (relations != entity.relations).then_some((entity.entity_ref, relations, etag))
                })
                .collect();
            if !rows.is_empty() {
                writes::update_relations(&mut self.transaction, &rows).await?;
            }
        }
        Ok(())
    }
}

/// Types and targets by source, each once and in order.
fn by_source(relations: &[StoredRelation]) -> HashMap<&str, BTreeSet<(&str, &str)>> {
    let mut sources: HashMap<&str, BTreeSet<(&str, &str)>> = HashMap::new();
    for relation in relations {
        let of_source = sources.entry(relation.source.as_str()).or_default();
        of_source.insert((relation.kind.as_str(), relation.target.as_str()));
    }
    sources
}

fn relation<'a>(origin: Uuid, own: &'a str, end: &'a End) -> NewRelation<'a> {
    let (source, target) = match end.outgoing {
        true => (own, &*end.other),
        false => (&*end.other, own),
    };
    NewRelation {
        origin,
        source,
        kind: &end.kind,
        target,
    }
}
