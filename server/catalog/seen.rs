//! What people have looked at lately, to find it again.

use askama::Template;

use super::{Catalog, CatalogError, Entity, EntityRef, Kinds, queries};
use crate::auth::Caller;
use crate::language::filters;
use crate::web::{Section, Shell};

/// Entities of one person that are remembered.
const KEPT: i64 = 20;
/// On the home page.
const SHOWN: usize = 8;

impl Catalog {
    /// Remembers that somebody looks at an entity. The page does not wait for it; machines look at nothing.
    pub fn see(&self, caller: &Caller, entity_ref: &EntityRef) {
        if caller.user().is_none() {
            return;
        }
        let (catalog, user, entity) = (self.clone(), caller.actor(), entity_ref.to_string());
        let now = self.clock().now();
        tokio::spawn(async move {
            if let Err(error) = queries::seen::upsert(catalog.db(), &user, &entity, now, KEPT).await {
                tracing::debug!(%error, "what was looked at is not remembered");
            }
        });
    }

    /// Refs of what the user has looked at, the latest first; also of entities that are away.
    pub async fn seen(&self, user_ref: &str) -> Result<Vec<String>, CatalogError> {
        Ok(queries::seen::list(self.reads().readers(), user_ref, KEPT).await?)
    }
}

/// The section "Recently seen" of the home page.
pub struct RecentlySeen(Catalog);

impl RecentlySeen {
    pub fn new(catalog: Catalog) -> Self {
        Self(catalog)
    }
}

#[derive(Template)]
#[template(path = "catalog/_seen.html")]
struct Seen {
    kinds: Kinds,
    entities: Vec<Entity>,
}

#[async_trait::async_trait]
impl Section for RecentlySeen {
    async fn render(&self, caller: &Caller, shell: &Shell) -> Option<String> {
        let found = async {
            let refs = self.0.seen(&caller.actor()).await?;
            self.0.list_by_refs(&refs).await
        };
        let found = found
            .await
            .inspect_err(|error| tracing::warn!(%error, "what was looked at cannot be shown"))
            .ok()?;
        let entities: Vec<Entity> = found.into_iter().flatten().take(SHOWN).collect();
        if entities.is_empty() {
            return None;
        }
        shell
            .locale
            .render(&Seen {
                kinds: self.0.kinds().clone(),
                entities,
            })
            .inspect_err(|error| tracing::error!(%error, "what was looked at cannot be rendered"))
            .ok()
    }

    fn aside(&self) -> bool {
        true
    }
}
