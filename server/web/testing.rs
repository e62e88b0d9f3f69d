//! For unit tests of pages: a frame in which the caller is given.

use std::sync::Arc;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{Frame, Preferences, Shell};
use crate::auth::{Caller, Callers, User};
use crate::clock::Clock;
use crate::language::Locale;

struct Always(Option<Caller>);

#[async_trait::async_trait]
impl Callers for Always {
    async fn resolve(&self, _: &HeaderMap) -> Result<Option<Caller>, sqlx::Error> {
        Ok(self.0.clone())
    }
}

/// 22 November 2026, 09:58:46 UTC: the time in [`frame`] and [`shell`].
pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_341_526, 0).unwrap_or_default()
}

/// A frame in which every request comes from `caller`.
pub fn frame(caller: Option<Caller>) -> Frame {
    Frame {
        site: "Portico".into(),
        clock: Clock::from_fn(now),
        callers: Arc::new(Always(caller)),
        count_tasks: None,
        count_errors: None,
        form_origins: vec!["http://issuer.test".into()],
        own_origins: vec!["http://portal.test".into()],
        kept_forms: None,
        stop: CancellationToken::new(),
    }
}

/// A person; in the group `admin` they may do everything.
pub fn user(name: &str, groups: &[&str]) -> Caller {
    Caller::User(User {
        entity_ref: format!("user:default/{name}"),
        username: name.into(),
        display_name: name.into(),
        email: None,
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        admin: groups.contains(&"admin"),
    })
}

/// What a page is framed by when `caller` asks for `path`.
pub fn shell(caller: &Caller, path: &str) -> Shell {
    Shell {
        site: "Portico".into(),
        user: caller.user().cloned(),
        path: path.into(),
        request_id: "request".into(),
        locale: Locale::default(),
        preferences: Preferences::default(),
        now: now(),
        running_tasks: None,
        catalog_errors: None,
    }
}
