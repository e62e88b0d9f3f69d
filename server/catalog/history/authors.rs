//! Whose commits changed a file.

use std::sync::Arc;
use std::time::Duration;

use super::super::read::Sources;
use super::super::remembered::Remembered;
use super::ReadAt;
use crate::clock::Clock;
use crate::scm::{Commit, Repository, Source};

/// A page does not wait longer for a forge.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Commits of one change that are named.
const MOST: usize = 10;

/// A file at a commit.
type Key = (Repository, String, String);

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
pub struct Authors(Remembered<Key, Vec<Commit>>);

impl Authors {
    pub fn new(clock: Clock) -> Self {
        Self(Remembered::new(clock))
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
        let forge = sources.forge_of(&key.0).ok()?;
        let source = Source {
            repository: key.0.clone(),
            reference: Some(key.2.clone()),
            path: key.1.clone(),
        };
        let asking = async move { forge.list_commits(&source, MOST).await };
        self.0.get(key, PATIENCE, asking).await
    }
}
