//! When sources are looked at again.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::scm::Repository;

/// The location is not looked at before `until`.
pub async fn postpone(db: &PgPool, id: Uuid, until: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_location set next_read_at = greatest(next_read_at, $2) where id = $1",
        id,
        until,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A location was looked at and is unchanged: so are those that lie in the same repositories at the same commits, were
/// read by `version` and have nothing that would have to be tried again. Entities that are missed go after `grace`.
pub async fn store_unchanged_beside(
    db: &PgPool,
    id: Uuid,
    version: &str,
    now: DateTime<Utc>,
    next: DateTime<Utc>,
    grace: TimeDelta,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"update catalog_location l set checked_at = $3, next_read_at = least($4, (
            select min(orphaned_at) + make_interval(secs => $5) from catalog_entity where location_id = l.id))
        where l.id <> $1 and l.kind = 'url' and not l.stale and l.read_by = $2
            and not l.problems @> '[{"temporary": true}]'
            and l.id in (
                select theirs.location_id from catalog_location_repository own
                join catalog_location_repository theirs using (forge, owner, name) where own.location_id = $1)
            and not exists (
                select from catalog_location_repository theirs
                where theirs.location_id = l.id and not exists (
                    select from catalog_location_repository own
                    where own.location_id = $1
                        and (own.forge, own.owner, own.name, own.reference, own.commit_id)
                            = (theirs.forge, theirs.owner, theirs.name, theirs.reference, theirs.commit_id)))"#,
        id,
        version,
        now,
        next,
        grace.as_seconds_f64(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Is the repository one in which a provider found a file?
pub async fn is_discovered(db: &PgPool, repository: &Repository, mark: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
            select from catalog_location_repository r join catalog_location l on l.id = r.location_id
            where r.forge = $1 and lower(r.owner) = lower($2) and lower(r.name) = lower($3) and l.discovered_by = $4
        ) as "is!""#,
        repository.forge,
        repository.owner,
        repository.name,
        mark,
    )
    .fetch_one(db)
    .await
}

/// Takes the scan of a provider, where it is due or the provider's settings are others than at the last one, and
/// postpones it to `again_at`, so that no other replica scans meanwhile.
pub async fn take_scan(
    db: &PgPool,
    mark: &str,
    settings: &str,
    now: DateTime<Utc>,
    again_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into catalog_scan (provider, settings, next_scan_at) values ($1, $2, $4)
        on conflict on constraint catalog_scan_pkey do update set settings = $2, next_scan_at = $4
        where catalog_scan.next_scan_at <= $3 or catalog_scan.settings <> $2",
        mark,
        settings,
        now,
        again_at,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// When the provider's repositories are looked through next.
pub async fn set_next_scan(db: &PgPool, mark: &str, next: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_scan set next_scan_at = $2 where provider = $1",
        mark,
        next
    )
    .execute(db)
    .await?;
    Ok(())
}

/// When the provider's repositories are looked through next; `None` where they never were.
pub async fn find_next_scan(db: &PgPool, mark: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("select next_scan_at from catalog_scan where provider = $1", mark)
        .fetch_optional(db)
        .await
}
