//! What forges answer of a commit, asked for when somebody looks, and remembered: commits do not change.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::scm::ScmError;

/// After a failure the same is not asked for again for so long.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// Answers that are remembered; all are forgotten when there are more.
const ROOM: usize = 2_000;

enum Known<T> {
    Answer(Arc<T>),
    FailedAt(DateTime<Utc>),
}

/// Answers by what was asked for. Cheap to clone.
pub struct Remembered<K, T> {
    clock: Clock,
    known: Arc<Mutex<HashMap<K, Known<T>>>>,
}

impl<K, T> Clone for Remembered<K, T> {
    fn clone(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            known: self.known.clone(),
        }
    }
}

impl<K, T> Remembered<K, T>
where
    K: Clone + Eq + Hash + Send + 'static,
    T: Default + Send + Sync + 'static,
{
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Arc::default(),
        }
    }

    /// The answer to `asking`, which is not run where it is known. `None`: the forge failed, or has not answered within
    /// `patience`; an answer that comes later is there the next time. What is not there is the default.
    pub async fn get<F>(&self, key: K, patience: Duration, asking: F) -> Option<Arc<T>>
    where
        F: Future<Output = Result<T, ScmError>> + Send + 'static,
    {
        let now = self.clock.now();
        match self.lock().get(&key) {
            Some(Known::Answer(answer)) => return Some(answer.clone()),
            Some(Known::FailedAt(at)) if now - *at < PAUSE => return None,
            _ => {}
        }
        let remembered = self.clone();
        // A task of its own, which goes on after the page was answered.
        let asked = tokio::spawn(async move {
            let answer = match asking.await {
                Ok(answer) => Some(Arc::new(answer)),
                // The repository is gone, or its history was written anew: nobody will tell any more.
                Err(ScmError::NotFound { .. }) => Some(Arc::default()),
                Err(error) => {
                    tracing::debug!(%error, "a forge does not tell of a commit");
                    None
                }
            };
            let mut known = remembered.lock();
            if known.len() >= ROOM {
                known.clear();
            }
            known.insert(key, answer.clone().map_or(Known::FailedAt(now), Known::Answer));
            answer
        });
        tokio::time::timeout(patience, asked).await.ok()?.ok()?
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Known<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
