//! `/catalog/locations`: what is read, how it went, and what to mend.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use uuid::Uuid;

use super::Pages;
use super::unregister::Consequences;
use crate::auth::Caller;
use crate::catalog::read::is_web_address;
use crate::catalog::{EntityRef, LocationState, ReadReport, Rival, queries};
use crate::language::{filters, text};
use crate::web::{Error, Shell, SignedIn, page};

#[derive(Template)]
#[template(path = "catalog/locations.html")]
struct ListPage {
    shell: Shell,
    locations: Vec<LocationState>,
    failing: usize,
    readonly: bool,
}

#[derive(Template)]
#[template(path = "catalog/location.html")]
struct LocationPage {
    shell: Shell,
    location: LocationState,
    /// Label and path.
    entities: Vec<(String, String)>,
    /// Names that it keeps and others describe too.
    rivals: Vec<Rival>,
    may_delete: bool,
    may_refresh: bool,
    web: bool,
    /// What reading it just now has changed.
    report: Option<ReadReport>,
}

#[derive(Template)]
#[template(path = "catalog/location_delete.html")]
struct ConfirmPage {
    shell: Shell,
    location: LocationState,
    entities: Vec<(String, String)>,
    consequences: Consequences,
}

pub async fn list(State(pages): State<Pages>, SignedIn(_): SignedIn, shell: Shell) -> Result<Response, Error> {
    let locations = pages.catalog.locations().await?;
    page(
        shell.locale,
        &ListPage {
            failing: locations
                .iter()
                .filter(|location| !location.problems.is_empty())
                .count(),
            readonly: pages.catalog.config().readonly,
            shell,
            locations,
        },
    )
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let location = find(&pages, &id).await?;
    show_one(&pages, &caller, shell, location, None).await
}

async fn show_one(
    pages: &Pages,
    caller: &Caller,
    shell: Shell,
    location: LocationState,
    report: Option<ReadReport>,
) -> Result<Response, Error> {
    page(
        shell.locale,
        &LocationPage {
            may_delete: pages.catalog.may_delete(caller, &location).is_ok(),
            may_refresh: ["url", "file"].contains(&location.kind.as_str()),
            entities: entities(pages, location.id).await?,
            rivals: pages.catalog.rivals(location.id).await?,
            web: is_web_address(&location.target),
            shell,
            location,
            report,
        },
    )
}

async fn find(pages: &Pages, id: &str) -> Result<LocationState, Error> {
    let unknown = || {
        Error::NotFound(text!(
            "There is no location {id}. The list of locations has those that are.",
            id = id
        ))
    };
    Ok(pages
        .catalog
        .location(Uuid::parse_str(id).map_err(|_| unknown())?)
        .await?)
}

async fn entities(pages: &Pages, location: Uuid) -> Result<Vec<(String, String)>, Error> {
    let previous = queries::entities::list_previous(pages.catalog.db(), location).await?;
    Ok(previous
        .into_iter()
        .map(|entity| entity.entity_ref)
        .filter(|entity| !entity.name.starts_with("generated-"))
        .map(|entity: EntityRef| (entity.to_string(), entity.path()))
        .collect())
}

/// `POST …/refresh`: reads it now, and says what that has changed. Sent again, it reads again.
pub async fn refresh(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let location = find(&pages, &id).await?;
    let report = pages.catalog.read_location(location.id, true).await?;
    let location = find(&pages, &id).await?;
    show_one(&pages, &caller, shell, location, Some(report)).await
}

/// `GET …/delete`: names what will go.
pub async fn confirm(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let location = find(&pages, &id).await?;
    pages.catalog.may_delete(&caller, &location)?;
    page(
        shell.locale,
        &ConfirmPage {
            entities: entities(&pages, location.id).await?,
            consequences: Consequences::of(&pages, &location).await?,
            shell,
            location,
        },
    )
}

pub async fn delete(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
) -> Result<Redirect, Error> {
    let location = find(&pages, &id).await?;
    pages.catalog.delete_location(&caller, location.id).await?;
    Ok(Redirect::to("/catalog/locations"))
}
