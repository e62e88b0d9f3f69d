//! Subjects of commits, remembered: a commit never changes, so each is asked for once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::clock::Clock;
use crate::scm::{Commit, Forges, Repository};

/// A page does not wait longer for a forge.
const PATIENCE: Duration = Duration::from_millis(800);
/// After a failure the commit is not asked for again for so long, so that a slow forge slows one page only.
const PAUSE: chrono::Duration = chrono::Duration::seconds(30);
/// Commits remembered; all are forgotten when there are more.
const ROOM: usize = 2000;

#[derive(Clone)]
pub struct Commits {
    forges: Forges,
    clock: Clock,
    known: Arc<Mutex<HashMap<(Repository, String), Known>>>,
}

#[derive(Clone)]
enum Known {
    Commit(Arc<Commit>),
    FailedAt(DateTime<Utc>),
}

impl Commits {
    pub fn new(forges: Forges, clock: Clock) -> Self {
        Self {
            forges,
            clock,
            known: Arc::default(),
        }
    }

    /// The commit, or `None` where the forge does not tell in time.
    pub async fn find(&self, repository: &Repository, id: &str) -> Option<Arc<Commit>> {
        let key = (repository.clone(), id.to_owned());
        let now = self.clock.now();
        let known = self.lock().get(&key).cloned();
        match known {
            Some(Known::Commit(commit)) => return Some(commit),
            Some(Known::FailedAt(at)) if now - at < PAUSE => return None,
            _ => {}
        }
        let forge = self.forges.forge_of(repository).ok()?;
        let found = match tokio::time::timeout(PATIENCE, forge.commit(repository, id)).await {
            Ok(Ok(commit)) => Some(Arc::new(commit)),
            _ => None,
        };
        let mut known = self.lock();
        if known.len() >= ROOM {
            known.clear();
        }
        known.insert(key, found.clone().map_or(Known::FailedAt(now), Known::Commit));
        found
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Repository, String), Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
