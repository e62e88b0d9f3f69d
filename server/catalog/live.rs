//! Tells open pages of changed entities, in all replicas: Postgres carries the news.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgConnection;
use tokio::sync::broadcast;
use uuid::Uuid;

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
    /// What a notification carries; what cannot be read may mean anything.
    pub fn read(payload: &str) -> Self {
        serde_json::from_str(payload).map_or_else(|_| Self::anything(), |refs| Self(Arc::new(refs)))
    }

    /// Nobody knows what changed.
    pub fn anything() -> Self {
        Self(Arc::new(vec!["*".to_owned()]))
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

/// How much news is kept for pages that were made a moment ago and subscribe now.
const KEPT: usize = 256;

/// Where pages subscribe.
pub struct News {
    sender: broadcast::Sender<Changed>,
    /// Distinguishes this process from those before it and beside it: positions are its own.
    epoch: Uuid,
    past: Mutex<Past>,
}

#[derive(Default)]
struct Past {
    /// How much was published.
    count: u64,
    /// The newest of it.
    kept: VecDeque<Changed>,
}

impl News {
    /// `epoch` is another one in each process.
    pub fn new(epoch: Uuid) -> Self {
        Self {
            sender: broadcast::Sender::new(KEPT),
            epoch,
            past: Mutex::default(),
        }
    }

    pub fn publish(&self, changed: Changed) {
        let mut past = self.past();
        past.count += 1;
        if past.kept.len() == KEPT {
            past.kept.pop_front();
        }
        past.kept.push_back(changed.clone());
        // Without a reader there is nobody to tell.
        let _ = self.sender.send(changed);
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Changed> {
        self.sender.subscribe()
    }

    /// Where the news is now, for [`Self::subscribe_since`]. Who makes a page asks before it reads what it shows.
    pub fn position(&self) -> String {
        format!("{}.{}", self.epoch, self.past().count)
    }

    /// What was published since a position, and a subscription to what follows. Where the position is another
    /// process's or too old, anything may have changed.
    pub fn subscribe_since(&self, position: &str) -> (Vec<Changed>, broadcast::Receiver<Changed>) {
        // Under the lock nothing is published, so nothing falls in between.
        let past = self.past();
        let receiver = self.sender.subscribe();
        let missed = position
            .split_once('.')
            .filter(|(epoch, _)| *epoch == self.epoch.to_string())
            .and_then(|(_, count)| past.count.checked_sub(count.parse().ok()?))
            .and_then(|missed| past.kept.len().checked_sub(usize::try_from(missed).ok()?));
        let missed = match missed {
            Some(known) => past.kept.range(known..).cloned().collect(),
            None => vec![Changed::anything()],
        };
        (missed, receiver)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(missed: &[Changed]) -> Vec<&str> {
        missed
            .iter()
            .flat_map(|changed| changed.refs())
            .map(String::as_str)
            .collect()
    }

    #[test]
    fn what_happens_between_a_page_and_its_subscription_is_told() {
        let news = News::new(Uuid::from_u128(1));
        news.publish(Changed::read(r#"["a"]"#));
        let position = news.position();
        assert!(news.subscribe_since(&position).0.is_empty());
        news.publish(Changed::read(r#"["b"]"#));
        news.publish(Changed::read(r#"["c"]"#));
        assert_eq!(refs(&news.subscribe_since(&position).0), ["b", "c"]);

        let (_, mut following) = news.subscribe_since(&position);
        news.publish(Changed::read(r#"["d"]"#));
        assert!(following.try_recv().is_ok_and(|changed| changed.concerns("d")));

        for _ in 0..KEPT {
            news.publish(Changed::read(r#"["e"]"#));
        }
        assert_eq!(refs(&news.subscribe_since(&position).0), ["*"], "too old");
        let other = News::new(Uuid::from_u128(2)).position();
        for strange in [other.as_str(), "", "x.1", "00000000-0000-0000-0000-000000000001.999999"] {
            assert_eq!(refs(&news.subscribe_since(strange).0), ["*"], "{strange}");
        }
    }
}
