//! Pages of entities: filters, full text, order.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::super::filter::Filter;
pub use super::conditions::FullText;
use super::conditions::{Builder, condition, is_always_there, text, value};
use super::counts;
use super::entities::Row;
use super::reads::{Reads, version};

/// What entities are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Lower case; `None` sorts by ref.
    pub field: Option<String>,
    pub descending: bool,
}

/// A page of entities.
#[derive(Debug, Clone)]
pub struct Query {
    pub filter: Filter,
    pub full_text: Option<FullText>,
    pub order: Vec<Order>,
    /// Entities that lack the first order field are left out; else they come last.
    pub only_sortable: bool,
    /// Entities after this place, or before it: value of the first order field (`None` for a missing one) and ref.
    pub from: Option<(Option<String>, String)>,
    pub backwards: bool,
    pub limit: Option<i64>,
    pub offset: i64,
}

impl Query {
    pub fn of(filter: Filter) -> Self {
        Self {
            filter,
            full_text: None,
            order: Vec::new(),
            only_sortable: false,
            from: None,
            backwards: false,
            limit: None,
            offset: 0,
        }
    }

    /// What the first order field says, where there is one.
    fn sort_field(&self) -> Option<&str> {
        self.order.first()?.field.as_deref()
    }

    fn has_indexed_text(&self) -> bool {
        self.full_text.as_ref().is_some_and(FullText::is_indexed)
    }
}

/// An entity's document and the value that it was sorted by.
pub struct Found {
    pub row: Row,
    pub value: Option<String>,
}

/// The parts of a document, each by itself: put together in SQL, they would be for every entity that is sorted.
#[derive(sqlx::FromRow)]
struct FoundParts {
    entity_ref: String,
    head: String,
    etag: String,
    tail: String,
    relations: String,
    value: Option<String>,
}

impl From<FoundParts> for Found {
    fn from(parts: FoundParts) -> Self {
        let mut document = parts.head;
        document.reserve_exact(parts.etag.len() + parts.tail.len() + parts.relations.len() + 1);
        for part in [&parts.etag, &parts.tail, &parts.relations, "}"] {
            document.push_str(part);
        }
        Self {
            row: Row {
                entity_ref: parts.entity_ref,
                document,
            },
            value: parts.value,
        }
    }
}

/// Entities of a page, in order. `total` says how many match, where that is known.
pub async fn page(db: &mut PgConnection, query: &Query, total: Option<i64>) -> Result<Vec<Found>, sqlx::Error> {
    let few = query.has_indexed_text() && is_few(db, query, total).await?;
    select(db, query, few).await
}

/// Is a page found sooner by sorting those that match the text than by going through all in their order?
async fn is_few(db: &mut PgConnection, query: &Query, total: Option<i64>) -> Result<bool, sqlx::Error> {
    let (Some(matching), Some(limit)) = (total, query.limit) else {
        return Ok(true);
    };
    let all = counts::total(db, &counts::counted(&query.filter).unwrap_or_default()).await?;
    // So many are gone through until the page is full.
    let gone_through = limit.saturating_mul(all) / matching.max(1);
    Ok(matching <= gone_through)
}

async fn select(db: &mut PgConnection, query: &Query, few: bool) -> Result<Vec<Found>, sqlx::Error> {
    let mut sql = Builder::new("select e.entity_ref, e.head, e.etag, e.tail, e.relations, e.value ");
    selection(&mut sql, query, few);
    let parts: Vec<FoundParts> = sql.build_query_as().fetch_all(db).await?;
    let mut found: Vec<Found> = parts.into_iter().map(Found::from).collect();
    if query.backwards {
        found.reverse();
    }
    Ok(found)
}

/// Refs of all entities that match, in order.
pub async fn list_refs(db: &mut PgConnection, query: &Query) -> Result<Vec<String>, sqlx::Error> {
    let mut sql = Builder::new("select e.entity_ref ");
    selection(&mut sql, query, true);
    sql.build_query_scalar().fetch_all(db).await
}

