use sqlx::PgPool;
use sqlx::types::Json;

use super::tasks::TaskRow;
use crate::scaffolder::model::{Task, TaskSpec, TaskStatus};

/// Which tasks to list. Empty lists mean all.
#[derive(Debug, Clone, Default)]
pub struct TaskFilter {
    pub created_by: Vec<String>,
    pub status: Vec<TaskStatus>,
    /// Only those that nobody runs just now (or only the others): they wait for a worker, for people or for other systems.
    pub waiting: Option<bool>,
    /// Ref of the template.
    pub template: Option<String>,
    /// Part of the title or of the template's ref, or the task's id.
    pub text: Option<String>,
    pub order: Order,
    pub limit: i64,
    pub offset: i64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    #[default]
    NewestFirst,
    OldestFirst,
    Status {
        descending: bool,
    },
    CreatedBy {
        descending: bool,
    },
}

/// One page of tasks, and how many there are in all.
pub async fn list_tasks(db: &PgPool, filter: &TaskFilter) -> Result<(Vec<Task>, i64), sqlx::Error> {
    let status: Vec<String> = filter.status.iter().map(|status| status.as_str().to_owned()).collect();
    let (key, descending) = match filter.order {
        Order::NewestFirst => ("created_at", true),
        Order::OldestFirst => ("created_at", false),
        Order::Status { descending } => ("status", descending),
        Order::CreatedBy { descending } => ("created_by", descending),
    };
    let text = filter.text.as_deref().map(containing);
    let rows = sqlx::query_as!(
        TaskRow,
        r#"select id, title, template_ref, spec as "spec: Json<TaskSpec>", status, created_by, created_at, started_at,
                  finished_at, last_heartbeat_at, output, error, undoes, has_secrets, wake_at is not null as "waits!"
           from scaffolder_task
           where (cardinality($1::text[]) = 0 or created_by = any($1))
             and (cardinality($2::text[]) = 0 or status = any($2))
             and ($9::bool is null or (status = 'open' or wake_at is not null) = $9)
             and ($7::text is null or template_ref = $7)
             and ($8::text is null or title ilike $8 or template_ref ilike $8 or id::text ilike $8)
           order by case when $3 = 'status' and not $4 then status when $3 = 'created_by' and not $4 then created_by end,
                    case when $3 = 'status' and $4 then status when $3 = 'created_by' and $4 then created_by end desc,
                    case when $3 = 'created_at' and not $4 then created_at end,
                    created_at desc, id desc
           limit $5 offset $6"#,
        &filter.created_by,
        &status,
        key,
        descending,
        filter.limit,
        filter.offset,
        filter.template.as_deref(),
        text.as_deref(),
        filter.waiting
    )
    .fetch_all(db)
    .await?;
    let total = sqlx::query_scalar!(
        r#"select count(*) as "count!" from scaffolder_task
           where (cardinality($1::text[]) = 0 or created_by = any($1))
             and (cardinality($2::text[]) = 0 or status = any($2))
             and ($5::bool is null or (status = 'open' or wake_at is not null) = $5)
             and ($3::text is null or template_ref = $3)
             and ($4::text is null or title ilike $4 or template_ref ilike $4 or id::text ilike $4)"#,
        &filter.created_by,
        &status,
        filter.template.as_deref(),
        text.as_deref(),
        filter.waiting
    )
    .fetch_one(db)
    .await?;
    Ok((rows.into_iter().map(Task::try_from).collect::<Result<_, _>>()?, total))
}

/// Tasks that were started last of which every word may be found: in title, template, id, state or an answer. Of
/// everybody, or one person's. Which answers may be found is for the caller to say.
pub async fn search_tasks(
    db: &PgPool,
    created_by: Option<&str>,
    words: &[String],
    limit: i64,
) -> Result<Vec<Task>, sqlx::Error> {
    let patterns: Vec<String> = words.iter().map(|word| containing(word)).collect();
    let rows = sqlx::query_as!(
        TaskRow,
        r#"select id, title, template_ref, spec as "spec: Json<TaskSpec>", status, created_by, created_at, started_at,
                  finished_at, last_heartbeat_at, output, error, undoes, has_secrets, wake_at is not null as "waits!"
           from (
             -- Older ones are found in the list.
             select * from scaffolder_task where $1::text is null or created_by = $1
             order by created_at desc limit 5000) task
           where concat_ws(E'\n', title, template_ref, id::text, status, spec ->> 'parameters') ilike all ($2)
           order by created_at desc, id desc
           limit $3"#,
        created_by,
        &patterns,
        limit
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Task::try_from).collect()
}

/// The pattern of texts with `text` somewhere in them.
fn containing(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Templates and people that there are tasks of, for those who look through all (`created_by` is `None`) or their own.
pub async fn list_choices(db: &PgPool, created_by: Option<&str>) -> Result<(Vec<String>, Vec<String>), sqlx::Error> {
    let row = sqlx::query!(
        r#"select coalesce(array_agg(distinct template_ref), '{}') as "templates!",
                  coalesce(array_agg(distinct created_by), '{}') as "people!"
           from scaffolder_task where $1::text is null or created_by = $1"#,
        created_by
    )
    .fetch_one(db)
    .await?;
    Ok((row.templates, row.people))
}

/// How many tasks of a person have not ended.
pub async fn count_running(db: &PgPool, created_by: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from scaffolder_task where created_by = $1 and status in ('open', 'processing')"#,
        created_by
    )
    .fetch_one(db)
    .await
}
