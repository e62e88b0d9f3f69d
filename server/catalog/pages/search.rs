//! `GET /search`: entities, and what other features find, by what somebody types.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::asked::Asked;
use super::list::short_ref;
use super::{Pages, icon, words};
use crate::auth::Caller;
use crate::catalog::search::Group;
use crate::catalog::{Entity, Kinds, SearchFound, SearchSection};
use crate::language::{Text, filters};
use crate::web::{Error, Query, Shell, SignedIn, page};

/// Entities of each kind that are shown; the list shows all.
const SHOWN: usize = 10;
/// Letters that are looked for: the rest of a longer text finds nothing more.
const LONGEST: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Backstage calls it `query`.
    #[serde(alias = "query")]
    q: String,
}

struct Hit<'a> {
    path: String,
    /// The form of a template.
    create: Option<String>,
    entity: &'a Entity,
    short_ref: String,
}

struct Section<'a> {
    icon: &'static str,
    heading: Text,
    hits: Vec<Hit<'a>>,
    /// How many are not shown, and the list that has all, where there is one.
    more: Option<(i64, String)>,
}

/// What another feature found.
pub(super) struct Other {
    pub(super) name: &'static str,
    pub(super) icon: &'static str,
    pub(super) heading: Text,
    pub(super) found: SearchFound,
}

impl Other {
    fn left_out(&self) -> usize {
        self.found.total.saturating_sub(self.found.hits.len())
    }
}

#[derive(Template)]
#[template(path = "catalog/search.html")]
struct SearchPage<'a> {
    shell: Shell,
    since: String,
    here: String,
    text: String,
    sections: Vec<Section<'a>>,
    others: Vec<Other>,
    similar: bool,
}

/// What was typed, as it is looked for.
pub(super) fn sought(typed: &str) -> String {
    // No name holds what cannot be seen, and the database takes no NUL.
    let text = typed.replace(char::is_control, " ");
    text.trim().chars().take(LONGEST).collect::<String>().trim().to_owned()
}

/// What other features find, those that find something.
pub(super) async fn others(pages: &Pages, caller: &Caller, text: &str, limit: usize) -> Vec<Other> {
    if text.is_empty() {
        return Vec::new();
    }
    let find = async |section: &dyn SearchSection| Other {
        name: section.name(),
        icon: section.icon(),
        heading: section.title(),
        found: section.find(caller, text, limit).await,
    };
    let found = futures::future::join_all(pages.sections.iter().map(|section| find(&**section))).await;
    found.into_iter().filter(|other| !other.found.hits.is_empty()).collect()
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let text = sought(&wanted.q);
    let (found, others) = tokio::join!(
        pages.catalog.search(&text, SHOWN, usize::MAX),
        others(&pages, &caller, &text, SHOWN)
    );
    let found = found?;
    let here: String = url::form_urlencoded::Serializer::new("/search?".to_owned())
        .append_pair("q", &text)
        .finish();
    page(
        shell.locale,
        &SearchPage {
            shell,
            since,
            here,
            sections: found
                .groups
                .iter()
                .map(|group| section(pages.kinds(), group, &text, found.similar))
                .collect(),
            others,
            similar: found.similar,
            text,
        },
    )
}

fn section<'a>(kinds: &Kinds, group: &'a Group, text: &str, similar: bool) -> Section<'a> {
    let shown = i64::try_from(group.entities.len()).unwrap_or(i64::MAX);
    let list = Asked {
        kind: Some(group.kind.clone()),
        text: Some(text.to_owned()),
        ..Asked::default()
    };
    let more = group.total - shown;
    Section {
        icon: icon(kinds, &group.kind),
        heading: words::count(kinds, group.total, &group.kind),
        // The list forgives nothing.
        more: (more > 0 && !similar).then(|| (more, list.href())),
        hits: group.entities.iter().map(hit).collect(),
    }
}

fn hit(entity: &Entity) -> Hit<'_> {
    let entity_ref = entity.entity_ref();
    Hit {
        path: entity_ref.path(),
        create: (entity_ref.kind == "template")
            .then(|| format!("/create/templates/{}/{}", entity_ref.namespace, entity_ref.name)),
        short_ref: short_ref(&entity_ref.to_string()),
        entity,
    }
}
