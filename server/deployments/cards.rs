//! What other pages show of Applications: a section and a panel of the entity page, two columns of the list.

use askama::Template;
use axum_extra::routing::TypedPath;
use chrono::{DateTime, Utc};

use super::Deployments;
use super::model::Wanted;
use super::pages::{CardLivePath, ListLivePath, RefreshPath};
use super::view::{View, WhatNow, what_now};
use crate::catalog::{Entity, EntityCard, ListColumn, Shown};
use crate::gitops::Connection;
use crate::language::{Locale, Text, filters, text};
use crate::scm::Source;

/// The section "Argo CD" of an entity's page, live.
pub struct ApplicationCard(pub Deployments);

/// The panel that says how to go on: clone, edit, push.
pub struct WhatNowCard(pub Deployments);

/// Column of the sync status, live; the stream that it names updates the health column too.
pub struct SyncColumn(pub Deployments);

/// Column of the health status, live where the sync column stands beside it.
pub struct HealthColumn(pub Deployments);

#[derive(Template)]
#[template(path = "deployments/section.html")]
struct Section<'a> {
    view: &'a View,
    now: &'a DateTime<Utc>,
    live: String,
    refresh: String,
    here: &'a str,
}

/// The inside of the section: what is sent when something changed.
#[derive(Template)]
#[template(path = "deployments/_application.html")]
pub(super) struct Fragment<'a> {
    pub view: &'a View,
    pub now: &'a DateTime<Utc>,
}

#[derive(Template)]
#[template(path = "deployments/none.html")]
struct NothingSelected<'a> {
    selector: &'a str,
}

#[derive(Template)]
#[template(path = "deployments/what_now.html")]
struct WhatNowPanel<'a> {
    what: &'a WhatNow,
}

#[derive(Template)]
#[template(path = "deployments/_cell.html")]
struct Cell<'a> {
    kind: Kind,
    key: String,
    word: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "deployments/_connection.html")]
struct ConnectionLine<'a> {
    connection: &'a Connection,
    now: DateTime<Utc>,
}

/// Which status a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sync,
    Health,
}

impl Kind {
    /// What a cell is found by when it changes. Several rows may show one Application, so it is not an id.
    pub fn key(self, application: &str) -> String {
        match self {
            Self::Sync => format!("sync-{application}"),
            Self::Health => format!("health-{application}"),
        }
    }
}

impl Deployments {
    fn word_of(&self, kind: Kind, application: &str) -> Option<&'static str> {
        self.gitops.get(application).map(|application| match kind {
            Kind::Sync => application.sync.word(),
            Kind::Health => application.health.word(),
        })
    }

    /// A cell: a badge, or words where there is no such Application.
    pub(super) fn status(&self, kind: Kind, application: &str, locale: Locale) -> Option<String> {
        let word = self.word_of(kind, application);
        let key = kind.key(application);
        rendered(locale, &Cell { kind, key, word })
    }

    /// The line that says since when lists are not live, empty while they are; it is found as cells are.
    pub(super) fn connection(&self, locale: Locale, now: DateTime<Utc>) -> Option<String> {
        let connection = &self.gitops.connection();
        rendered(locale, &ConnectionLine { connection, now })
    }

    /// Both cells of one Application; open pages put them where they show it.
    pub(super) fn cells(&self, application: &str, locale: Locale) -> String {
        let cells = [Kind::Sync, Kind::Health].map(|kind| self.status(kind, application, locale));
        cells.into_iter().flatten().collect()
    }

    /// Names of the Applications that the entity means, whether they are there or not.
    pub(super) fn names(&self, wanted: &Wanted) -> Vec<String> {
        match wanted {
            Wanted::Name(name) => vec![name.clone()],
            Wanted::Labels(selector) => {
                let all = self.gitops.list();
                let selected = all.iter().filter(|application| selector.matches(&application.labels));
                selected.map(|application| application.name.clone()).collect()
            }
        }
    }

    fn cell(&self, kind: Kind, entity: &Entity, locale: Locale) -> Option<String> {
        self.status(kind, &self.first_name(entity)?, locale)
    }

    fn word(&self, kind: Kind, entity: &Entity) -> Option<String> {
        self.word_of(kind, &self.first_name(entity)?).map(str::to_owned)
    }

    /// A column has room for one; the entity's page shows all.
    fn first_name(&self, entity: &Entity) -> Option<String> {
        self.names(&Wanted::of(entity)?).into_iter().next()
    }

    /// Where the manifests of the entity's first Application are, or else where the entity itself is described.
    fn source(&self, entity: &Entity, wanted: &Wanted) -> Option<(crate::scm::Located, Source)> {
        let described = ["backstage.io/source-location", "backstage.io/managed-by-location"]
            .into_iter()
            .filter_map(|key| entity.annotation(key)?.strip_prefix("url:"))
            .find_map(|url| self.forges.locate(url).ok());
        let application = self.names(wanted).iter().find_map(|name| self.gitops.get(name));
        let deployed =
            application.and_then(|application| Some((self.forges.locate(&application.repo_url).ok()?, application)));
        match (deployed, described) {
            (Some((located, application)), described) => {
                let mut source = located.source.clone();
                source.path = application.path.trim_matches('/').to_owned();
                if source.path == "." {
                    source.path.clear();
                }
                source.reference = match application.target_revision.as_str() {
                    // The default branch: the one that the entity was read from, if it is the same repository.
                    "HEAD" => described
                        .filter(|described| described.source.repository == source.repository)
                        .and_then(|described| described.source.reference),
                    revision => Some(revision.to_owned()),
                };
                Some((located, source))
            }
            (None, Some(described)) => {
                let mut source = described.source.clone();
                source.path.clear();
                Some((described, source))
            }
            (None, None) => None,
        }
    }
}

