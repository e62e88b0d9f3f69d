//! Watches: a stream of JSON lines, one an event, from a version on.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use rand::Rng;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{
    api::is_true,
    cluster::Cluster,
    kinds::Kind,
    objects::Event,
    selectors::Selector,
    status::{Cause, Status},
    verbs::Call,
};

/// How often a quiet watch is told the version it has reached.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);

/// Where a watch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// With all objects as they are, then from there.
    Everything,
    /// After this version.
    After(u64),
}

struct Watch {
    cluster: Cluster,
    kind: Arc<Kind>,
    namespace: String,
    selector: Selector,
    metadata_only: bool,
    bookmarks: bool,
    /// Tell when all initial objects were sent (a streaming list).
    marks_end_of_list: bool,
    lines: mpsc::Sender<String>,
}

/// Why a watch ends without the client's doing.
enum End {
    Gone,
    Failed(Status),
}

/// Answers a request with `watch=true`.
pub(super) fn watch(call: &Call) -> Result<Response, Status> {
    let kind = call.kind()?;
    let initial = call.parameters.get("sendInitialEvents").map(|value| value == "true");
    let matching = call.parameter("resourceVersionMatch");
    if initial.is_some() == matching.is_empty() || !matches!(matching, "" | "NotOlderThan") {
        let options = Kind {
            group: "meta.k8s.io".into(),
            kind: "ListOptions".into(),
            ..(*kind).clone()
        };
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan, and the other way round";
        let cause = Cause {
            field: "resourceVersionMatch".into(),
            reason: "FieldValueForbidden",
            message: format!("Forbidden: {why}"),
        };
        return Err(Status::invalid(&options, "", &[cause]));
    }
    let version = match call.parameter("resourceVersion") {
        "" => 0,
        text => text.parse().map_err(|_| {
            Status::bad_request(format!(
                "resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing: invalid syntax"
            ))
        })?,
    };
    let start = match (initial, version) {
        (Some(true), _) | (None, 0) => Start::Everything,
        (Some(false), 0) => Start::After(call.cluster.version()),
        (_, version) => Start::After(version),
    };
    let timeout = match call.parameter("timeoutSeconds").parse::<u64>() {
        Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
        // As the real server: half an hour to an hour, so that clients do not all come back at once.
        _ => Duration::from_secs(rand::rng().random_range(1800..3600)),
    };
    let (lines, receiver) = mpsc::channel(64);
    let watch = Watch {
        cluster: call.cluster.clone(),
        kind,
        namespace: call.address.namespace.clone(),
        selector: call.selector()?,
        metadata_only: call.metadata_only,
        bookmarks: is_true(call.parameters, "allowWatchBookmarks"),
        marks_end_of_list: initial == Some(true),
        lines,
    };
    tokio::spawn(async move {
        if let Err(End::Failed(status)) = watch.run(start, timeout).await {
            let _ = watch.send("ERROR", &status.to_value()).await;
        }
    });
    let stream = ReceiverStream::new(receiver).map(|line| Ok::<_, Infallible>(Bytes::from(line)));
    Ok(([(header::CONTENT_TYPE, "application/json")], Body::from_stream(stream)).into_response())
}

impl Watch {
    async fn run(&self, start: Start, timeout: Duration) -> Result<(), End> {
        let end = Instant::now() + timeout;
        let mut changes = self.cluster.changes();
        let mut seen = match start {
            Start::After(version) => version,
            Start::Everything => {
                let list = self.cluster.list(&self.kind, &self.namespace, &self.selector);
                for object in &list.items {
                    self.send("ADDED", object).await?;
                }
                if self.marks_end_of_list && self.bookmarks {
                    self.bookmark(list.version, true).await?;
                }
                list.version
            }
        };
        let mut bookmark_at = Instant::now() + BOOKMARK_EVERY;
        loop {
            changes.mark_unchanged();
            let wanted = |key: &super::objects::Key| {
                key.group == self.kind.group
                    && key.plural == self.kind.plural
                    && (self.namespace.is_empty() || key.namespace == self.namespace)
            };
            let (events, newest) = self.cluster.since(seen, wanted).map_err(End::Failed)?;
            for event in &events {
                if let Some((name, object)) = self.seen_by_client(event) {
                    self.send(name, object).await?;
                }
            }
            seen = newest;
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return Ok(()) },
                () = tokio::time::sleep_until(bookmark_at) => {
                    bookmark_at = Instant::now() + BOOKMARK_EVERY;
                    if self.bookmarks {
                        self.bookmark(seen, false).await?;
                    }
                }
                () = tokio::time::sleep_until(end) => {
                    if self.bookmarks {
                        self.bookmark(seen, false).await?;
                    }
                    return Ok(());
                }
                () = self.lines.closed() => return Ok(()),
            }
        }
    }

    /// An object that comes to match the selector is new to the client, one that no longer does is gone.
    fn seen_by_client<'a>(&self, event: &'a Event) -> Option<(&'static str, &'a Value)> {
        let (old, new) = (event.old.as_deref(), event.new.as_deref());
        let matched = old.is_some_and(|old| self.selector.matches(old));
        match new.filter(|new| self.selector.matches(new)) {
            Some(new) if matched => Some(("MODIFIED", new)),
            Some(new) => Some(("ADDED", new)),
            None if matched => new.or(old).map(|object| ("DELETED", object)),
            None => None,
        }
    }

    async fn bookmark(&self, version: u64, end_of_list: bool) -> Result<(), End> {
        let mut metadata = json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
        if end_of_list {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let object = json!({ "kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata });
        self.send("BOOKMARK", &object).await
    }

    async fn send(&self, name: &str, object: &Value) -> Result<(), End> {
        let shown = if self.metadata_only && name != "ERROR" {
            json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"] })
        } else {
            object.clone()
        };
        let line = format!("{}\n", json!({ "type": name, "object": shown }));
        self.lines.send(line).await.map_err(|_| End::Gone)
    }
}
