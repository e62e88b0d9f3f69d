//! Follows a task's events as they come: for the API's event stream and for pages.

use std::time::Duration;

use futures::Stream;
use tokio::time::Instant;
use uuid::Uuid;

use super::Scaffolder;
use super::model::{Event, EventKind, Task};
use super::queries;

/// Notifications may get lost; this finds what they would have told.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Events that are read at once.
const BATCH: i64 = 500;

impl Scaffolder {
    /// Events after number `after`; waits for some until `within` is over, or the task has ended.
    pub(super) async fn events_after(&self, id: Uuid, after: i64, within: Duration) -> Result<Vec<Event>, sqlx::Error> {
        let until = Instant::now() + within;
        let mut changes = self.changes();
        loop {
            let events = queries::list_events(self.db(), id, after, BATCH).await?;
            let ended = match events.is_empty() {
                true => queries::find_task(self.db(), id)
                    .await?
                    .is_none_or(|task| task.status.is_final()),
                false => true,
            };
            if ended && events.is_empty() {
                // The task may have ended after its events were read, and the last one must not be missed.
                return queries::list_events(self.db(), id, after, BATCH).await;
            }
            if ended || Instant::now() >= until {
                return Ok(events);
            }
            let look_again = until.min(Instant::now() + LOOK_EVERY);
            loop {
                match tokio::time::timeout_at(look_again, changes.recv()).await {
                    Ok(Ok(changed)) if changed != id => {}
                    Ok(Err(tokio::sync::broadcast::error::RecvError::Closed)) => {
                        tokio::time::sleep_until(look_again).await;
                        break;
                    }
                    _ => break,
                }
            }
        }
    }

    /// All events of a task after number `after`, in order, without gap or repetition, until the task has
    /// ended. Of a task that has ended the completion is always given, whatever `after` says.
    pub(super) fn follow(&self, id: Uuid, after: i64) -> impl Stream<Item = Result<Event, sqlx::Error>> + Send + use<> {
        struct State {
            scaffolder: Scaffolder,
            after: i64,
            ready: std::collections::VecDeque<Event>,
            started: bool,
            ended: bool,
        }
        let state = State {
            scaffolder: self.clone(),
            after,
            ready: std::collections::VecDeque::new(),
            started: false,
            ended: false,
        };
        futures::stream::unfold(state, move |mut state| async move {
            loop {
                if let Some(event) = state.ready.pop_front() {
                    state.after = state.after.max(event.id);
                    state.ended |= event.kind == EventKind::Completion;
                    return Some((Ok(event), state));
                }
                if state.ended {
                    return None;
                }
                let first = !std::mem::replace(&mut state.started, true);
                match state
                    .scaffolder
                    .events_after(id, state.after, Duration::from_secs(30))
                    .await
                {
                    Err(error) => {
                        state.ended = true;
                        return Some((Err(error), state));
                    }
                    Ok(events) if events.is_empty() => match state.scaffolder.completion(id, first).await {
                        Ok(Completion::Running) => {}
                        Ok(Completion::Over(event)) => {
                            state.ended = true;
                            if let Some(event) = event {
                                return Some((Ok(event), state));
                            }
                        }
                        Err(error) => {
                            state.ended = true;
                            return Some((Err(error), state));
                        }
                    },
                    Ok(events) => state.ready.extend(events),
                }
            }
        })
    }

    async fn completion(&self, id: Uuid, wanted: bool) -> Result<Completion, sqlx::Error> {
        let task: Option<Task> = queries::find_task(self.db(), id).await?;
        if task.is_some_and(|task| !task.status.is_final()) {
            return Ok(Completion::Running);
        }
        let event = if wanted {
            queries::find_completion(self.db(), id).await?
        } else {
            None
        };
        Ok(Completion::Over(event))
    }
}

enum Completion {
    Running,
    Over(Option<Event>),
}
