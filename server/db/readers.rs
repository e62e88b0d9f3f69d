//! Connections that only read, one statement at a time: they are never in a transaction, so nothing has to be asked of
//! them when they change hands. A pool's connections are tested when they are given back and rolled back besides, which
//! costs more than finding an entity.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt, TryStreamExt};
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{ConnectOptions, Connection, Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{ACQUIRE_TIME, TRUSTED};

/// Connections of one process.
const CONNECTIONS: usize = 8;
/// One that was opened longer ago is closed, so that the server's memory for it goes.
const LIFE: Duration = Duration::from_secs(1800);
/// One that was not used for longer is closed.
const IDLE: Duration = Duration::from_secs(600);

/// Cheap to clone.
#[derive(Clone)]
pub struct Readers(Arc<Inner>);

struct Inner {
    options: Arc<PgConnectOptions>,
    permits: Arc<Semaphore>,
    /// The last used is last.
    idle: Mutex<Vec<Kept>>,
}

struct Kept {
    connection: PgConnection,
    opened: Instant,
    used: Instant,
}

impl Readers {
    /// Reads the database of a pool. No connection is opened yet.
    pub fn new(pool: &PgPool) -> Self {
        Self(Arc::new(Inner {
            options: pool.connect_options(),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            idle: Mutex::default(),
        }))
    }

    /// A connection, waiting for one as long as a pool does. Give it back with [`Reader::keep`] when the statement is
    /// through; one that is dropped otherwise (an error, a caller that went away) is closed, because nobody knows what
    /// the server still sends over it.
    pub async fn reader(&self) -> Result<Reader, sqlx::Error> {
        let permit = tokio::time::timeout(ACQUIRE_TIME, self.0.permits.clone().acquire_owned())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let now = Instant::now();
        while let Some(mut kept) = self.idle(now) {
            if now - kept.used <= TRUSTED || kept.connection.ping().await.is_ok() {
                return Ok(self.lend(kept, permit));
            }
        }
        let connection = self.0.options.connect().await?;
        Ok(self.lend(
            Kept {
                connection,
                opened: now,
                used: now,
            },
            permit,
        ))
    }

    /// The last used connection that is not over; those that are over are closed.
    fn idle(&self, now: Instant) -> Option<Kept> {
        let mut idle = self.kept();
        idle.retain(|kept| now - kept.opened < LIFE && now - kept.used < IDLE);
        idle.pop()
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lend(&self, kept: Kept, permit: OwnedSemaphorePermit) -> Reader {
        Reader {
            kept,
            readers: self.clone(),
            _permit: permit,
        }
    }
}

impl fmt::Debug for Readers {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Readers")
    }
}

/// A statement on a connection of its own; its rows are all read before the first is seen.
impl<'c> Executor<'c> for &'c Readers {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Step, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let steps = async move {
            let mut reader = self.reader().await?;
            let steps: Vec<Step> = reader.fetch_many(query).try_collect().await?;
            reader.keep();
            Ok(stream::iter(steps.into_iter().map(Ok)))
        };
        steps.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, sqlx::Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let row = async move {
            let mut reader = self.reader().await?;
            let row = reader.fetch_optional(query).await?;
            reader.keep();
            Ok(row)
        };
        row.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, sqlx::Error>>
    where
        'c: 'e,
    {
        let prepared = async move {
            let mut reader = self.reader().await?;
            let prepared = reader.prepare_with(sql, parameters).await?;
            reader.keep();
            Ok(prepared)
        };
        prepared.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, sqlx::Error>>
    where
        'c: 'e,
    {
        let described = async move {
            let mut reader = self.reader().await?;
            let described = reader.describe(sql).await?;
            reader.keep();
            Ok(described)
        };
        described.boxed()
    }
}

/// How a statement got on, or a row.
type Step = Either<PgQueryResult, PgRow>;

/// A connection for one reader.
pub struct Reader {
    kept: Kept,
    readers: Readers,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// Gives it back to be used again.
    pub fn keep(self) {
        let Self { mut kept, readers, .. } = self;
        kept.used = Instant::now();
        readers.kept().push(kept);
    }
}

impl Deref for Reader {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.kept.connection
    }
}

impl DerefMut for Reader {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.kept.connection
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn backend(reader: &mut Reader) -> Result<i32, sqlx::Error> {
        sqlx::query_scalar("select pg_backend_pid()")
            .fetch_one(&mut **reader)
            .await
    }

    #[sqlx::test]
    async fn what_is_kept_is_used_again_and_what_failed_is_not(db: PgPool) {
        let readers = Readers::new(&db);
        let mut reader = readers.reader().await.unwrap();
        let first = backend(&mut reader).await.unwrap();
        reader.keep();
        let mut reader = readers.reader().await.unwrap();
        assert_eq!(backend(&mut reader).await.unwrap(), first);
        drop(reader);
        let mut reader = readers.reader().await.unwrap();
        assert_ne!(backend(&mut reader).await.unwrap(), first);
    }

    #[sqlx::test]
    async fn a_connection_that_the_server_has_closed_is_replaced(db: PgPool) {
        let readers = Readers::new(&db);
        let mut reader = readers.reader().await.unwrap();
        let first = backend(&mut reader).await.unwrap();
        reader.keep();
        let ended: bool = sqlx::query_scalar("select pg_terminate_backend($1, 5000)")
            .bind(first)
            .fetch_one(&db)
            .await
            .unwrap();
        assert!(ended);
        // As if nobody had asked for a while.
        readers.kept()[0].used -= TRUSTED * 2;
        let mut reader = readers.reader().await.unwrap();
        assert_ne!(backend(&mut reader).await.unwrap(), first);
    }
}
