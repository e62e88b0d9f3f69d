//! Entities as they are stored.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, PgPool};
use uuid::Uuid;

use super::super::document::bare;
use super::super::read::{Previous, Problem};
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

/// A stored document, without relations, uid and etag, with its marks.
pub struct Marked {
    pub id: Uuid,
    pub entity_ref: String,
    pub body: Value,
    pub digest: String,
    /// As they are stored.
    pub relations: String,
    pub orphaned_at: Option<DateTime<Utc>>,
}

/// A stored document as it is read: text.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Row {
    pub entity_ref: String,
    /// JSON, as the API answers it.
    pub document: String,
}

impl Row {
    pub fn entity(&self) -> Result<Entity, sqlx::Error> {
        parse(&self.document).map(|body| Entity { body })
    }

    /// Bytes that the entity takes in memory, about: three times those of its text.
    pub fn parsed_bytes(&self) -> usize {
        3 * self.document.len()
    }
}

fn parse(document: &str) -> Result<Value, sqlx::Error> {
    serde_json::from_str(document).map_err(|error| sqlx::Error::Decode(error.into()))
}

pub async fn find(db: impl PgExecutor<'_>, entity_ref: &str) -> Result<Option<Entity>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select entity_ref, head || etag || tail || relations || '}' as "document!"
        from catalog_entity where entity_ref = $1"#,
        entity_ref,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| row.entity()).transpose()
}

pub async fn find_by_id(db: &PgPool, id: Uuid) -> Result<Option<Entity>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"select entity_ref, head || etag || tail || relations || '}' as "document!"
        from catalog_entity where id = $1"#,
        id,
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| row.entity()).transpose()
}

/// Documents by ref, in no order.
pub async fn list_documents(db: impl PgExecutor<'_>, refs: &[String]) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as!(
        Row,
        r#"select entity_ref, head || etag || tail || relations || '}' as "document!"
        from catalog_entity where entity_ref = any($1)"#,
        refs,
    )
    .fetch_all(db)
    .await
}

/// Entities by ref.
pub async fn list_by_refs(db: impl PgExecutor<'_>, refs: &[String]) -> Result<HashMap<String, Entity>, sqlx::Error> {
    let rows = list_documents(db, refs).await?.into_iter();
    rows.map(|row| row.entity().map(|entity| (row.entity_ref, entity)))
        .collect()
}

pub async fn list_kind(db: &PgPool, kind: &str) -> Result<Vec<Entity>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select entity_ref, head || etag || tail || relations || '}' as "document!"
        from catalog_entity where kind = $1 order by entity_ref"#,
        kind,
    )
    .fetch_all(db)
    .await?;
    rows.iter().map(Row::entity).collect()
}

/// Titles of the entities of these refs that exist.
pub async fn titles(db: impl PgExecutor<'_>, refs: &[String]) -> Result<HashMap<String, String>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select entity_ref, coalesce(own ->> 'title', own ->> 'name') as "title!"
        from catalog_entity, lateral (select (head || '"}}')::json -> 'metadata' as own) document
        where entity_ref = any($1)"#,
        refs,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.entity_ref, row.title)).collect())
}

/// Where an entity was read from, when its location was looked at last, and what was wrong there.
pub struct Origin {
    pub location_id: Uuid,
    pub source: String,
    pub checked_at: Option<DateTime<Utc>>,
    pub problems: Vec<Problem>,
}

pub async fn find_origin(db: impl PgExecutor<'_>, entity_ref: &str) -> Result<Option<Origin>, sqlx::Error> {
    let row = sqlx::query!(
        "select e.location_id, e.source, l.checked_at, l.problems from catalog_entity e
        join catalog_location l on l.id = e.location_id where e.entity_ref = $1",
        entity_ref,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Origin {
        location_id: row.location_id,
        source: row.source,
        checked_at: row.checked_at,
        // As in locations.
        problems: serde_json::from_value(row.problems).unwrap_or_default(),
    }))
}

/// Stored entities of a location, as the next read of it needs them.
pub async fn list_previous(db: &PgPool, location: Uuid) -> Result<Vec<Previous>, sqlx::Error> {
    // Bodies are needed only of those that name further files.
    let rows = sqlx::query!(
        r#"select kind, namespace, name, source,
            case when kind = 'location' then head || etag || tail || relations || '}' end as document
        from catalog_entity where location_id = $1 order by entity_ref"#,
        location,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let body = row.document.map_or(Ok(Value::Null), |document| parse(&document))?;
            Ok(Previous {
                entity_ref: EntityRef::new(&row.kind, &row.namespace, &row.name),
                source: row.source,
                body: bare(body),
            })
        })
        .collect()
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

/// Stored documents by ref, with their marks.
pub async fn list_marked(db: &mut PgConnection, refs: &[String]) -> Result<Vec<Marked>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id, entity_ref, head || etag || tail || relations || '}' as "document!", digest, relations, orphaned_at
        from catalog_entity where entity_ref = any($1) order by entity_ref"#,
        refs,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Marked {
                id: row.id,
                entity_ref: row.entity_ref,
                body: bare(parse(&row.document)?),
                digest: row.digest,
                relations: row.relations,
                orphaned_at: row.orphaned_at,
            })
        })
        .collect()
}

/// Since when the entity is missed that a location has missed longest.
pub async fn next_expiry(db: &mut PgConnection, location: Uuid) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    let row = sqlx::query!(
        "select min(orphaned_at) as since from catalog_entity where location_id = $1 and orphaned_at is not null",
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