#[async_trait::async_trait]
impl EntityCard for ApplicationCard {
    async fn render(&self, shown: Shown<'_>) -> Option<String> {
        let wanted = Wanted::of(shown.entity)?;
        let names = self.0.names(&wanted);
        if let (Wanted::Labels(selector), true) = (&wanted, names.is_empty()) {
            return rendered(
                shown.shell.locale,
                &NothingSelected {
                    selector: &selector.text,
                },
            );
        }
        let mut html = String::new();
        for name in names {
            let view = self.0.view(&name).await;
            html.push_str(&rendered(
                shown.shell.locale,
                &Section {
                    view: &view,
                    now: &shown.shell.now,
                    live: CardLivePath { app: name.clone() }.to_string(),
                    refresh: RefreshPath { app: name }.to_string(),
                    here: &shown.shell.path,
                },
            )?);
        }
        Some(html)
    }
}

#[async_trait::async_trait]
impl EntityCard for WhatNowCard {
    async fn render(&self, shown: Shown<'_>) -> Option<String> {
        let wanted = Wanted::of(shown.entity)?;
        let (located, source) = self.0.source(shown.entity, &wanted)?;
        let what = what_now(located.forge.as_ref(), &source, shown.owner.cloned());
        rendered(shown.shell.locale, &WhatNowPanel { what: &what })
    }

    fn aside(&self) -> bool {
        true
    }
}

impl ListColumn for SyncColumn {
    fn title(&self) -> Text {
        text!("Sync")
    }

    fn cell(&self, entity: &Entity, locale: Locale) -> Option<String> {
        self.0.cell(Kind::Sync, entity, locale)
    }

    fn word(&self, entity: &Entity) -> Option<String> {
        self.0.word(Kind::Sync, entity)
    }

    fn live_url(&self) -> Option<&'static str> {
        Some(ListLivePath::PATH)
    }

    fn notice(&self, locale: Locale, now: DateTime<Utc>) -> Option<String> {
        self.0.connection(locale, now)
    }
}

impl ListColumn for HealthColumn {
    fn title(&self) -> Text {
        text!("Health")
    }

    fn cell(&self, entity: &Entity, locale: Locale) -> Option<String> {
        self.0.cell(Kind::Health, entity, locale)
    }

    fn word(&self, entity: &Entity) -> Option<String> {
        self.0.word(Kind::Health, entity)
    }

    fn in_graph(&self) -> bool {
        true
    }

    fn live_url(&self) -> Option<&'static str> {
        // The stream of the sync column has both; browsers allow few connections.
        None
    }
}

pub(super) fn rendered(locale: Locale, template: &impl Template) -> Option<String> {
    locale
        .render(template)
        .inspect_err(|error| tracing::error!(%error, "a fragment about an Application cannot be rendered"))
        .ok()
}
