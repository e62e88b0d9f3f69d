//! What a worker stores. One transaction, under the lock of the task's row, refused when the lease is gone,
//! and recognised when it is sent a second time because the first answer was lost.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::pauses::{NewApproval, store_pause};
use super::text;
use crate::scaffolder::model::{EffectKind, EventKind, Removed, StepStatus, TaskStatus, Waiting};

#[derive(Debug, Clone)]
pub struct NewEvent {
    pub kind: EventKind,
    pub body: Value,
    pub at: DateTime<Utc>,
}

/// Change of one step.
#[derive(Debug, Clone)]
pub enum StepWrite {
    Begin {
        position: i32,
        at: DateTime<Utc>,
    },
    /// One more iteration of a step with `each` is finished.
    Iterated {
        position: i32,
        iterations: Value,
        inputs: Value,
    },
    /// The step stands still.
    Pause(Pause),
    End {
        position: i32,
        status: StepStatus,
        /// What the action was given; `None` leaves what is known.
        inputs: Option<Value>,
        /// What the step was given, hashed without its secrets.
        input_digest: Option<String>,
        output: Option<Value>,
        reason: Option<String>,
        at: DateTime<Utc>,
    },
}

#[derive(Debug, Clone)]
pub struct NewIntent {
    pub step_id: String,
    pub key: String,
    pub data: Value,
    /// Refused while another task that runs has recorded the same key.
    pub exclusive: bool,
}

#[derive(Debug, Clone)]
pub struct NewEffect {
    pub step_id: String,
    pub kind: EffectKind,
    pub reference: String,
    pub url: Option<String>,
}

/// Something that another task had made is gone.
#[derive(Debug, Clone)]
pub struct RemovedEffect {
    pub task_id: Uuid,
    pub kind: EffectKind,
    pub reference: String,
    pub removed: Removed,
}

/// How a task ends. Its secrets go, and its workspace too where it completed; a failed task keeps the
/// workspace for a retry.
#[derive(Debug, Clone)]
pub struct End {
    pub status: TaskStatus,
    pub output: Option<Value>,
    pub error: Option<Value>,
}

/// A step stands still: nobody holds the task any more when this is stored.
#[derive(Debug, Clone)]
pub struct Pause {
    pub position: i32,
    /// Tries that have failed.
    pub tries: u32,
    pub waiting: Waiting,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Time until somebody looks again, unless woken.
    pub wake_after: Duration,
    pub inputs: Value,
    /// The question, where somebody's word is waited for.
    pub approval: Option<NewApproval>,
}

/// Everything that becomes true together.
#[derive(Debug, Clone, Default)]
pub struct Write {
    pub events: Vec<NewEvent>,
    pub step: Option<StepWrite>,
    pub workspace: Option<Vec<u8>>,
    pub intent: Option<NewIntent>,
    pub effect: Option<NewEffect>,
    pub removed: Option<RemovedEffect>,
    pub end: Option<End>,
}

