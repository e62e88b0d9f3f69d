//! Locations with problems, and who owns what they describe.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::super::read::Problem;

/// A location with problems.
pub struct Failing {
    pub id: Uuid,
    pub failing_since: Option<DateTime<Utc>>,
    pub problems: Vec<Problem>,
}

/// An entity that a problem names.
pub struct Described {
    pub entity_ref: String,
    pub owner: Option<String>,
    pub location_id: Uuid,
    pub changed_at: DateTime<Utc>,
}

/// Locations that have problems; so many that nobody would go through more.
pub async fn list_failing(db: impl PgExecutor<'_>) -> Result<Vec<Failing>, sqlx::Error> {
    struct Row {
        id: Uuid,
        failing_since: Option<DateTime<Utc>>,
        problems: Value,
    }
    let rows = sqlx::query_as!(
        Row,
        "select id, failing_since, problems from catalog_location where problems <> '[]'::jsonb order by target limit 1000"
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Failing {
            id: row.id,
            failing_since: row.failing_since,
            // As in locations.
            problems: serde_json::from_value(row.problems).unwrap_or_default(),
        })
        .collect())
}

/// Who owns most of what each of these locations describes.
pub async fn list_owners(db: &PgPool, locations: &[Uuid]) -> Result<Vec<(Uuid, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select distinct on (location_id) location_id, owner as "owner!" from (
            select location_id, owner, count(*) as entities from catalog_entity
            where location_id = any($1) and owner is not null group by location_id, owner) owners
        order by location_id, entities desc, owner"#,
        locations,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.location_id, row.owner)).collect())
}

/// The entities of these refs that exist.
pub async fn list_entities(db: impl PgExecutor<'_>, refs: &[String]) -> Result<Vec<Described>, sqlx::Error> {
    sqlx::query_as!(
        Described,
        "select entity_ref, owner, location_id, changed_at from catalog_entity where entity_ref = any($1)",
        refs,
    )
    .fetch_all(db)
    .await
}

/// A relation of an entity to one that would go.
pub struct Dangling {
    pub source: String,
    pub kind: String,
    pub target: String,
}

/// Relations that other locations' entities name to entities of this one, `limit` of them, and how many there are.
pub async fn list_dangling(db: &PgPool, location: Uuid, limit: i64) -> Result<(Vec<Dangling>, i64), sqlx::Error> {
    let rows = sqlx::query!(
        r#"select r.source_ref, r.type as kind, r.target_ref, count(*) over () as "total!"
        from catalog_entity gone
        join catalog_relation r on r.target_ref = gone.entity_ref
        join catalog_entity origin on origin.id = r.origin and origin.entity_ref = r.source_ref
        where gone.location_id = $1 and origin.location_id <> $1
        order by r.source_ref, r.type, r.target_ref limit $2"#,
        location,
        limit,
    )
    .fetch_all(db)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let dangling = rows.into_iter().map(|row| Dangling {
        source: row.source_ref,
        kind: row.kind,
        target: row.target_ref,
    });
    Ok((dangling.collect(), total))
}

/// Entities of a location that another one describes too, with the address of that one.
pub async fn list_described_twice(db: &PgPool, location: Uuid) -> Result<Vec<(String, Uuid, String)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select e.entity_ref, l.id, l.target from catalog_location l
        join catalog_entity e on e.entity_ref = any(l.claims)
        where e.location_id = $1 and l.id <> $1 order by e.entity_ref, l.target",
        location,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.entity_ref, row.id, row.target))
        .collect())
}
