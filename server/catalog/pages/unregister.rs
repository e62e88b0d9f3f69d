//! Taking something out of the catalog: what that means is said before it is done.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use uuid::Uuid;

use super::Pages;
use super::entity::Head;
use super::list::short_ref;
use crate::catalog::{CatalogError, EntityRef, LocationState, ORPHAN, queries};
use crate::language::{Text, filters};
use crate::web::{Error, Shell, SignedIn, page};

/// Relations that are named; the others are counted.
const NAMED: i64 = 30;

/// What becomes of the rest of the catalog when a location goes.
pub(super) struct Consequences {
    /// Entity that names one that goes, its path, how, and which.
    pub dangling: Vec<(String, String, Text, String)>,
    /// How many are not named.
    pub more: i64,
    /// What another location describes too, with that one.
    pub back: Vec<(String, Uuid, String)>,
    /// The provider of the configuration that would find the file again.
    pub found_again: Option<String>,
}

impl Consequences {
    pub(super) async fn of(pages: &Pages, location: &LocationState) -> Result<Self, Error> {
        let db = pages.catalog.db();
        let (dangling, total) = queries::faults::list_dangling(db, location.id, NAMED).await?;
        let more = total - i64::try_from(dangling.len()).unwrap_or(total);
        let path = |reference: &str| {
            EntityRef::parse(reference, None, None)
                .map(|parsed| parsed.path())
                .unwrap_or_default()
        };
        Ok(Self {
            dangling: dangling
                .into_iter()
                .map(|one| {
                    (
                        short_ref(&one.source),
                        path(&one.source),
                        pages.kinds().relation_word(&one.kind),
                        short_ref(&one.target),
                    )
                })
                .collect(),
            more,
            back: queries::faults::list_described_twice(db, location.id).await?,
            found_again: pages.catalog.provider_of(&location.target),
        })
    }
}

#[derive(Template)]
#[template(path = "catalog/unregister.html")]
struct UnregisterPage {
    shell: Shell,
    head: Head,
    location: LocationState,
    /// Why the location stays, where the reader may not or nobody can.
    stays: Option<Text>,
    /// Its file has disappeared: it can be deleted by itself.
    orphan: bool,
    may_delete: bool,
    /// Others that its location describes.
    others: i64,
}

/// `GET /catalog/<namespace>/<kind>/<name>/unregister`: where the entity comes from, and how it goes.
pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    let head = Head::of(&pages.entities, &caller, &entity_ref, "unregister").await?;
    let origin = queries::entities::find_origin(pages.catalog.reads().readers(), &entity_ref.to_string()).await?;
    let Some(origin) = origin else {
        return Err(pages
            .catalog
            .get(&entity_ref)
            .await
            .map_or_else(Error::from, |_| Error::internal("no origin")));
    };
    let location = pages.catalog.location(origin.location_id).await?;
    let stays = match pages.catalog.may_delete(&caller, &location) {
        Ok(()) => None,
        Err(CatalogError::Forbidden(reason)) => Some(reason),
        Err(error) => return Err(error.into()),
    };
    page(
        shell.locale,
        &UnregisterPage {
            shell,
            orphan: head.view.entity.annotation(ORPHAN) == Some("true"),
            may_delete: pages.catalog.may_delete_entity(&caller, &location),
            // Neither itself nor the location's own.
            others: (location.entities - 2).max(0),
            head,
            location,
            stays,
        },
    )
}

/// `POST …/unregister`: deletes an entity whose file has disappeared.
pub async fn delete(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    Path((namespace, kind, name)): Path<(String, String, String)>,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    pages.catalog.delete_entity(&caller, &entity_ref).await?;
    Ok(Redirect::to(&format!(
        "/catalog?kind={}",
        url::form_urlencoded::byte_serialize(kind.to_lowercase().as_bytes()).collect::<String>()
    ))
    .into_response())
}
