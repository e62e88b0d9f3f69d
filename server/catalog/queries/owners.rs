//! Owners that are named and not there, and those that are.

use sqlx::PgPool;

use super::super::EntityRef;

/// An owner that is not there, and how many entities name it.
pub struct Missing {
    pub owner: String,
    pub entities: i64,
}

/// Owners that are not there, those of most entities first, and how many there are.
pub async fn list_missing(db: &PgPool, limit: i64) -> Result<(Vec<Missing>, i64), sqlx::Error> {
    let rows = sqlx::query!(
        r#"select owner as "owner!", entities as "entities!", count(*) over () as "total!"
        from (select owner, count(*) as entities from catalog_entity where owner is not null group by owner) named
        where not exists (select from catalog_entity there where there.entity_ref = named.owner)
        order by entities desc, owner limit $1"#,
        limit,
    )
    .fetch_all(db)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let missing = rows.into_iter().map(|row| Missing {
        owner: row.owner,
        entities: row.entities,
    });
    Ok((missing.collect(), total))
}

/// All groups and people, sorted; so many that nobody has more.
pub async fn list_possible(db: &PgPool) -> Result<Vec<EntityRef>, sqlx::Error> {
    let rows = sqlx::query!(
        "select kind, namespace, name from catalog_entity where kind in ('group', 'user') order by kind, entity_ref limit 50000"
    )
    .fetch_all(db)
    .await?;
    let refs = rows
        .into_iter()
        .map(|row| EntityRef::new(&row.kind, &row.namespace, &row.name));
    Ok(refs.collect())
}
