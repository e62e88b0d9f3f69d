//! What the list page shows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::super::Entity;
use super::super::filter::Filter;
use super::conditions::{Builder, condition, contains, value};
use super::counts;
use super::entities::Row;
use super::reads::{Counts, Reads, version};
use super::search::{self, Query};

/// A row of the list page.
pub struct ListRow {
    pub entity: Entity,
    pub changed_at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Record {
    #[sqlx(flatten)]
    row: Row,
    changed_at: DateTime<Utc>,
}

/// A page of the list: every word must stand in an entity's name, title, description, tags or owner. With
/// the number of all that match.
pub async fn list_rows(
    reads: &Reads,
    db: &mut PgConnection,
    query: &Query,
    words: &[String],
) -> Result<(Vec<ListRow>, i64), sqlx::Error> {
    let total = match words.is_empty() {
        true => search::total(reads, db, query).await?,
        false => {
            let question = format!("{:?} {words:?}", query.filter);
            let version = version(db).await?;
            let mut sql = Builder::new("select count(*) from catalog_entity e where ");
            condition(&mut sql, &query.filter);
            contains(&mut sql, words);
            let count = async { sql.build_query_scalar().fetch_one(&mut *db).await };
            reads.total(version, question, count).await?
        }
    };
    let mut sql = Builder::new(
        "select e.entity_ref, e.head || e.etag || e.tail || e.relations || '}' as document, e.changed_at from (
            select e.*, ",
    );
    let first = query.order.first();
    value(&mut sql, first.and_then(|order| order.field.as_deref()));
    sql.push(" as value from catalog_entity e where ");
    condition(&mut sql, &query.filter);
    contains(&mut sql, words);
    sql.push(") e order by e.value collate \"C\"")
        .push(match first.is_some_and(|order| order.descending) {
            true => " desc nulls last",
            false => " asc nulls last",
        })
        // Numbers in the text, not parameters: the plan depends on them.
        .push(format!(
            ", e.title collate \"C\", e.entity_ref limit {} offset {}",
            query.limit.unwrap_or(50),
            query.offset
        ));
    let records: Vec<Record> = sql.build_query_as().fetch_all(db).await?;
    let rows = records.into_iter().map(|record| {
        Ok(ListRow {
            entity: record.row.entity()?,
            changed_at: record.changed_at,
        })
    });
    Ok((rows.collect::<Result<_, sqlx::Error>>()?, total))
}

/// Columns that the list page counts by, besides the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Type,
    Owner,
    Lifecycle,
}

impl Column {
    /// The place of its values in [`column_counts`].
    fn place(self) -> i32 {
        match self {
            Self::Type => 0,
            Self::Lifecycle => 1,
            Self::Owner => 2,
        }
    }
}

/// Values of kind among the entities that match, as they are written, most frequent first.
pub async fn kind_counts(
    reads: &Reads,
    db: &mut PgConnection,
    filter: &Filter,
    words: &[String],
) -> Result<Arc<Counts>, sqlx::Error> {
    let version = version(db).await?;
    let question = format!("kinds {filter:?} {words:?}");
    let count = async {
        if words.is_empty()
            && let Some(filter) = counts::counted(filter)
            && let Some(mut kinds) = counts::values(db, &filter, "kind").await?
        {
            kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            return Ok(Arc::new(
                kinds.into_iter().map(|(kind, count)| (0, kind, count)).collect(),
            ));
        }
        let mut sql = Builder::new(
            "select 0, value, count(*) from (
                select (select substr(c, 6) from unnest(e.counted) c where starts_with(c, 'kind=')) as value
                from catalog_entity e where ",
        );
        condition(&mut sql, filter);
        contains(&mut sql, words);
        sql.push(") e where value is not null group by value order by count(*) desc, value");
        sql.build_query_as().fetch_all(db).await.map(Arc::new)
    };
    reads.counts(version, question, count).await
}

/// Values of type, lifecycle and owner among the entities that match, in one go: each column's most frequent first.
pub async fn column_counts(
    reads: &Reads,
    db: &mut PgConnection,
    filter: &Filter,
    words: &[String],
) -> Result<Arc<Counts>, sqlx::Error> {
    let version = version(db).await?;
    let question = format!("columns {filter:?} {words:?}");
    let count = async {
        let mut sql = Builder::new(
            "select * from (
                select case when grouping(e.type) = 0 then 0 when grouping(e.lifecycle) = 0 then 1 else 2 end as place,
                    coalesce(e.type, e.lifecycle, e.owner) as value, count(*) as count
                from catalog_entity e where ",
        );
        condition(&mut sql, filter);
        contains(&mut sql, words);
        sql.push(
            " group by grouping sets ((e.type), (e.lifecycle), (e.owner))) e
            where value is not null order by place, count desc, value",
        );
        sql.build_query_as().fetch_all(db).await.map(Arc::new)
    };
    reads.counts(version, question, count).await
}

/// Of what [`column_counts`] found, a column's first `limit` values with their counts.
pub fn of_column(counts: &Counts, column: Column, limit: usize) -> impl Iterator<Item = (String, i64)> {
    let of_column = counts.iter().filter(move |row| row.0 == column.place());
    of_column.take(limit).map(|(_, value, count)| (value.clone(), *count))
}
