//! What a worker writes about the task it runs. Everything goes through one door: in order, fenced by the
//! lease, sent again for as long as the database is away. A dry run has a journal, too, which stores nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::redaction::Redactor;
use crate::clock::Clock;
use crate::ids::new_id;
use crate::scaffolder::model::{EventKind, StepRecord, StepStatus};
use crate::scaffolder::queries::{self, Decision, NewEvent, StepWrite, Write, WriteError};

/// Log lines wait this long at most for company.
const FLUSH_AFTER: Duration = Duration::from_millis(100);
/// Log lines that wait while the database is away; more are counted, not kept.
const WAITING_LINES: usize = 10_000;

pub struct Journal {
    store: Store,
    clock: Clock,
    pub redactor: Redactor,
    waiting: Mutex<Waiting>,
    /// Held while something is written: events keep the order in which they happened.
    writing: tokio::sync::Mutex<()>,
    /// Cancelled as soon as the task is known to be somebody else's.
    pub lost: CancellationToken,
    /// The end, or a pause, is being written: that the lease is gone is our own doing then, or the write tells.
    ending: AtomicBool,
}

/// Where it is written to.
enum Store {
    /// The task's rows, for as long as the lease is ours.
    Task { db: PgPool, task_id: Uuid, owner: Uuid },
    /// Nowhere: events are kept for the answer of a dry run.
    Memory(Mutex<Vec<NewEvent>>),
}

#[derive(Default)]
struct Waiting {
    lines: Vec<NewEvent>,
    left_out: usize,
}

impl Journal {
    pub fn new(db: PgPool, clock: Clock, task_id: Uuid, owner: Uuid, redactor: Redactor) -> Self {
        Self::with(Store::Task { db, task_id, owner }, clock, redactor)
    }

    /// The journal of a dry run: nothing is stored, nothing is found again.
    pub fn rehearsal(clock: Clock, redactor: Redactor) -> Self {
        Self::with(Store::Memory(Mutex::default()), clock, redactor)
    }

    fn with(store: Store, clock: Clock, redactor: Redactor) -> Self {
        Self {
            store,
            clock,
            redactor,
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            lost: CancellationToken::new(),
            ending: AtomicBool::new(false),
        }
    }

