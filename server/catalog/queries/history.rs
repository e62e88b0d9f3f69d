//! Changes of entities.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::super::history::{Change, Event, KEPT, KEPT_FOR, KEPT_LENGTH, ReadAt};
use crate::scm::Repository;

/// A change as it is recorded.
pub struct NewEvent {
    /// Of the entity's row.
    pub id: Uuid,
    pub entity_ref: String,
    pub source: String,
    pub read_at: Option<ReadAt>,
}

/// Stored documents that are about to be written with another digest.
pub async fn list_replaced(
    db: &mut PgConnection,
    ids: &[Uuid],
    digests: &[&str],
) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select e.id, e.head || e.etag || e.tail || e.relations || '}' as "document!"
        from unnest($1::uuid[], $2::text[]) as new (id, digest) join catalog_entity e on e.id = new.id
        where e.digest <> new.digest"#,
        ids,
        digests as &[&str],
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.document)).collect())
}

/// Ids, refs and sources of entities.
pub async fn list_sources(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<NewEvent>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, entity_ref, source from catalog_entity where id = any($1)",
        ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| NewEvent {
            id: row.id,
            entity_ref: row.entity_ref,
            source: row.source,
            read_at: None,
        })
        .collect())
}

/// Those of these refs that have a history.
pub async fn list_remembered(db: &mut PgConnection, refs: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select new.entity_ref as "entity_ref!" from unnest($1::text[]) as new (entity_ref)
        where exists (select from catalog_history h where h.entity_ref = new.entity_ref)"#,
        refs as &[&str],
    )
    .fetch_all(db)
    .await
}

/// Records changes, with the documents as they are stored before them.
pub async fn insert(
    db: &mut PgConnection,
    change: Change,
    events: &[NewEvent],
    actor: Option<&str>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let column = |value: fn(&NewEvent) -> &str| -> Vec<&str> { events.iter().map(value).collect() };
    let read = |value: fn(&ReadAt) -> &str| -> Vec<Option<&str>> {
        events.iter().map(|event| event.read_at.as_ref().map(value)).collect()
    };
    let earlier: Vec<Option<&str>> = events
        .iter()
        .map(|event| event.read_at.as_ref()?.earlier.as_deref())
        .collect();
    let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
    sqlx::query!(
        "insert into catalog_history (entity_ref, at, change, before, source, forge, owner, name, path, commit_id,
            earlier_commit_id, actor)
        select new.entity_ref, $11, $12, e.head || e.etag || e.tail || e.relations || '}', new.source, new.forge, new.owner,
            new.name, new.path, new.commit_id, new.earlier_commit_id, $10
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
            as new (id, entity_ref, source, forge, owner, name, path, commit_id, earlier_commit_id)
        left join catalog_entity e on e.id = new.id
        order by new.entity_ref",
        &ids,
        &column(|event| &event.entity_ref) as &[&str],
        &column(|event| &event.source) as &[&str],
        &read(|read| &read.repository.forge) as &[Option<&str>],
        &read(|read| &read.repository.owner) as &[Option<&str>],
        &read(|read| &read.repository.name) as &[Option<&str>],
        &read(|read| &read.path) as &[Option<&str>],
        &read(|read| &read.commit) as &[Option<&str>],
        &earlier as &[Option<&str>],
        actor,
        now,
        change.word(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets what is too much of these entities: by number, by length, the newest always stays.
pub async fn trim(db: &mut PgConnection, refs: &[&str]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from catalog_history where id in (
            select id from (
                select id, row_number() over newest as place,
                    sum(length(before)) over newest as total
                from catalog_history where entity_ref = any($1)
                window newest as (partition by entity_ref order by id desc)) own
            where place > $2 or (place > 1 and total > $3))",
        refs as &[&str],
        i64::from(KEPT),
        KEPT_LENGTH,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets what is old, and all of entities that went before `gone` and are not back; a part at a time.
pub async fn forget(db: &mut PgConnection, now: DateTime<Utc>, gone: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from catalog_history where id in (select id from catalog_history where at < $1 order by at limit 1000)",
        now - KEPT_FOR,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "delete from catalog_history where entity_ref in (
            select h.entity_ref from catalog_history h where h.change = 'removed' and h.at < $1
            and not exists (select from catalog_entity e where e.entity_ref = h.entity_ref)
            and not exists (select from catalog_history n where n.entity_ref = h.entity_ref and n.at >= $1)
            limit 1000)",
        gone,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Changes of an entity before the one with the number `until`, newest first.
pub async fn list(
    db: impl PgExecutor<'_>,
    entity_ref: &str,
    until: Option<i64>,
    limit: i64,
) -> Result<Vec<Event>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, at, change, before, source, forge, owner, name, path, commit_id, earlier_commit_id, actor
        from catalog_history where entity_ref = $1 and ($2::bigint is null or id < $2) order by id desc limit $3",
        entity_ref,
        until,
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let repository = row.forge.zip(row.owner).zip(row.name);
            let repository = repository.map(|((forge, owner), name)| Repository { forge, owner, name });
            let read_at = repository.zip(row.path).zip(row.commit_id);
            Event {
                id: row.id,
                at: row.at,
                change: Change::of_word(&row.change).unwrap_or(Change::Changed),
                before: row.before,
                source: row.source,
                read_at: read_at.map(|((repository, path), commit)| ReadAt {
                    repository,
                    path,
                    commit,
                    earlier: row.earlier_commit_id,
                }),
                actor: row.actor,
            }
        })
        .collect())
}

/// The document before one change of an entity: what an earlier change made of it. The outer `None`: there is no such change.
pub async fn find_before(
    db: impl PgExecutor<'_>,
    entity_ref: &str,
    id: i64,
) -> Result<Option<Option<String>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select before from catalog_history where entity_ref = $1 and id = $2",
        entity_ref,
        id
    )
    .fetch_optional(db)
    .await
}
