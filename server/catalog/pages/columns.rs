//! Which columns a list has: those that the address names, else those that the reader has kept, else the usual ones.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::{DateTime, Utc};

use super::Pages;
use super::asked::Asked;
use super::list::{owner, short_ref};
use crate::catalog::kinds::{Declared, FieldColumn, Said};
use crate::catalog::{Entity, EntityRef, ListColumn};
use crate::language::{Locale, Text, text};

const COOKIE: &str = "portico-catalog-columns";
/// Browsers keep no cookie longer than 400 days.
const KEPT_FOR: Duration = Duration::from_secs(400 * 24 * 60 * 60);
/// An address cannot name more columns.
pub const MOST: usize = 40;
/// A cookie keeps no more names.
const MOST_KEPT: usize = 120;

/// A column beside the name.
#[derive(Clone)]
pub enum Column {
    Owner,
    Type,
    Lifecycle,
    System,
    Tags,
    /// Of a declared kind.
    Declared(Arc<FieldColumn>),
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

impl Cell {
    /// What a field of a declared kind says; long texts are cut.
    pub fn of(said: Said) -> Self {
        const LETTERS: usize = 200;
        match said {
            Said::Nothing => Self::Nothing,
            Said::Text(text) => Self::Text(match text.char_indices().nth(LETTERS) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }),
            Said::Ref(target) => {
                let short = short_ref(&target.to_string());
                Self::Link(short, target.path())
            }
        }
    }
}

impl Column {
    /// All that there are, in the order of the list; of a list of one kind, if it is a declared one, with its own.
    pub fn all(others: &[Arc<dyn ListColumn>], kind: Option<&Declared>) -> Vec<Self> {
        let mut all = vec![Self::Owner];
        all.extend(
            kind.into_iter()
                .flat_map(|kind| kind.columns.iter().cloned().map(Self::Declared)),
        );
        all.extend([Self::Type, Self::Lifecycle, Self::System, Self::Tags]);
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
            Self::Declared(column) => column.name.clone(),
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
            Self::Declared(column) => column.title.clone(),
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
            Self::Declared(_) | Self::Other(_) => "w4",
            Self::Changed => "w2 opt",
        }
    }

    /// Can the list be sorted by it?
    pub fn sorts(&self) -> bool {
        matches!(
            self,
            Self::Owner | Self::Type | Self::Lifecycle | Self::Declared(_) | Self::Changed
        )
    }

    /// One of those that a list has unless somebody chose others. Declared kinds say themselves what is worth a column.
    fn is_usual(&self, declared: bool) -> bool {
        match self {
            Self::System | Self::Tags => false,
            Self::Type | Self::Lifecycle => !declared,
            _ => true,
        }
    }

    /// Is it one of these? Columns of a declared kind are, unless its mark tells that somebody chose among them: lists of
    /// other kinds do not offer them.
    fn is_among(&self, names: &[&str], mark: Option<&str>) -> bool {
        match (self, mark) {
            (Self::Declared(_), Some(mark)) if !names.contains(&mark) => true,
            _ => names.contains(&self.name().as_str()),
        }
    }

    pub fn cell(&self, entity: &Entity, changed_at: DateTime<Utc>, locale: Locale) -> Cell {
        match self {
            Self::Owner => link(owner(entity)),
            Self::Type => text_cell(entity.spec("type")),
            Self::Lifecycle => text_cell(entity.spec("lifecycle")),
            Self::System => link(system(entity)),
            Self::Tags => Cell::Tags(tags(entity)),
            Self::Declared(column) => Cell::of(column.said(entity)),
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
            Self::Declared(column) => match column.said(entity) {
                Said::Nothing => String::new(),
                Said::Text(text) => text,
                Said::Ref(target) => target.to_string(),
            },
            Self::Other(column) => column.word(entity).unwrap_or_default(),
            Self::Changed => crate::language::machine_time(&changed_at),
        }
    }
}

/// The columns of a list, and whether the reader's own are to be kept with the answer.
pub struct Chosen {
    pub columns: Vec<Column>,
    pub choices: Vec<Choosable>,
    /// Tells, among names of columns, that they were chosen on a list of this declared kind.
    pub mark: Option<String>,
    pub cookie: Option<Cookie<'static>>,
}

