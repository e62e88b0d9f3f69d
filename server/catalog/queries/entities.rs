//! Entities and their relations.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::super::facets::Facets;
use super::super::read::Previous;
use super::super::{Entity, EntityRef};

/// What a stored entity is compared with.
pub struct Known {
    pub id: Uuid,
    pub digest: String,
    pub location_id: Uuid,
    pub source: String,
    pub orphaned_at: Option<DateTime<Utc>>,
    /// Only an identity provider told of it: a file takes its place.
    pub told: bool,
}

/// A stored document with its marks.
pub struct Marked {
    pub id: Uuid,
    pub entity_ref: String,
    pub body: Value,
    pub digest: String,
    pub orphaned_at: Option<DateTime<Utc>>,
}

/// An entity as it is written.
pub struct NewEntity {
    pub id: Uuid,
    pub entity_ref: EntityRef,
    pub body: Value,
    pub digest: String,
    pub facets: Facets,
    pub source: String,
}

/// A row, without its relations.
pub struct Row {
    pub id: Uuid,
    pub entity_ref: String,
    pub body: Value,
    pub digest: String,
}

impl Row {
    /// The document that the API answers: with uid, etag and relations `{type, targetRef}`.
    pub fn into_entity(self, relations: Vec<Value>) -> Entity {
        let mut body = self.body;
        let relations = Value::Array(relations);
        let mut etag = Sha1::new();
        etag.update(self.digest.as_bytes());
        etag.update(relations.to_string().as_bytes());
        if let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("uid".to_owned(), json!(self.id));
            metadata.insert("etag".to_owned(), json!(hex::encode(etag.finalize())));
        }
        if let Some(root) = body.as_object_mut() {
            root.insert("relations".to_owned(), relations);
        }
        Entity { body }
    }
}

/// Entities of rows, in their order. One query for the relations of all: a subquery for each row is
/// planned for one row at a time, which took half a minute for 10,000 of them.
pub async fn with_relations(db: &PgPool, rows: Vec<Row>) -> Result<Vec<Entity>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let refs: Vec<String> = rows.iter().map(|row| row.entity_ref.clone()).collect();
    let found = sqlx::query!(
        r#"select distinct source_ref as "source!", type as "kind!", target_ref as "target!" from catalog_relation
        where source_ref = any($1)"#,
        &refs,
    )
    .fetch_all(db)
    .await?;
    let mut relations: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for row in found {
        relations.entry(row.source).or_default().push((row.kind, row.target));
    }
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut own = relations.remove(&row.entity_ref).unwrap_or_default();
            own.sort();
            let own = own
                .into_iter()
                .map(|(kind, target)| json!({"type": kind, "targetRef": target}));
            let own = own.collect();
            row.into_entity(own)
        })
        .collect())
}

pub async fn find(db: &PgPool, entity_ref: &str) -> Result<Option<Entity>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, entity_ref, body as "body!: Value", digest from catalog_entity where entity_ref = $1"#,
        entity_ref,
    )
    .fetch_optional(db)
    .await?;
    Ok(with_relations(db, row.into_iter().collect()).await?.pop())
}

pub async fn find_by_id(db: &PgPool, id: Uuid) -> Result<Option<Entity>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select id, entity_ref, body as "body!: Value", digest from catalog_entity where id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await?;
    Ok(with_relations(db, row.into_iter().collect()).await?.pop())
}

/// Entities by ref.
pub async fn list_by_refs(db: &PgPool, refs: &[String]) -> Result<HashMap<String, Entity>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, entity_ref, body as "body!: Value", digest from catalog_entity where entity_ref = any($1)"#,
        refs,
    )
    .fetch_all(db)
    .await?;
    let found = with_relations(db, rows).await?.into_iter();
    Ok(found.map(|entity| (entity.entity_ref().to_string(), entity)).collect())
}

pub async fn list_kind(db: &PgPool, kind: &str) -> Result<Vec<Entity>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id, entity_ref, body as "body!: Value", digest from catalog_entity where kind = $1
        order by entity_ref"#,
        kind,
    )
    .fetch_all(db)
    .await?;
    with_relations(db, rows).await
}

/// Titles of the entities of these refs that exist.
pub async fn titles(db: &PgPool, refs: &[String]) -> Result<HashMap<String, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select entity_ref, coalesce(body #>> '{metadata,title}', body #>> '{metadata,name}') as "title!"
        from catalog_entity where entity_ref = any($1)"#,
        refs,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.entity_ref, row.title)).collect())
}

/// Where an entity was read from, and when its location was looked at last.
pub struct Origin {
    pub location_id: Uuid,
    pub source: String,
    pub checked_at: Option<chrono::DateTime<chrono::Utc>>,
}

