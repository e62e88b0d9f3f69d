//! Which columns a list has: those that the address names, else those that the reader has kept, else the usual ones.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::{DateTime, Utc};

use super::list::{owner, short_ref};
use crate::catalog::{Entity, EntityRef, ListColumn};
use crate::language::{Locale, Text, text};

const COOKIE: &str = "portico-catalog-columns";
/// Browsers keep no cookie longer than 400 days.
const KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// An address cannot name more columns.
pub const MOST: usize = 40;

/// A column beside the name.
#[derive(Clone)]
pub enum Column {
    Owner,
    Type,
    Lifecycle,
    System,
    Tags,
    /// Of another feature.
    Other(Arc<dyn ListColumn>),
    Changed,
}

/// What stands in a cell.
pub enum Cell {
    Nothing,
    Text(String),
    Link(String, String),
    Tags(Vec<String>),
    /// Finished, escaped HTML.
    Html(String),
    Time(DateTime<Utc>),
}

/// A column that can be chosen.
pub struct Choosable {
    pub name: String,
    pub title: Text,
    pub chosen: bool,
}

impl Column {
    /// All that there are, in the order of the list.
    pub fn all(others: &[Arc<dyn ListColumn>]) -> Vec<Self> {
        let mut all = vec![Self::Owner, Self::Type, Self::Lifecycle, Self::System, Self::Tags];
        all.extend(others.iter().cloned().map(Self::Other));
        all.push(Self::Changed);
        all
    }

    /// In addresses, cookies and files.
    pub fn name(&self) -> String {
        match self {
            Self::Owner => "owner".to_owned(),
            Self::Type => "type".to_owned(),
            Self::Lifecycle => "lifecycle".to_owned(),
            Self::System => "system".to_owned(),
            Self::Tags => "tags".to_owned(),
            // In English, whatever the page is in.
            Self::Other(column) => column.title().to_string().to_lowercase().replace(' ', "-"),
            Self::Changed => "changed".to_owned(),
        }
    }

    pub fn title(&self) -> Text {
        match self {
            Self::Owner => text!("Owner"),
            Self::Type => text!("Type"),
            Self::Lifecycle => text!("Lifecycle"),
            Self::System => text!("System"),
            Self::Tags => text!("Tags"),
            Self::Other(column) => column.title(),
            Self::Changed => text!("Changed"),
        }
    }

    /// Classes of the heading; narrow screens leave `opt` out.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Owner => "w5",
            Self::Type | Self::Lifecycle => "w3 opt",
            Self::System => "w4 opt",
            Self::Tags => "w5 opt",
            Self::Other(_) => "w4",
            Self::Changed => "w2 opt",
        }
    }

    /// Can the list be sorted by it?
    pub fn sorts(&self) -> bool {
        matches!(self, Self::Owner | Self::Type | Self::Lifecycle | Self::Changed)
    }

    /// One of those that a list has unless somebody chose others.
    fn is_usual(&self) -> bool {
        !matches!(self, Self::System | Self::Tags)
    }

    pub fn cell(&self, entity: &Entity, changed_at: DateTime<Utc>, locale: Locale) -> Cell {
        match self {
            Self::Owner => link(owner(entity)),
            Self::Type => text_cell(entity.spec("type")),
            Self::Lifecycle => text_cell(entity.spec("lifecycle")),
            Self::System => link(system(entity)),
            Self::Tags => Cell::Tags(tags(entity)),
            Self::Other(column) => column.cell(entity, locale).map_or(Cell::Nothing, Cell::Html),
            Self::Changed => Cell::Time(changed_at),
        }
    }

    /// What a file has in this column.
    pub fn word(&self, entity: &Entity, changed_at: DateTime<Utc>) -> String {
        let given = |text: Option<&str>| text.unwrap_or_default().to_owned();
        match self {
            Self::Owner => owner_ref(entity, "owner", "group"),
            Self::Type => given(entity.spec("type")),
            Self::Lifecycle => given(entity.spec("lifecycle")),
            Self::System => owner_ref(entity, "system", "system"),
            Self::Tags => tags(entity).join(" "),
            Self::Other(column) => column.word(entity).unwrap_or_default(),
            Self::Changed => crate::language::machine_time(&changed_at),
        }
    }
}

/// The columns of a list, and whether the reader's own are to be kept with the answer.
pub struct Chosen {
    pub columns: Vec<Column>,
    pub choices: Vec<Choosable>,
    pub cookie: Option<Cookie<'static>>,
}

