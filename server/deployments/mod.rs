//! Argo CD Applications beside entities: the section and the panel of an entity's page, two columns of the
//! catalog list, `/deployments`.
//!
//! An entity names its Application by the annotation `argocd/app-name`, or several by `argocd/app-selector` (as
//! `@roadiehq/backstage-plugin-argo-cd` has it). Everything is answered from what the watch stored.

use axum::Router;
use axum_extra::routing::RouterExt;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::gitops::GitOps;
use crate::scm::Forges;

mod attention;
mod cards;
mod commits;
mod live;
mod model;
mod pages;
#[cfg(test)]
mod tests;
mod view;

pub use attention::NeedsAttention;
pub use cards::{ApplicationCard, HealthColumn, SyncColumn, WhatNowCard};
pub use pages::{CardPath, ListPath};

/// What the feature works with. Cheap to clone.
#[derive(Clone)]
pub struct Deployments {
    gitops: GitOps,
    forges: Forges,
    commits: commits::Commits,
    clock: Clock,
    /// Ends the event streams, so that a stopping portal does not wait for them.
    shutdown: CancellationToken,
}

impl Deployments {
    /// `shutdown` is cancelled when the portal stops.
    pub fn new(gitops: GitOps, forges: Forges, clock: Clock, shutdown: CancellationToken) -> Self {
        Self {
            commits: commits::Commits::new(forges.clone(), clock.clone()),
            gitops,
            forges,
            clock,
            shutdown,
        }
    }
}

/// `/deployments…`, for signed-in callers only.
pub fn router(deployments: Deployments) -> Router {
    Router::new()
        .typed_get(pages::list)
        .typed_get(live::list)
        .typed_get(pages::card)
        .typed_get(live::card)
        .typed_post(pages::refresh)
        .with_state(deployments)
}
