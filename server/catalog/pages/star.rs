//! The star beside an entity: a form of one button, which a script sends without leaving the page.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::Pages;
use crate::catalog::EntityRef;
use crate::language::filters;
use crate::web::{self, Error, Form, Shell, SignedIn};

/// What the form shows.
pub(super) struct Star {
    /// Address of the entity.
    pub(super) path: String,
    pub(super) name: String,
    pub(super) on: bool,
    /// Where to go back to without a script.
    pub(super) here: String,
}

impl Star {
    pub(super) fn new(entity_ref: &EntityRef, name: &str, on: bool, here: &str) -> Self {
        Self {
            path: entity_ref.path(),
            name: name.to_owned(),
            on,
            here: here.to_owned(),
        }
    }

    /// By this the button has the focus again when it was replaced.
    pub(super) fn id(&self) -> String {
        format!("star-{}", self.path.trim_start_matches("/catalog/").replace('/', "-"))
    }
}

#[derive(Template)]
#[template(path = "catalog/_star.html")]
struct Fragment {
    star: Star,
}

#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    on: bool,
    #[serde(default)]
    next: String,
    #[serde(default)]
    name: String,
}

/// `POST …/star`: sets or takes back the caller's star, then shows the page again, or the button to a script.
pub async fn set(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Path((namespace, kind, name)): Path<(String, String, String)>,
    headers: HeaderMap,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Error> {
    let entity_ref = EntityRef::new(&kind, &namespace, &name);
    pages.catalog.set_star(&caller.actor(), &entity_ref, wanted.on).await?;
    let here = web::local_path(&wanted.next);
    if headers.contains_key("hx-request") {
        let star = Star::new(&entity_ref, &wanted.name, wanted.on, here);
        return web::page(shell.locale, &Fragment { star });
    }
    Ok(Redirect::to(here).into_response())
}