impl Write {
    /// The task and what is its own change, and nothing that concerns others.
    fn is_alone(&self) -> bool {
        let paused = matches!(self.step, Some(StepWrite::Pause(_)));
        !paused && self.intent.is_none() && self.effect.is_none() && self.removed.is_none()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another worker has the task, or it was cancelled: nothing more may be written.
    #[error("the task is not this worker's any more")]
    LeaseLost,
    #[error("task {task_id} is just doing that")]
    Reserved { task_id: Uuid },
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Stores a write. `write_id` is made once for each write and kept when it is sent again.
pub async fn apply(
    db: &PgPool,
    task_id: Uuid,
    owner: Uuid,
    write_id: Uuid,
    now: DateTime<Utc>,
    write: &Write,
) -> Result<(), WriteError> {
    let by = By {
        task_id,
        owner,
        write_id,
    };
    if write.is_alone() {
        // One statement is a transaction by itself, and takes one way there and back.
        return match store(db, by, now, write).await? {
            true => Ok(()),
            false => known(db, by).await,
        };
    }
    let mut tx = db.begin().await?;
    if !store(&mut *tx, by, now, write).await? {
        return known(&mut *tx, by).await;
    }
    if let Some(StepWrite::Pause(pause)) = &write.step {
        store_pause(&mut tx, task_id, pause).await?;
    }
    if let Some(intent) = &write.intent {
        insert_intent(&mut tx, task_id, intent, now).await?;
    }
    if let Some(effect) = &write.effect {
        sqlx::query!(
            "insert into scaffolder_task_effect (task_id, step_id, kind, reference, url, created_at)
             values ($1, $2, $3, $4, $5, $6) on conflict on constraint scaffolder_task_effect_pkey do nothing",
            task_id,
            effect.step_id,
            effect.kind.as_str(),
            effect.reference,
            effect.url,
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    if let Some(removed) = &write.removed {
        sqlx::query!(
            "update scaffolder_task_effect set removed = $4, removed_at = $5
             where task_id = $1 and kind = $2 and reference = $3",
            removed.task_id,
            removed.kind.as_str(),
            removed.reference,
            removed.removed.as_str(),
            now
        )
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Whose write it is, and which.
#[derive(Clone, Copy)]
struct By {
    task_id: Uuid,
    owner: Uuid,
    write_id: Uuid,
}

/// A write that found nothing to store: it was stored before, or the lease is gone.
async fn known(db: impl PgExecutor<'_>, by: By) -> Result<(), WriteError> {
    let last = sqlx::query_scalar!("select last_write from scaffolder_task where id = $1", by.task_id)
        .fetch_optional(db)
        .await?
        .flatten();
    match last == Some(by.write_id) {
        true => Ok(()),
        false => Err(WriteError::LeaseLost),
    }
}

/// Events, the step, the workspace and the end, in one statement under the lock of the task's row; false, and nothing is
/// stored, where the lease is not ours or this was stored before.
async fn store(db: impl PgExecutor<'_>, by: By, now: DateTime<Utc>, write: &Write) -> Result<bool, WriteError> {
    let events = Columns::of(&write.events);
    let step = StepColumns::of(write.step.as_ref())?;
    let end = write.end.as_ref();
    // Nothing is lost with this process. With the database's machine go the last moments of a step, and it is done again,
    // as after the death of a worker; what it recorded of other systems before was stored at once, and all that came
    // before that with it.
    let relaxed = write.is_alone() && end.is_none();
    let stored = sqlx::query!(
        r#"with held as (
             update scaffolder_task
             set next_event = next_event + cardinality($4::text[]), last_write = $3,
                 status = coalesce($16, status),
                 output = case when $16::text is null then output else $17::text::json end,
                 error = case when $16::text is null then error else $18::jsonb end,
                 finished_at = case when $16::text is null then finished_at else $8 end,
                 lease_owner = case when $16::text is null then lease_owner end,
                 lease_until = case when $16::text is null then lease_until end,
                 secrets = case when $16::text is null then secrets end
             where id = $1 and lease_owner = $2 and last_write is distinct from $3
             returning next_event - cardinality($4::text[]) as first_event
           ), told as (
             insert into scaffolder_task_event (task_id, id, type, body, created_at)
             select $1, held.first_event + event.number - 1, event.kind, event.body, event.at
             from held, unnest($4::text[], $5::jsonb[], $6::timestamptz[]) with ordinality event (kind, body, at, number)
           ), begun as (
             update scaffolder_task_step step
             set status = 'processing', attempt = attempt + 1, reason = null, started_at = coalesce(started_at, $10),
                 finished_at = null, tried_at = $10, waits = null, waits_since = null, waits_until = null
             from held where $7 = 'begin' and step.task_id = $1 and step.position = $9
           ), iterated as (
             update scaffolder_task_step step set iterations = $19::text::json, inputs = $15::text::json
             from held where $7 = 'iterated' and step.task_id = $1 and step.position = $9
           ), ended as (
             update scaffolder_task_step step
             set status = $11, input_digest = coalesce($12, input_digest), output = $13::text::json, reason = $14,
                 finished_at = $10, inputs = coalesce($15::text::json, inputs), waits = null, waits_since = null,
                 waits_until = null
             from held where $7 = 'end' and step.task_id = $1 and step.position = $9
           ), packed as (
             insert into scaffolder_workspace (task_id, archive, stored_at)
             select $1, $20::bytea, $8 from held where $20::bytea is not null
             on conflict (task_id) do update set archive = excluded.archive, stored_at = excluded.stored_at
           ), dropped as (
             delete from scaffolder_workspace using held where $16 = 'completed' and task_id = $1
           )
           select pg_notify('scaffolder_task', $1::uuid::text),
                  case when $21 then set_config('synchronous_commit', 'off', true) end as relaxed
           from held"#,
        by.task_id,
        by.owner,
        by.write_id,
        &events.kinds as &[&str],
        &events.bodies as &[&Value],
        &events.times,
        step.change,
        now,
        step.position,
        step.at,
        step.status,
        step.input_digest,
        step.output,
        step.reason,
        step.inputs,
        end.map(|end| end.status.as_str()),
        end.and_then(|end| end.output.as_ref()).map(text).transpose()?,
        end.and_then(|end| end.error.as_ref()),
        step.iterations,
        write.workspace.as_deref(),
        relaxed
    )
    .fetch_optional(db)
    .await?;
    Ok(stored.is_some())
}

/// Events as lists of their fields.
struct Columns<'a> {
    kinds: Vec<&'a str>,
    bodies: Vec<&'a Value>,
    times: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn of(events: &'a [NewEvent]) -> Self {
        Self {
            kinds: events.iter().map(|event| event.kind.as_str()).collect(),
            bodies: events.iter().map(|event| &event.body).collect(),
            times: events.iter().map(|event| event.at).collect(),
        }
    }
}

/// The change of a step as the fields of its row.
#[derive(Default)]
struct StepColumns<'a> {
    change: Option<&'static str>,
    position: Option<i32>,
    at: Option<DateTime<Utc>>,
    status: Option<&'static str>,
    input_digest: Option<&'a str>,
    output: Option<String>,
    reason: Option<&'a str>,
    inputs: Option<String>,
    iterations: Option<String>,
}

impl<'a> StepColumns<'a> {
    fn of(step: Option<&'a StepWrite>) -> Result<Self, sqlx::Error> {
        Ok(match step {
            // A pause is stored together with the task: see `apply`.
            None | Some(StepWrite::Pause(_)) => Self::default(),
            Some(StepWrite::Begin { position, at }) => Self {
                change: Some("begin"),
                position: Some(*position),
                at: Some(*at),
                ..Self::default()
            },
            Some(StepWrite::Iterated {
                position,
                iterations,
                inputs,
            }) => Self {
                change: Some("iterated"),
                position: Some(*position),
                iterations: Some(text(iterations)?),
                inputs: Some(text(inputs)?),
                ..Self::default()
            },
            Some(StepWrite::End {
                position,
                status,
                inputs,
                input_digest,
                output,
                reason,
                at,
            }) => Self {
                change: Some("end"),
                position: Some(*position),
                at: Some(*at),
                status: Some(status.as_str()),
                input_digest: input_digest.as_deref(),
                output: output.as_ref().map(text).transpose()?,
                reason: reason.as_deref(),
                inputs: inputs.as_ref().map(text).transpose()?,
                iterations: None,
            },
        })
    }
}

/// Stores events from number `next` on; gives the next free number. The caller holds the lock of the task's row.
pub(super) async fn insert_events(
    tx: &mut Transaction<'_, Postgres>,
    task_id: Uuid,
    next: i64,
    events: &[NewEvent],
) -> Result<i64, sqlx::Error> {
    let columns = Columns::of(events);
    let stored = sqlx::query!(
        "insert into scaffolder_task_event (task_id, id, type, body, created_at)
         select $1, $2 + event.number - 1, event.kind, event.body, event.at
         from unnest($3::text[], $4::jsonb[], $5::timestamptz[]) with ordinality event (kind, body, at, number)",
        task_id,
        next,
        &columns.kinds as &[&str],
        &columns.bodies as &[&Value],
        &columns.times
    )
    .execute(&mut **tx)
    .await?;
    Ok(next + i64::try_from(stored.rows_affected()).unwrap_or_default())
}

async fn insert_intent(
    tx: &mut Transaction<'_, Postgres>,
    task_id: Uuid,
    intent: &NewIntent,
    now: DateTime<Utc>,
) -> Result<(), WriteError> {
    if intent.exclusive {
        // Two tasks that want the same thing come one after the other here.
        sqlx::query!("select pg_advisory_xact_lock(hashtextextended($1, 0))", intent.key)
            .execute(&mut **tx)
            .await?;
        let other = sqlx::query_scalar!(
            "select task.id from scaffolder_task_intent intent join scaffolder_task task on task.id = intent.task_id
             where intent.key = $1 and task.id <> $2 and task.status in ('open', 'processing') limit 1",
            intent.key,
            task_id
        )
        .fetch_optional(&mut **tx)
        .await?;
        if let Some(task_id) = other {
            return Err(WriteError::Reserved { task_id });
        }
    }
    sqlx::query!(
        "insert into scaffolder_task_intent (task_id, step_id, key, data, recorded_at) values ($1, $2, $3, $4, $5)
         on conflict on constraint scaffolder_task_intent_pkey do nothing",
        task_id,
        intent.step_id,
        intent.key,
        intent.data,
        now
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
