//! The frame around every page, and who is looking at it. Middleware puts both into the request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Error, Preferences};
use crate::auth::{Caller, User};
use crate::language::{Locale, Text, Words, text};

/// What `templates/shell.html` needs. A page's struct has it as field `shell`.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Name of this portal: `app.title`.
    pub site: Arc<str>,
    pub user: Option<User>,
    /// Path of the request, to mark where the reader is.
    pub path: String,
    pub request_id: String,
    /// How the reader is spoken to.
    pub locale: Locale,
    pub preferences: Preferences,
    /// Time of the request: relative times on the page count from here.
    pub now: DateTime<Utc>,
    /// The reader's own tasks that are not over; `None` where nobody counted.
    pub running_tasks: Option<u64>,
    /// Errors in the files of what the reader owns; `None` where nobody counted.
    pub catalog_errors: Option<u64>,
}

/// What `static/app.js` says, in the page's language.
#[derive(Serialize)]
struct ScriptWords {
    times: Words,
    copied: String,
    lost: String,
    connected: String,
    unreachable: String,
    /// With a place for the status.
    refused: String,
}

/// An entry of the main navigation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NavigationEntry {
    pub href: &'static str,
    pub icon: &'static str,
    pub label: Text,
    /// The reader is here.
    pub current: bool,
    /// Running tasks, shown beside the label unless there are none.
    pub count: Option<u64>,
    /// Errors, shown likewise.
    pub errors: Option<u64>,
}

impl Shell {
    /// What scripts say on this page, as JSON.
    pub fn script_words(&self) -> String {
        let say = |text: Text| self.locale.say(&text);
        let words = ScriptWords {
            times: Words::of(self.locale),
            copied: say(text!("Copied.")),
            lost: say(text!(
                "The connection is lost. What you see may be old; it is tried again by itself."
            )),
            connected: say(text!("Connected again.")),
            unreachable: say(text!("The portal cannot be reached. What you see may be old.")),
            refused: say(text!("The server answered {status}. Reload the page.")),
        };
        serde_json::to_string(&words).unwrap_or_default()
    }

    /// The main navigation, in order.
    pub fn navigation(&self) -> [NavigationEntry; 5] {
        let here = section(&self.path);
        let entry = |href, icon, label| NavigationEntry {
            href,
            icon,
            label,
            current: here == Some(href),
            count: None,
            errors: None,
        };
        let mut tasks = entry("/create/tasks", "tasks", text!("Tasks"));
        tasks.count = self.running_tasks;
        let mut catalog = entry("/catalog", "catalog", text!("Catalog"));
        catalog.errors = self.catalog_errors.filter(|count| *count > 0);
        [
            entry("/home", "home", text!("Home")),
            catalog,
            entry("/create", "create", text!("Create")),
            tasks,
            entry("/docs", "docs", text!("Docs")),
        ]
    }
}

fn section(path: &str) -> Option<&'static str> {
    let within = |prefix: &str| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match path {
        "/" => Some("/home"),
        // What waits for one's word are tasks of others.
        _ if within("/create/approvals") => Some("/create/tasks"),
        _ => ["/home", "/catalog", "/create/tasks", "/create", "/docs"]
            .into_iter()
            .find(|prefix| within(prefix)),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Shell {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Error::Internal("the shell layer is missing".into()))
    }
}

/// The caller of a request that only known callers may make.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        parts
            .extensions
            .get::<Caller>()
            .cloned()
            .map(Self)
            .ok_or(Error::Unauthenticated)
    }
}

/// Renders a page or fragment in the reader's language.
pub fn page(locale: Locale, template: &impl askama::Template) -> Result<Response, Error> {
    Ok(Html(locale.render(template)?).into_response())
}

/// Up to two letters for the avatar: initials of the words of a name.
pub fn initials(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let letters: String = match words.as_slice() {
        [] => "?".to_owned(),
        [one] => {
            let digit = one.chars().rev().find(char::is_ascii_digit);
            one.chars().take(1).chain(digit).collect()
        }
        [first, .., last] => first.chars().take(1).chain(last.chars().take(1)).collect(),
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reader_sees_where_they_are() {
        for (path, expected) in [
            ("/", Some("/home")),
            ("/catalog/default/component/demo", Some("/catalog")),
            ("/catalogue", None),
            ("/create/templates/default/basic", Some("/create")),
            ("/create/tasks/1", Some("/create/tasks")),
            ("/docs/default/component/demo/guides", Some("/docs")),
            ("/settings", None),
            ("/login", None),
        ] {
            assert_eq!(section(path), expected, "{path}");
        }
    }

    #[test]
    fn avatars_show_initials() {
        for (name, letters) in [
            ("user one", "UO"),
            ("user1", "U1"),
            ("", "?"),
            ("Ada B. Lovelace", "AL"),
            ("ß", "SS"),
        ] {
            assert_eq!(initials(name), letters);
        }
    }
}
