//! `GET /search/palette`: what somebody may mean while they type, as options of the dialog in the shell. `/search` is the
//! same as a page.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::list::short_ref;
use super::search::{others, sought};
use super::{Pages, icon};
use crate::catalog::{Entity, Kinds};
use crate::language::{Locale, Text, filters, text};
use crate::web::{Error, Preferences, Query, Shell, SignedIn, Theme, page};

/// Entities of each kind, and of all kinds together.
const OF_A_KIND: usize = 5;
const ENTITIES: usize = 10;
/// Hits of each other section.
const OTHERS: usize = 4;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    q: String,
}

/// Something to choose.
struct Choice {
    icon: &'static str,
    title: Text,
    note: Text,
    does: Does,
}

enum Does {
    /// Leads to a path.
    Go(String),
    /// Sends a form, as pairs of a query.
    Post { path: &'static str, body: String },
}

struct Group {
    name: &'static str,
    heading: Text,
    choices: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "catalog/_palette.html")]
struct Palette {
    groups: Vec<Group>,
    count: usize,
}

pub async fn show(
    State(pages): State<Pages>,
    SignedIn(caller): SignedIn,
    shell: Shell,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Error> {
    let text = sought(&wanted.q);
    let (entities, others) = tokio::join!(
        pages.catalog.search(&text, OF_A_KIND, ENTITIES),
        others(&pages, &caller, &text, OTHERS)
    );
    let entities = entities?;
    let found = entities.groups.iter().flat_map(|group| &group.entities);
    let mut groups = vec![Group {
        name: "entities",
        heading: text!("Catalog"),
        choices: found.flat_map(|found| entity(pages.kinds(), found)).collect(),
    }];
    groups.extend(others.into_iter().map(|other| {
        Group {
            name: other.name,
            heading: other.heading,
            choices: other
                .found
                .hits
                .into_iter()
                .map(|hit| Choice {
                    icon: other.icon,
                    title: hit.title.into(),
                    note: hit.note,
                    does: Does::Go(hit.path),
                })
                .collect(),
        }
    }));
    groups.push(Group {
        name: "actions",
        heading: text!("Go to and do"),
        choices: actions(&shell, pages.catalog.config().readonly)
            .into_iter()
            .filter(|action| says(action, &text, shell.locale))
            .collect(),
    });
    groups.retain(|group| !group.choices.is_empty());
    let count = groups.iter().map(|group| group.choices.len()).sum();
    page(shell.locale, &Palette { groups, count })
}

/// The entity's page; of a template the form first.
fn entity(kinds: &Kinds, entity: &Entity) -> Vec<Choice> {
    let entity_ref = entity.entity_ref();
    let mut choices = Vec::new();
    if entity_ref.kind == "template" {
        choices.push(Choice {
            icon: "create",
            title: text!("Create: {template}", template = entity.title()),
            note: Text::Given(String::new()),
            does: Does::Go(format!(
                "/create/templates/{}/{}",
                entity_ref.namespace, entity_ref.name
            )),
        });
    }
    choices.push(Choice {
        icon: icon(kinds, &entity_ref.kind),
        title: entity.title().into(),
        note: short_ref(&entity_ref.to_string()).into(),
        does: Does::Go(entity_ref.path()),
    });
    choices
}

/// Does every word of the text stand in the action's words?
fn says(action: &Choice, text: &str, locale: Locale) -> bool {
    let said = locale.say(&action.title).to_lowercase();
    text.to_lowercase().split_whitespace().all(|word| said.contains(word))
}

fn actions(shell: &Shell, readonly: bool) -> Vec<Choice> {
    let go = |icon, title, path: &str| Choice {
        icon,
        title,
        note: Text::Given(String::new()),
        does: Does::Go(path.to_owned()),
    };
    let mut actions = vec![go("create", text!("Create something from a golden path"), "/create")];
    if !readonly {
        actions.push(go("repo", text!("Register a repository or file"), "/catalog/register"));
    }
    actions.extend([
        go("tasks", text!("My tasks"), "/create/tasks"),
        go(
            "catalog",
            text!("Catalog: what I or my groups own"),
            "/catalog?kind=all&owner=me",
        ),
        go(
            "star",
            text!("Catalog: what I have starred"),
            "/catalog?kind=all&starred=me",
        ),
        go("degraded", text!("Errors in the catalog"), "/catalog/errors"),
        go("repo", text!("Locations"), "/catalog/locations"),
    ]);
    actions.extend(
        shell
            .navigation()
            .into_iter()
            .filter(|entry| entry.href != "/create/tasks" && entry.href != "/create")
            .map(|entry| go(entry.icon, entry.label, entry.href)),
    );
    actions.push(go("terminal", text!("Keyboard"), "/keys"));
    actions.push(Choice {
        icon: "settings",
        title: match shell.preferences.theme {
            Some(Theme::Dark) => text!("Switch to light colours"),
            _ => text!("Switch to dark colours"),
        },
        note: Text::Given(String::new()),
        does: Does::Post {
            path: "/settings",
            body: other_theme(shell.preferences),
        },
    });
    actions
}

/// The choices of the reader with the other theme, as the form of the settings sends them.
fn other_theme(mut preferences: Preferences) -> String {
    preferences.theme = Some(match preferences.theme {
        Some(Theme::Dark) => Theme::Light,
        _ => Theme::Dark,
    });
    preferences.pairs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_theme_is_switched_and_other_choices_stay() {
        let chosen = |text: &str| {
            Preferences::read(
                url::form_urlencoded::parse(text.as_bytes())
                    .into_owned()
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            )
        };
        for (before, after) in [
            ("", "theme=dark"),
            ("theme=light&keys=off", "theme=dark&keys=off"),
            ("language=de&theme=dark", "language=de&theme=light"),
        ] {
            assert_eq!(other_theme(chosen(before)), after, "{before}");
        }
    }
}
