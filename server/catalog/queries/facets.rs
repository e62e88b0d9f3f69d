//! Which values a key has, and how many entities have each.

use sqlx::PgConnection;

use super::super::facets::COUNTED;
use super::super::filter::Filter;
use super::conditions::{Builder, condition, length};
use super::counts;

/// Values of one key among the entities that match, with their counts, sorted by value.
pub async fn facet(db: &mut PgConnection, filter: &Filter, key: &str) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let key = key.to_lowercase();
    if COUNTED.contains(&key.as_str())
        && let Some(filter) = counts::counted(filter)
        && let Some(values) = counts::values(db, &filter, &key).await?
    {
        return Ok(values);
    }
    count(db, filter, &key).await
}

/// Reads every entity that matches.
async fn count(db: &mut PgConnection, filter: &Filter, key: &str) -> Result<Vec<(String, i64)>, sqlx::Error> {
    if let Some(kind) = key.strip_prefix("relations.") {
        let mut sql = Builder::new(
            "select r.target_ref, count(distinct e.id) from catalog_entity e join catalog_relation r
            on r.source_ref = e.entity_ref and lower(r.type) = ",
        );
        sql.push_bind(kind.replace('\0', "")).push(" where ");
        condition(&mut sql, filter);
        sql.push(" group by 1 order by r.target_ref collate \"C\"");
        return sql.build_query_as().fetch_all(db).await;
    }
    let key = key.replace('\0', "");
    let mut sql = Builder::new("select substr(f, ");
    sql.push_bind(length(&key) + 2)
        .push("), count(distinct e.id) from catalog_entity e, unnest(e.originals) f where ");
    condition(&mut sql, filter);
    sql.push(" and e.facets @> array[").push_bind(key.clone());
    sql.push("]::text[] and starts_with(f, ")
        .push_bind(format!("{key}="))
        .push(") group by 1 order by substr(min(f), ")
        .push_bind(length(&key) + 2)
        .push(") collate \"C\"");
    sql.build_query_as().fetch_all(db).await
}
