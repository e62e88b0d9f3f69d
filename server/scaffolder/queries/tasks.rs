use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use super::write::insert_events;
use super::{NewEvent, decode, foreign, text};
use crate::scaffolder::model::{EventKind, Standstill, Step, StepRecord, StepStatus, Task, TaskSpec, TaskStatus};

/// A task about to be stored.
pub struct NewTask<'a> {
    pub id: Uuid,
    pub title: &'a str,
    pub spec: &'a TaskSpec,
    pub created_by: &'a str,
    pub created_at: DateTime<Utc>,
    /// The task whose results this one removes.
    pub undoes: Option<Uuid>,
    pub has_secrets: bool,
    /// Sealed.
    pub secrets: Option<&'a [u8]>,
}

/// Stores a task with its steps, and wakes a worker.
pub async fn insert_task(db: &PgPool, new: &NewTask<'_>) -> Result<(), sqlx::Error> {
    let positions: Vec<i32> = (0..).take(new.spec.steps.len()).collect();
    let column = |field: fn(&Step) -> &str| -> Vec<&str> { new.spec.steps.iter().map(field).collect() };
    sqlx::query!(
        "with task as (
           insert into scaffolder_task
             (id, template_ref, title, spec, status, created_by, created_at, has_secrets, secrets, undoes)
           values ($1, $2, $3, $4::text::json, 'open', $5, $6, $7, $8, $9)
         ), step as (
           insert into scaffolder_task_step (task_id, position, id, name, action)
           select $1, step.position, step.id, step.name, step.action
           from unnest($10::int[], $11::text[], $12::text[], $13::text[]) step (position, id, name, action)
         )
         select pg_notify('scaffolder_task', $1::uuid::text)",
        new.id,
        new.spec.template_info.entity_ref,
        new.title,
        text(new.spec)?,
        new.created_by,
        new.created_at,
        new.has_secrets,
        new.secrets,
        new.undoes,
        &positions,
        &column(|step| &step.id) as &[&str],
        &column(|step| &step.name) as &[&str],
        &column(|step| &step.action) as &[&str]
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A task as a row has it.
pub(super) struct TaskRow {
    pub id: Uuid,
    pub title: String,
    pub template_ref: String,
    pub spec: Json<TaskSpec>,
    pub status: String,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    pub output: Option<Value>,
    pub error: Option<Value>,
    pub undoes: Option<Uuid>,
    pub has_secrets: bool,
    pub waits: bool,
}

impl TryFrom<TaskRow> for Task {
    type Error = sqlx::Error;

    fn try_from(row: TaskRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.id,
            title: row.title,
            template_ref: row.template_ref,
            spec: row.spec.0,
            status: foreign(TaskStatus::from_word(&row.status), "task status", &row.status)?,
            created_by: row.created_by,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            last_heartbeat_at: row.last_heartbeat_at,
            output: row.output,
            error: row.error,
            undoes: row.undoes,
            has_secrets: row.has_secrets,
            waits: row.waits,
        })
    }
}

pub async fn find_task(db: &PgPool, id: Uuid) -> Result<Option<Task>, sqlx::Error> {
    sqlx::query_as!(
        TaskRow,
        r#"select id, title, template_ref, spec as "spec: Json<TaskSpec>", status, created_by, created_at, started_at,
                  finished_at, last_heartbeat_at, output, error, undoes, has_secrets, wake_at is not null as "waits!"
           from scaffolder_task where id = $1"#,
        id
    )
    .fetch_optional(db)
    .await?
    .map(Task::try_from)
    .transpose()
}

/// The steps of a task, in the order of the template.
pub async fn list_steps(db: &PgPool, task_id: Uuid) -> Result<Vec<StepRecord>, sqlx::Error> {
    let rows = sqlx::query!(
        "select position, id, name, action, status, output, iterations, reason, started_at, finished_at,
                tries, tried_at, waits, waits_since, waits_until, inputs
         from scaffolder_task_step where task_id = $1 order by position",
        task_id
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(StepRecord {
                position: row.position,
                status: foreign(StepStatus::from_word(&row.status), "step status", &row.status)?,
                id: row.id,
                name: row.name,
                action: row.action,
                output: row.output,
                iterations: decode(row.iterations)?,
                reason: row.reason,
                started_at: row.started_at,
                finished_at: row.finished_at,
                tries: u32::try_from(row.tries).unwrap_or_default(),
                tried_at: row.tried_at,
                standstill: match (row.waits, row.waits_since, row.waits_until) {
                    (Some(waits), Some(since), Some(until)) => Some(Standstill {
                        waiting: decode(waits)?,
                        since,
                        until,
                    }),
                    _ => None,
                },
                inputs: row.inputs.map(decode).transpose()?.unwrap_or_default(),
            })
        })
        .collect()
}

