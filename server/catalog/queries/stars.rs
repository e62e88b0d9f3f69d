//! Stars of people.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};

/// Refs that a user has starred, the latest first.
pub async fn list(db: impl PgExecutor<'_>, user_ref: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select entity_ref from catalog_star where user_ref = $1 order by starred_at desc, entity_ref",
        user_ref
    )
    .fetch_all(db)
    .await
}

/// Stars an entity for a user, who may have `limit` stars; `false` where they have as many already. A star that is
/// there stays as it is.
pub async fn insert(
    db: &PgPool,
    user_ref: &str,
    entity_ref: &str,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<bool, sqlx::Error> {
    let written = sqlx::query_scalar!(
        r#"insert into catalog_star (user_ref, entity_ref, starred_at)
        select $1, $2, $3 where (select count(*) from catalog_star where user_ref = $1 and entity_ref <> $2) < $4
        on conflict on constraint catalog_star_pkey do update set starred_at = catalog_star.starred_at
        returning true as "written!""#,
        user_ref,
        entity_ref,
        now,
        limit
    )
    .fetch_optional(db)
    .await?;
    Ok(written.is_some())
}

/// Takes a star back; one that is not there is no error.
pub async fn delete(db: &PgPool, user_ref: &str, entity_ref: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from catalog_star where user_ref = $1 and entity_ref = $2",
        user_ref,
        entity_ref
    )
    .execute(db)
    .await?;
    Ok(())
}
