//! The pages of an entity, as its tabs name them: those of the catalog, and those that other features add. `app` hands
//! over the list.

use super::pages::Heading;
use super::{Catalog, Entity, EntityRef};
use crate::auth::Caller;
use crate::language::Text;
use crate::web::{Error, Shell};

/// A page of an entity that another feature serves.
#[async_trait::async_trait]
pub trait EntityTab: Send + Sync {
    /// Tells it from other tabs; [`EntityPages::heading`] is asked for the page by it.
    fn id(&self) -> &'static str;
    fn label(&self) -> Text;
    fn href(&self, entity_ref: &EntityRef) -> String;
    /// Has the entity such a page? Called for each page of the entity: it answers from the entity or from memory.
    async fn applies(&self, entity: &Entity) -> bool;
}

/// A tab as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTab {
    pub label: Text,
    pub href: String,
    pub current: bool,
}

/// What all pages of an entity begin with, for whoever serves one of them. Cheap to clone.
#[derive(Clone)]
pub struct EntityPages {
    pub(super) catalog: Catalog,
    tabs: std::sync::Arc<[std::sync::Arc<dyn EntityTab>]>,
}

impl EntityPages {
    /// `tabs` stand between those of the catalog, after the overview, in the order given.
    pub fn new(catalog: Catalog, tabs: Vec<std::sync::Arc<dyn EntityTab>>) -> Self {
        Self {
            catalog,
            tabs: tabs.into(),
        }
    }

    /// The beginning of the page `tab` of an entity.
    ///
    /// # Errors
    /// There is no such entity.
    pub async fn heading(
        &self,
        caller: &Caller,
        shell: &Shell,
        entity_ref: &EntityRef,
        tab: &str,
    ) -> Result<Heading, Error> {
        Heading::of(self, caller, shell, entity_ref, tab).await
    }

    /// The tabs that an entity has.
    pub(super) async fn shown(&self, entity: &Entity, entity_ref: &EntityRef, current: &str) -> Vec<ShownTab> {
        let path = entity_ref.path();
        let own = |id: &str, label: Text, href: String| ShownTab {
            label,
            href,
            current: current == id,
        };
        let mut shown = vec![own("overview", crate::language::text!("Overview"), path.clone())];
        for tab in self.tabs.iter() {
            if tab.applies(entity).await {
                shown.push(own(tab.id(), tab.label(), tab.href(entity_ref)));
            }
        }
        for (id, label) in [
            ("relations", crate::language::text!("Relations")),
            ("source", crate::language::text!("Source")),
            ("history", crate::language::text!("History")),
        ] {
            shown.push(own(id, label, format!("{path}/{id}")));
        }
        shown
    }
}
