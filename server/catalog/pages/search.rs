//! `GET /search`: entities and templates by what somebody types.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::asked::Asked;
use super::list::short_ref;
use super::{Pages, icon, words};
use crate::catalog::Entity;
use crate::catalog::search::Group;
use crate::language::{Text, filters};
use crate::web::{Error, Query, Shell, SignedIn, page};

/// Entities of each kind that are shown; the list shows all.
const SHOWN: i64 = 10;
/// Letters that are looked for: the rest of a longer text finds nothing more.
const LONGEST: usize = 200;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Backstage calls it `query`.
    #[serde(alias = "query")]
    q: String,
}

struct Hit {
    path: String,
    /// The form of a template.
    create: Option<String>,
    entity: Entity,
    short_ref: String,
}

struct Section {
    icon: &'static str,
    heading: Text,
    hits: Vec<Hit>,
    /// How many are not shown, and the list that has all, where there is one.
    more: Option<(i64, String)>,
}

#[derive(Template)]
#[template(path = "catalog/search.html")]
struct SearchPage {
    shell: Shell,
    since: String,
    here: String,
    text: String,
    sections: Vec<Section>,
    similar: bool,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    shell: Shell,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let text: String = wanted.q.trim().chars().take(LONGEST).collect();
    let found = pages.catalog.search(&text, SHOWN).await?;
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
                .into_iter()
                .map(|group| section(group, &text, found.similar))
                .collect(),
            similar: found.similar,
            text,
        },
    )
}

fn section(group: Group, text: &str, similar: bool) -> Section {
    let shown = i64::try_from(group.entities.len()).unwrap_or(i64::MAX);
    let list = Asked {
        kind: Some(group.kind.clone()),
        text: Some(text.to_owned()),
        ..Asked::default()
    };
    let more = group.total - shown;
    Section {
        icon: icon(&group.kind),
        heading: words::count(group.total, &group.kind),
        // The list forgives nothing.
        more: (more > 0 && !similar).then(|| (more, list.href())),
        hits: group.entities.into_iter().map(hit).collect(),
    }
}

fn hit(entity: Entity) -> Hit {
    let entity_ref = entity.entity_ref();
    Hit {
        path: entity_ref.path(),
        create: (entity_ref.kind == "template")
            .then(|| format!("/create/templates/{}/{}", entity_ref.namespace, entity_ref.name)),
        short_ref: short_ref(&entity_ref.to_string()),
        entity,
    }
}
