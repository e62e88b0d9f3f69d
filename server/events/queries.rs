//! All SQL of webhooks.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use crate::scm::{Repository, Watched};

/// A webhook that is wanted or kept.
pub struct Hook {
    pub id: Uuid,
    pub watched: Watched,
    /// It was registered before.
    pub stands: bool,
    pub failures: i32,
}

/// What a row is about.
fn watched(forge: String, owner: String, name: Option<String>) -> Watched {
    match name {
        Some(name) => Watched::Repository(Repository { forge, owner, name }),
        None => Watched::Owner { forge, owner },
    }
}

/// Remembers that a webhook is wanted; true when it was not known before.
pub async fn want(db: &PgPool, id: Uuid, watched: &Watched, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into webhook (id, forge, owner, name, next_check_at) values ($1, $2, $3, $4, $5)
         on conflict on constraint webhook_watched_key do nothing",
        id,
        watched.forge(),
        watched.owner(),
        watched.name(),
        now,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Does a webhook stand that is for all repositories of this one's owner?
pub async fn is_covered(db: &PgPool, repository: &Repository) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
            select from webhook where forge = $1 and lower(owner) = lower($2) and name is null and state = 'registered'
        ) as "is!""#,
        repository.forge,
        repository.owner,
    )
    .fetch_one(db)
    .await
}

/// Takes one webhook that is due, and postpones it to `again_at` so that no other replica takes it meanwhile.
pub async fn take_due(db: &PgPool, now: DateTime<Utc>, again_at: DateTime<Utc>) -> sqlx::Result<Option<Hook>> {
    let row = sqlx::query!(
        r#"update webhook set next_check_at = $2
         where id = (
             select id from webhook where next_check_at <= $1
             order by next_check_at limit 1 for update skip locked
         )
         returning id, forge, owner, name, state = 'registered' as "stands!", failures"#,
        now,
        again_at,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Hook {
        id: row.id,
        watched: watched(row.forge, row.owner, row.name),
        stands: row.stands,
        failures: row.failures,
    }))
}

/// When the next webhook is due.
pub async fn find_next_check(db: &PgPool) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!("select min(next_check_at) from webhook")
        .fetch_one(db)
        .await
}

/// The webhook stands on the forge; it is verified again at `next`.
pub async fn mark_registered(db: &PgPool, id: Uuid, next: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook set state = 'registered', error = null, failures = 0, next_check_at = $2 where id = $1",
        id,
        next,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The try failed; `denied` when the forge said that the account may not.
pub async fn mark_failed(db: &PgPool, id: Uuid, denied: bool, error: &str, next: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "update webhook set state = case when $2 then 'denied' else 'wanted' end, error = $3,
             failures = failures + 1, next_check_at = $4
         where id = $1",
        id,
        denied,
        error,
        next,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The repository is gone, or its owner's webhook is enough.
pub async fn delete(db: &PgPool, id: Uuid) -> sqlx::Result<()> {
    sqlx::query!("delete from webhook where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}

/// What a webhook is for.
pub async fn find_watched(db: &PgPool, id: Uuid) -> sqlx::Result<Option<Watched>> {
    let row = sqlx::query!("select forge, owner, name from webhook where id = $1", id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| watched(row.forge, row.owner, row.name)))
}

/// Remembers when the forge last reported something.
pub async fn record_delivery(db: &PgPool, id: Uuid, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("update webhook set last_delivery_at = $2 where id = $1", id, at)
        .execute(db)
        .await?;
    Ok(())
}
