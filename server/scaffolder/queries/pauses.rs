//! Steps that stand still: what they wait for, and who is asked.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::{PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::write::insert_events;
use super::{NewEvent, Pause, foreign, text};
use crate::scaffolder::model::EventKind;

/// A question about to be asked.
#[derive(Debug, Clone)]
pub struct NewApproval {
    pub id: Uuid,
    pub step_id: String,
    pub step_key: String,
    pub approvers: Vec<String>,
    pub own: bool,
    pub message: String,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub approved: bool,
    pub by: String,
    pub at: DateTime<Utc>,
    pub comment: Option<String>,
}

/// A question, with the task that it belongs to.
#[derive(Debug, Clone)]
pub struct Approval {
    pub id: Uuid,
    pub task_id: Uuid,
    pub step_id: String,
    pub approvers: Vec<String>,
    pub own: bool,
    pub message: String,
    pub asked_at: DateTime<Utc>,
    pub decision: Option<Decision>,
    /// Who started the task.
    pub created_by: String,
    /// The task still waits for the answer.
    pub is_open: bool,
}

/// Stores that a step stands still. The caller holds the lock of the task's row, and with it everybody off who would
/// wake the task: what was decided before this is seen here, what is decided after it finds the task asleep.
pub(super) async fn store_pause(
    tx: &mut Transaction<'_, Postgres>,
    task_id: Uuid,
    pause: &Pause,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update scaffolder_task_step
         set tries = $3, waits = $4::text::json, waits_since = $5, waits_until = $6, inputs = $7::text::json
         where task_id = $1 and position = $2",
        task_id,
        pause.position,
        i32::try_from(pause.tries).unwrap_or(i32::MAX),
        text(&pause.waiting)?,
        pause.since,
        pause.until,
        text(&pause.inputs)?
    )
    .execute(&mut **tx)
    .await?;
    let mut seconds = pause.wake_after.as_secs_f64();
    if let Some(new) = &pause.approval {
        sqlx::query!(
            "insert into scaffolder_approval (id, task_id, step_id, step_key, approvers, own, message, asked_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (task_id, step_key) where not superseded do nothing",
            new.id,
            task_id,
            new.step_id,
            new.step_key,
            &new.approvers,
            new.own,
            new.message,
            pause.since
        )
        .execute(&mut **tx)
        .await?;
        if find_decision(&mut **tx, task_id, &new.step_key).await?.is_some() {
            seconds = 0.0;
        }
    }
    sqlx::query!(
        "update scaffolder_task
         set wake_at = clock_timestamp() + make_interval(secs => $2), lease_owner = null, lease_until = null
         where id = $1",
        task_id,
        seconds
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What was decided on a step's question, once it is.
pub async fn find_decision(
    db: impl sqlx::PgExecutor<'_>,
    task_id: Uuid,
    step_key: &str,
) -> Result<Option<Decision>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select decision as "decision!", decided_by as "decided_by!", decided_at as "decided_at!", comment
           from scaffolder_approval
           where task_id = $1 and step_key = $2 and not superseded and decision is not null"#,
        task_id,
        step_key
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| decision(&row.decision, row.decided_by, row.decided_at, row.comment))
        .transpose()
}

fn decision(word: &str, by: String, at: DateTime<Utc>, comment: Option<String>) -> Result<Decision, sqlx::Error> {
    let approved = match word {
        "approved" => Some(true),
        "rejected" => Some(false),
        _ => None,
    };
    Ok(Decision {
        approved: foreign(approved, "decision", word)?,
        by,
        at,
        comment,
    })
}

/// Which questions to list.
#[derive(Debug, Clone, Copy)]
pub struct ApprovalFilter<'a> {
    pub id: Option<Uuid>,
    pub task_id: Option<Uuid>,
    /// Refs of which one must be among the approvers; `None` for all.
    pub approvers: Option<&'a [String]>,
    /// Only those that are waited for.
    pub open: bool,
}

