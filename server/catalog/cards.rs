//! How other features show up on catalog pages without the catalog knowing them: `app` hands over lists.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Entity;
use crate::auth::Caller;
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

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    pub title: String,
    /// Path of its page in this portal.
    pub path: String,
    /// A line below the title: what it is, where it stands, the words around.
    pub note: Text,
}

/// What a section found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchFound {
    /// The best first.
    pub hits: Vec<SearchHit>,
    /// How many there are in all; not less than `hits` has.
    pub total: usize,
    /// Path of a page that has all of them, where there is one.
    pub more: Option<String>,
}

/// What a feature finds of what somebody types: a section of `/search`, of the palette, and a type of `/api/search/query`.
#[async_trait::async_trait]
pub trait SearchSection: Send + Sync {
    /// The word for its results in addresses and in the API, such as `techdocs`.
    fn name(&self) -> &'static str;
    /// Heading.
    fn title(&self) -> Text;
    /// Symbol of `static/icons.svg` beside each hit.
    fn icon(&self) -> &'static str;
    /// What the caller may see that matches, `limit` at most. `text` is trimmed, not empty, and has 200 characters and no
    /// control characters. It answers while somebody types: within some milliseconds. Who fails logs it and finds nothing.
    async fn find(&self, caller: &Caller, text: &str, limit: usize) -> SearchFound;
}

/// All that other features add to the catalog's pages, each in the order in which it is shown.
#[derive(Default)]
pub struct Additions {
    /// On entity pages.
    pub cards: Vec<Arc<dyn EntityCard>>,
    /// In the list.
    pub columns: Vec<Arc<dyn ListColumn>>,
    /// In the search, behind the entities.
    pub sections: Vec<Arc<dyn SearchSection>>,
}
