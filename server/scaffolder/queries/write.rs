//! What a worker stores. One transaction, under the lock of the task's row, refused when the lease is gone,
//! and recognised when it is sent a second time because the first answer was lost.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgPool, Postgres, Transaction};
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
    let mut tx = db.begin().await?;
    let task = sqlx::query!(
        "select next_event, last_write, lease_owner from scaffolder_task where id = $1 for update",
        task_id
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(WriteError::LeaseLost)?;
    if task.last_write == Some(write_id) {
        return Ok(());
    }
    if task.lease_owner != Some(owner) {
        return Err(WriteError::LeaseLost);
    }
    let next = insert_events(&mut tx, task_id, task.next_event, &write.events).await?;
    if let Some(StepWrite::Pause(pause)) = &write.step {
        store_pause(&mut tx, task_id, pause).await?;
    } else if let Some(step) = &write.step {
        update_step(&mut tx, task_id, step).await?;
    }
    if let Some(archive) = &write.workspace {
        sqlx::query!(
            "insert into scaffolder_workspace (task_id, archive, stored_at) values ($1, $2, $3)
             on conflict (task_id) do update set archive = excluded.archive, stored_at = excluded.stored_at",
            task_id,
            archive,
            now
        )
        .execute(&mut *tx)
        .await?;
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
    match &write.end {
        None => {
            sqlx::query!(
                "update scaffolder_task set next_event = $2, last_write = $3 where id = $1",
                task_id,
                next,
                write_id
            )
            .execute(&mut *tx)
            .await?;
        }
        Some(end) => {
            sqlx::query!(
                "update scaffolder_task set next_event = $2, last_write = $3, status = $4, output = $5::text::json, error = $6,
                        finished_at = $7, lease_owner = null, lease_until = null, secrets = null
                 where id = $1",
                task_id,
                next,
                write_id,
                end.status.as_str(),
                end.output.as_ref().map(text).transpose()?,
                end.error,
                now
            )
            .execute(&mut *tx)
            .await?;
            if end.status == TaskStatus::Completed {
                sqlx::query!("delete from scaffolder_workspace where task_id = $1", task_id)
                    .execute(&mut *tx)
                    .await?;
            }
        }
    }
    sqlx::query!("select pg_notify('scaffolder_task', $1::text)", task_id.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Numbers and stores events; gives the next free number. The caller holds the lock of the task's row.
pub(super) async fn insert_events(
    tx: &mut Transaction<'_, Postgres>,
    task_id: Uuid,
    mut next: i64,
    events: &[NewEvent],
) -> Result<i64, sqlx::Error> {
    for event in events {
        sqlx::query!(
            "insert into scaffolder_task_event (task_id, id, type, body, created_at) values ($1, $2, $3, $4, $5)",
            task_id,
            next,
            event.kind.as_str(),
            event.body,
            event.at
        )
        .execute(&mut **tx)
        .await?;
        next += 1;
    }
    Ok(next)
}

async fn update_step(tx: &mut Transaction<'_, Postgres>, task_id: Uuid, step: &StepWrite) -> Result<(), sqlx::Error> {
    match step {
        StepWrite::Begin { position, at } => {
            sqlx::query!(
                "update scaffolder_task_step set status = 'processing', attempt = attempt + 1, reason = null,
                        started_at = coalesce(started_at, $3), finished_at = null, tried_at = $3,
                        waits = null, waits_since = null, waits_until = null
                 where task_id = $1 and position = $2",
                task_id,
                position,
                at
            )
            .execute(&mut **tx)
            .await?;
        }
        StepWrite::Iterated {
            position,
            iterations,
            inputs,
        } => {
            sqlx::query!(
                "update scaffolder_task_step set iterations = $3::text::json, inputs = $4::text::json
                 where task_id = $1 and position = $2",
                task_id,
                position,
                text(iterations)?,
                text(inputs)?
            )
            .execute(&mut **tx)
            .await?;
        }
        // Together with the task: see `apply`.
        StepWrite::Pause(_) => {}
        StepWrite::End {
            position,
            status,
            inputs,
            input_digest,
            output,
            reason,
            at,
        } => {
            sqlx::query!(
                "update scaffolder_task_step
                 set status = $3, input_digest = coalesce($4, input_digest), output = $5::text::json,
                     reason = $6, finished_at = $7, inputs = coalesce($8::text::json, inputs),
                     waits = null, waits_since = null, waits_until = null
                 where task_id = $1 and position = $2",
                task_id,
                position,
                status.as_str(),
                input_digest.as_deref(),
                output.as_ref().map(text).transpose()?,
                reason.as_deref(),
                at,
                inputs.as_ref().map(text).transpose()?
            )
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
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
