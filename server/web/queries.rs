//! All SQL of the web layer.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// Keeps a sealed form, and forgets those whose time is over.
pub(super) async fn insert_kept_form(
    db: &PgPool,
    id: Uuid,
    path: &str,
    body: &[u8],
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from kept_forms where expires_at < $1", now)
        .execute(db)
        .await?;
    sqlx::query!(
        "insert into kept_forms (id, path, body, expires_at) values ($1, $2, $3, $4)",
        id,
        path,
        body,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The sealed form, if it is kept for this path.
pub(super) async fn find_kept_form(
    db: &PgPool,
    id: Uuid,
    path: &str,
    now: DateTime<Utc>,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select body from kept_forms where id = $1 and path = $2 and expires_at >= $3",
        id,
        path,
        now,
    )
    .fetch_optional(db)
    .await
}

/// Forgets a form; false where it was gone already.
pub(super) async fn delete_kept_form(db: &PgPool, id: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from kept_forms where id = $1", id)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}