pub async fn find_origin(db: &PgPool, entity_ref: &str) -> Result<Option<Origin>, sqlx::Error> {
    sqlx::query_as!(
        Origin,
        "select e.location_id, e.source, l.checked_at from catalog_entity e
        join catalog_location l on l.id = e.location_id where e.entity_ref = $1",
        entity_ref,
    )
    .fetch_optional(db)
    .await
}

/// Stored entities of a location, as the next read of it needs them.
pub async fn list_previous(db: &PgPool, location: Uuid) -> Result<Vec<Previous>, sqlx::Error> {
    // Bodies are needed only of those that name further files.
    let rows = sqlx::query!(
        r#"select kind, namespace, name, source,
            case when kind = 'location' then body else '{}'::json end as "body!: Value"
        from catalog_entity where location_id = $1 order by entity_ref"#,
        location,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Previous {
            entity_ref: EntityRef::new(&row.kind, &row.namespace, &row.name),
            source: row.source,
            body: row.body,
        })
        .collect())
}

/// What is stored now under these refs and of this location, by ref.
pub async fn list_known(
    db: &mut PgConnection,
    location: Uuid,
    refs: &[String],
) -> Result<HashMap<String, Known>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select e.entity_ref, e.id, e.digest, e.location_id, e.source, e.orphaned_at, l.kind = 'identity' as "told!"
        from catalog_entity e join catalog_location l on l.id = e.location_id
        where e.location_id = $1 or e.entity_ref = any($2)"#,
        location,
        refs,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let known = Known {
                id: row.id,
                digest: row.digest,
                location_id: row.location_id,
                source: row.source,
                orphaned_at: row.orphaned_at,
                told: row.told,
            };
            (row.entity_ref, known)
        })
        .collect())
}

/// Writes entities of a location. Refs that another location holds are left alone; those written are returned.
/// `entities` must be sorted by ref, so that two writers cannot wait for each other.
pub async fn upsert(
    db: &mut PgConnection,
    location: Uuid,
    entities: &[NewEntity],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    let mut written = Vec::with_capacity(entities.len());
    for chunk in entities.chunks(500) {
        let text = |pointer: &'static str| -> Vec<Option<String>> {
            chunk
                .iter()
                .map(|entity| {
                    entity
                        .body
                        .pointer(pointer)
                        .and_then(Value::as_str)
                        .map(str::to_lowercase)
                })
                .collect()
        };
        let column = |value: fn(&NewEntity) -> String| -> Vec<String> { chunk.iter().map(value).collect() };
        let ids: Vec<Uuid> = chunk.iter().map(|entity| entity.id).collect();
        // As text: bound as JSON they would go through jsonb, which forgets the order of keys.
        let bodies = column(|entity| entity.body.to_string());
        let owners: Vec<Option<String>> = chunk.iter().map(owner).collect();
        let rows = sqlx::query!(
            "insert into catalog_entity
                (id, entity_ref, kind, namespace, name, title, owner, type, lifecycle, body, digest, facets, originals,
                search, location_id, source, changed_at, read_at)
            select id, entity_ref, kind, namespace, name, title, owner, type, lifecycle, body::json, digest,
                array(select json_array_elements_text(facets)), array(select json_array_elements_text(originals)),
                search, $14, source, $15, $15
            from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                    $9::text[], $10::text[], $11::text[], $12::json[], $13::json[], $16::text[], $17::text[])
                as new (id, entity_ref, kind, namespace, name, title, owner, type, lifecycle, body, digest, facets,
                    originals, search, source)
            on conflict on constraint catalog_entity_ref_key do update set
                kind = excluded.kind, namespace = excluded.namespace, name = excluded.name, title = excluded.title,
                owner = excluded.owner, type = excluded.type, lifecycle = excluded.lifecycle, body = excluded.body,
                digest = excluded.digest, facets = excluded.facets, originals = excluded.originals,
                search = excluded.search, source = excluded.source, changed_at = excluded.changed_at,
                read_at = excluded.read_at, orphaned_at = null
            where catalog_entity.location_id = excluded.location_id
            returning entity_ref",
            &ids,
            &column(|entity| entity.entity_ref.to_string()),
            &column(|entity| entity.entity_ref.kind.clone()),
            &column(|entity| entity.entity_ref.namespace.clone()),
            &column(|entity| entity.entity_ref.name.clone()),
            &column(title),
            &owners as &[Option<String>],
            &text("/spec/type") as &[Option<String>],
            &text("/spec/lifecycle") as &[Option<String>],
            &bodies,
            &column(|entity| entity.digest.clone()),
            &chunk
                .iter()
                .map(|entity| json!(entity.facets.elements))
                .collect::<Vec<_>>(),
            &chunk
                .iter()
                .map(|entity| json!(entity.facets.originals))
                .collect::<Vec<_>>(),
            location,
            now,
            &column(search),
            &column(|entity| entity.source.clone()),
        )
        .fetch_all(&mut *db)
        .await?;
        written.extend(rows.into_iter().map(|row| row.entity_ref));
    }
    Ok(written)
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