/// Questions, oldest first, at most 500.
pub async fn list_approvals(db: &PgPool, filter: ApprovalFilter<'_>) -> Result<Vec<Approval>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select approval.id, approval.task_id, approval.step_id, approval.approvers, approval.own, approval.message,
                  approval.asked_at, approval.decision, approval.decided_by, approval.decided_at, approval.comment,
                  task.created_by,
                  (decision is null and not superseded and step.waits is not null) as "is_open!"
           from scaffolder_approval approval
           join scaffolder_task task on task.id = approval.task_id
           join scaffolder_task_step step on step.task_id = approval.task_id and step.id = approval.step_id
           where ($1::uuid is null or approval.id = $1)
             and ($2::uuid is null or approval.task_id = $2)
             and ($3::text[] is null or approval.approvers && $3)
             and (not $4 or (decision is null and not superseded and step.waits is not null))
           order by approval.asked_at, approval.id limit 500"#,
        filter.id,
        filter.task_id,
        filter.approvers,
        filter.open
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Approval {
                id: row.id,
                task_id: row.task_id,
                step_id: row.step_id,
                approvers: row.approvers,
                own: row.own,
                message: row.message,
                asked_at: row.asked_at,
                decision: match (row.decision, row.decided_by, row.decided_at) {
                    (Some(word), Some(by), Some(at)) => Some(decision(&word, by, at, row.comment)?),
                    _ => None,
                },
                created_by: row.created_by,
                is_open: row.is_open,
            })
        })
        .collect()
}

/// One question.
pub async fn find_approval(db: &PgPool, id: Uuid) -> Result<Option<Approval>, sqlx::Error> {
    let filter = ApprovalFilter {
        id: Some(id),
        task_id: None,
        approvers: None,
        open: false,
    };
    Ok(list_approvals(db, filter).await?.pop())
}

/// Records what was decided, and wakes the task. False when nobody waits for the answer any more.
pub async fn decide(db: &PgPool, approval: &Approval, decision: &Decision) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    // The lock of the task's row first, as everybody who changes a task.
    let Some(task) = sqlx::query!(
        "select next_event from scaffolder_task where id = $1 and status = 'processing' for update",
        approval.task_id
    )
    .fetch_optional(&mut *tx)
    .await?
    else {
        return Ok(false);
    };
    let word = if decision.approved { "approved" } else { "rejected" };
    let done = sqlx::query!(
        "update scaffolder_approval set decision = $2, decided_by = $3, decided_at = $4, comment = $5
         where id = $1 and decision is null and not superseded",
        approval.id,
        word,
        decision.by,
        decision.at,
        decision.comment
    )
    .execute(&mut *tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let comment = decision.comment.as_deref().map(|comment| format!(": {comment}"));
    let message = format!("{} has {word} it{}", decision.by, comment.unwrap_or_default());
    let event = NewEvent {
        kind: EventKind::Log,
        body: json!({"message": message, "stepId": approval.step_id}),
        at: decision.at,
    };
    let next = insert_events(&mut tx, approval.task_id, task.next_event, &[event]).await?;
    sqlx::query!(
        "update scaffolder_task
         set next_event = $2, wake_at = case when wake_at is null then null else clock_timestamp() end
         where id = $1",
        approval.task_id,
        next
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "select pg_notify('scaffolder_task', $1::text)",
        approval.task_id.to_string()
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Wakes the tasks that wait for a pull request of a repository, `owner/name`: a merge is a push to it.
pub async fn wake_for_push(db: &PgPool, repository: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with woken as (
           update scaffolder_task task set wake_at = clock_timestamp()
           from scaffolder_task_step step
           where task.wake_at is not null and step.task_id = task.id
             and step.waits ->> 'for' = 'pull-request'
             and lower(split_part(step.waits ->> 'name', '#', 1)) = lower($1)
           returning task.id
         )
         select pg_notify('scaffolder_task', id::text) from woken",
        repository
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Wakes the tasks that wait for an Application.
pub async fn wake_waiting(db: &PgPool, application: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with woken as (
           update scaffolder_task task set wake_at = clock_timestamp()
           from scaffolder_task_step step
           where task.wake_at is not null and step.task_id = task.id
             and step.waits ->> 'for' in ('application', 'gone') and step.waits ->> 'name' = $1
           returning task.id
         )
         select pg_notify('scaffolder_task', id::text) from woken",
        application
    )
    .execute(db)
    .await?;
    Ok(())
}
