//! What people have looked at lately.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

/// Refs that a user has looked at, the latest first.
pub async fn list(db: impl PgExecutor<'_>, user_ref: &str, limit: i64) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select entity_ref from catalog_seen where user_ref = $1 order by seen_at desc, entity_ref limit $2",
        user_ref,
        limit
    )
    .fetch_all(db)
    .await
}

/// Keeps that a user has looked at an entity, and forgets what is older than the last `limit`.
pub async fn upsert(
    db: &PgPool,
    user_ref: &str,
    entity_ref: &str,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with seen as (
           insert into catalog_seen (user_ref, entity_ref, seen_at) values ($1, $2, $3)
           on conflict on constraint catalog_seen_pkey do update set seen_at = greatest(catalog_seen.seen_at, excluded.seen_at)
         )
         delete from catalog_seen where user_ref = $1 and entity_ref in (
           select entity_ref from catalog_seen where user_ref = $1 and entity_ref <> $2
           order by seen_at desc offset $4
         )",
        user_ref,
        entity_ref,
        now,
        limit - 1
    )
    .execute(db)
    .await?;
    Ok(())
}
