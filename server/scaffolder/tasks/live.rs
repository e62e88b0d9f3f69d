//! `/create/tasks/<id>/live`: the changes of a task's page as server-sent fragments; `/create/tasks/live`: that a list of
//! tasks is not what it was.
//!
//! Each event of the task becomes one message that carries the event's number as its id and adds something
//! (a line of a log) or shows a step as of that event; messages without an id show the state around it, and may be
//! repeated. A connection that comes back with a `Last-Event-ID` goes on behind it. One that comes back
//! without, as htmx's extension does after an error, gets the whole list of steps first, unless nothing has
//! happened since the page was made.

use std::convert::Infallible;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event as Frame, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

use super::task_id;
use super::view::{Line, StepView, TaskView};
use crate::auth::Caller;
use crate::language::{Locale, filters};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::api::last_seen;
use crate::scaffolder::model::{Event, EventKind};
use crate::web::{Error, Shell, SignedIn};

macro_rules! fragment {
    ($name:ident, $path:literal) => {
        #[derive(Template)]
        #[template(path = $path)]
        struct $name<'a> {
            view: &'a TaskView,
        }
    };
}

fragment!(Facts, "scaffolder/_task_facts.html");
fragment!(Actions, "scaffolder/_task_actions.html");
fragment!(Steps, "scaffolder/_task_steps.html");
fragment!(Outcome, "scaffolder/_task_result.html");

#[derive(Template)]
#[template(path = "scaffolder/_task_step.html")]
struct Step<'a> {
    step: &'a StepView,
}

/// The number beside "Tasks" in the navigation, wherever the page is.
#[derive(Template)]
#[template(path = "_running.html")]
struct Running<'a> {
    count: &'a u64,
    replace: bool,
}

#[derive(Template)]
#[template(path = "scaffolder/_task_line.html")]
struct LogLine<'a> {
    line: &'a Line,
}

pub async fn stream(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let id = task_id(&id)?;
    let task = scaffolder.get_task(&caller, id).await?;
    let (mut after, resumed) = last_seen(&headers, query.as_deref())?;
    let view = scaffolder.task_view(&caller, task, &shell).await?;
    let mut first = Vec::new();
    if !resumed && view.last_event > after {
        after = view.last_event;
        first.push(frame(shell.locale, "steps", &Steps { view: &view })?.id(after.to_string()));
    }
    first.extend(around(shell.locale, &view)?);
    first.extend(running(shell.locale, &scaffolder, &caller).await?);
    let first = futures::stream::iter(first.into_iter().map(Ok::<_, Infallible>));
    let rest = changes(
        Live {
            scaffolder,
            caller,
            shell,
            id,
        },
        after,
    );
    Ok(Sse::new(first.chain(rest))
        .keep_alive(KeepAlive::default())
        .into_response())
}

struct Live {
    scaffolder: Scaffolder,
    caller: Caller,
    shell: Shell,
    id: Uuid,
}

/// Ends with the message `end` when the task has ended; without it when the database is away, so that the page
/// connects again.
fn changes(live: Live, after: i64) -> impl Stream<Item = Result<Frame, Infallible>> {
    let live = std::sync::Arc::new(live);
    live.scaffolder
        .follow(live.id, after)
        .then(move |event| {
            let live = live.clone();
            async move {
                let frames = match event {
                    Ok(event) => live.frames(&event, after).await,
                    Err(error) => Err(error.into()),
                };
                frames.map_err(|error| tracing::warn!(%error, "a live task page broke off"))
            }
        })
        .take_while(|frames| std::future::ready(frames.is_ok()))
        .flat_map(|frames| futures::stream::iter(frames.unwrap_or_default().into_iter().map(Ok)))
}

