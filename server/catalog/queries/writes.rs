//! Writing entities and their relations. Everything here runs in a [`super::super::write::Write`], which has the lock.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::EntityRef;
use super::super::document::Parts;
use super::super::facets::Facets;

/// Rows of relations in one statement.
const CHUNK: usize = 5_000;

/// An entity as it is written.
pub struct NewEntity<'a> {
    pub id: Uuid,
    pub entity_ref: &'a EntityRef,
    pub body: Value,
    pub digest: &'a str,
    pub facets: Facets,
    pub source: &'a str,
    /// JSON, as [`super::super::document::relations`] writes it.
    pub relations: String,
    pub etag: String,
}

/// A relation of `origin`, whose document says so.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub struct NewRelation<'a> {
    // First what they are sorted by.
    pub source: &'a str,
    pub kind: &'a str,
    pub target: &'a str,
    pub origin: Uuid,
}

/// A stored relation.
pub struct StoredRelation {
    pub source: String,
    pub kind: String,
    pub target: String,
}

/// What tells an entity's etag and shows its relations.
pub struct Linked {
    pub entity_ref: String,
    pub digest: String,
    pub relations: String,
}

/// Waits for other writers. Their transactions may take long where a location is large; a request that waits is ended by
/// its own time limit.
///
/// Whoever writes finds everything by keys. The planner does not know of rows that the same transaction wrote, takes the
/// tables for empty ones and would go through all of them for every few entities: from here on it may not. Where it has to,
/// as in a table of one row, it takes that for so costly that it would compile the statement, for a tenth of a second.
pub async fn lock(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query_scalar!(
        "select set_config('statement_timeout', '600s', true) || set_config('enable_seqscan', 'off', true)
            || set_config('jit', 'off', true)"
    )
    .fetch_one(&mut *db)
    .await?;
    sqlx::query_scalar!("select version from catalog_version for update")
        .fetch_one(db)
        .await?;
    Ok(())
}

/// Lets the planner look at tables that a large write has changed; it would take them for empty ones until the server's own
/// housekeeping comes by.
pub async fn analyze(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    // Of long lists it learns little, and slowly.
    sqlx::query!(
        "analyze catalog_entity (entity_ref, kind, namespace, name, title, owner, type, lifecycle, location_id)"
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!("analyze catalog_relation (origin, source_ref, type, target_ref)")
        .execute(db)
        .await?;
    Ok(())
}

/// Are there many entities more than the planner knows of?
pub async fn has_outgrown_statistics(db: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select (select count from catalog_count where filter = '' and element = '')
            > 1.5 * (select greatest(reltuples, 0) from pg_class where oid = 'catalog_entity'::regclass) as "outgrown!""#
    )
    .fetch_one(db)
    .await
}

/// The catalog is another one now.
pub async fn bump(db: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("update catalog_version set version = version + 1")
        .execute(db)
        .await?;
    Ok(())
}

