//! `/settings`: what the reader has chosen, and who they are. A plain form; the choices are a cookie.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use serde::Deserialize;

use crate::catalog::EntityRef;
use crate::language::{Dates, Language, Text, filters, text};
use crate::web::{Error, Form, Preferences, Query, Shell, SignedIn, Theme, page};

/// How cookies are set.
#[derive(Clone, Copy)]
pub struct Cookies {
    /// For https only.
    pub secure: bool,
}

#[derive(Template)]
#[template(path = "home/settings.html")]
struct SettingsPage {
    shell: Shell,
    choices: Vec<Choice>,
    /// The form was sent just now.
    saved: bool,
    entity_ref: String,
    /// Names and paths.
    groups: Vec<(String, String)>,
    ownership: Vec<String>,
    admin: bool,
}

/// One list of the form.
struct Choice {
    name: &'static str,
    label: Text,
    help: Text,
    options: Vec<Choosable>,
}

struct Choosable {
    /// Empty for none: the browser or the system decides.
    value: &'static str,
    label: Text,
    chosen: bool,
}

#[derive(Deserialize)]
pub struct Shown {
    saved: Option<String>,
}

/// `GET /settings`
pub async fn show(SignedIn(caller): SignedIn, shell: Shell, Query(shown): Query<Shown>) -> Result<Response, Error> {
    let groups = caller.user().map(|user| user.groups.clone()).unwrap_or_default();
    page(
        shell.locale,
        &SettingsPage {
            choices: choices(&shell),
            saved: shown.saved.is_some(),
            entity_ref: caller.actor(),
            groups: groups
                .into_iter()
                .map(|group| {
                    let path = EntityRef::new("group", "default", &group).path();
                    (group, path)
                })
                .collect(),
            ownership: caller.ownership_refs(),
            admin: caller.is_admin(),
            shell,
        },
    )
}

/// `POST /settings`: keeps the choices, then shows the page in them.
pub async fn save(
    State(cookies): State<Cookies>,
    SignedIn(_): SignedIn,
    Form(sent): Form<Vec<(String, String)>>,
) -> Response {
    let sent = sent.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let cookie = Preferences::read(sent).cookie(cookies.secure);
    (CookieJar::new().add(cookie), Redirect::to("/settings?saved=1")).into_response()
}

fn choices(shell: &Shell) -> Vec<Choice> {
    let chosen = &shell.preferences;
    vec![
        Choice {
            name: "language",
            label: text!("Language"),
            help: text!("Of these pages. Templates and entities are in the language of their authors."),
            options: options(
                text!("As my browser asks"),
                Language::ALL.map(|language| (language.tag(), language.name().into())),
                chosen.language.map(Language::tag),
            ),
        },
        Choice {
            name: "dates",
            label: text!("Dates"),
            help: text!("Exact dates, as they stand behind “3 days ago”."),
            options: options(
                text!("As the language has them"),
                Dates::ALL.map(|dates| (dates.word(), dates.day(&shell.now).into())),
                chosen.dates.map(Dates::word),
            ),
        },
        Choice {
            name: "theme",
            label: text!("Theme"),
            help: text!("Colours of these pages."),
            options: options(
                text!("As my system has it"),
                Theme::ALL.map(|theme| (theme.word(), theme_name(theme))),
                chosen.theme.map(Theme::word),
            ),
        },
        Choice {
            name: "keys",
            label: text!("Single keys"),
            help: text!("/ goes to the search, ? shows the help. Off helps whoever speaks instead of typing."),
            options: options(text!("On"), [("off", text!("Off"))], chosen.no_keys.then_some("off")),
        },
    ]
}

fn theme_name(theme: Theme) -> Text {
    match theme {
        Theme::Light => text!("Light"),
        Theme::Dark => text!("Dark"),
    }
}

/// `none` stands first, for no choice.
fn options<const N: usize>(
    none: Text,
    values: [(&'static str, Text); N],
    chosen: Option<&'static str>,
) -> Vec<Choosable> {
    let first = Choosable {
        value: "",
        label: none,
        chosen: chosen.is_none(),
    };
    let others = values.into_iter().map(|(value, label)| Choosable {
        value,
        label,
        chosen: chosen == Some(value),
    });
    std::iter::once(first).chain(others).collect()
}
