//! Who runs a task. The lease is measured by the database's clock, which all workers share.

use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

use crate::scaffolder::model::TaskSpec;

/// Notifications: the id of a task that changed, or that wants a worker.
pub const CHANNEL: &str = "scaffolder_task";

/// A task whose lease we now hold.
#[derive(Debug)]
pub struct Claimed {
    pub id: Uuid,
    /// The lease: no earlier or later claim has this value.
    pub owner: Uuid,
    pub spec: TaskSpec,
    pub created_by: String,
    pub created_at: chrono::DateTime<chrono::Utc>,
    /// The task whose results this one removes.
    pub undoes: Option<Uuid>,
    pub has_secrets: bool,
    pub secrets: Option<Vec<u8>>,
    pub workspace: Option<Vec<u8>>,
}

/// Takes the lease of a task that waits, whose time to go on has come, or whose worker has fallen silent, and that is
/// not in `running` (what this process runs itself: its own heartbeat may be late, but it is alive). Of several it is the
/// oldest of whoever has the fewest tasks running, so that nobody waits behind all that somebody else has queued.
///
/// That a lease was taken or prolonged need not survive the database's machine: then nobody has it.
pub async fn claim(db: &PgPool, owner: Uuid, seconds: f64, running: &[Uuid]) -> Result<Option<Claimed>, sqlx::Error> {
    let row = sqlx::query!(
        r#"with busy as (
             select created_by, count(*) as running from scaffolder_task
             where status = 'processing' and lease_until >= clock_timestamp() group by created_by
           ), due as (
             select task.id from scaffolder_task task left join busy using (created_by)
             where (task.status = 'open'
                    or (task.status = 'processing' and coalesce(task.lease_until, task.wake_at) < clock_timestamp()))
               and not task.id = any($3)
             order by coalesce(busy.running, 0), task.created_at for update of task skip locked limit 1
           ), claimed as (
             update scaffolder_task task
             set status = 'processing', lease_owner = $1, lease_until = clock_timestamp() + make_interval(secs => $2),
                 wake_at = null, last_heartbeat_at = clock_timestamp(), started_at = coalesce(started_at, clock_timestamp())
             from due where task.id = due.id
             returning task.*
           )
           select claimed.id as "id!", claimed.spec as "spec!: Json<TaskSpec>", claimed.created_by as "created_by!",
                  claimed.created_at as "created_at!", claimed.undoes,
                  claimed.has_secrets as "has_secrets!", claimed.secrets, workspace.archive as "archive?",
                  set_config('synchronous_commit', 'off', true) as relaxed
           from claimed left join scaffolder_workspace workspace on workspace.task_id = claimed.id"#,
        owner,
        seconds,
        running
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Claimed {
        id: row.id,
        owner,
        spec: row.spec.0,
        created_by: row.created_by,
        created_at: row.created_at,
        undoes: row.undoes,
        has_secrets: row.has_secrets,
        secrets: row.secrets,
        workspace: row.archive,
    }))
}

/// Prolongs a lease; false when it is not ours any more (another worker has it, or the task was cancelled).
pub async fn beat(db: &PgPool, task_id: Uuid, owner: Uuid, seconds: f64) -> Result<bool, sqlx::Error> {
    let held = sqlx::query_scalar!(
        "update scaffolder_task
         set lease_until = clock_timestamp() + make_interval(secs => $3), last_heartbeat_at = clock_timestamp()
         where id = $1 and lease_owner = $2 and status = 'processing'
         returning set_config('synchronous_commit', 'off', true)",
        task_id,
        owner,
        seconds
    )
    .fetch_optional(db)
    .await?;
    Ok(held.is_some())
}

/// Is the lease ours?
pub async fn holds(db: &PgPool, task_id: Uuid, owner: Uuid) -> Result<bool, sqlx::Error> {
    let held = sqlx::query_scalar!(
        "select id from scaffolder_task where id = $1 and lease_owner = $2 and status = 'processing'",
        task_id,
        owner
    )
    .fetch_optional(db)
    .await?;
    Ok(held.is_some())
}

/// Gives a lease back unfinished, so that another worker goes on at once. Nobody owns it then: a heartbeat that is
/// still under way must not prolong it.
pub async fn release(db: &PgPool, task_id: Uuid, owner: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with released as (
           update scaffolder_task set lease_owner = gen_random_uuid(), lease_until = clock_timestamp()
           where id = $1 and lease_owner = $2 and status = 'processing' returning id
         )
         select pg_notify('scaffolder_task', id::text) from released",
        task_id,
        owner
    )
    .execute(db)
    .await?;
    Ok(())
}
