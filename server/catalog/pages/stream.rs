//! News for open pages: an event `changed` when an entity was written or deleted.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use tokio_stream::wrappers::BroadcastStream;

use super::Pages;
use crate::catalog::Changed;
use crate::web::{Query, SignedIn};

#[derive(Deserialize)]
pub struct Wanted {
    /// Canonical ref; without it, every change is told.
    entity: Option<String>,
    /// Where the news was before the page read what it shows; without it, only what follows is told.
    since: Option<String>,
}

/// `GET /catalog/live?entity=<ref>&since=<position>`: `text/event-stream`, event `changed`, its data the refs.
pub async fn live(
    State(pages): State<Pages>,
    SignedIn(_): SignedIn,
    Query(wanted): Query<Wanted>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let (missed, following) = match &wanted.since {
        Some(position) => pages.catalog.news().subscribe_since(position),
        None => (Vec::new(), pages.catalog.subscribe()),
    };
    let following = BroadcastStream::new(following)
        // A reader that was too slow: anything may have changed.
        .map(|news| news.unwrap_or_else(|_| Changed::anything()));
    let stream = stream::iter(missed).chain(following).filter_map(move |changed| {
        let concerned = wanted.entity.as_deref().is_none_or(|entity| changed.concerns(entity));
        let refs = concerned.then(|| changed.refs().join(" "));
        async move { refs.map(|refs| Ok(Event::default().event("changed").data(refs))) }
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
