//! What the list page shows.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool};

use super::super::Entity;
use super::super::filter::Filter;
use super::conditions::{Builder, condition, contains, is_always_there, value};
use super::entities::Row;
use super::reads::{Reads, version};
use super::search::{self, Query};
use crate::db::Readers;

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

/// What a page of the list shows.
pub struct Listed {
    pub rows: Vec<ListRow>,
    /// How many there are on all pages.
    pub total: i64,
    /// Bytes that the rows take, about.
    bytes: usize,
}

/// A page of the list: every word must stand in an entity's name, title, description, tags or owner. Worked out once for
/// a version of the catalog.
pub async fn list_rows(reads: &Reads, query: &Query, words: &[String]) -> Result<Arc<Listed>, Arc<sqlx::Error>> {
    let question = format!("{query:?} {words:?}");
    let work = async {
        let mut reader = reads.reader().await?;
        let listed = read_rows(reads, &mut reader, query, words).await?;
        reader.keep();
        Ok(listed)
    };
    reads.known(&question, |listed: &Listed| listed.bytes, work).await
}

async fn read_rows(
    reads: &Reads,
    db: &mut PgConnection,
    query: &Query,
    words: &[String],
) -> Result<Listed, sqlx::Error> {
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
    // The place first, which an index tells; then the documents of what stands there. Together, the documents of all
    // that stand before would be sorted.
    let mut sql = Builder::new(
        "select e.entity_ref, e.head || e.etag || e.tail || e.relations || '}' as document, e.changed_at
        from (select entity_ref, row_number() over () as place from (select e.entity_ref ",
    );
    in_order(&mut sql, query, words);
    // Numbers in the text, not parameters: the plan depends on them.
    sql.push(format!(" limit {} offset {}", query.limit.unwrap_or(50), query.offset));
    sql.push(") found) page join catalog_entity e using (entity_ref) order by page.place");
    let records: Vec<Record> = sql.build_query_as().fetch_all(db).await?;
    let bytes = records.iter().map(|record| record.row.parsed_bytes()).sum();
    let rows = records.into_iter().map(|record| {
        Ok(ListRow {
            entity: record.row.entity()?,
            changed_at: record.changed_at,
        })
    });
    Ok(Listed {
        rows: rows.collect::<Result<_, sqlx::Error>>()?,
        total,
        bytes,
    })
}

/// Refs of all that match, in the order of the list.
pub async fn list_refs(db: &PgPool, query: &Query, words: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut sql = Builder::new("select e.entity_ref ");
    in_order(&mut sql, query, words);
    sql.build_query_scalar().fetch_all(db).await
}

/// `from … order by …` of the list.
fn in_order(sql: &mut Builder, query: &Query, words: &[String]) {
    let first = query.order.first();
    sql.push("from (select e.*, ");
    value(sql, first.and_then(|order| order.field.as_deref()));
    sql.push(" as value from catalog_entity e where ");
    condition(sql, &query.filter);
    contains(sql, words);
    let (descending, may_lack) = (
        first.is_some_and(|order| order.descending),
        !is_always_there(first.and_then(|order| order.field.as_deref())),
    );
    sql.push(") e order by e.value collate \"C\"")
        .push(match (descending, may_lack) {
            (true, true) => " desc nulls last",
            (true, false) => " desc",
            (false, _) => "",
        })
        .push(", e.title collate \"C\", e.entity_ref");
}

/// A document, and when it changed.
pub struct Dated {
    pub entity_ref: String,
    pub document: String,
    pub changed_at: DateTime<Utc>,
}

/// Documents of these refs, in no order.
pub async fn list_dated(db: &PgPool, refs: &[String]) -> Result<Vec<Dated>, sqlx::Error> {
    sqlx::query_as!(
        Dated,
        r#"select entity_ref, head || etag || tail || relations || '}' as "document!", changed_at
        from catalog_entity where entity_ref = any($1)"#,
        refs,
    )
    .fetch_all(db)
    .await
}

/// Columns that the list page counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Kind,
    Type,
    Owner,
    Lifecycle,
    System,
    Tag,
}

/// Values of a column among the entities that match, most frequent first. Worked out once for a version of the catalog.
pub async fn column_counts(
    reads: &Reads,
    filter: &Filter,
    words: &[String],
    column: Column,
    limit: i64,
) -> Result<Arc<Vec<(String, i64)>>, Arc<sqlx::Error>> {
    let question = format!("{column:?} {limit} {words:?} {filter:?}");
    let work = async { Ok(read_counts(reads.readers(), filter, words, column, limit).await?) };
    let bytes = |counts: &Vec<(String, i64)>| counts.iter().map(|(value, _)| value.len() + 50).sum();
    reads.known(&question, bytes, work).await
}

async fn read_counts(
    db: &Readers,
    filter: &Filter,
    words: &[String],
    column: Column,
    limit: i64,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let name = match column {
        // As it is written.
        Column::Kind => "(select substr(c, 6) from unnest(e.counted) c where starts_with(c, 'kind='))",
        Column::Type => "e.type",
        Column::Owner => "e.owner",
        Column::Lifecycle => "e.lifecycle",
        Column::System => "s.target_ref",
        Column::Tag => {
            "unnest(array(select substr(c, 15) from unnest(e.counted_lower) c where starts_with(c, 'metadata.tags=')))"
        }
    };
    // All at once, not one question an entity.
    let with = match column {
        Column::System => {
            "join (select distinct source_ref, target_ref from catalog_relation
            where type = 'partOf' and starts_with(target_ref, 'system:')) s on s.source_ref = e.entity_ref "
        }
        _ => "",
    };
    let mut sql = Builder::new("select value, count(*) from (select ");
    sql.push(name)
        .push(" as value from catalog_entity e ")
        .push(with)
        .push("where ");
    condition(&mut sql, filter);
    contains(&mut sql, words);
    sql.push(") e where value is not null group by value order by count(*) desc, value limit ")
        .push_bind(limit);
    sql.build_query_as().fetch_all(db).await
}