/// Stored documents by ref, with their marks.
pub async fn list_bodies(db: &mut PgConnection, refs: &[String]) -> Result<Vec<Marked>, sqlx::Error> {
    sqlx::query_as!(
        Marked,
        r#"select id, entity_ref, body as "body!: Value", digest, orphaned_at from catalog_entity
        where entity_ref = any($1) order by entity_ref"#,
        refs,
    )
    .fetch_all(db)
    .await
}

/// Writes a document whose source said nothing new, with other marks.
pub async fn update_marks(
    db: &mut PgConnection,
    id: Uuid,
    body: &Value,
    digest: &str,
    facets: &Facets,
    orphaned_at: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    // As text: bound as JSON it would go through jsonb, which forgets the order of keys.
    sqlx::query!(
        "update catalog_entity set body = $2::text::json, digest = $3, facets = $4, originals = $5, orphaned_at = $6
        where id = $1",
        id,
        body.to_string(),
        digest,
        &facets.elements,
        &facets.originals,
        orphaned_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Since when the entity is missed that a location has missed longest.
pub async fn next_expiry(db: &mut PgConnection, location: Uuid) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let row = sqlx::query!(
        "select min(orphaned_at) as since from catalog_entity where location_id = $1",
        location
    )
    .fetch_one(db)
    .await?;
    Ok(row.since)
}

/// Does the location hold an entity that was missed before `since`?
pub async fn has_expired(db: &PgPool, location: Uuid, since: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let row = sqlx::query!(
        r#"select exists (select from catalog_entity where location_id = $1 and orphaned_at <= $2) as "expired!""#,
        location,
        since,
    )
    .fetch_one(db)
    .await?;
    Ok(row.expired)
}

/// Replaces the relations that these entities make: `(origin, source, type, target)`.
pub async fn replace_relations(
    db: &mut PgConnection,
    origins: &[Uuid],
    relations: &[(Uuid, String, &'static str, String)],
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from catalog_relation where origin = any($1)", origins)
        .execute(&mut *db)
        .await?;
    for chunk in relations.chunks(2_000) {
        let origins: Vec<Uuid> = chunk.iter().map(|relation| relation.0).collect();
        let sources: Vec<String> = chunk.iter().map(|relation| relation.1.clone()).collect();
        let kinds: Vec<String> = chunk.iter().map(|relation| relation.2.to_owned()).collect();
        let targets: Vec<String> = chunk.iter().map(|relation| relation.3.clone()).collect();
        sqlx::query!(
            "insert into catalog_relation (origin, source_ref, type, target_ref)
            select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
            on conflict on constraint catalog_relation_pkey do nothing",
            &origins,
            &sources,
            &kinds,
            &targets,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Deletes a location's entities of these refs.
pub async fn delete(db: &mut PgConnection, location: Uuid, refs: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from catalog_entity where location_id = $1 and entity_ref = any($2)",
        location,
        refs,
    )
    .execute(db)
    .await?;
    Ok(())
}

fn title(entity: &NewEntity) -> String {
    let given = entity.body.pointer("/metadata/title").and_then(Value::as_str);
    without_nul(given.unwrap_or(&entity.entity_ref.name).to_lowercase())
}

/// Canonical ref of the owner, where there is one that can be read.
fn owner(entity: &NewEntity) -> Option<String> {
    let owner = entity.body.pointer("/spec/owner")?.as_str()?;
    let owner = EntityRef::parse(owner, Some("group"), Some(&entity.entity_ref.namespace)).ok()?;
    Some(owner.to_string())
}

fn search(entity: &NewEntity) -> String {
    let metadata = &entity.body["metadata"];
    let tags = metadata["tags"].as_array().into_iter().flatten();
    let text = [
        &metadata["name"],
        &metadata["title"],
        &metadata["description"],
        &entity.body["spec"]["owner"],
    ]
    .into_iter()
    .chain(tags)
    .filter_map(Value::as_str)
    .collect::<Vec<_>>()
    .join("\n");
    without_nul(text.to_lowercase())
}

/// Postgres takes no NUL in text.
fn without_nul(text: String) -> String {
    text.replace('\0', "")
}
