//! Description files in pull requests.

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::super::register::Proposed;
use crate::scm::Repository;

struct Row {
    id: Uuid,
    target: String,
    forge: String,
    owner: String,
    name: String,
    number: i64,
    url: String,
    proposed_by: String,
    proposed_at: DateTime<Utc>,
}

impl From<Row> for Proposed {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            target: row.target,
            repository: Repository {
                forge: row.forge,
                owner: row.owner,
                name: row.name,
            },
            number: row.number.try_into().unwrap_or_default(),
            url: row.url,
            proposed_by: row.proposed_by,
            proposed_at: row.proposed_at,
        }
    }
}

/// Stores a proposal, in place of an earlier one of the same file.
pub async fn put(db: &PgPool, new: &Proposed, next_look_at: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into catalog_proposal (id, target, forge, owner, name, number, url, proposed_by, proposed_at, next_look_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict on constraint catalog_proposal_target_key do update set
            number = excluded.number, url = excluded.url, proposed_by = excluded.proposed_by,
            proposed_at = excluded.proposed_at, next_look_at = excluded.next_look_at",
        new.id,
        new.target,
        new.repository.forge,
        new.repository.owner,
        new.repository.name,
        i64::try_from(new.number).unwrap_or(i64::MAX),
        new.url,
        new.proposed_by,
        new.proposed_at,
        next_look_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All, newest first.
pub async fn list(db: &PgPool) -> Result<Vec<Proposed>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select id, target, forge, owner, name, number, url, proposed_by, proposed_at from catalog_proposal
        order by proposed_at desc limit 200"
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Those of one repository.
pub async fn list_of(db: &PgPool, repository: &Repository) -> Result<Vec<Proposed>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select id, target, forge, owner, name, number, url, proposed_by, proposed_at from catalog_proposal
        where forge = $1 and lower(owner) = lower($2) and lower(name) = lower($3)",
        repository.forge,
        repository.owner,
        repository.name,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Takes one that is due, and postpones it so that no other replica takes it meanwhile.
pub async fn take_due(
    db: &PgPool,
    now: DateTime<Utc>,
    postponed: DateTime<Utc>,
) -> Result<Option<Proposed>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "update catalog_proposal set next_look_at = $2
        where id = (
            select id from catalog_proposal where next_look_at <= $1
            order by next_look_at limit 1 for update skip locked)
        returning id, target, forge, owner, name, number, url, proposed_by, proposed_at",
        now,
        postponed,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(Into::into))
}

pub async fn delete(db: &PgPool, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from catalog_proposal where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}
