//! Reading for the API: connections, entities by their names, and answers to questions that are asked again and again.

use std::any::{Any, type_name};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use sqlx::{PgConnection, PgPool};
use tokio::sync::OnceCell;

use super::entities::list_documents;
use crate::db::{Reader, Readers, Rounds};

/// Bytes of answers that are remembered, about.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of what pages are made of, about.
const MOST_KNOWN: usize = 12 * 1024 * 1024;

/// Cheap to clone.
#[derive(Clone)]
pub struct Reads(Arc<Inner>);

struct Inner {
    readers: Readers,
    versions: Rounds<(), i64>,
    documents: Rounds<String, Arc<HashMap<String, Bytes>>>,
    answers: Remembered<Bytes>,
    totals: Remembered<i64>,
    known: Remembered<Known>,
}

/// Something of any type, and how many bytes it takes, about.
#[derive(Clone)]
struct Known {
    value: Arc<dyn Any + Send + Sync>,
    bytes: usize,
}

impl Reads {
    pub fn new(db: &PgPool) -> Self {
        let readers = Readers::new(db);
        let versions = Rounds::new({
            let readers = readers.clone();
            move |_| {
                let readers = readers.clone();
                async move {
                    let mut reader = readers.reader().await?;
                    let version = version(&mut reader).await?;
                    reader.keep();
                    Ok(version)
                }
            }
        });
        let documents = Rounds::new({
            let readers = readers.clone();
            move |refs: Vec<String>| {
                let readers = readers.clone();
                async move {
                    let mut reader = readers.reader().await?;
                    let rows = list_documents(&mut *reader, &refs).await?;
                    reader.keep();
                    let by_ref = rows.into_iter().map(|row| (row.entity_ref, row.document.into()));
                    Ok(Arc::new(by_ref.collect()))
                }
            }
        });
        Self(Arc::new(Inner {
            readers,
            versions,
            documents,
            answers: Remembered::new(MOST_BYTES, Bytes::len),
            totals: Remembered::new(MOST_BYTES, |_| 0),
            known: Remembered::new(MOST_KNOWN, |known| known.bytes),
        }))
    }

    /// A connection for reading; see [`Readers::reader`].
    pub async fn reader(&self) -> Result<Reader, sqlx::Error> {
        self.0.readers.reader().await
    }

    /// To run statements that only read.
    pub fn readers(&self) -> &Readers {
        &self.0.readers
    }

    /// The document of one entity.
    pub async fn document(&self, entity_ref: String) -> Result<Option<Bytes>, Arc<sqlx::Error>> {
        let found = self.0.documents.ask(entity_ref.clone()).await?;
        Ok(found.get(&entity_ref).cloned())
    }

    /// What `question` is answered in the catalog as it is now: remembered, or worked out by `work`, which reads nothing
    /// but entities and their relations. The question says everything that the answer depends on.
    pub async fn answer<E: From<Arc<sqlx::Error>>>(
        &self,
        question: String,
        work: impl Future<Output = Result<Bytes, E>>,
    ) -> Result<Bytes, E> {
        let version = self.0.versions.ask(()).await?;
        self.0.answers.get_or_work(version, question, work).await
    }

    /// As [`Self::answer`], something that is used and not sent: `bytes` says how many it takes, about.
    pub async fn known<T, E>(
        &self,
        question: &str,
        bytes: impl Fn(&T) -> usize,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<Arc<T>, E>
    where
        T: Any + Send + Sync,
        E: From<Arc<sqlx::Error>>,
    {
        let version = self.0.versions.ask(()).await?;
        let work = async {
            let value = work.await?;
            Ok::<_, E>(Known {
                bytes: bytes(&value),
                value: Arc::new(value),
            })
        };
        let question = format!("{} {question}", type_name::<T>());
        let known = self.0.known.get_or_work(version, question, work).await?;
        let other = |_| Arc::new(sqlx::Error::Decode("a question has answers of two types".into()));
        Ok(known.value.downcast::<T>().map_err(other)?)
    }

    /// As [`Self::answer`], a number, for the version that the caller asked for.
    pub(super) async fn total(
        &self,
        version: i64,
        question: String,
        work: impl Future<Output = Result<i64, sqlx::Error>>,
    ) -> Result<i64, sqlx::Error> {
        self.0.totals.get_or_work(version, question, work).await
    }
}

/// The version that the catalog is at: it grows with each change of what is stored.
pub(super) async fn version(db: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!("select version from catalog_version")
        .fetch_one(db)
        .await
}

/// What was worked out for one version of the catalog. The version is asked for each time, of all replicas' changes:
/// what is remembered is never older than the catalog.
struct Remembered<T> {
    /// Bytes that are kept, about.
    most: usize,
    size: fn(&T) -> usize,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    version: i64,
    /// Asked for since `old` was young.
    young: HashMap<String, Arc<OnceCell<T>>>,
    /// Forgotten unless it is asked for before the young grow old.
    old: HashMap<String, Arc<OnceCell<T>>>,
    /// Of the young.
    bytes: usize,
}

impl<T> Kept<T> {
    fn of(version: i64) -> Self {
        Self {
            version,
            young: HashMap::new(),
            old: HashMap::new(),
            bytes: 0,
        }
    }
}

impl<T: Clone> Remembered<T> {
    fn new(most: usize, size: fn(&T) -> usize) -> Self {
        Self {
            most,
            size,
            kept: Mutex::new(Kept::of(0)),
        }
    }

