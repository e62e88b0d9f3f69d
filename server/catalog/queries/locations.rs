//! Locations and the state of their reads.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::super::read::{Checked, Problem};
use super::super::state::LocationState;
use super::super::store::Rival;
use crate::scm::Repository;

/// A row of `catalog_location`.
pub struct Row {
    pub id: Uuid,
    pub kind: String,
    pub target: String,
    pub configured: bool,
    pub registered_by: Option<String>,
    pub created_at: DateTime<Utc>,
    pub checked_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
    pub next_read_at: DateTime<Utc>,
    pub read_by: Option<String>,
    pub stale: bool,
    pub failures: i32,
    pub failing_since: Option<DateTime<Utc>>,
    pub problems: Value,
    pub entities: i64,
    pub commits: Vec<String>,
    pub discovered_by: Option<String>,
}

impl From<Row> for LocationState {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            target: row.target,
            configured: row.configured,
            registered_by: row.registered_by,
            created_at: row.created_at,
            checked_at: row.checked_at,
            read_at: row.read_at,
            next_read_at: row.next_read_at,
            read_by: row.read_by,
            stale: row.stale,
            failures: row.failures,
            failing_since: row.failing_since,
            // Written by this program alone; another version's form would only hide the list until the next read.
            problems: serde_json::from_value::<Vec<Problem>>(row.problems).unwrap_or_default(),
            entities: row.entities,
            commits: row.commits,
            discovered_by: row.discovered_by,
        }
    }
}

macro_rules! select {
    ($filter:literal $(, $argument:expr)*) => {
        select!(
            with r#"(select count(*) from catalog_entity e where e.location_id = catalog_location.id)"#,
            $filter $(, $argument)*
        )
    };
    (with $entities:literal, $filter:literal $(, $argument:expr)*) => {
        sqlx::query_as!(
            Row,
            r#"select id, kind, target, configured, registered_by, created_at, checked_at, read_at, next_read_at,
                read_by, stale, failures, failing_since, problems, discovered_by,
                "# + $entities + r#" as "entities!",
                array(select distinct commit_id from catalog_location_repository r
                    where r.location_id = catalog_location.id) as "commits!"
            from catalog_location "# + $filter $(, $argument)*
        )
    };
}

pub async fn find(db: &PgPool, id: Uuid) -> Result<Option<LocationState>, sqlx::Error> {
    Ok(select!("where id = $1", id).fetch_optional(db).await?.map(Into::into))
}

/// One location; its entities are not counted.
pub async fn find_uncounted(db: &PgPool, id: Uuid) -> Result<Option<LocationState>, sqlx::Error> {
    let row = select!(with "0::bigint", "where id = $1", id)
        .fetch_optional(db)
        .await?;
    Ok(row.map(Into::into))
}

pub async fn find_by_target(db: &PgPool, kind: &str, target: &str) -> Result<Option<LocationState>, sqlx::Error> {
    let row = select!("where kind = $1 and target = $2", kind, target)
        .fetch_optional(db)
        .await?;
    Ok(row.map(Into::into))
}