impl Chosen {
    /// `asked` are names of the address; `keep`: they are for later lists too; `secure`: cookies are for https only.
    pub fn of(others: &[Arc<dyn ListColumn>], asked: &[String], keep: bool, headers: &HeaderMap, secure: bool) -> Self {
        let jar = CookieJar::from_headers(headers);
        let kept = jar.get(COOKIE).map(Cookie::value).unwrap_or_default();
        let kept: Vec<&str> = kept.split('.').filter(|name| !name.is_empty()).collect();
        let all = Column::all(others);
        let is_chosen = |column: &Column| {
            let name = column.name();
            match (asked.is_empty(), kept.is_empty()) {
                (false, _) => asked.contains(&name),
                (true, false) => kept.contains(&name.as_str()),
                (true, true) => column.is_usual(),
            }
        };
        let choices: Vec<Choosable> = all
            .iter()
            .map(|column| Choosable {
                name: column.name(),
                title: column.title(),
                chosen: is_chosen(column),
            })
            .collect();
        Self {
            cookie: (keep && !asked.is_empty()).then(|| cookie(&choices, secure)),
            columns: all.into_iter().filter(is_chosen).collect(),
            choices,
        }
    }
}

fn cookie(choices: &[Choosable], secure: bool) -> Cookie<'static> {
    let chosen = choices.iter().filter(|choice| choice.chosen);
    // The name is always there: without it, no column at all would be no choice.
    let names: Vec<&str> = std::iter::once("name")
        .chain(chosen.map(|choice| choice.name.as_str()))
        .collect();
    Cookie::build((COOKIE, names.join(".")))
        .path("/catalog")
        .http_only(true)
        .secure(secure)
        .same_site(SameSite::Lax)
        .max_age(KEPT_FOR.try_into().unwrap_or_default())
        .build()
}

fn text_cell(text: Option<&str>) -> Cell {
    text.map_or(Cell::Nothing, |text| Cell::Text(text.to_owned()))
}

fn link(target: Option<(String, String)>) -> Cell {
    target.map_or(Cell::Nothing, |(label, path)| Cell::Link(label, path))
}

/// Words and path of the system that the spec names.
fn system(entity: &Entity) -> Option<(String, String)> {
    let reference = EntityRef::parse(entity.spec("system")?, Some("system"), Some(entity.namespace())).ok()?;
    let short = short_ref(&reference.to_string());
    Some((short.trim_start_matches("system:").to_owned(), reference.path()))
}

/// The whole ref that a field of the spec means.
fn owner_ref(entity: &Entity, field: &str, kind: &str) -> String {
    let named = entity.spec(field).unwrap_or_default();
    EntityRef::parse(named, Some(kind), Some(entity.namespace()))
        .map_or_else(|_| named.to_owned(), |reference| reference.to_string())
}

fn tags(entity: &Entity) -> Vec<String> {
    let tags = entity.body["metadata"]["tags"].as_array();
    let texts = tags.into_iter().flatten().filter_map(|tag| tag.as_str());
    texts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header};

    use super::*;

    fn chosen(asked: &[&str], cookie: &str, keep: bool) -> (Vec<String>, Option<String>) {
        let asked: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        let chosen = Chosen::of(&[], &asked, keep, &headers, true);
        let names = chosen.columns.iter().map(Column::name).collect();
        (names, chosen.cookie.map(|cookie| cookie.value().to_owned()))
    }

    #[test]
    fn the_address_goes_before_the_cookie_and_that_before_the_usual() {
        let usual = ["owner", "type", "lifecycle", "changed"];
        assert_eq!(chosen(&[], "", true).0, usual);
        assert_eq!(
            chosen(&[], "portico-catalog-columns=name.tags.nonsense", false).0,
            ["tags"]
        );
        assert_eq!(chosen(&[], "portico-catalog-columns=name", false).0, [""; 0]);
        let asked = ["name", "system", "owner"];
        assert_eq!(
            chosen(&asked, "portico-catalog-columns=name.tags", false),
            (vec!["owner".to_owned(), "system".to_owned()], None)
        );
        assert_eq!(chosen(&asked, "", true).1.as_deref(), Some("name.owner.system"));
        assert_eq!(chosen(&["name"], "", true).1.as_deref(), Some("name"));
    }
}