/// `from … where … order by … limit …`. Where `few` match the text, the index finds them and they are sorted then.
fn selection(sql: &mut Builder, query: &Query, few: bool) {
    let first = query.order.first();
    let few = few && query.has_indexed_text();
    sql.push("from (select e.*, ");
    value(sql, query.sort_field());
    sql.push(" as value from ");
    matching(sql, query, few);
    if few {
        sql.push(" offset 0");
    }
    sql.push(") e where true");
    let sorted = query.sort_field().is_some();
    if query.only_sortable && !is_always_there(query.sort_field()) {
        sql.push(" and e.value is not null");
    }
    let descending = first.is_some_and(|order| order.descending);
    if let Some((from, from_ref)) = &query.from {
        match (from, is_always_there(query.sort_field())) {
            (Some(from), true) if !descending => after_in_index(sql, from, from_ref, query.backwards),
            _ => after(sql, sorted, from.as_deref(), from_ref, descending, query.backwards),
        }
    }
    sql.push(" order by ");
    let direction = |descending: bool| if descending { " desc" } else { " asc" };
    for (index, order) in query.order.iter().enumerate() {
        let Some(field) = order.field.as_deref() else { continue };
        match index {
            0 => drop(sql.push("e.value")),
            _ => value(sql, Some(field)),
        }
        sql.push(" collate \"C\"");
        sql.push(direction(order.descending != query.backwards));
        if !is_always_there(Some(field)) {
            sql.push(if query.backwards { " nulls first" } else { " nulls last" });
        }
        sql.push(", ");
    }
    sql.push("e.entity_ref");
    // Without a field the direction is that of the ref; with one, equal values stay in the order of their refs.
    sql.push(direction((!sorted && descending) != query.backwards));
    // A number in the text, not a parameter: the plan depends on it.
    if let Some(limit) = query.limit {
        sql.push(format!(" limit {limit}"));
    }
    if query.offset > 0 {
        sql.push(format!(" offset {}", query.offset));
    }
}

/// `catalog_entity e where …`. With `text_first` the index of texts finds what the filter then goes through.
fn matching(sql: &mut Builder, query: &Query, text_first: bool) {
    match &query.full_text {
        None => {
            sql.push("catalog_entity e where ");
            condition(sql, &query.filter);
        }
        Some(wanted) if text_first => {
            sql.push("(select e.* from catalog_entity e where ");
            text(sql, wanted, true);
            sql.push(" offset 0) e where ");
            condition(sql, &query.filter);
        }
        Some(wanted) => {
            sql.push("catalog_entity e where ");
            condition(sql, &query.filter);
            sql.push(" and ");
            text(sql, wanted, false);
        }
    }
}

/// How many entities match, whatever the page.
pub async fn total(reads: &Reads, db: &mut PgConnection, query: &Query) -> Result<i64, sqlx::Error> {
    let all_are_sorted = !query.only_sortable || is_always_there(query.sort_field());
    if query.full_text.is_none()
        && all_are_sorted
        && let Some(filter) = counts::counted(&query.filter)
    {
        return counts::total(db, &filter).await;
    }
    let sorted_by = query.sort_field().filter(|_| !all_are_sorted);
    let question = format!("{:?} {:?} {sorted_by:?}", query.filter, query.full_text);
    let version = version(db).await?;
    let count = async {
        let mut sql = Builder::new("select count(*) from ");
        matching(&mut sql, query, query.has_indexed_text());
        if sorted_by.is_some() {
            sql.push(" and ");
            value(&mut sql, sorted_by);
            sql.push(" is not null");
        }
        sql.build_query_scalar().fetch_one(db).await
    };
    reads.total(version, question, count).await
}

/// Those of the refs whose entities match.
pub async fn matching_refs(
    db: &mut PgConnection,
    filter: &Filter,
    refs: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let mut sql = Builder::new("select e.entity_ref from catalog_entity e where e.entity_ref = any(");
    sql.push_bind(refs.to_vec()).push(") and ");
    condition(&mut sql, filter);
    Ok(sql.build_query_scalar().fetch_all(db).await?.into_iter().collect())
}

/// As [`after`], where no value is missing and both run in one direction: an index begins there.
fn after_in_index(sql: &mut Builder, from: &str, from_ref: &str, backwards: bool) {
    sql.push(" and (e.value collate \"C\", e.entity_ref) ")
        .push(if backwards { "< (" } else { "> (" })
        .push_bind(from.replace('\0', ""))
        .push(", ")
        .push_bind(from_ref.replace('\0', ""))
        .push(")");
}

/// Places after `(value, ref)` in the order, missing values last; before it when `backwards`.
fn after(sql: &mut Builder, sorted: bool, from: Option<&str>, from_ref: &str, descending: bool, backwards: bool) {
    let sign = |descending: bool| if descending != backwards { " < " } else { " > " };
    let from = from.map(|from| from.replace('\0', ""));
    let from_ref = from_ref.replace('\0', "");
    let reference = |sql: &mut Builder, descending: bool| {
        sql.push("e.entity_ref")
            .push(sign(descending))
            .push_bind(from_ref.clone());
    };
    sql.push(" and (");
    match (sorted, from) {
        (false, _) => reference(sql, descending),
        (true, Some(from)) => {
            sql.push("e.value collate \"C\"")
                .push(sign(descending))
                .push_bind(from.clone());
            sql.push(" or (e.value = ").push_bind(from).push(" and ");
            reference(sql, false);
            sql.push(")");
            if !backwards {
                sql.push(" or e.value is null");
            }
        }
        (true, None) => {
            sql.push("(e.value is null and ");
            reference(sql, false);
            sql.push(")");
            if backwards {
                sql.push(" or e.value is not null");
            }
        }
    }
    sql.push(")");
}
