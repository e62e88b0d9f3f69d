//! `GET /catalog/<namespace>/<kind>/<name>`: one entity.

use std::collections::HashMap;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::asked::Asked;
use super::columns::Cell;
use super::list::short_ref;
use super::star::Star;
use super::{Pages, icon, words};
use crate::auth::Caller;
use crate::catalog::read::is_web_address;
use crate::catalog::{
    Catalog, Entity, EntityPages, EntityRef, Kinds, ORPHAN, Problem, Related, Shown, ShownTab, queries,
};
use crate::language::{Text, filters};
use crate::web::{Error, Shell, SignedIn, page};

/// So many tags are shown; the others unfold.
const TAGS: usize = 12;
/// Entities named of one relation; the list shows all.
const TARGETS: usize = 50;

pub(super) struct RelationGroup {
    title: Text,
    targets: Vec<Related>,
    /// How many are not named, and the list that has all.
    more: Option<(usize, String)>,
}

pub(super) struct OutLink {
    title: String,
    url: String,
}

/// What the head, the About panel and the relations show: everything that changes with the description.
pub(super) struct View {
    pub(super) entity: Entity,
    pub(super) entity_ref: EntityRef,
    pub(super) icon: &'static str,
    pub(super) owner: Option<Related>,
    pub(super) system: Option<Related>,
    pub(super) tags: Vec<String>,
    pub(super) links: Vec<OutLink>,
    pub(super) relations: Vec<RelationGroup>,
    /// What a declared kind shows of its own.
    pub(super) fields: Vec<(Text, Cell)>,
    pub(super) view_url: Option<String>,
    pub(super) edit_url: Option<String>,
    /// Address of the file, and its last segment.
    pub(super) source: Option<(String, String)>,
    pub(super) checked_at: Option<DateTime<Utc>>,
    pub(super) location: Option<uuid::Uuid>,
    /// The file that describes it has disappeared.
    pub(super) orphan: bool,
    /// Why the shown version may be older than the file.
    pub(super) problems: Vec<Problem>,
}

impl View {
    /// Address of a person or group, as far as it is plainly one.
    pub(super) fn mail(&self) -> Option<&str> {
        let mail = self.entity.body["spec"]["profile"]["email"].as_str()?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "@._+-".contains(letter);
        (mail.contains('@') && mail.chars().all(plain)).then_some(mail)
    }

    /// Groups, people and locations belong to nobody.
    pub(super) fn may_be_owned(&self) -> bool {
        !matches!(self.entity_ref.kind.as_str(), "group" | "user" | "location")
    }
}

/// What each page of an entity begins with.
pub(super) struct Head {
    pub(super) view: View,
    pub(super) star: Star,
    pub(super) kind_word: Text,
    pub(super) kind_label: Text,
    /// It is the entity's first page.
    pub(super) overview: bool,
    pub(super) tabs: Vec<ShownTab>,
}

impl Head {
    pub(super) async fn of(
        pages: &EntityPages,
        caller: &Caller,
        entity_ref: &EntityRef,
        tab: &str,
    ) -> Result<Self, Error> {
        let view = view(&pages.catalog, entity_ref).await?;
        Ok(Self {
            star: star(&pages.catalog, caller, &view).await?,
            overview: tab == "overview",
            tabs: pages.shown(&view.entity, entity_ref, tab).await,
            kind_word: words::one(pages.catalog.kinds(), view.entity.kind()),
            kind_label: words::many(pages.catalog.kinds(), &view.entity_ref.kind),
            view,
        })
    }
}

/// The beginning of a page of an entity, for features that serve one: finished, escaped HTML.
pub struct Heading {
    pub entity: Entity,
    /// Where the reader is.
    pub crumbs: String,
    /// The entity's name, its problems and its facts.
    pub head: String,
    pub tabs: String,
}

#[derive(Template)]
#[template(path = "catalog/_crumbs.html")]
struct CrumbsPart<'a> {
    head: &'a Head,
}

#[derive(Template)]
#[template(path = "catalog/head.html")]
struct HeadPart<'a> {
    head: &'a Head,
}

#[derive(Template)]
#[template(path = "catalog/_tabs.html")]
struct TabsPart<'a> {
    head: &'a Head,
}

impl Heading {
    pub(in crate::catalog) async fn of(
        pages: &EntityPages,
        caller: &Caller,
        shell: &Shell,
        entity_ref: &EntityRef,
        tab: &str,
    ) -> Result<Self, Error> {
        let head = Head::of(pages, caller, entity_ref, tab).await?;
        Ok(Self {
            crumbs: shell.locale.render(&CrumbsPart { head: &head })?,
            head: shell.locale.render(&HeadPart { head: &head })?,
            tabs: shell.locale.render(&TabsPart { head: &head })?,
            entity: head.view.entity,
        })
    }
}

#[derive(Template)]
#[template(path = "catalog/entity.html")]
struct EntityPage {
    shell: Shell,
    head: Head,
    /// Where the news was before the entity was read.
    since: String,
    cards: Vec<String>,
    /// What it has because of its kind.
    parts: Vec<String>,
    /// Cards of the narrow column.
    asides: Vec<String>,
}

#[derive(Template)]
#[template(path = "catalog/about.html")]
struct AboutFragment {
    shell: Shell,
    head: Head,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let head = Head::of(&pages.entities, &caller, &entity_ref, "overview").await?;
    pages.catalog.see(&caller, &entity_ref);
    let parts = super::parts::sections(&pages, &head.view, &shell).await?;
    let (mut cards, mut asides) = (Vec::new(), Vec::new());
    cards.extend(super::owner::section(&pages.catalog, &head.view, &shell).await?);
    let shown = Shown {
        entity: &head.view.entity,
        owner: head.view.owner.as_ref(),
        shell: &shell,
    };
    for card in pages.cards.iter() {
        let column = if card.aside() { &mut asides } else { &mut cards };
        column.extend(card.render(shown).await);
    }
    page(
        shell.locale,
        &EntityPage {
            shell,
            head,
            since,
            cards,
            parts,
            asides,
        },
    )
}

