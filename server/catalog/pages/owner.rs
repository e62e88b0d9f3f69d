//! The section of an entity's page that says that its owner does not exist, and who could be meant.

use askama::Template;

use super::entity::View;
use crate::catalog::owners::{Suggestions, Who};
use crate::catalog::{Catalog, EntityRef};
use crate::language::filters;
use crate::web::{Error, Shell};

#[derive(Template)]
#[template(path = "catalog/_missing_owner.html")]
struct MissingOwnerSection<'a> {
    view: &'a View,
    owner: &'a EntityRef,
    suggestions: Suggestions,
}

/// The finished section; `None` where the owner is there, or nobody is named.
pub(super) async fn section(catalog: &Catalog, view: &View, shell: &Shell) -> Result<Option<String>, Error> {
    if view.owner.as_ref().is_none_or(|owner| !owner.missing) {
        return Ok(None);
    }
    let named = view.entity.relations("ownedBy").next();
    let Some(owner) = named.and_then(|owner| EntityRef::parse(owner, None, None).ok()) else {
        return Ok(None);
    };
    let section = MissingOwnerSection {
        view,
        owner: &owner,
        suggestions: catalog.suggest_owners(&view.entity, &owner).await?,
    };
    Ok(Some(shell.locale.render(&section)?))
}
