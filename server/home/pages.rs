//! The home page and the settings.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Home;
use crate::catalog::Entity;
use crate::web::{Error, Shell, SignedIn, page};

/// How many entities of the reader's the home page shows; the catalog shows all.
const SHOWN: i64 = 10;

#[derive(Template)]
#[template(path = "home/home.html")]
struct HomePage {
    shell: Shell,
    name: String,
    groups: Vec<String>,
    owned: Vec<Entity>,
    owned_in_all: i64,
    /// Finished HTML of other features, above the entities and beside them.
    sections: Vec<String>,
    asides: Vec<String>,
}

/// `GET /home`
pub async fn home(State(home): State<Home>, SignedIn(caller): SignedIn, shell: Shell) -> Result<Response, Error> {
    let (owned, owned_in_all) = home.catalog.list_owned(&caller.ownership_refs(), SHOWN).await?;
    let (mut sections, mut asides) = (Vec::new(), Vec::new());
    for section in home.sections.iter() {
        let column = if section.aside() { &mut asides } else { &mut sections };
        column.extend(section.render(&caller, &shell).await);
    }
    let (name, groups) = match caller.user() {
        Some(user) => (user.display_name.clone(), user.groups.clone()),
        None => (caller.actor(), Vec::new()),
    };
    page(&HomePage {
        shell,
        name,
        groups,
        owned,
        owned_in_all,
        sections,
        asides,
    })
}

#[derive(Template)]
#[template(path = "home/settings.html")]
struct SettingsPage {
    shell: Shell,
    entity_ref: String,
    groups: Vec<String>,
    ownership: Vec<String>,
    admin: bool,
}

/// `GET /settings`
pub async fn settings(SignedIn(caller): SignedIn, shell: Shell) -> Result<Response, Error> {
    page(&SettingsPage {
        shell,
        entity_ref: caller.actor(),
        groups: caller.user().map(|user| user.groups.clone()).unwrap_or_default(),
        ownership: caller.ownership_refs(),
        admin: caller.is_admin(),
    })
}
