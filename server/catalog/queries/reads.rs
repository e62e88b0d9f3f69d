//! Reading for the API: connections, and what was worked out for the catalog as it is now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::{PgConnection, PgPool};

use crate::db::{Reader, Readers};

/// Bytes of answers that are remembered, about.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Cheap to clone.
#[derive(Clone)]
pub struct Reads(Arc<Inner>);

struct Inner {
    readers: Readers,
    remembered: Mutex<Remembered>,
}

/// Answers that take longer the more entities match. They hold for one version of the catalog, and the version is asked
/// for each time: what another replica changed is never missed.
#[derive(Default)]
struct Remembered {
    version: i64,
    answers: HashMap<String, Answer>,
    bytes: usize,
}

/// What a question was answered.
#[derive(Debug, Clone)]
pub enum Answer {
    Total(i64),
    /// Values with their counts.
    Counts(Arc<[(String, i64)]>),
    /// Refs of a page and what they were sorted by.
    Places(Arc<[(String, Option<String>)]>),
}

impl Answer {
    fn bytes(&self) -> usize {
        match self {
            Self::Total(_) => 0,
            Self::Counts(counts) => counts.iter().map(|(value, _)| value.len() + 40).sum(),
            Self::Places(places) => {
                let bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len);
                places
                    .iter()
                    .map(|(entity_ref, value)| entity_ref.len() + bytes(value) + 60)
                    .sum()
            }
        }
    }
}

impl Reads {
    pub fn new(db: &PgPool) -> Self {
        Self(Arc::new(Inner {
            readers: Readers::new(db),
            remembered: Mutex::default(),
        }))
    }

    /// A connection for reading; see [`Readers::reader`].
    pub async fn reader(&self) -> Result<Reader, sqlx::Error> {
        self.0.readers.reader().await
    }

    /// What `question` was answered in this version of the catalog.
    pub(super) fn recall(&self, version: i64, question: &str) -> Option<Answer> {
        let remembered = self.remembered();
        match remembered.version == version {
            true => remembered.answers.get(question).cloned(),
            false => None,
        }
    }

    /// Remembers what was worked out after `version` was asked for. If the catalog has changed since, nobody asks for
    /// that version again.
    pub(super) fn remember(&self, version: i64, question: String, answer: Answer) {
        let mut remembered = self.remembered();
        let bytes = question.len() + answer.bytes() + 100;
        if version < remembered.version || bytes > MOST_BYTES {
            return;
        }
        if version > remembered.version || remembered.bytes + bytes > MOST_BYTES {
            *remembered = Remembered {
                version,
                ..Remembered::default()
            };
        }
        remembered.bytes += bytes;
        remembered.answers.insert(question, answer);
    }

    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version that the catalog is at: it grows with each change of what is stored.
pub(super) async fn version(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select version from catalog_version")
        .fetch_one(db)
        .await
}
