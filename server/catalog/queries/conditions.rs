//! Where SQL is put together: conditions on entities, and the values that they are sorted by. Every value is bound; the
//! only text put in is written in this file and its neighbours `search`, `facets`, `find` and `list`.

use sqlx::{Postgres, QueryBuilder};

use super::super::filter::Filter;

pub(super) type Builder = QueryBuilder<Postgres>;

/// The kinds that lists are of, nearly always.
const KINDS: [&str; 9] = [
    "component",
    "api",
    "resource",
    "system",
    "domain",
    "group",
    "user",
    "location",
    "template",
];

/// The shortest run of letters and digits that the index of texts finds.
const SHORTEST_RUN: usize = 3;

/// A substring of the values of some fields. `%` and `_` stand for any characters, as in Backstage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullText {
    pub term: String,
    /// Lower case.
    pub fields: Vec<String>,
}

impl FullText {
    /// Can the index of texts answer it?
    pub fn is_indexed(&self) -> bool {
        let run = |part: &str| {
            let runs = part.split(|letter: char| !letter.is_alphanumeric());
            runs.map(|run| run.chars().count()).max() >= Some(SHORTEST_RUN)
        };
        self.term.split(['%', '_']).any(run) && self.fields.iter().all(|field| text_column(field).is_some())
    }
}

/// The column, in the index of texts, with a field's value.
fn text_column(field: &str) -> Option<&'static str> {
    Some(match field {
        "metadata.name" => "e.name",
        "metadata.title" => "e.given_title",
        "metadata.description" => "e.description",
        "spec.profile.displayname" => "e.display_name",
        _ => return None,
    })
}

pub(super) fn length(key: &str) -> i32 {
    i32::try_from(key.chars().count()).unwrap_or(i32::MAX - 2)
}

/// A part of a text in a `like`.
pub(super) fn escaped(text: &str) -> String {
    let mut literal = String::new();
    for letter in text.chars().filter(|letter| *letter != '\0') {
        if matches!(letter, '\\' | '%' | '_') {
            literal.push('\\');
        }
        literal.push(letter);
    }
    literal
}

/// One of the fields holds the text. Not `by_index`, the condition is one that no index helps with and of which the planner
/// expects that many entities meet it, so that it goes through them in their order.
pub(super) fn text(sql: &mut Builder, text: &FullText, by_index: bool) {
    // A backslash at the end would escape nothing, which Postgres refuses.
    let term = text.term.to_lowercase().replace('\\', "\\\\").replace('\0', "");
    sql.push(if by_index { "(false" } else { "(case when false" });
    for field in &text.fields {
        if let Some(column) = text_column(field) {
            sql.push(" or ").push(column);
            sql.push(" like ").push_bind(format!("%{term}%"));
        } else if field == "metadata.uid" {
            sql.push(" or e.id::text like ").push_bind(format!("%{term}%"));
        } else if let Some(kind) = field.strip_prefix("relations.") {
            sql.push(
                " or exists (select from catalog_relation r where r.source_ref = e.entity_ref and lower(r.type) = ",
            )
            .push_bind(kind.replace('\0', ""))
            .push(" and r.target_ref like ")
            .push_bind(format!("%{term}%"))
            .push(")");
        } else {
            sql.push(" or exists (select from unnest(e.facets) f where f like ")
                .push_bind(format!("{}=%{term}%", escaped(field)))
                .push(")");
        }
    }
    sql.push(if by_index { ")" } else { " then true else false end)" });
}

/// The value that entities are sorted by, `null` where they lack the field.
pub(super) fn value(sql: &mut Builder, field: Option<&str>) {
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
                .push_bind(format!("{field}=").replace('\0', ""))
                .push("))"),
        ),
        (None, None) => {}
    }
}

/// Has every entity a value to be sorted by?
pub(super) fn is_always_there(field: Option<&str>) -> bool {
    matches!(
        field,
        None | Some(
            "metadata.name" | "metadata.namespace" | "metadata.uid" | "kind" | "portico.title" | "portico.changed"
        )
    )
}

pub(super) fn condition(sql: &mut Builder, filter: &Filter) {
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
        // Every entity has one kind: the column finds and sorts at once.
        Filter::In(key, values) if key == "kind" => match values.as_slice() {
            [kind] => match KINDS.into_iter().find(|known| known == kind) {
                // As a constant: a statement without parameters is planned once, one with them often each time.
                Some(known) => drop(sql.push("e.kind = '").push(known).push("'")),
                None => drop(sql.push("e.kind = ").push_bind(kind.replace('\0', ""))),
            },
            kinds => {
                let kinds: Vec<String> = kinds.iter().map(|kind| kind.replace('\0', "")).collect();
                sql.push("e.kind = any(").push_bind(kinds).push(")");
            }
        },
        Filter::In(key, values) => {
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

/// Each word stands in what the list's search box looks at.
pub(super) fn contains(sql: &mut Builder, words: &[String]) {
    for word in words {
        sql.push(" and e.search like ")
            .push_bind(format!("%{}%", escaped(&word.to_lowercase())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_answers_runs_of_three() {
        let asked = |term: &str, fields: &[&str]| {
            let fields = fields.iter().map(|field| (*field).to_owned()).collect();
            let term = term.to_owned();
            FullText { term, fields }.is_indexed()
        };
        for (term, expected) in [
            ("abc", true),
            ("a-bc1", true),
            ("ab", false),
            ("a%bc", false),
            ("%%%", false),
            ("", false),
        ] {
            assert_eq!(asked(term, &["metadata.name", "metadata.title"]), expected, "{term}");
        }
        assert!(!asked("abc", &["metadata.name", "spec.type"]));
    }
}
