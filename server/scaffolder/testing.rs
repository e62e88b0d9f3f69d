//! For tests: the outside without anything in it.

use std::sync::Arc;

use sqlx::PgPool;

use super::{Outside, RequestSettings, Requests};
use crate::catalog::{Catalog, CatalogConfig, Web};
use crate::clock::Clock;
use crate::gitops::{GitOps, GitOpsSettings};
use crate::outbound::Outbound;
use crate::scm::Forges;

/// No forge, no Argo CD, an empty catalog.
pub fn outside(db: &PgPool, clock: &Clock) -> Outside {
    // Whoever comes second finds it installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let outbound = Outbound::new(Vec::new(), &[]).unwrap();
    let http = outbound.client();
    let forges = Forges::new(Vec::new(), http.clone()).unwrap();
    let web = Web {
        forges: forges.clone(),
        outbound,
    };
    Outside {
        catalog: Catalog::new(db.clone(), clock.clone(), Arc::new(web), CatalogConfig::default(), None),
        forges,
        gitops: GitOps::new(GitOpsSettings::default(), None, http, clock.clone()).unwrap(),
        clusters: Arc::new([]),
        requests: Requests::new(RequestSettings::default(), None),
    }
}

/// As [`outside`], with a catalog whose database is never reached.
pub fn nothing_outside() -> Outside {
    let db = sqlx::postgres::PgPoolOptions::new()
        .acquire_timeout(std::time::Duration::from_millis(10))
        .connect_lazy("postgres://127.0.0.1:1/none")
        .unwrap();
    outside(&db, &Clock::system())
}