    /// The lease was found to be gone.
    pub fn lose(&self) {
        if !self.ending.load(Ordering::SeqCst) {
            self.lost.cancel();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A log line of a step, or of the task itself. Redacted here; stored soon.
    pub fn log(&self, step_id: Option<&str>, message: &str) {
        let event = self.event(step_id, None, message);
        let mut waiting = self.waiting();
        if waiting.lines.len() < WAITING_LINES {
            waiting.lines.push(event);
        } else {
            waiting.left_out += 1;
        }
    }

    /// An event of type `log`; with a status it tells of a step's change.
    pub fn event(&self, step_id: Option<&str>, status: Option<StepStatus>, message: &str) -> NewEvent {
        let mut body = json!({"message": self.clean(message)});
        if let Some(step_id) = step_id {
            body["stepId"] = json!(step_id);
        }
        if let Some(status) = status {
            body["status"] = json!(status);
        }
        NewEvent {
            kind: EventKind::Log,
            body,
            at: self.clock.now(),
        }
    }

    /// The text without secrets, and without the one character that Postgres cannot keep.
    pub fn clean(&self, text: &str) -> String {
        self.redactor.text(text).replace('\0', "\u{fffd}")
    }

    /// The value without secrets, in keys and texts alike.
    pub fn clean_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.clean(text)),
            Value::Array(items) => items.iter().map(|item| self.clean_value(item)).collect(),
            Value::Object(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(key, value)| (self.clean(key), self.clean_value(value)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// Stores a write together with the log lines that wait. Returns when it is stored, however long the
    /// database is away; errors are final.
    pub async fn write(&self, mut write: Write) -> Result<(), WriteError> {
        let _turn = self.writing.lock().await;
        let gives_up = write.end.is_some() || matches!(write.step, Some(StepWrite::Pause(_)));
        self.ending.fetch_or(gives_up, Ordering::SeqCst);
        let waiting = std::mem::take(&mut *self.waiting());
        let lines = waiting.lines.len();
        let mut events = waiting.lines;
        if waiting.left_out > 0 {
            events.push(self.event(None, None, &format!("{} lines were left out here", waiting.left_out)));
        }
        events.append(&mut write.events);
        write.events = events;
        let (db, task_id, owner) = match &self.store {
            Store::Task { db, task_id, owner } => (db, *task_id, *owner),
            Store::Memory(kept) => {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .append(&mut write.events);
                return Ok(());
            }
        };
        let write = Arc::new(write);
        let write_id = new_id(&self.clock);
        let mut pause = Duration::from_millis(100);
        loop {
            match self.send(db.clone(), task_id, owner, write_id, write.clone()).await {
                Ok(()) => return Ok(()),
                Err(WriteError::Database(error)) if is_temporary(&error) => {
                    tracing::warn!(task = %task_id, %error, "the database is away; the task waits for it");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                Err(error) => {
                    if matches!(error, WriteError::LeaseLost) {
                        self.lost.cancel();
                    } else {
                        // The lines have done nothing wrong.
                        self.waiting().lines.splice(0..0, write.events[..lines].iter().cloned());
                    }
                    return Err(error);
                }
            }
        }
    }

    /// A transaction on a task of its own: dropped in its middle it could leave its connection inside of it.
    async fn send(
        &self,
        db: PgPool,
        task_id: Uuid,
        owner: Uuid,
        write_id: Uuid,
        write: Arc<Write>,
    ) -> Result<(), WriteError> {
        let now = self.clock.now();
        tokio::spawn(async move { queries::apply(&db, task_id, owner, write_id, now, &write).await })
            .await
            .unwrap_or(Err(WriteError::Database(sqlx::Error::WorkerCrashed)))
    }

    /// Stores waiting log lines until `done`.
    pub async fn keep_flushing(&self, done: CancellationToken) {
        loop {
            tokio::select! {
                () = done.cancelled() => return,
                () = tokio::time::sleep(FLUSH_AFTER) => {}
            }
            if !self.waiting().lines.is_empty() && self.write(Write::default()).await.is_err() {
                return;
            }
        }
    }

    /// The task's steps as they are stored.
    pub async fn list_steps(&self) -> Result<Vec<StepRecord>, sqlx::Error> {
        match &self.store {
            Store::Task { db, task_id, .. } => repeated(|| queries::list_steps(db, *task_id)).await,
            Store::Memory(_) => Ok(Vec::new()),
        }
    }

    /// What a step has recorded under a key before.
    pub async fn find_intent(&self, step_id: &str, key: &str) -> Result<Option<Value>, sqlx::Error> {
        match &self.store {
            Store::Task { db, task_id, .. } => repeated(|| queries::find_intent(db, *task_id, step_id, key)).await,
            Store::Memory(_) => Ok(None),
        }
    }

    /// What was decided on a step's question, once it is.
    pub async fn find_decision(&self, step_key: &str) -> Result<Option<Decision>, sqlx::Error> {
        match &self.store {
            Store::Task { db, task_id, .. } => repeated(|| queries::find_decision(db, *task_id, step_key)).await,
            Store::Memory(_) => Ok(None),
        }
    }

    /// Everything that a dry run has told, in order.
    pub fn rehearsed(&self) -> Vec<NewEvent> {
        let lines = std::mem::take(&mut *self.waiting()).lines;
        match &self.store {
            Store::Task { .. } => lines,
            Store::Memory(kept) => {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(lines);
                kept.clone()
            }
        }
    }
}

/// Repeats a read for as long as the database is away.
async fn repeated<T, F: Future<Output = Result<T, sqlx::Error>>>(
    mut query: impl FnMut() -> F,
) -> Result<T, sqlx::Error> {
    loop {
        match query().await {
            Err(error) if is_temporary(&error) => tokio::time::sleep(Duration::from_millis(500)).await,
            result => return result,
        }
    }
}

/// The database is away or overloaded: the same statement may succeed later.
pub fn is_temporary(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        // 08 connection, 40 deadlock, 53 resources, 57 shutdown and start.
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))),
        _ => false,
    }
}
