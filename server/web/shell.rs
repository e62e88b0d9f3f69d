//! The frame around every page, and who is looking at it. Middleware puts both into the request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};

use super::Error;
use crate::auth::{Caller, User};

/// What `templates/shell.html` needs. A page's struct has it as field `shell`.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Name of this portal: `app.title`.
    pub site: Arc<str>,
    pub user: Option<User>,
    /// Path of the request, to mark where the reader is.
    pub path: String,
    /// Nonce of the content security policy.
    pub nonce: String,
    pub request_id: String,
    /// Time of the request: relative times on the page count from here.
    pub now: DateTime<Utc>,
    /// The reader's own tasks that are not over; `None` where nobody counted.
    pub running_tasks: Option<u64>,
}

/// An entry of the main navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NavigationEntry {
    pub href: &'static str,
    pub icon: &'static str,
    pub label: &'static str,
    /// The reader is here.
    pub current: bool,
    /// Running tasks, shown beside the label unless there are none.
    pub count: Option<u64>,
}

impl Shell {
    /// The main navigation, in order.
    pub fn navigation(&self) -> [NavigationEntry; 5] {
        let here = section(&self.path);
        let entry = |href, icon, label| NavigationEntry {
            href,
            icon,
            label,
            current: here == Some(href),
            count: None,
        };
        let mut tasks = entry("/create/tasks", "tasks", "Tasks");
        tasks.count = self.running_tasks;
        [
            entry("/home", "home", "Home"),
            entry("/catalog", "catalog", "Catalog"),
            entry("/create", "create", "Create"),
            tasks,
            entry("/settings", "settings", "Settings"),
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
        _ => ["/home", "/catalog", "/create/tasks", "/create", "/settings"]
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

/// Renders a page or fragment.
pub fn page(template: &impl askama::Template) -> Result<Response, Error> {
    Ok(Html(template.render()?).into_response())
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
            ("/login", None),
        ] {
            assert_eq!(section(path), expected, "{path}");
        }
    }
}
