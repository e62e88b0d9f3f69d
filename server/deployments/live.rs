//! Status as it changes, as server-sent events that htmx puts into place.
//!
//! Each stream starts with the present state: what happened between the page and the connection, or while the
//! connection was lost, is not missed.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::Stream;
use futures::stream::{self, StreamExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::Deployments;
use super::cards::Fragment;
use super::pages::{CardLivePath, ListLivePath};
use super::view::View;
use crate::gitops::Change;
use crate::language::Locale;
use crate::web::Shell;

/// Browsers wait so long before they connect again.
const RECONNECT: Duration = Duration::from_secs(2);
/// A stream ends by itself after this time. The browser connects again, and who has logged out meanwhile is refused.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// Event `application`: the fragment of one Application, now and after each change.
pub async fn card(path: CardLivePath, State(deployments): State<Deployments>, shell: Shell) -> Response {
    struct Follow {
        deployments: Deployments,
        app: String,
        locale: Locale,
        changes: Receiver<Change>,
        sent: Option<View>,
    }
    let follow = Follow {
        // Subscribed before the first look, so that no change falls in between.
        changes: deployments.gitops.subscribe(),
        deployments: deployments.clone(),
        app: path.app,
        locale: shell.locale,
        sent: None,
    };
    let events = stream::unfold(follow, async |mut follow| {
        loop {
            if follow.sent.is_some() {
                match follow.changes.recv().await {
                    Ok(Change::Application(name)) if *name != *follow.app => continue,
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
            let view = follow.deployments.view(&follow.app).await;
            if follow.sent.as_ref() == Some(&view) {
                continue;
            }
            let now = follow.deployments.clock.now();
            let html = follow.locale.render(&Fragment { view: &view, now: &now });
            follow.sent = Some(view);
            match html {
                Ok(html) => {
                    return Some((
                        Event::default().event("application").retry(RECONNECT).data(html),
                        follow,
                    ));
                }
                Err(error) => {
                    tracing::error!(%error, "the fragment of an Application cannot be rendered");
                    return None;
                }
            }
        }
    });
    answer(&deployments, events)
}

/// Events `cells`: the sync and health cells of all Applications and the line about the connection, now, and each that
/// changes. `static/app.js` puts them where their key stands on the page.
pub async fn list(_: ListLivePath, State(deployments): State<Deployments>, shell: Shell) -> Response {
    struct Follow {
        deployments: Deployments,
        locale: Locale,
        changes: Receiver<Change>,
        started: bool,
    }
    impl Follow {
        fn all(&self) -> String {
            let list = self.deployments.gitops.list();
            let cells = list.iter();
            let cells = cells.map(|application| self.deployments.cells(&application.name, self.locale));
            cells.chain([self.connection()]).collect()
        }

        fn connection(&self) -> String {
            let now = self.deployments.clock.now();
            self.deployments.connection(self.locale, now).unwrap_or_default()
        }
    }
    let follow = Follow {
        changes: deployments.gitops.subscribe(),
        deployments: deployments.clone(),
        locale: shell.locale,
        started: false,
    };
    let events = stream::unfold(follow, async |mut follow| {
        let html = if std::mem::replace(&mut follow.started, true) {
            match follow.changes.recv().await {
                Ok(Change::Application(name)) => follow.deployments.cells(&name, follow.locale),
                Ok(Change::Connection) => follow.connection(),
                Err(RecvError::Lagged(_)) => follow.all(),
                Err(RecvError::Closed) => return None,
            }
        } else {
            follow.all()
        };
        Some((Event::default().event("cells").retry(RECONNECT).data(html), follow))
    });
    answer(&deployments, events)
}

fn answer(deployments: &Deployments, events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let stopping = deployments.shutdown.clone().cancelled_owned();
    let end = async move {
        tokio::select! {
            () = stopping => {}
            () = tokio::time::sleep(LONGEST) => {}
        }
    };
    let events = events.map(Ok::<_, Infallible>).take_until(Box::pin(end));
    Sse::new(events)
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response()
}