/// Every location, those with problems first, then by target; their entities are not counted.
pub async fn list_uncounted(db: &PgPool) -> Result<Vec<LocationState>, sqlx::Error> {
    let rows = select!(with "0::bigint", "order by (problems = '[]'::jsonb), target")
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// How many entities each location holds, where it holds any.
pub async fn count_entities(db: &PgPool) -> Result<HashMap<Uuid, i64>, sqlx::Error> {
    let rows = sqlx::query!(r#"select location_id, count(*) as "entities!" from catalog_entity group by location_id"#)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|row| (row.location_id, row.entities)).collect())
}

/// Locations that a provider found.
pub async fn list_discovered(db: &PgPool, mark: &str) -> Result<Vec<LocationState>, sqlx::Error> {
    let rows = select!("where discovered_by = $1 order by target", mark)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Marks a location as found by a provider.
pub async fn set_discovered(db: &PgPool, id: Uuid, mark: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("update catalog_location set discovered_by = $2 where id = $1", id, mark)
        .execute(db)
        .await?;
    Ok(())
}

/// Somebody logged in: what this location tells of was looked at now, and is not read by itself.
pub async fn store_told(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_location set checked_at = $2::timestamptz, read_at = $2::timestamptz,
            next_read_at = $2::timestamptz + interval '100 years'
        where id = $1",
        id,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes sure that the location is there; true where it was not.
pub async fn ensure(
    db: &PgPool,
    new: (Uuid, &str, &str),
    configured: bool,
    registered_by: Option<&str>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let (id, kind, target) = new;
    let done = sqlx::query!(
        "insert into catalog_location (id, kind, target, configured, registered_by, created_at, next_read_at)
        values ($1, $2, $3, $4, $5, $6, $6)
        on conflict on constraint catalog_location_target_key do nothing",
        id,
        kind,
        target,
        configured,
        registered_by,
        now,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Marks a location as configured: nobody may delete it, and its next read is not skipped.
pub async fn set_configured(db: &PgPool, id: Uuid, next: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_location set configured = true, stale = true, next_read_at = $2 where id = $1",
        id,
        next,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes one location that is due, and postpones it so that no other worker takes it meanwhile.
pub async fn take_due(db: &PgPool, now: DateTime<Utc>, postponed: DateTime<Utc>) -> Result<Option<Uuid>, sqlx::Error> {
    let row = sqlx::query!(
        "update catalog_location set next_read_at = $2
        where id = (
            select id from catalog_location where next_read_at <= $1 and kind <> 'identity'
            order by next_read_at limit 1 for update skip locked)
        returning id",
        now,
        postponed,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| row.id))
}

/// When the next location is due.
pub async fn next_due(db: &PgPool) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    Ok(
        sqlx::query!("select min(next_read_at) as at from catalog_location where kind <> 'identity'")
            .fetch_one(db)
            .await?
            .at,
    )
}

/// Locations that have a file in this repository.
pub async fn list_of_repository(db: &PgPool, repository: &Repository) -> Result<Vec<Uuid>, sqlx::Error> {
    let rows = sqlx::query!(
        "select distinct location_id from catalog_location_repository
        where forge = $1 and lower(owner) = lower($2) and lower(name) = lower($3)",
        repository.forge,
        repository.owner,
        repository.name,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.location_id).collect())
}

/// All repositories that locations have files in.
pub async fn list_all_repositories(db: &PgPool) -> Result<Vec<Repository>, sqlx::Error> {
    sqlx::query_as!(
        Repository,
        "select distinct forge, owner, name from catalog_location_repository"
    )
    .fetch_all(db)
    .await
}

/// Repositories of a location, as they were at the last read.
pub async fn list_repositories(db: impl sqlx::PgExecutor<'_>, location: Uuid) -> Result<Vec<Checked>, sqlx::Error> {
    let rows = sqlx::query!(
        "select forge, owner, name, reference, commit_id from catalog_location_repository where location_id = $1",
        location,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Checked {
            repository: Repository {
                forge: row.forge,
                owner: row.owner,
                name: row.name,
            },
            reference: (!row.reference.is_empty()).then_some(row.reference),
            commit: row.commit_id,
        })
        .collect())
}

/// Locks a location for the transaction. `None`: it is gone; else whether a read that began later is stored already.
pub async fn lock(db: &mut PgConnection, id: Uuid, started: DateTime<Utc>) -> Result<Option<bool>, sqlx::Error> {
    let row = sqlx::query!(
        "select read_started_at from catalog_location where id = $1 for update",
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| row.read_started_at.is_some_and(|other| other > started)))
}

/// What a read leaves behind.
pub struct ReadState<'a> {
    pub started_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
    pub next_read_at: DateTime<Utc>,
    pub read_by: &'a str,
    pub problems: &'a [Problem],
    pub claims: &'a [String],
}

pub async fn store_read(
    db: &mut PgConnection,
    id: Uuid,
    state: &ReadState<'_>,
    checked: &[Checked],
) -> Result<(), sqlx::Error> {
    let failed = !state.problems.is_empty();
    sqlx::query!(
        "update catalog_location set read_started_at = $2, checked_at = $3, read_at = $3, next_read_at = $4,
            read_by = $5, problems = $6, claims = $7, stale = false,
            failures = case when $8 then failures + 1 else 0 end,
            failing_since = case when $8 then coalesce(failing_since, $3) end
        where id = $1",
        id,
        state.started_at,
        state.now,
        state.next_read_at,
        state.read_by,
        serde_json::json!(state.problems),
        state.claims,
        failed,
    )
    .execute(&mut *db)
    .await?;
    // Where nothing could be looked into, the repositories of the last read are still the ones to watch.
    if checked.is_empty() {
        return Ok(());
    }
    sqlx::query!("delete from catalog_location_repository where location_id = $1", id)
        .execute(&mut *db)
        .await?;
    for one in checked {
        sqlx::query!(
            "insert into catalog_location_repository (location_id, forge, owner, name, reference, commit_id)
            values ($1, $2, $3, $4, $5, $6)",
            id,
            one.repository.forge,
            one.repository.owner,
            one.repository.name,
            one.reference.as_deref().unwrap_or_default(),
            one.commit,
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// The sources were looked at and are unchanged; entities that are missed go after `grace`.
pub async fn store_unchanged(
    db: &PgPool,
    id: Uuid,
    now: DateTime<Utc>,
    next: DateTime<Utc>,
    grace: TimeDelta,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_location set checked_at = $2, next_read_at = least($3, (
            select min(orphaned_at) + make_interval(secs => $4) from catalog_entity where location_id = $1))
        where id = $1",
        id,
        now,
        next,
        grace.as_seconds_f64(),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Deletes a location that holds no entities any more.
pub async fn delete(db: &mut PgConnection, id: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from catalog_location where id = $1", id)
        .execute(db)
        .await?;
    Ok(())
}

/// Locations that wait for one of these refs are due now.
pub async fn wake_claims(db: &PgPool, freed: &[String], now: DateTime<Utc>) -> Result<Vec<Uuid>, sqlx::Error> {
    let rows = sqlx::query!(
        "update catalog_location set stale = true, next_read_at = $2 where claims && $1 returning id",
        freed,
        now,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.id).collect())
}

/// Names that a location keeps although others describe them too.
pub async fn list_rivals(db: &PgPool, id: Uuid) -> Result<Vec<Rival>, sqlx::Error> {
    sqlx::query_as!(
        Rival,
        r#"select e.entity_ref, l.id as location, l.target from catalog_location l
        join catalog_entity e on e.entity_ref = any(l.claims)
        where e.location_id = $1 and l.id <> $1
            -- The same file reached by two ways is a claim without a problem.
            and l.problems @> jsonb_build_array(jsonb_build_object('entity', e.entity_ref))
        order by e.entity_ref, l.target"#,
        id,
    )
    .fetch_all(db)
    .await
}

/// Makes a location due now, whatever its commits say.
pub async fn set_due(db: &PgPool, id: Uuid, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_location set stale = true, next_read_at = $2 where id = $1",
        id,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Gives a location another address.
pub async fn set_target(db: &PgPool, id: Uuid, target: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update catalog_location set target = $2, stale = true where id = $1",
        id,
        target
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Tells every replica that these entities changed; sent when the transaction commits.
pub async fn notify(db: &mut PgConnection, channel: &str, payload: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_notify($1, $2)", channel, payload)
        .execute(db)
        .await?;
    Ok(())
}