/// Writes entities of a location; answers how many. Refs that another location holds are left alone.
pub async fn upsert(
    db: &mut PgConnection,
    location: Uuid,
    entities: &[NewEntity<'_>],
    now: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let lower = |pointer: &'static str| -> Vec<Option<String>> {
        let text = |entity: &NewEntity<'_>| Some(entity.body.pointer(pointer)?.as_str()?.to_lowercase());
        entities.iter().map(text).collect()
    };
    let facet = |key: &'static str| -> Vec<Option<String>> {
        let text = |entity: &NewEntity<'_>| entity.facets.text(key);
        entities.iter().map(text).collect()
    };
    let column = |value: fn(&NewEntity<'_>) -> String| -> Vec<String> { entities.iter().map(value).collect() };
    let list = |value: fn(&Facets) -> &Vec<String>| -> Vec<String> {
        entities.iter().map(|entity| array(value(&entity.facets))).collect()
    };
    let ids: Vec<Uuid> = entities.iter().map(|entity| entity.id).collect();
    let parts = entities.iter().map(|entity| Parts::of(&entity.body, entity.id));
    let (heads, tails): (Vec<String>, Vec<String>) = parts.map(|parts| (parts.head, parts.tail)).unzip();
    let owners: Vec<Option<String>> = entities.iter().map(owner).collect();
    let done = sqlx::query!(
        "insert into catalog_entity
            (id, entity_ref, kind, namespace, name, title, owner, type, lifecycle, head, tail, relations, etag, digest,
            facets, originals, counted, counted_lower, search, given_title, description, display_name, location_id, source,
            changed_at, read_at)
        select id, entity_ref, kind, namespace, name, title, owner, type, lifecycle, head, tail, relations, etag, digest,
            facets::text[], originals::text[], counted::text[], counted_lower::text[], search, given_title, description,
            display_name, $23, source, $24, $24
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],
                $17::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $25::text[])
            as new (id, entity_ref, kind, namespace, name, title, owner, type, lifecycle, head, tail, relations, etag,
                digest, facets, originals, counted, counted_lower, search, given_title, description, display_name, source)
        on conflict on constraint catalog_entity_ref_key do update set
            kind = excluded.kind, namespace = excluded.namespace, name = excluded.name, title = excluded.title,
            owner = excluded.owner, type = excluded.type, lifecycle = excluded.lifecycle, head = excluded.head,
            tail = excluded.tail, relations = excluded.relations, etag = excluded.etag, digest = excluded.digest,
            facets = excluded.facets, originals = excluded.originals, counted = excluded.counted,
            counted_lower = excluded.counted_lower, search = excluded.search, given_title = excluded.given_title,
            description = excluded.description, display_name = excluded.display_name, source = excluded.source,
            changed_at = excluded.changed_at, read_at = excluded.read_at, orphaned_at = null
        where catalog_entity.location_id = excluded.location_id",
        &ids,
        &column(|entity| entity.entity_ref.to_string()),
        &column(|entity| entity.entity_ref.kind.clone()),
        &column(|entity| entity.entity_ref.namespace.clone()),
        &column(|entity| entity.entity_ref.name.clone()),
        &column(title),
        &owners as &[Option<String>],
        &lower("/spec/type") as &[Option<String>],
        &lower("/spec/lifecycle") as &[Option<String>],
        &heads,
        &tails,
        &column(|entity| entity.relations.clone()),
        &column(|entity| entity.etag.clone()),
        &column(|entity| entity.digest.to_owned()),
        &list(|facets| &facets.elements),
        &list(|facets| &facets.originals),
        &list(|facets| &facets.counted),
        &list(|facets| &facets.counted_lower),
        &column(search),
        &facet("metadata.title") as &[Option<String>],
        &facet("metadata.description") as &[Option<String>],
        &facet("spec.profile.displayname") as &[Option<String>],
        location,
        now,
        &column(|entity| entity.source.to_owned()),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Gives entities that another location holds to this one.
pub async fn take_over(db: &mut PgConnection, location: Uuid, refs: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_entity set location_id = $1 where entity_ref = any($2)",
        location,
        refs,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes a document whose source said nothing new, with other marks.
pub async fn update_marks(
    db: &mut PgConnection,
    id: Uuid,
    parts: &Parts,
    (digest, etag): (&str, &str),
    facets: &Facets,
    orphaned_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_entity set head = $2, tail = $3, digest = $4, etag = $5, facets = $6, originals = $7,
            orphaned_at = $8
        where id = $1",
        id,
        parts.head,
        parts.tail,
        digest,
        etag,
        &facets.elements,
        &facets.originals,
        orphaned_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ids of a location's entities: those of these refs, or all.
pub async fn list_ids(
    db: &mut PgConnection,
    location: Uuid,
    refs: Option<&[String]>,
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from catalog_entity where location_id = $1 and ($2::text[] is null or entity_ref = any($2))",
        location,
        refs,
    )
    .fetch_all(db)
    .await
}

/// Deletes entities; answers their refs.
pub async fn delete(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "delete from catalog_entity where id = any($1) returning entity_ref",
        ids
    )
    .fetch_all(db)
    .await
}

/// Deletes the relations that these entities make; answers the refs that had them.
pub async fn delete_relations(db: &mut PgConnection, origins: &[Uuid]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "delete from catalog_relation where origin = any($1) returning source_ref",
        origins
    )
    .fetch_all(db)
    .await
}

