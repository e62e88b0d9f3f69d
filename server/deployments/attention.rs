//! What of somebody's own is not as it should be: the reader's on the home page, a group's or person's on their own.

use askama::Template;
use axum_extra::routing::TypedPath;

use super::Deployments;
use super::cards::{Kind, rendered};
use super::model::Wanted;
use super::pages::ListLivePath;
use crate::auth::Caller;
use crate::catalog::{Catalog, Entity, EntityCard, Shown};
use crate::gitops::{HealthStatus, SyncStatus};
use crate::language::{Locale, Text, filters};
use crate::web::{Section, Shell};

/// Of how many entities of one owner the Applications are looked at.
const LOOKED_AT: i64 = 500;
/// How many of them are listed; the catalog shows all.
const SHOWN: usize = 10;

/// The section "Needs attention": entities with an Application that is not Synced and Healthy.
#[derive(Clone)]
pub struct NeedsAttention {
    deployments: Deployments,
    catalog: Catalog,
}

impl NeedsAttention {
    pub fn new(deployments: Deployments, catalog: Catalog) -> Self {
        Self { deployments, catalog }
    }
}

struct Row {
    title: String,
    path: String,
    message: Text,
    sync: String,
    health: String,
}

#[derive(Template)]
#[template(path = "deployments/attention.html")]
struct Attention {
    rows: Vec<Row>,
    in_all: usize,
    live: &'static str,
    /// The line about the connection.
    notice: String,
}

#[async_trait::async_trait]
impl Section for NeedsAttention {
    async fn render(&self, caller: &Caller, shell: &Shell) -> Option<String> {
        self.section(&caller.ownership_refs(), shell).await
    }
}

#[async_trait::async_trait]
impl EntityCard for NeedsAttention {
    async fn render(&self, shown: Shown<'_>) -> Option<String> {
        let entity_ref = shown.entity.entity_ref();
        match entity_ref.kind.as_str() {
            "group" | "user" => self.section(&[entity_ref.to_string()], shown.shell).await,
            _ => None,
        }
    }
}

impl NeedsAttention {
    /// What these own and is not well; `None` where all is.
    async fn section(&self, owners: &[String], shell: &Shell) -> Option<String> {
        let owned = self
            .catalog
            .list_owned(owners, LOOKED_AT)
            .await
            .inspect_err(|error| tracing::warn!(%error, "what needs attention cannot be shown"))
            .ok()?;
        let mut rows: Vec<Row> = owned
            .entities
            .iter()
            .filter_map(|entity| self.row(entity, shell.locale))
            .collect();
        if rows.is_empty() {
            return None;
        }
        let in_all = rows.len();
        rows.truncate(SHOWN);
        rendered(
            shell.locale,
            &Attention {
                rows,
                in_all,
                live: ListLivePath::PATH,
                notice: self.deployments.connection(shell.locale, shell.now)?,
            },
        )
    }

    /// The first Application of the entity that is not well.
    fn row(&self, entity: &Entity, locale: Locale) -> Option<Row> {
        let deployments = &self.deployments;
        let name = deployments.names(&Wanted::of(entity)?).into_iter().find(|name| {
            deployments.gitops.get(name).is_some_and(|application| {
                application.sync != SyncStatus::Synced || application.health != HealthStatus::Healthy
            })
        })?;
        Some(Row {
            title: entity.title().to_owned(),
            path: entity.entity_ref().path(),
            message: super::view::message(deployments.gitops.get(&name)?.as_ref()),
            sync: deployments.status(Kind::Sync, &name, locale)?,
            health: deployments.status(Kind::Health, &name, locale)?,
        })
    }
}
