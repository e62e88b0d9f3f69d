//! A scaffolder without a portal around it: no database is opened, nothing outside is asked. For dry runs on the command
//! line.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use sqlx::PgPool;

use super::{Outside, RequestSettings, Requests, Scaffolder, Settings, actions};
use crate::catalog::{Catalog, CatalogConfig, Web};
use crate::clock::Clock;
use crate::gitops::{GitOps, GitOpsSettings};
use crate::outbound::Outbound;
use crate::scm::Forges;

impl Scaffolder {
    /// A scaffolder that can rehearse and nothing else. Needs a runtime around it.
    pub fn alone(settings: Settings) -> anyhow::Result<Self> {
        let clock = Clock::system();
        let db = no_database()?;
        let outside = nothing_outside(&db, &clock)?;
        Ok(Self::new(db, clock, outside, settings, actions::shipped()))
    }
}

/// A pool that never reaches a database: it connects when it is asked for something.
pub fn no_database() -> anyhow::Result<PgPool> {
    sqlx::postgres::PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(10))
        .connect_lazy("postgres://127.0.0.1:1/none")
        .context("a pool without a database cannot be made")
}

/// No forge, no Argo CD, no cluster; a catalog over this database.
pub fn nothing_outside(db: &PgPool, clock: &Clock) -> anyhow::Result<Outside> {
    let outbound = Outbound::new(Vec::new(), &[])?;
    let http = outbound.client();
    let forges = Forges::new(Vec::new(), http.clone())?;
    let web = Web {
        forges: forges.clone(),
        outbound,
    };
    Ok(Outside {
        catalog: Catalog::new(db.clone(), clock.clone(), Arc::new(web), CatalogConfig::default(), None),
        forges,
        gitops: GitOps::new(GitOpsSettings::default(), None, http, clock.clone())?,
        clusters: Arc::new([]),
        requests: Requests::new(RequestSettings::default(), None),
    })
}
