//! The one place where SQL is put together: filters, full text, order and pages over entities. Every
//! value is bound; the only text put in is written in this file.

use sqlx::{PgPool, Postgres, QueryBuilder};
use uuid::Uuid;

use super::super::Entity;
use super::super::filter::Filter;
use super::entities::{Row, with_relations};

/// What entities are sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Lower case; `None` sorts by ref.
    pub field: Option<String>,
    pub descending: bool,
}

/// A substring of the values of some fields. `%` and `_` stand for any characters, as in Backstage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullText {
    pub term: String,
    /// Lower case.
    pub fields: Vec<String>,
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
}

/// An entity and the value that it was sorted by.
pub struct Found {
    pub entity: Entity,
    pub value: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FoundRow {
    id: Uuid,
    entity_ref: String,
    body: serde_json::Value,
    digest: String,
    value: Option<String>,
}

type Builder = QueryBuilder<Postgres>;

/// Entities of a page, in order.
pub async fn page(db: &PgPool, query: &Query) -> Result<Vec<Found>, sqlx::Error> {
    let first = query.order.first();
    let mut sql = Builder::new("select e.id, e.entity_ref, e.body, e.digest, e.value from (select e.*, ");
    value(&mut sql, first.and_then(|order| order.field.as_deref()));
    sql.push(" as value from catalog_entity e where ");
    conditions(&mut sql, query);
    sql.push(") e where true");
    let sorted = first.is_some_and(|order| order.field.is_some());
    if query.only_sortable && sorted {
        sql.push(" and e.value is not null");
    }
    let descending = first.is_some_and(|order| order.descending);
    if let Some((from, from_ref)) = &query.from {
        after(&mut sql, sorted, from.as_deref(), from_ref, descending, query.backwards);
    }
    sql.push(" order by ");
    let direction = |descending: bool| if descending { " desc" } else { " asc" };
    for (index, order) in query.order.iter().enumerate() {
        let Some(field) = &order.field else { continue };
        match index {
            0 => drop(sql.push("e.value")),
            _ => value(&mut sql, Some(field)),
        }
        sql.push(" collate \"C\"");
        sql.push(direction(order.descending != query.backwards));
        sql.push(if query.backwards {
            " nulls first, "
        } else {
            " nulls last, "
        });
    }
    sql.push("e.entity_ref");
    // Without a field the direction is that of the ref; with one, equal values stay in the order of their refs.
    sql.push(direction((!sorted && descending) != query.backwards));
    if let Some(limit) = query.limit {
        sql.push(" limit ").push_bind(limit);
    }
    if query.offset > 0 {
        sql.push(" offset ").push_bind(query.offset);
    }
    let mut rows: Vec<FoundRow> = sql.build_query_as().fetch_all(db).await?;
    if query.backwards {
        rows.reverse();
    }
    let (values, rows): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .map(|row| {
            let entity = Row {
                id: row.id,
                entity_ref: row.entity_ref,
                body: row.body,
                digest: row.digest,
            };
            (row.value, entity)
        })
        .unzip();
    let entities = with_relations(db, rows).await?;
    Ok(std::iter::zip(entities, values)
        .map(|(entity, value)| Found { entity, value })
        .collect())
}

/// How many entities match, whatever the page.
pub async fn count(db: &PgPool, query: &Query) -> Result<i64, sqlx::Error> {
    let mut sql = Builder::new("select count(*) from catalog_entity e where ");
    conditions(&mut sql, query);
    if query.only_sortable
        && let Some(field) = query.order.first().and_then(|order| order.field.as_ref())
    {
        sql.push(" and ");
        value(&mut sql, Some(field));
        sql.push(" is not null");
    }
    sql.build_query_scalar().fetch_one(db).await
}

/// Those of the refs whose entities match.
pub async fn matching_refs(
    db: &PgPool,
    filter: &Filter,
    refs: &[String],
) -> Result<std::collections::HashSet<String>, sqlx::Error> {
    let mut sql = Builder::new("select e.entity_ref from catalog_entity e where e.entity_ref = any(");
    sql.push_bind(refs.to_vec()).push(") and ");
    condition(&mut sql, filter);
    Ok(sql.build_query_scalar().fetch_all(db).await?.into_iter().collect())
}

/// Values of one key among the entities that match, with their counts, sorted by value.
pub async fn facet(db: &PgPool, filter: &Filter, key: &str) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let key = key.to_lowercase();
    if let Some(kind) = key.strip_prefix("relations.") {
        let mut sql = Builder::new(
            "select r.target_ref, count(distinct e.id) from catalog_entity e join catalog_relation r
            on r.source_ref = e.entity_ref and lower(r.type) = ",
        );
        sql.push_bind(kind.to_owned()).push(" where ");
        condition(&mut sql, filter);
        sql.push(" group by 1 order by 1");
        return sql.build_query_as().fetch_all(db).await;
    }
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

fn length(key: &str) -> i32 {
    i32::try_from(key.chars().count()).unwrap_or(i32::MAX - 2)
}

fn conditions(sql: &mut Builder, query: &Query) {
    condition(sql, &query.filter);
    if let Some(text) = &query.full_text {
        sql.push(" and (false");
        for field in &text.fields {
            let key: String = field
                .chars()
                .flat_map(|c| match c {
                    '%' | '_' | '\\' => vec!['\\', c],
                    other => vec![other],
                })
                .collect();
            // A backslash at the end would escape nothing, which Postgres refuses.
            let term = text.term.to_lowercase().replace('\\', "\\\\").replace('\0', "");
            if let Some(kind) = field.strip_prefix("relations.") {
                sql.push(
                    " or exists (select from catalog_relation r where r.source_ref = e.entity_ref and lower(r.type) = ",
                )
                .push_bind(kind.replace('\0', ""))
                .push(" and r.target_ref like ")
                .push_bind(format!("%{term}%"))
                .push(")");
                continue;
            }
            sql.push(" or exists (select from unnest(e.facets) f where f like ")
                .push_bind(format!("{key}=%{term}%"))
                .push(")");
        }
        sql.push(")");
    }
}

/// The value that entities are sorted by, `null` where they lack the field.
fn value(sql: &mut Builder, field: Option<&str>) {
    let column = match field {
        None => Some("null::text"),
        Some("metadata.name") => Some("e.name"),
        Some("metadata.namespace") => Some("e.namespace"),
        Some("metadata.uid") => Some("e.id::text"),
        Some(field) if field.starts_with("relations.") => {
            let kind = field.trim_start_matches("relations.").replace('\0', "");
            sql.push("(select min(r.target_ref) from catalog_relation r where r.source_ref = e.entity_ref and lower(r.type) = ")
                .push_bind(kind)
                .push(")");
            return;
        }
        Some("kind") => Some("e.kind"),
        Some("spec.type") => Some("e.type"),
        Some("spec.lifecycle") => Some("e.lifecycle"),
        Some("portico.title") => Some("e.title"),
        Some("portico.owner") => Some("e.owner"),
        Some("portico.changed") => Some("to_char(e.changed_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US')"),
        Some(_) => None,
    };
    match (column, field) {
        (Some(column), _) => drop(sql.push(column)),
        (None, Some(field)) => drop(
            sql.push("(select min(substr(f, ")
                .push_bind(length(field) + 2)
                .push(") collate \"C\") from unnest(e.facets) f where starts_with(f, ")
                .push_bind(format!("{field}="))
                .push("))"),
        ),
        (None, None) => {}
    }
}

/// Places after `(value, ref)` in the order, missing values last; before it when `backwards`.
fn after(sql: &mut Builder, sorted: bool, from: Option<&str>, from_ref: &str, descending: bool, backwards: bool) {
    let sign = |descending: bool| if descending != backwards { " < " } else { " > " };
    let reference = |sql: &mut Builder, descending: bool| {
        sql.push("e.entity_ref")
            .push(sign(descending))
            .push_bind(from_ref.to_owned());
    };
    sql.push(" and (");
    match (sorted, from) {
        (false, _) => reference(sql, descending),
        (true, Some(from)) => {
            sql.push("e.value collate \"C\"")
                .push(sign(descending))
                .push_bind(from.to_owned());
            sql.push(" or (e.value = ").push_bind(from.to_owned()).push(" and ");
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

fn condition(sql: &mut Builder, filter: &Filter) {
    match filter {
        Filter::All(all) => join(sql, all, " and ", "true"),
        Filter::Any(any) => join(sql, any, " or ", "false"),
        Filter::Not(inner) => {
            sql.push("not ");
            condition(sql, inner);
        }
        Filter::Exists(key) => {
            sql.push("e.facets @> array[")
                .push_bind(key.replace('\0', ""))
                .push("]::text[]");
        }
        Filter::In(key, values) => {
            // One value can use the index's exact form; several need any of them.
            let elements: Vec<String> = values
                .iter()
                .map(|value| format!("{key}={value}").replace('\0', ""))
                .collect();
            sql.push("e.facets && ").push_bind(elements);
        }
        Filter::Prefix(key, prefix) if key.starts_with("relations.") => {
            let kind = key.trim_start_matches("relations.").replace('\0', "");
            sql.push("exists (select from catalog_relation r where r.source_ref = e.entity_ref and lower(r.type) = ")
                .push_bind(kind)
                .push(" and starts_with(r.target_ref, ")
                .push_bind(prefix.replace('\0', ""))
                .push("))");
        }
        Filter::Prefix(key, prefix) => {
            sql.push("exists (select from unnest(e.facets) f where starts_with(f, ")
                .push_bind(format!("{key}={prefix}").replace('\0', ""))
                .push("))");
        }
        Filter::Refs(refs) => {
            sql.push("e.entity_ref = any(").push_bind(refs.clone()).push(")");
        }
        Filter::Relation(kind, targets) => {
            sql.push("exists (select from catalog_relation r where r.source_ref = e.entity_ref");
            if let Some(kind) = kind {
                sql.push(" and lower(r.type) = ").push_bind(kind.replace('\0', ""));
            }
            if let Some(targets) = targets {
                let targets: Vec<String> = targets.iter().map(|target| target.replace('\0', "")).collect();
                sql.push(" and r.target_ref = any(").push_bind(targets).push(")");
            }
            sql.push(")");
        }
    }
}

fn join(sql: &mut Builder, parts: &[Filter], with: &'static str, empty: &'static str) {
    sql.push("(");
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            sql.push(with);
        }
        condition(sql, part);
    }
    if parts.is_empty() {
        sql.push(empty);
    }
    sql.push(")");
}

/// A page of the list: every word must stand in an entity's name, title, description, tags or owner. With
/// the number of all that match.
pub async fn list_rows(db: &PgPool, query: &Query, words: &[String]) -> Result<(Vec<ListRow>, i64), sqlx::Error> {
    let mut sql = Builder::new(
        "select e.id, e.entity_ref, e.body, e.digest, e.changed_at, e.total from (
            select e.*, count(*) over () as total, ",
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
        .push(", e.title collate \"C\", e.entity_ref limit ")
        .push_bind(query.limit.unwrap_or(50))
        .push(" offset ")
        .push_bind(query.offset);
    let rows: Vec<ListRecord> = sql.build_query_as().fetch_all(db).await?;
    let total = match rows.first() {
        Some(row) => row.total,
        // Behind the last page there is no row to tell the number.
        None if query.offset > 0 => {
            let mut sql = Builder::new("select count(*) from catalog_entity e where ");
            condition(&mut sql, &query.filter);
            contains(&mut sql, words);
            sql.build_query_scalar().fetch_one(db).await?
        }
        None => 0,
    };
    let rows = rows.into_iter().map(|row| ListRow {
        changed_at: row.changed_at,
        entity: Row {
            id: row.id,
            entity_ref: row.entity_ref,
            body: row.body,
            digest: row.digest,
        }
        .into_entity(Vec::new()),
    });
    Ok((rows.collect(), total))
}

fn contains(sql: &mut Builder, words: &[String]) {
    for word in words {
        let mut literal = String::new();
        for letter in word.to_lowercase().chars().filter(|letter| *letter != '\0') {
            if matches!(letter, '\\' | '%' | '_') {
                literal.push('\\');
            }
            literal.push(letter);
        }
        sql.push(" and e.search like ").push_bind(format!("%{literal}%"));
    }
}

/// A row of the list page; its entity comes without relations.
pub struct ListRow {
    pub entity: Entity,
    pub changed_at: chrono::DateTime<chrono::Utc>,
}

#[derive(sqlx::FromRow)]
struct ListRecord {
    id: Uuid,
    entity_ref: String,
    body: serde_json::Value,
    digest: String,
    changed_at: chrono::DateTime<chrono::Utc>,
    total: i64,
}

/// Columns that the list page counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Kind,
    Type,
    Owner,
    Lifecycle,
}

/// Values of a column among the entities that match, most frequent first.
pub async fn column_counts(
    db: &PgPool,
    filter: &Filter,
    words: &[String],
    column: Column,
    limit: i64,
) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let name = match column {
        Column::Kind => "e.body ->> 'kind'",
        Column::Type => "e.type",
        Column::Owner => "e.owner",
        Column::Lifecycle => "e.lifecycle",
    };
    let mut sql = Builder::new("select value, count(*) from (select ");
    sql.push(name).push(" as value from catalog_entity e where ");
    condition(&mut sql, filter);
    contains(&mut sql, words);
    sql.push(") e where value is not null group by value order by count(*) desc, value limit ")
        .push_bind(limit);
    sql.build_query_as().fetch_all(db).await
}
