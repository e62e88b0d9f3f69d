//! All SQL about the keys that sign tokens.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

/// A key as it is stored.
pub struct StoredKey {
    pub id: Uuid,
    /// SEC1, uncompressed.
    pub public_key: Vec<u8>,
    /// Sealed.
    pub private_key: Vec<u8>,
    pub signs_until: DateTime<Utc>,
    pub published_until: DateTime<Utc>,
}

/// The newest key that still signs.
pub async fn find_signing(db: &PgPool, now: DateTime<Utc>) -> Result<Option<StoredKey>, sqlx::Error> {
    sqlx::query_as!(
        StoredKey,
        "select id, public_key, private_key, signs_until, published_until from signing_keys
         where signs_until > $1 order by signs_until desc limit 1",
        now,
    )
    .fetch_optional(db)
    .await
}

pub async fn insert(db: &PgPool, key: &StoredKey) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into signing_keys (id, public_key, private_key, signs_until, published_until)
         values ($1, $2, $3, $4, $5)",
        key.id,
        key.public_key,
        key.private_key,
        key.signs_until,
        key.published_until,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ids and public halves of the keys whose tokens may still be good, the newest first.
pub async fn list(db: &PgPool, now: DateTime<Utc>) -> Result<Vec<(Uuid, Vec<u8>)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, public_key from signing_keys where published_until > $1 order by published_until desc",
        now,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.public_key)).collect())
}

/// Forgets keys whose tokens are over.
pub async fn delete_over(db: &PgPool, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from signing_keys where published_until <= $1", now)
        .execute(db)
        .await?;
    Ok(())
}
