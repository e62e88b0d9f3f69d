use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::foreign;
use crate::scaffolder::model::{Effect, EffectKind, Event, EventKind, Removed};

/// Events after number `after`, oldest first, at most `limit`.
pub async fn list_events(db: &PgPool, task_id: Uuid, after: i64, limit: i64) -> Result<Vec<Event>, sqlx::Error> {
    let rows = sqlx::query!(
        "select id, type as kind, body, created_at from scaffolder_task_event
         where task_id = $1 and id > $2 order by id limit $3",
        task_id,
        after,
        limit
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Event {
                task_id,
                id: row.id,
                kind: foreign(EventKind::from_word(&row.kind), "event type", &row.kind)?,
                body: row.body,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// The event that tells how the task ended.
pub async fn find_completion(db: &PgPool, task_id: Uuid) -> Result<Option<Event>, sqlx::Error> {
    let row = sqlx::query!(
        "select id, body, created_at from scaffolder_task_event
         where task_id = $1 and type = 'completion' order by id desc limit 1",
        task_id
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Event {
        task_id,
        id: row.id,
        kind: EventKind::Completion,
        body: row.body,
        created_at: row.created_at,
    }))
}

/// What the task has made elsewhere, in the order in which it was made.
pub async fn list_effects(db: &PgPool, task_id: Uuid) -> Result<Vec<Effect>, sqlx::Error> {
    let rows = sqlx::query!(
        "select step_id, kind, reference, url, created_at, removed from scaffolder_task_effect
         where task_id = $1 order by created_at, kind",
        task_id
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Effect {
                kind: foreign(EffectKind::from_word(&row.kind), "effect", &row.kind)?,
                step_id: row.step_id,
                reference: row.reference,
                url: row.url,
                created_at: row.created_at,
                removed: row
                    .removed
                    .map(|word| foreign(Removed::from_word(&word), "fate of an effect", &word))
                    .transpose()?,
            })
        })
        .collect()
}

/// What a step has recorded under a key before.
pub async fn find_intent(db: &PgPool, task_id: Uuid, step_id: &str, key: &str) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar!(
        "select data from scaffolder_task_intent where task_id = $1 and step_id = $2 and key = $3",
        task_id,
        step_id,
        key
    )
    .fetch_optional(db)
    .await
}