/// `GET …/about`: what changes with the description, as parts that replace those of an open page.
pub async fn about(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let head = Head::of(&pages.entities, &caller, &entity_ref, "overview").await?;
    page(shell.locale, &AboutFragment { shell, head })
}

/// The caller's star of the entity; without a script it leads back to the entity's page.
async fn star(catalog: &Catalog, caller: &Caller, view: &View) -> Result<Star, Error> {
    let stars = catalog.starred(&caller.actor()).await?;
    let on = stars.contains(&view.entity_ref.to_string());
    Ok(Star::new(
        &view.entity_ref,
        view.entity.title(),
        on,
        &view.entity_ref.path(),
    ))
}

async fn view(catalog: &Catalog, entity_ref: &EntityRef) -> Result<View, Error> {
    let db = catalog.reads().readers();
    let entity = catalog.get(entity_ref).await?;
    let origin = queries::entities::find_origin(db, &entity_ref.to_string()).await?;
    let problems = origin
        .as_ref()
        .map_or_else(Vec::new, |origin| problems(origin, entity_ref));
    let kinds = catalog.kinds();
    let refs: Vec<String> = kinds
        .relations()
        .flat_map(|(kind, _)| entity.relations(kind).take(TARGETS))
        .map(str::to_owned)
        .collect();
    let work = async { Ok::<_, Error>(queries::entities::titles(db, &refs).await?) };
    let bytes = |titles: &HashMap<String, String>| titles.len() * 200;
    let question = format!("titles {}", refs.join(" "));
    let titles = catalog.reads().known(&question, bytes, work).await?;
    let target = |reference: &str| {
        let path = EntityRef::parse(reference, None, None)
            .map(|parsed| parsed.path())
            .unwrap_or_default();
        Related {
            label: titles.get(reference).cloned().unwrap_or_else(|| short_ref(reference)),
            path,
            missing: !titles.contains_key(reference),
        }
    };
    let first = |kind: &str| entity.relations(kind).next().map(&target);
    let relations = kinds
        .relations()
        .filter_map(|(kind, title)| {
            let targets: Vec<Related> = entity.relations(kind).take(TARGETS).map(&target).collect();
            let more = entity.relations(kind).skip(TARGETS).count();
            (!targets.is_empty()).then(|| RelationGroup {
                title: title.clone(),
                targets,
                more: (more > 0).then(|| (more, Asked::related_to(kinds, kind, &entity_ref.to_string()).href())),
            })
        })
        .collect();
    let web = |key: &str| {
        entity
            .annotation(key)
            .filter(|text| is_web_address(text))
            .map(str::to_owned)
    };
    let metadata = &entity.body["metadata"];
    let texts = |value: &Value| -> Vec<String> {
        let list = value.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let links = metadata["links"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| {
            let url = link["url"]
                .as_str()
                .filter(|url| is_web_address(url) || url.starts_with("mailto:"))?;
            Some(OutLink {
                title: link["title"].as_str().unwrap_or(url).to_owned(),
                url: url.to_owned(),
            })
        })
        .collect();
    let view_url = web("backstage.io/view-url").map(|url| catalog.page_of(&url));
    let source = view_url.as_ref().map(|url| {
        let name = url.rsplit('/').next().unwrap_or(url);
        (url.clone(), name.to_owned())
    });
    let owner = first("ownedBy");
    let system = entity
        .relations("partOf")
        .find(|reference| reference.starts_with("system:") || reference.starts_with("domain:"))
        .map(target);
    Ok(View {
        icon: icon(kinds, &entity_ref.kind),
        fields: fields(kinds, &entity),
        owner,
        system,
        tags: texts(&metadata["tags"]),
        links,
        relations,
        edit_url: web("backstage.io/edit-url"),
        view_url,
        source,
        checked_at: origin.as_ref().and_then(|origin| origin.checked_at),
        location: origin.as_ref().map(|origin| origin.location_id),
        problems,
        orphan: entity.annotation(ORPHAN) == Some("true"),
        entity_ref: entity_ref.clone(),
        entity,
    })
}

/// What lists show of the entity's kind in columns of its own, as far as the entity says it and no line shows it anyway.
fn fields(kinds: &Kinds, entity: &Entity) -> Vec<(Text, Cell)> {
    const SHOWN: [&str; 6] = [
        "spec.type",
        "spec.lifecycle",
        "spec.owner",
        "spec.system",
        "metadata.tags",
        "metadata.description",
    ];
    let declared = kinds.find(entity.kind()).map_or(&[][..], |kind| &kind.columns);
    declared
        .iter()
        .filter(|column| !SHOWN.contains(&column.key().as_str()))
        .map(|column| (column.title.clone(), Cell::of(column.said(entity))))
        .filter(|(_, cell)| !matches!(cell, Cell::Nothing))
        .collect()
}

/// Problems of the file that the entity is described in, as far as they may be about it.
fn problems(origin: &queries::entities::Origin, entity_ref: &EntityRef) -> Vec<Problem> {
    let own = entity_ref.to_string();
    let (_, file) = origin.source.split_once(':').unwrap_or(("", &origin.source));
    let about = |problem: &&Problem| match &problem.entity {
        Some(entity) => *entity == own,
        None => problem.source == file,
    };
    origin.problems.iter().filter(about).cloned().collect()
}
