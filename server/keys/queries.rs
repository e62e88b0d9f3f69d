//! All SQL about keys.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

pub(super) struct InstallationKey {
    pub material: Vec<u8>,
    pub wrapped_by: Option<String>,
}

pub(super) async fn find(db: &PgPool) -> Result<Option<InstallationKey>, sqlx::Error> {
    sqlx::query_as!(InstallationKey, "select material, wrapped_by from installation_keys")
        .fetch_optional(db)
        .await
}

/// Keeps a key unless there is one.
pub(super) async fn insert(
    db: &PgPool,
    id: Uuid,
    key: &InstallationKey,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into installation_keys (id, material, wrapped_by, created_at) values ($1, $2, $3, $4)
         on conflict on constraint installation_keys_single_key do nothing",
        id,
        key.material,
        key.wrapped_by,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Replaces how the key is wrapped.
pub(super) async fn update(db: &PgPool, key: &InstallationKey) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update installation_keys set material = $1, wrapped_by = $2",
        key.material,
        key.wrapped_by,
    )
    .execute(db)
    .await?;
    Ok(())
}
