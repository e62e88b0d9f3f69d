//! Tells open pages of changed entities, in all replicas: Postgres carries the news.

use std::sync::Arc;

use sqlx::PgConnection;
use tokio::sync::broadcast;

use super::queries;

/// Channel of changed entities: the payload is a JSON list of refs, or `["*"]` where they are too many.
pub const CHANGED: &str = "catalog_changed";
/// Channel that wakes the workers: a location is due.
pub const DUE: &str = "catalog_due";

/// Postgres takes payloads of less than 8000 bytes.
const LONGEST_PAYLOAD: usize = 7_900;

/// Refs of entities that were written or deleted, or whose relations changed.
#[derive(Debug, Clone)]
pub struct Changed(Arc<Vec<String>>);

impl Changed {
    pub fn read(payload: &str) -> Self {
        Self(Arc::new(
            serde_json::from_str(payload).unwrap_or_else(|_| vec!["*".to_owned()]),
        ))
    }

    /// The entity may have changed.
    pub fn concerns(&self, entity_ref: &str) -> bool {
        self.0.iter().any(|changed| changed == entity_ref || changed == "*")
    }

    /// The refs; `*` stands for any.
    pub fn refs(&self) -> &[String] {
        &self.0
    }
}

/// Announces changed entities when the transaction commits.
pub async fn announce(db: &mut PgConnection, mut refs: Vec<String>) -> Result<(), sqlx::Error> {
    if refs.is_empty() {
        return Ok(());
    }
    refs.sort();
    refs.dedup();
    let mut payload = serde_json::json!(refs).to_string();
    if payload.len() > LONGEST_PAYLOAD {
        payload = r#"["*"]"#.to_owned();
    }
    queries::locations::notify(db, CHANGED, &payload).await
}

/// Where pages subscribe.
#[derive(Clone)]
pub struct News(broadcast::Sender<Changed>);

impl News {
    pub fn new() -> Self {
        Self(broadcast::Sender::new(256))
    }

    pub fn publish(&self, changed: Changed) {
        // Without a reader there is nobody to tell.
        let _ = self.0.send(changed);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.0.subscribe()
    }
}

impl Default for News {
    fn default() -> Self {
        Self::new()
    }
}