/// Writes relations, each once: these origins have none.
pub async fn insert_relations(db: &mut PgConnection, relations: &[NewRelation<'_>]) -> Result<(), sqlx::Error> {
    for chunk in relations.chunks(CHUNK) {
        let origins: Vec<Uuid> = chunk.iter().map(|relation| relation.origin).collect();
        let sources: Vec<&str> = chunk.iter().map(|relation| relation.source).collect();
        let kinds: Vec<&str> = chunk.iter().map(|relation| relation.kind).collect();
        let targets: Vec<&str> = chunk.iter().map(|relation| relation.target).collect();
        sqlx::query!(
            "insert into catalog_relation (origin, source_ref, type, target_ref)
            select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])",
            &origins,
            &sources as &[&str],
            &kinds as &[&str],
            &targets as &[&str],
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Relations of these refs, whoever makes them.
pub async fn list_relations(db: &mut PgConnection, refs: &[&str]) -> Result<Vec<StoredRelation>, sqlx::Error> {
    sqlx::query_as!(
        StoredRelation,
        r#"select source_ref as source, type as kind, target_ref as target from catalog_relation
        where source_ref = any($1)"#,
        refs as &[&str],
    )
    .fetch_all(db)
    .await
}

/// Those of these refs that are stored.
pub async fn list_linked(db: &mut PgConnection, refs: &[&str]) -> Result<Vec<Linked>, sqlx::Error> {
    sqlx::query_as!(
        Linked,
        "select entity_ref, digest, relations from catalog_entity where entity_ref = any($1)",
        refs as &[&str],
    )
    .fetch_all(db)
    .await
}

/// Stores what the documents of entities show of their relations: ref, relations, etag.
pub async fn update_relations(db: &mut PgConnection, rows: &[(String, String, String)]) -> Result<(), sqlx::Error> {
    let refs: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let relations: Vec<&str> = rows.iter().map(|row| row.1.as_str()).collect();
    let etags: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    sqlx::query!(
        "update catalog_entity e set relations = new.relations, etag = new.etag
        from unnest($1::text[], $2::text[], $3::text[]) as new (entity_ref, relations, etag)
        where e.entity_ref = new.entity_ref",
        &refs as &[&str],
        &relations as &[&str],
        &etags as &[&str],
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A list as Postgres reads it: an array of arrays cannot be bound.
fn array(values: &[String]) -> String {
    let mut text = String::with_capacity(values.iter().map(|value| value.len() + 4).sum::<usize>() + 2);
    text.push('{');
    for (index, value) in values.iter().enumerate() {
        text.push_str(if index == 0 { "\"" } else { ",\"" });
        for piece in value.split_inclusive(['"', '\\']) {
            match piece.as_bytes().last() {
                Some(last @ (b'"' | b'\\')) => {
                    text.push_str(&piece[..piece.len() - 1]);
                    text.push('\\');
                    text.push(char::from(*last));
                }
                _ => text.push_str(piece),
            }
        }
        text.push('"');
    }
    text.push('}');
    text
}

fn title(entity: &NewEntity<'_>) -> String {
    let given = entity.body.pointer("/metadata/title").and_then(Value::as_str);
    given.unwrap_or(&entity.entity_ref.name).to_lowercase()
}

/// Canonical ref of the owner, where there is one that can be read.
fn owner(entity: &NewEntity<'_>) -> Option<String> {
    let owner = entity.body.pointer("/spec/owner")?.as_str()?;
    let owner = EntityRef::parse(owner, Some("group"), Some(&entity.entity_ref.namespace)).ok()?;
    Some(owner.to_string())
}

/// What the list's search box looks at.
fn search(entity: &NewEntity<'_>) -> String {
    let metadata = &entity.body["metadata"];
    let tags = metadata["tags"].as_array().into_iter().flatten();
    let text = [
        &metadata["name"],
        &metadata["title"],
        &metadata["description"],
        &entity.body["spec"]["owner"],
        &entity.body["spec"]["profile"]["displayName"],
    ]
    .into_iter()
    .chain(tags)
    .filter_map(Value::as_str)
    .collect::<Vec<_>>()
    .join("\n");
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[sqlx::test]
    async fn lists_arrive_as_they_are(db: sqlx::PgPool) {
        let values = ["", "a b", "\"q\"", "back\\slash", "{a,b}", "null", "NULL", "ü\n\t'"].map(str::to_owned);
        let back: Vec<String> = sqlx::query_scalar("select $1::text::text[]")
            .bind(array(&values))
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(back, values);
        let empty: Vec<String> = sqlx::query_scalar("select $1::text::text[]")
            .bind(array(&[]))
            .fetch_one(&db)
            .await
            .unwrap();
        assert!(empty.is_empty());
    }
}
