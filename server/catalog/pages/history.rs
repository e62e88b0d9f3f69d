//! `GET /catalog/<namespace>/<kind>/<name>/history`: what changed of an entity, when, and by whom.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::Pages;
use super::entity::Head;
use crate::catalog::history::{By, Change, Diff, Event, KEPT, Part, compare, shown};
use crate::catalog::read::is_web_address;
use crate::catalog::{Entity, EntityRef, queries};
use crate::language::{Text, filters, text};
use crate::scm::Commit;
use crate::web::{Error, Query, Shell, SignedIn, page};

/// Changes of a page.
const SHOWN: i64 = 10;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Only changes before the one with this number.
    until: Option<i64>,
}

/// Whose change it was, as far as it can be told.
enum Author {
    /// Commits, newest first, with their pages.
    Commits(Vec<(Commit, String)>),
    /// Somebody within the portal.
    Person(String),
    /// There is something to say instead.
    Told(Text),
}

struct Shown {
    event: Event,
    title: Text,
    author: Author,
    /// Name and page of the file, where it has one.
    file: Option<(String, String)>,
    diff: Diff,
}

#[derive(Template)]
#[template(path = "catalog/history.html")]
struct HistoryPage {
    shell: Shell,
    entity_ref: EntityRef,
    /// `None` where the entity has gone and only its history is left.
    head: Option<Head>,
    since: String,
    changes: Vec<Shown>,
    /// Where older changes are.
    older: Option<String>,
    /// This is not the first page.
    later: bool,
    /// The entity is known since; told on the last page.
    known_since: Option<DateTime<Utc>>,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let reference = entity_ref.to_string();
    let db = pages.catalog.reads().readers();
    let mut events = queries::history::list(db, &reference, wanted.until, SHOWN + 1).await?;
    let entity = pages.catalog.find(&entity_ref).await?;
    let head = match (&entity, events.is_empty()) {
        // A page that says that there is no such entity.
        (None, true) => Some(Head::of(&pages.entities, &caller, &entity_ref, "history").await?),
        (None, false) => None,
        (Some(_), _) => Some(Head::of(&pages.entities, &caller, &entity_ref, "history").await?),
    };
    let more = events.len() as i64 > SHOWN;
    events.truncate(SHOWN as usize);
    // What the newest of these changes has made.
    let after = match wanted.until {
        Some(until) => queries::history::find_before(db, &reference, until).await?.flatten(),
        None => entity.as_ref().map(|entity| entity.body.to_string()),
    };
    let path = entity_ref.path();
    let older = events
        .last()
        .filter(|_| more)
        .map(|last| format!("{path}/history?until={}", last.id));
    let sources = &pages.catalog.0.sources;
    let authors = futures::future::join_all(events.iter().map(|event| author(&pages, sources, event))).await;
    let changes = compared(events, after, authors, &pages).await?;
    let known_since = entity.as_ref().filter(|_| !more).and_then(known_since);
    page(
        shell.locale,
        &HistoryPage {
            shell,
            entity_ref,
            head,
            since,
            changes,
            older,
            later: wanted.until.is_some(),
            known_since,
        },
    )
}

/// Compares neighbours, apart from what answers requests: documents may be long.
async fn compared(
    events: Vec<Event>,
    after: Option<String>,
    authors: Vec<Author>,
    pages: &Pages,
) -> Result<Vec<Shown>, Error> {
    let diffs = tokio::task::spawn_blocking(move || {
        let mut later = shown(after.as_deref());
        let compared = events.into_iter().map(|event| {
            // What went has nothing after it, even if it is back.
            let after = match event.change {
                Change::Removed => String::new(),
                _ => std::mem::take(&mut later),
            };
            let before = shown(event.before.as_deref());
            let diff = compare(&before, &after);
            later = before;
            (event, diff)
        });
        compared.collect::<Vec<_>>()
    });
    let diffs = diffs.await.map_err(Error::internal)?;
    Ok(std::iter::zip(diffs, authors)
        .map(|((event, diff), author)| Shown {
            title: match event.change {
                Change::Added => text!("It is back"),
                Change::Changed => text!("Changed"),
                Change::Removed => text!("Gone from the catalog"),
            },
            file: file(pages, &event),
            author,
            event,
            diff,
        })
        .collect())
}

async fn author(pages: &Pages, sources: &std::sync::Arc<dyn crate::catalog::Sources>, event: &Event) -> Author {
    if let Some(actor) = &event.actor {
        return Author::Person(actor.clone());
    }
    let Some(read) = &event.read_at else {
        return Author::Told(match event.source.split_once(':') {
            Some(("identity", _)) => text!("told by the identity provider at a login"),
            Some(("file", _)) => text!("from a file on the server"),
            _ => text!("by nobody known"),
        });
    };
    let By::Commits(commits) = pages.catalog.authors().of(sources, read).await else {
        return Author::Told(text!("The forge does not say by whom; reload the page in a moment."));
    };
    let forge = sources.forge_of(&read.repository).ok();
    let page = |commit: &Commit| {
        forge
            .as_ref()
            .map(|forge| forge.commit_url(&read.repository, &commit.id))
    };
    let commits: Vec<(Commit, String)> = commits
        .into_iter()
        .map(|commit| {
            let page = page(&commit).unwrap_or_default();
            (commit, page)
        })
        .collect();
    match commits.is_empty() {
        true => Author::Told(text!(
            "No commit changed the file: what it brings in changed, or how it is read."
        )),
        false => Author::Commits(commits),
    }
}

/// Name and page of the file that was read.
fn file(pages: &Pages, event: &Event) -> Option<(String, String)> {
    let target = event
        .source
        .strip_prefix("url:")
        .filter(|target| is_web_address(target))?;
    let name = target.rsplit('/').next().unwrap_or(target).to_owned();
    Some((name, pages.catalog.page_of(target)))
}

/// Ids tell when they were made.
fn known_since(entity: &Entity) -> Option<DateTime<Utc>> {
    let id: uuid::Uuid = entity.body.pointer("/metadata/uid")?.as_str()?.parse().ok()?;
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
}
