//! How other features show up on catalog pages without the catalog knowing them: `app` hands over a list.

use chrono::{DateTime, Utc};

use super::Entity;
use crate::language::{Locale, Text};
use crate::web::Shell;

/// Another entity, as pages name and link it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// Its title, or a short ref where it has none.
    pub label: String,
    pub path: String,
    /// It is named, but the catalog does not have it.
    pub missing: bool,
}

/// The entity whose page is made.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub entity: &'a Entity,
    /// As the whole page names it.
    pub owner: Option<&'a Related>,
    pub shell: &'a Shell,
}

/// Part of an entity's page: a section that another feature renders for the entities it concerns.
#[async_trait::async_trait]
pub trait EntityCard: Send + Sync {
    /// The finished, escaped HTML of the section, or `None` where the entity has nothing of the kind.
    /// It is part of the first answer, so that nothing is missing without JavaScript; what changes
    /// live has its own URL inside the fragment.
    async fn render(&self, shown: Shown<'_>) -> Option<String>;

    /// It is a panel for the narrow column rather than a section of the wide one.
    fn aside(&self) -> bool {
        false
    }
}

/// Extra column of the catalog list.
#[async_trait::async_trait]
pub trait ListColumn: Send + Sync {
    /// Heading of the column.
    fn title(&self) -> Text;
    /// The finished, escaped HTML of the cell, or `None` for an empty one. Called once a row:
    /// it answers from memory.
    fn cell(&self, entity: &Entity, locale: Locale) -> Option<String>;
    /// What the cell says, for files.
    fn word(&self, _entity: &Entity) -> Option<String> {
        None
    }
    /// Its cells stand on the boxes of the picture of relations, too.
    fn in_graph(&self) -> bool {
        false
    }
    /// URL of a `text/event-stream` whose events `cells` carry cells that changed, with the attribute
    /// `data-cell` by which [`Self::cell`] can be found on the page. The page subscribes to it once.
    fn live_url(&self) -> Option<&'static str>;
    /// Finished, escaped HTML above a list that has cells of the column: how far they can be trusted. It may be found by
    /// its `data-cell`, too, and keeps its height.
    fn notice(&self, _locale: Locale, _now: DateTime<Utc>) -> Option<String> {
        None
    }
}
