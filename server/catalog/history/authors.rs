//! Whose commits changed a file, asked of the forge when somebody looks, and remembered: commits do not change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::read::Sources;
use super::ReadAt;
use crate::clock::Clock;
use crate::scm::{Commit, ScmError, Source};

/// A page does not wait longer for a forge; the answer is there when it is looked at again.
const PATIENCE: Duration = Duration::from_millis(1500);
/// After a failure a file is not asked for again for so long.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// Files at commits that are remembered; all are forgotten when there are more.
const ROOM: usize = 2_000;
/// Commits of one change that are named.
const MOST: usize = 10;

/// A file at a commit.
type Key = (crate::scm::Repository, String, String);

#[derive(Clone)]
enum Known {
    Commits(Arc<Vec<Commit>>),
    FailedAt(DateTime<Utc>),
}

/// Whose change it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Commits that touched the file since it had been read before, newest first; none where no commit did.
    Commits(Vec<Commit>),
    /// The forge does not tell now.
    Unknown,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Authors {
    clock: Clock,
    known: Arc<Mutex<HashMap<Key, Known>>>,
}

impl Authors {
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Arc::default(),
        }
    }

    /// Whose commits brought the file from one read to the next.
    pub async fn of(&self, sources: &Arc<dyn Sources>, read: &ReadAt) -> By {
        let key = |commit: &String| (read.repository.clone(), read.path.clone(), commit.clone());
        let now = self.commits(sources, key(&read.commit));
        let earlier = async {
            match &read.earlier {
                Some(earlier) => self.commits(sources, key(earlier)).await.map(Some),
                None => Some(None),
            }
        };
        let (Some(now), Some(earlier)) = tokio::join!(now, earlier) else {
            return By::Unknown;
        };
        let last = earlier
            .as_ref()
            .and_then(|commits| commits.first())
            .map(|commit| &commit.id);
        let mut news: Vec<Commit> = now
            .iter()
            .take_while(|commit| Some(&commit.id) != last)
            .cloned()
            .collect();
        // Of a file that was not known, only the last commit is its change.
        news.truncate(if earlier.is_some() { MOST } else { 1 });
        By::Commits(news)
    }

    async fn commits(&self, sources: &Arc<dyn Sources>, key: Key) -> Option<Arc<Vec<Commit>>> {
        let now = self.clock.now();
        match self.lock().get(&key).cloned() {
            Some(Known::Commits(commits)) => return Some(commits),
            Some(Known::FailedAt(at)) if now - at < PAUSE => return None,
            _ => {}
        }
        let forge = sources.forge_of(&key.0).ok()?;
        let (authors, asked) = (self.clone(), key);
        // A task of its own: what comes too late for this page is there for the next.
        let asking = tokio::spawn(async move {
            let source = Source {
                repository: asked.0.clone(),
                reference: Some(asked.2.clone()),
                path: asked.1.clone(),
            };
            let found = match forge.list_commits(&source, MOST).await {
                Ok(commits) => Some(Arc::new(commits)),
                // The repository is gone, or its history was written anew: nobody will tell any more.
                Err(ScmError::NotFound { .. }) => Some(Arc::default()),
                Err(error) => {
                    tracing::debug!(%error, "who changed a file is not told");
                    None
                }
            };
            let mut known = authors.lock();
            if known.len() >= ROOM {
                known.clear();
            }
            known.insert(asked, found.clone().map_or(Known::FailedAt(now), Known::Commits));
            found
        });
        tokio::time::timeout(PATIENCE, asking).await.ok()?.ok()?
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
