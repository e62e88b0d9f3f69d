//! All SQL about sessions.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// A session as it is stored.
pub(in crate::auth) struct Session {
    pub provider: String,
    pub entity_ref: String,
    pub username: String,
    pub display_name: String,
    pub email: Option<String>,
    pub groups: Vec<String>,
    pub tokens: Vec<u8>,
    pub seen_at: DateTime<Utc>,
    pub checked_at: DateTime<Utc>,
}

pub(in crate::auth) async fn insert(
    db: &PgPool,
    id_hash: &[u8],
    session: &Session,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into sessions (id_hash, provider, entity_ref, username, display_name, email, groups, tokens,
            created_at, seen_at, checked_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        id_hash,
        session.provider,
        session.entity_ref,
        session.username,
        session.display_name,
        session.email,
        &session.groups,
        session.tokens,
        now,
        session.seen_at,
        session.checked_at,
        expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The session, unless it is over: older than its end, or not seen since `idle_since`.
pub(in crate::auth) async fn find(
    db: &PgPool,
    id_hash: &[u8],
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<Session>, sqlx::Error> {
    sqlx::query_as!(
        Session,
        "select provider, entity_ref, username, display_name, email, groups, tokens, seen_at, checked_at
         from sessions where id_hash = $1 and expires_at > $2 and seen_at > $3",
        id_hash,
        now,
        idle_since,
    )
    .fetch_optional(db)
    .await
}

/// The session of a person that was used last, unless it is over.
pub(in crate::auth) async fn find_newest(
    db: &PgPool,
    entity_ref: &str,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<Option<Session>, sqlx::Error> {
    sqlx::query_as!(
        Session,
        "select provider, entity_ref, username, display_name, email, groups, tokens, seen_at, checked_at
         from sessions where entity_ref = $1 and expires_at > $2 and seen_at > $3
         order by seen_at desc limit 1",
        entity_ref,
        now,
        idle_since,
    )
    .fetch_optional(db)
    .await
}

pub(in crate::auth) async fn update_seen(db: &PgPool, id_hash: &[u8], now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!("update sessions set seen_at = $2 where id_hash = $1", id_hash, now)
        .execute(db)
        .await?;
    Ok(())
}

/// True for the one who may ask the provider now: `checked_at` was still what they had read.
pub(in crate::auth) async fn claim_check(
    db: &PgPool,
    id_hash: &[u8],
    read: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update sessions set checked_at = $3 where id_hash = $1 and checked_at = $2",
        id_hash,
        read,
        now,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What the provider says now.
pub(in crate::auth) async fn update_person(db: &PgPool, id_hash: &[u8], session: &Session) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update sessions set display_name = $2, email = $3, groups = $4, tokens = $5, checked_at = $6
         where id_hash = $1",
        id_hash,
        session.display_name,
        session.email,
        &session.groups,
        session.tokens,
        session.checked_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

pub(in crate::auth) async fn delete(db: &PgPool, id_hash: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from sessions where id_hash = $1", id_hash)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets sessions that are over.
pub(in crate::auth) async fn delete_over(
    db: &PgPool,
    now: DateTime<Utc>,
    idle_since: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from sessions where expires_at <= $1 or seen_at <= $2",
        now,
        idle_since
    )
    .execute(db)
    .await?;
    Ok(())
}