    /// What is remembered for this version, or what `work` makes. Of those who ask the same at the same time one works.
    async fn get_or_work<E>(
        &self,
        version: i64,
        question: String,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let cell = self.cell(version, &question);
        if let Some(known) = cell.get() {
            return Ok(known.clone());
        }
        let mut bytes = None;
        let answer = cell
            .get_or_try_init(async || {
                let answer = work.await?;
                bytes = Some((self.size)(&answer));
                Ok(answer)
            })
            .await?;
        if let Some(bytes) = bytes {
            self.weigh(version, &question, bytes);
        }
        Ok(answer.clone())
    }

    fn cell(&self, version: i64, question: &str) -> Arc<OnceCell<T>> {
        let mut kept = self.kept();
        // Lower, too: a database can be put back to an earlier state.
        if kept.version != version {
            *kept = Kept::of(version);
        }
        if let Some(cell) = kept.young.get(question) {
            return cell.clone();
        }
        let cell = kept.old.remove(question).unwrap_or_default();
        let bytes = cell.get().map_or(0, self.size);
        kept.young.insert(question.to_owned(), cell.clone());
        kept.grow(question.len() + 100 + bytes, self.most);
        cell
    }

    /// Counts what was worked out. What alone would fill the memory is not kept.
    fn weigh(&self, version: i64, question: &str, bytes: usize) {
        let mut kept = self.kept();
        if kept.version != version {
            return;
        }
        match bytes > self.most / 4 {
            true => drop(kept.young.remove(question)),
            false => kept.grow(bytes, self.most),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn grow(&mut self, bytes: usize, most: usize) {
        self.bytes += bytes;
        if self.bytes > most / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(remembered: &Remembered<Bytes>, version: i64, question: &str, answer: &str) -> Bytes {
        let answer = Bytes::from(answer.to_owned());
        let worked = remembered.get_or_work(version, question.to_owned(), async { Ok::<_, ()>(answer) });
        worked.await.unwrap()
    }

    #[tokio::test]
    async fn what_is_asked_again_is_kept_and_the_rest_goes() {
        let remembered = Remembered::new(MOST_BYTES, Bytes::len);
        assert_eq!(ask(&remembered, 1, "often", "first").await, "first");
        let large = "x".repeat(100_000);
        for n in 0..200 {
            ask(&remembered, 1, &format!("once {n}"), &large).await;
            assert_eq!(ask(&remembered, 1, "often", "second").await, "first");
        }
        assert_eq!(ask(&remembered, 1, "once 0", "again").await, "again");
        let bytes: usize = {
            let kept = remembered.kept();
            let all = kept.young.values().chain(kept.old.values());
            all.filter_map(|cell| cell.get()).map(Bytes::len).sum()
        };
        assert!(bytes <= MOST_BYTES, "{bytes}");
        // Another version knows nothing, an earlier one neither.
        assert_eq!(ask(&remembered, 2, "often", "third").await, "third");
        assert_eq!(ask(&remembered, 1, "often", "fourth").await, "fourth");
    }

    #[tokio::test]
    async fn what_is_too_large_or_failed_is_not_kept() {
        let remembered = Remembered::new(MOST_BYTES, Bytes::len);
        let large = "x".repeat(MOST_BYTES);
        assert_eq!(ask(&remembered, 1, "large", &large).await.len(), MOST_BYTES);
        assert_eq!(ask(&remembered, 1, "large", "small").await, "small");
        let failed = remembered.get_or_work(1, "failed".to_owned(), async { Err("no") });
        assert_eq!(failed.await, Err("no"));
        assert_eq!(ask(&remembered, 1, "failed", "yes").await, "yes");
    }
}