impl Chosen {
    /// Of the list that is asked for.
    pub fn of(pages: &Pages, asked: &Asked, headers: &HeaderMap) -> Self {
        let asking = Asking {
            others: &pages.columns,
            kind: pages.kinds().find(&asked.kind()),
            names: &asked.columns,
            keep: asked.keep.is_some(),
            secure: pages.secure(),
        };
        asking.chosen(headers)
    }
}

/// What there is to choose from, and what the address says.
struct Asking<'a> {
    others: &'a [Arc<dyn ListColumn>],
    /// The declared kind that the list is of.
    kind: Option<&'a Declared>,
    names: &'a [String],
    /// The columns are for later lists too.
    keep: bool,
    /// Cookies are for https only.
    secure: bool,
}

impl Asking<'_> {
    fn chosen(&self, headers: &HeaderMap) -> Chosen {
        let jar = CookieJar::from_headers(headers);
        let kept = jar.get(COOKIE).map(Cookie::value).unwrap_or_default();
        let kept: Vec<&str> = kept.split('.').filter(|name| !name.is_empty()).collect();
        let asked: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let mark = self.kind.map(Declared::mark);
        let is_chosen = |column: &Column| match (asked.is_empty(), kept.is_empty()) {
            (false, _) => column.is_among(&asked, mark.as_deref()),
            (true, false) => column.is_among(&kept, mark.as_deref()),
            (true, true) => column.is_usual(self.kind.is_some()),
        };
        let all = Column::all(self.others, self.kind);
        let choices: Vec<Choosable> = all
            .iter()
            .map(|column| Choosable {
                name: column.name(),
                title: column.title(),
                chosen: is_chosen(column),
            })
            .collect();
        let keep = self.keep && !asked.is_empty();
        Chosen {
            cookie: keep.then(|| cookie(&choices, mark.as_deref(), &kept, self.secure)),
            columns: all.into_iter().filter(is_chosen).collect(),
            choices,
            mark,
        }
    }
}

/// `mark` is that of the list's kind; what was kept of other declared kinds stays.
fn cookie(choices: &[Choosable], mark: Option<&str>, kept: &[&str], secure: bool) -> Cookie<'static> {
    let chosen = choices.iter().filter(|choice| choice.chosen);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_:".contains(letter);
    let of_others = kept
        .iter()
        .filter(|name| name.contains(':') && !mark.is_some_and(|mark| name.starts_with(mark)))
        .filter(|name| name.chars().all(plain));
    // The name is always there: without it, no column at all would be no choice.
    let names: Vec<&str> = std::iter::once("name")
        .chain(mark)
        .chain(chosen.map(|choice| choice.name.as_str()))
        .chain(of_others.copied())
        .take(MOST_KEPT)
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

    fn chosen_of(kind: Option<&Declared>, asked: &[&str], cookie: &str, keep: bool) -> (Vec<String>, Option<String>) {
        let names: Vec<String> = asked.iter().map(|name| (*name).to_owned()).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        let asking = Asking {
            others: &[],
            kind,
            names: &names,
            keep,
            secure: true,
        };
        let chosen = asking.chosen(&headers);
        let names = chosen.columns.iter().map(Column::name).collect();
        (names, chosen.cookie.map(|cookie| cookie.value().to_owned()))
    }

    fn chosen(asked: &[&str], cookie: &str, keep: bool) -> (Vec<String>, Option<String>) {
        chosen_of(None, asked, cookie, keep)
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

    #[test]
    fn columns_of_a_declared_kind_are_there_until_somebody_chooses_among_them() {
        let kinds = crate::catalog::tests::kinds();
        let kind = kinds.find("database");
        let all = [
            "owner",
            "database:engine",
            "database:size",
            "database:runson",
            "changed",
        ];
        assert_eq!(chosen_of(kind, &[], "", false).0, all);
        // What was chosen on other lists says nothing of them.
        let kept = "portico-catalog-columns=name.owner.changed.queue:.queue:length.<x>:y";
        assert_eq!(chosen_of(kind, &[], kept, false).0, all);
        let asked = ["name", "database:", "owner", "database:size"];
        assert_eq!(
            chosen_of(kind, &asked, kept, true),
            (
                vec!["owner".to_owned(), "database:size".to_owned()],
                Some("name.database:.owner.database:size.queue:.queue:length".to_owned())
            )
        );
        let none = "portico-catalog-columns=name.database:";
        assert_eq!(chosen_of(kind, &[], none, false).0, [""; 0]);
        assert_eq!(
            chosen(&[], "portico-catalog-columns=name.database:.database:size", false).0,
            [""; 0]
        );
    }
}