impl Live {
    async fn frames(&self, event: &Event, after: i64) -> Result<Vec<Frame>, Error> {
        let numbered = event.id.to_string();
        let mut frames = Vec::new();
        // A step that begins to wait changes its state, and not only its log.
        let changes_step = event.step_status().is_some() || event.body["waits"] == true;
        if event.kind == EventKind::Log && !changes_step {
            let position = self.position(event).await?;
            let name = position.map_or("task-line".to_owned(), |position| format!("log-{position}"));
            frames.push(
                frame(
                    self.shell.locale,
                    &name,
                    &LogLine {
                        line: &Line::new(event),
                    },
                )?
                .id(numbered),
            );
            return Ok(frames);
        }
        let task = self.scaffolder.get_task(&self.caller, self.id).await?;
        // Steps are shown as of this event; later lines come as messages of their own.
        let shell = Shell {
            now: self.scaffolder.clock().now(),
            ..self.shell.clone()
        };
        let events = self.scaffolder.all_events(self.id).await?;
        let known: Vec<Event> = events.into_iter().filter(|known| known.id <= event.id).collect();
        let view = self.scaffolder.view_of(&self.caller, task, &known, shell.now).await?;
        let position = self.position(event).await?;
        let step = view.steps.iter().find(|step| Some(step.position) == position);
        frames.extend(around(shell.locale, &view)?);
        match step {
            // The completion of an ended task is given again to those who have it.
            _ if event.id <= after => {}
            Some(step) => {
                frames.push(frame(shell.locale, &format!("step-{}", step.position), &Step { step })?.id(numbered))
            }
            None => frames.push(frame(shell.locale, "steps", &Steps { view: &view })?.id(numbered)),
        }
        if event.kind == EventKind::Completion {
            frames.extend(running(shell.locale, &self.scaffolder, &self.caller).await?);
            frames.push(Frame::default().event("end").data("end"));
        }
        Ok(frames)
    }

    async fn position(&self, event: &Event) -> Result<Option<i32>, sqlx::Error> {
        let Some(step_id) = event.step_id() else {
            return Ok(None);
        };
        let steps = crate::scaffolder::queries::list_steps(self.scaffolder.db(), self.id).await?;
        Ok(steps.iter().find(|step| step.id == step_id).map(|step| step.position))
    }
}

/// How many tasks of the reader run now; nothing for programs, which have no navigation.
async fn running(locale: Locale, scaffolder: &Scaffolder, caller: &Caller) -> Result<Option<Frame>, Error> {
    let Some(user) = caller.user() else { return Ok(None) };
    let Some(count) = scaffolder.count_running(user).await else {
        return Ok(None);
    };
    let fragment = Running {
        count: &count,
        replace: true,
    };
    frame(locale, "running", &fragment).map(Some)
}

/// `GET /create/tasks/live`: event `changed` when a task that the caller may see is another, and `running` with the
/// number of the caller's own. With `?now` both are sent at once, too: a list with tasks that run may be old already.
pub async fn list(
    State(scaffolder): State<Scaffolder>,
    shell: Shell,
    SignedIn(caller): SignedIn,
    RawQuery(query): RawQuery,
) -> Response {
    struct Follow {
        locale: Locale,
        scaffolder: Scaffolder,
        caller: Caller,
        changes: Receiver<Uuid>,
        now: bool,
    }
    let follow = Follow {
        locale: shell.locale,
        changes: scaffolder.changes(),
        scaffolder,
        caller,
        now: query.as_deref() == Some("now"),
    };
    let frames = futures::stream::unfold(follow, async |mut follow| {
        while !std::mem::take(&mut follow.now) {
            match follow.changes.recv().await {
                Ok(id) if follow.scaffolder.get_task(&follow.caller, id).await.is_err() => {}
                Ok(_) | Err(RecvError::Lagged(_)) => break,
                Err(RecvError::Closed) => return None,
            }
        }
        let running = running(follow.locale, &follow.scaffolder, &follow.caller)
            .await
            .ok()
            .flatten();
        let frames = running
            .into_iter()
            .chain([Frame::default().event("changed").data("tasks")]);
        Some((futures::stream::iter(frames.map(Ok::<_, Infallible>)), follow))
    });
    Sse::new(frames.flatten())
        .keep_alive(KeepAlive::default())
        .into_response()
}

/// What stands around the steps.
fn around(locale: Locale, view: &TaskView) -> Result<Vec<Frame>, Error> {
    Ok(vec![
        frame(locale, "facts", &Facts { view })?,
        frame(locale, "actions", &Actions { view })?,
        Frame::default().event("summary").data(locale.say(&view.summary)),
        frame(locale, "result", &Outcome { view })?,
    ])
}

fn frame(locale: Locale, name: &str, fragment: &impl Template) -> Result<Frame, Error> {
    let mut html = locale.render(fragment)?.replace('\r', "");
    if html.is_empty() {
        // Browsers pass on no event without data, and what stood there would stay.
        html.push(' ');
    }
    Ok(Frame::default().event(name).data(html))
}
