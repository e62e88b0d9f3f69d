//! News for open pages: an event `changed` when an entity was written or deleted.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::Pages;
use crate::web::{Query, SignedIn};

#[derive(Deserialize)]
pub struct Wanted {
    /// Canonical ref; without it, every change is told.
    entity: Option<String>,
}

/// `GET /catalog/live?entity=<ref>`: `text/event-stream`, event `changed`, its data the refs.
pub async fn live(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = BroadcastStream::new(pages.catalog.subscribe()).filter_map(move |news| {
        let refs = match news {
            Ok(changed) => {
                let concerned = wanted.entity.as_deref().is_none_or(|entity| changed.concerns(entity));
                concerned.then(|| changed.refs().join(" "))
            }
            // This reader was too slow: anything may have changed.
            Err(_) => Some("*".to_owned()),
        };
        async move { refs.map(|refs| Ok(Event::default().event("changed").data(refs))) }
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