/// Ends a task that has not ended: at once, whoever holds its lease loses it. False when it had ended before.
pub async fn cancel(db: &PgPool, task_id: Uuid, now: DateTime<Utc>) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let Some(task) = sqlx::query!(
        "select next_event from scaffolder_task where id = $1 and status in ('open', 'processing') for update",
        task_id
    )
    .fetch_optional(&mut *tx)
    .await?
    else {
        return Ok(false);
    };
    let step = sqlx::query_scalar!(
        "update scaffolder_task_step
         set status = 'cancelled', finished_at = $2, waits = null, waits_since = null, waits_until = null
         where task_id = $1 and status = 'processing' returning id",
        task_id,
        now
    )
    .fetch_optional(&mut *tx)
    .await?;
    let body = match step {
        Some(step) => json!({
            "message": format!("Step {step} has been cancelled."), "stepId": step, "status": "cancelled"
        }),
        None => json!({"message": "The task has been cancelled before its first step.", "status": "cancelled"}),
    };
    let events = [
        NewEvent {
            kind: EventKind::Cancelled,
            body,
            at: now,
        },
        NewEvent {
            kind: EventKind::Completion,
            body: json!({"message": "Run completed with status: cancelled"}),
            at: now,
        },
    ];
    let next = insert_events(&mut tx, task_id, task.next_event, &events).await?;
    sqlx::query!(
        "update scaffolder_task set status = 'cancelled', finished_at = $2, next_event = $3, lease_owner = null,
                lease_until = null, wake_at = null, secrets = null
         where id = $1",
        task_id,
        now,
        next
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("select pg_notify('scaffolder_task', $1::text)", task_id.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}

/// Opens an ended task again: finished steps stay finished unless `start_over`. Intents stay, so that a
/// step recognises what it made before; only what a failed step has pinned is looked up anew.
/// False when the task has not ended.
pub async fn retry(
    db: &PgPool,
    task_id: Uuid,
    start_over: bool,
    recover_strategy: &str,
    secrets: Option<&[u8]>,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let Some(task) = sqlx::query!(
        "select next_event from scaffolder_task
         where id = $1 and status in ('completed', 'failed', 'cancelled') for update",
        task_id
    )
    .fetch_optional(&mut *tx)
    .await?
    else {
        return Ok(false);
    };
    sqlx::query!(
        "delete from scaffolder_task_event where task_id = $1 and type in ('cancelled', 'completion')",
        task_id
    )
    .execute(&mut *tx)
    .await?;
    // Without its workspace a task can only start from the beginning.
    let start_over = start_over
        || sqlx::query_scalar!(
            r#"select not exists(select 1 from scaffolder_workspace where task_id = $1) as "gone!""#,
            task_id
        )
        .fetch_one(&mut *tx)
        .await?;
    sqlx::query!(
        "update scaffolder_task_step
         set status = 'waiting', output = null, reason = null, started_at = null, finished_at = null,
             iterations = case when $2 then '[]'::json else iterations end,
             inputs = case when $2 then null else inputs end, tries = 0, tried_at = null
         where task_id = $1 and ($2 or status <> 'completed')",
        task_id,
        start_over
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from scaffolder_task_intent intent using scaffolder_task_step step
         where intent.task_id = $1 and intent.key like 'pin:%'
           and step.task_id = intent.task_id and step.id = intent.step_id and step.status = 'waiting'",
        task_id
    )
    .execute(&mut *tx)
    .await?;
    // What was decided stays on record, and is asked anew.
    sqlx::query!(
        "update scaffolder_approval approval set superseded = true from scaffolder_task_step step
         where approval.task_id = $1 and step.task_id = approval.task_id and step.id = approval.step_id
           and step.status = 'waiting'",
        task_id
    )
    .execute(&mut *tx)
    .await?;
    if start_over {
        sqlx::query!("delete from scaffolder_workspace where task_id = $1", task_id)
            .execute(&mut *tx)
            .await?;
    }
    let event = NewEvent {
        kind: EventKind::Recovered,
        body: json!({"message": "The task is tried again", "recoverStrategy": recover_strategy}),
        at: now,
    };
    let next = insert_events(&mut tx, task_id, task.next_event, &[event]).await?;
    sqlx::query!(
        "update scaffolder_task
         set status = 'open', output = null, error = null, finished_at = null, next_event = $2,
             has_secrets = has_secrets or $3::bytea is not null, secrets = $3
         where id = $1",
        task_id,
        next,
        secrets
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("select pg_notify('scaffolder_task', $1::text)", task_id.to_string())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(true)
}

/// The task's files as its last finished step left them: tar, compressed with zstd.
pub async fn find_workspace(db: &PgPool, task_id: Uuid) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!("select archive from scaffolder_workspace where task_id = $1", task_id)
        .fetch_optional(db)
        .await
}

/// There are files of the task.
pub async fn has_workspace(db: &PgPool, task_id: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists(select 1 from scaffolder_workspace where task_id = $1) as "there!""#,
        task_id
    )
    .fetch_one(db)
    .await
}

/// The task that is just removing what another has made.
pub async fn find_undoing(db: &PgPool, undone: Uuid) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from scaffolder_task where undoes = $1 and status in ('open', 'processing')",
        undone
    )
    .fetch_optional(db)
    .await
}

/// The newest task that has registered a location and has completed.
pub async fn find_maker(db: &PgPool, target: &str) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "select task.id from scaffolder_task_effect effect join scaffolder_task task on task.id = effect.task_id
         where effect.kind = 'location' and effect.reference = $1 and effect.removed is null
         order by effect.created_at desc limit 1",
        target
    )
    .fetch_optional(db)
    .await
}

/// Drops the workspaces of tasks that ended before a time; a retry of such a task starts from the beginning.
pub async fn purge_workspaces(db: &PgPool, before: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "delete from scaffolder_workspace workspace using scaffolder_task task
         where task.id = workspace.task_id and task.finished_at < $1",
        before
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}
