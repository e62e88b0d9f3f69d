//! The home page, and the help on keys.

use askama::Template;
use axum::extract::State;
use axum::response::Response;

use super::Home;
use crate::auth::Caller;
use crate::catalog::{Entity, Kinds};
use crate::language::filters;
use crate::web::{Error, Shell, SignedIn, page};

/// How many entities of the reader's the home page shows; the catalog shows all.
const SHOWN: i64 = 10;
const STARRED: usize = 10;

#[derive(Template)]
#[template(path = "home/home.html")]
struct HomePage<'a> {
    shell: Shell,
    kinds: Kinds,
    name: String,
    groups: Vec<String>,
    /// What the reader has starred and the catalog has.
    starred: Vec<Entity>,
    owned: &'a [Entity],
    owned_in_all: i64,
    /// Finished HTML of other features, above the entities and beside them.
    sections: Vec<String>,
    asides: Vec<String>,
}

/// `GET /home`
pub async fn home(State(home): State<Home>, SignedIn(caller): SignedIn, shell: Shell) -> Result<Response, Error> {
    let owned = home.catalog.list_owned(&caller.ownership_refs(), SHOWN).await?;
    let (mut sections, mut asides) = (Vec::new(), Vec::new());
    for section in home.sections.iter() {
        let column = if section.aside() { &mut asides } else { &mut sections };
        column.extend(section.render(&caller, &shell).await);
    }
    let (name, groups) = match caller.user() {
        Some(user) => (user.display_name.clone(), user.groups.clone()),
        None => (caller.actor(), Vec::new()),
    };
    page(
        shell.locale,
        &HomePage {
            shell,
            kinds: home.catalog.kinds().clone(),
            name,
            groups,
            starred: starred(&home, &caller).await?,
            owned: &owned.entities,
            owned_in_all: owned.total,
            sections,
            asides,
        },
    )
}

async fn starred(home: &Home, caller: &Caller) -> Result<Vec<Entity>, Error> {
    let refs = home.catalog.starred(&caller.actor()).await?;
    let found = home.catalog.list_by_refs(&refs).await?;
    Ok(found.into_iter().flatten().take(STARRED).collect())
}

#[derive(Template)]
#[template(path = "home/keys.html")]
struct KeysPage {
    shell: Shell,
}

/// `GET /keys`: the same help as the key `?` opens.
pub async fn keys(SignedIn(_): SignedIn, shell: Shell) -> Result<Response, Error> {
    page(shell.locale, &KeysPage { shell })
}
