//! `/catalog/errors`: what is wrong with files of the catalog, by owner; and the same on the home page.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::Pages;
use super::asked::Asked;
use super::list::short_ref;
use crate::auth::Caller;
use crate::catalog::faults::Fault;
use crate::catalog::owners::MissingOwner;
use crate::catalog::read::is_web_address;
use crate::catalog::{Catalog, EntityCard, EntityRef};
use crate::language::filters;
use crate::web::{Error, Query, Section, Shell, SignedIn, page};

/// Problems of a page; more are told by their number.
const SHOWN: usize = 200;
/// Owners that do not exist; more are told by their number.
const OWNERS_SHOWN: i64 = 20;
/// On the home page.
const AT_HOME: usize = 5;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// `all`; else those of the reader and their groups.
    of: Option<String>,
}

/// A fault with the page of its file.
struct Shown {
    fault: Fault,
    page: Option<String>,
}

struct Group {
    /// Name and page of the owner; nobody for `None`.
    owner: Option<(String, String)>,
    faults: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "catalog/errors.html")]
struct ErrorsPage<'a> {
    shell: Shell,
    since: String,
    here: &'static str,
    all: bool,
    mine_count: usize,
    all_count: usize,
    groups: Vec<Group>,
    left_out: usize,
    /// Owners that do not exist, of everybody's entities.
    owners: Vec<OwnerShown<'a>>,
    owners_left_out: i64,
}

struct OwnerShown<'a> {
    missing: &'a MissingOwner,
    /// The list of what names it.
    list: String,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let since = pages.catalog.news().position();
    let faults = pages.catalog.faults().await?;
    let owners = caller.ownership_refs();
    let all = wanted.of.as_deref() == Some("all");
    let mine_count = faults.iter().filter(|fault| fault.belongs_to(&owners)).count();
    let wanted: Vec<&Fault> = faults.iter().filter(|fault| all || fault.belongs_to(&owners)).collect();
    let mut groups: Vec<Group> = Vec::new();
    for fault in wanted.iter().take(SHOWN) {
        let owner = fault.owner.as_ref().map(|owner| {
            let path = EntityRef::parse(owner, None, None).map(|owner| owner.path());
            (short_ref(owner), path.unwrap_or_default())
        });
        if groups.last().is_none_or(|group| group.owner != owner) {
            groups.push(Group {
                owner,
                faults: Vec::new(),
            });
        }
        let source = &fault.problem.source;
        let shown = Shown {
            page: is_web_address(source).then(|| pages.catalog.page_of(source)),
            fault: (*fault).clone(),
        };
        if let Some(group) = groups.last_mut() {
            group.faults.push(shown);
        }
    }
    let missing = match all {
        true => pages.catalog.missing_owners(OWNERS_SHOWN).await?,
        false => Arc::default(),
    };
    let (owners, owners_count) = &*missing;
    page(
        shell.locale,
        &ErrorsPage {
            shell,
            since,
            here: if all {
                "/catalog/errors?of=all"
            } else {
                "/catalog/errors"
            },
            all,
            mine_count,
            all_count: faults.len(),
            left_out: wanted.len().saturating_sub(SHOWN),
            groups,
            owners_left_out: (owners_count - OWNERS_SHOWN).max(0),
            owners: owners
                .iter()
                .map(|missing| OwnerShown {
                    list: Asked::related_to(pages.kinds(), "ownerOf", &missing.owner.to_string()).href(),
                    missing,
                })
                .collect(),
        },
    )
}

/// The section "Errors in the catalog": what is wrong of the reader's own on the home page, and of a group's or person's on
/// theirs.
#[derive(Clone)]
pub struct CatalogErrors(Catalog);

impl CatalogErrors {
    pub fn new(catalog: Catalog) -> Self {
        Self(catalog)
    }
}

#[derive(Template)]
#[template(path = "catalog/_errors_home.html")]
struct AtHome {
    faults: Vec<Fault>,
    in_all: usize,
}

#[async_trait::async_trait]
impl Section for CatalogErrors {
    async fn render(&self, caller: &Caller, shell: &Shell) -> Option<String> {
        self.section(&caller.ownership_refs(), shell).await
    }
}

#[async_trait::async_trait]
impl EntityCard for CatalogErrors {
    async fn render(&self, shown: crate::catalog::Shown<'_>) -> Option<String> {
        let entity_ref = shown.entity.entity_ref();
        match entity_ref.kind.as_str() {
            "group" | "user" => self.section(&[entity_ref.to_string()], shown.shell).await,
            _ => None,
        }
    }
}

impl CatalogErrors {
    /// What is wrong of what these own; `None` where nothing is.
    async fn section(&self, owners: &[String], shell: &Shell) -> Option<String> {
        let faults = self.0.faults().await;
        let faults = faults
            .inspect_err(|error| tracing::warn!(%error, "errors of the catalog cannot be shown"))
            .ok()?;
        let mut own: Vec<Fault> = faults
            .iter()
            .filter(|fault| fault.belongs_to(owners))
            .cloned()
            .collect();
        if own.is_empty() {
            return None;
        }
        let in_all = own.len();
        own.truncate(AT_HOME);
        let section = AtHome { faults: own, in_all };
        shell
            .locale
            .render(&section)
            .inspect_err(|error| tracing::error!(%error, "errors of the catalog cannot be rendered"))
            .ok()
    }
}
