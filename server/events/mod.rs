//! `/api/events`: what other systems report. A push that a forge reports, signed, makes the portal
//! read the repository's locations again and Argo CD compare its Applications; by itself Argo CD
//! looks every few minutes only.

mod api;
mod queries;
mod register;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::post;
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::gitops::GitOps;
use crate::ids;
use crate::keys::Keys;
use crate::scm::{Forges, Repository, Watched};

/// Registers webhooks and acts on what they report. Cheap to clone.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    db: PgPool,
    clock: Clock,
    keys: Keys,
    forges: Forges,
    catalog: Catalog,
    gitops: GitOps,
    /// `portico.webhookBaseUrl`, else `backend.baseUrl`; no trailing slash.
    base_url: String,
    /// Wakes the registration worker.
    wanted: Notify,
    /// Repositories whose push is being acted on. True: another push came meanwhile.
    busy: Mutex<HashMap<Repository, bool>>,
}

impl Webhooks {
    /// `base_url` is where forges reach the portal.
    pub fn new(
        db: PgPool,
        clock: Clock,
        keys: Keys,
        forges: Forges,
        catalog: Catalog,
        gitops: GitOps,
        base_url: &str,
    ) -> Self {
        Self(Arc::new(Inner {
            db,
            clock,
            keys,
            forges,
            catalog,
            gitops,
            base_url: base_url.trim_end_matches('/').to_owned(),
            wanted: Notify::new(),
            busy: Mutex::default(),
        }))
    }

    /// Asks for a webhook on a repository that a location or task has touched, or for one on all of an owner, whose
    /// repositories then need none of their own. It is registered soon, by whichever replica is free; what has one
    /// keeps it.
    pub async fn want(&self, watched: &Watched) -> sqlx::Result<()> {
        let inner = &self.0;
        if let Watched::Repository(repository) = watched
            && queries::is_covered(&inner.db, repository).await?
        {
            return Ok(());
        }
        if queries::want(&inner.db, ids::new_id(&inner.clock), watched, inner.clock.now()).await? {
            inner.wanted.notify_one();
        }
        Ok(())
    }

    /// Acts on a push: once at a time for a repository, and once more for all that came meanwhile.
    fn pushed(&self, repository: Repository) {
        {
            let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(again) = busy.get_mut(&repository) {
                *again = true;
                return;
            }
            busy.insert(repository.clone(), false);
        }
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                this.act_on_push(&repository).await;
                let mut busy = this.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
                match busy.get_mut(&repository) {
                    Some(again) if *again => *again = false,
                    _ => {
                        busy.remove(&repository);
                        return;
                    }
                }
            }
        });
    }

    async fn act_on_push(&self, repository: &Repository) {
        let inner = &self.0;
        let matching = |repo_url: &str| inner.forges.repository_of(repo_url).is_some_and(|it| it == *repository);
        let (catalog, gitops) = tokio::join!(
            inner.catalog.refresh_repository(repository),
            inner.gitops.refresh_repository(matching),
        );
        let repository = format!("{}/{}/{}", repository.forge, repository.owner, repository.name);
        if let Err(error) = catalog {
            tracing::warn!(%repository, %error, "the catalog could not read a repository after a push; polling will");
        }
        if let Err(error) = gitops {
            tracing::warn!(%repository, %error, "Argo CD was not told of a push; it will look by itself");
        }
    }
}

/// The routes; they authenticate by signature, not by session.
pub fn public_router(webhooks: Webhooks) -> Router {
    Router::new()
        .route("/api/events/http/gitea/{hook}", post(api::receive))
        .with_state(webhooks)
}
