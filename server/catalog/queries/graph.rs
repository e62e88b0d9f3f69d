//! What the picture of relations shows.

use sqlx::PgExecutor;

/// A relation of an entity, and how many of this type the entity has in all.
pub struct Neighbour {
    pub source_ref: String,
    pub kind: String,
    pub target_ref: String,
    pub total: i64,
}

/// Relations of these types that entities have to entities of these kinds (lower case; all, if none is named), `limit` of
/// each type at most, by source, type and target.
pub async fn neighbours(
    db: impl PgExecutor<'_>,
    refs: &[String],
    types: &[String],
    kinds: &[String],
    limit: i64,
) -> Result<Vec<Neighbour>, sqlx::Error> {
    sqlx::query_as!(
        Neighbour,
        r#"select source_ref as "source_ref!", type as "kind!", target_ref as "target_ref!", total as "total!" from (
            select source_ref, type, target_ref, count(*) over alike as total,
                row_number() over (alike order by target_ref collate "C") as place
            from (
                select distinct source_ref, type, target_ref from catalog_relation
                where source_ref = any($1) and type = any($2)
                    and ($3::text[] = '{}' or split_part(target_ref, ':', 1) = any($3))
            ) own window alike as (partition by source_ref, type)
        ) counted where place <= $4 order by source_ref collate "C", type collate "C", place"#,
        refs,
        types,
        kinds,
        limit,
    )
    .fetch_all(db)
    .await
}

/// A relation between two entities.
pub struct Edge {
    pub source_ref: String,
    pub kind: String,
    pub target_ref: String,
}

/// Relations of these types among these entities, `limit` at most.
pub async fn edges(
    db: impl PgExecutor<'_>,
    refs: &[String],
    types: &[String],
    limit: i64,
) -> Result<Vec<Edge>, sqlx::Error> {
    sqlx::query_as!(
        Edge,
        r#"select distinct source_ref collate "C" as "source_ref!", type collate "C" as "kind!",
            target_ref collate "C" as "target_ref!"
        from catalog_relation where source_ref = any($1) and target_ref = any($1) and type = any($2)
        order by 1, 2, 3 limit $3"#,
        refs,
        types,
        limit,
    )
    .fetch_all(db)
    .await
}
