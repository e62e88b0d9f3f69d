//! Writing a backup.

use std::collections::BTreeSet;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::archive::{Writer, failed};
use super::{Applied, BackupError, END, FORMAT, MANIFEST, Manifest, Rows, Table, queries};
use crate::clock::Clock;
use crate::db::{DbError, address, examine};

/// Writes all rows, as one transaction sees them, to a file; the portal may go on meanwhile. Answers how many rows each
/// table had.
///
/// # Errors
/// Where the database or the file fails, and where there is nothing to write. There is no file then.
pub async fn backup(options: &PgConnectOptions, path: &Path, clock: &Clock) -> Result<Rows, BackupError> {
    let mut connection = connect(options).await?;
    let mut transaction = connection.begin().await?;
    queries::freeze(&mut transaction).await?;
    queries::take_time(&mut transaction).await?;
    let manifest = manifest(&mut transaction, clock).await?;
    let mut file = Writer::create(path)?;
    file.json(MANIFEST, &manifest)?;
    let mut rows = Rows::new();
    for table in &manifest.tables {
        let count = write(&mut transaction, table, &mut file, path).await?;
        rows.insert(table.name.clone(), count);
    }
    file.json(END, &rows)?;
    file.finish()?;
    transaction.rollback().await?;
    Ok(rows)
}

pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, DbError> {
    options.clone().connect().await.map_err(|reason| DbError::Unreachable {
        address: address(options),
        reason,
    })
}

async fn manifest(connection: &mut PgConnection, clock: &Clock) -> Result<Manifest, BackupError> {
    let tables = queries::tables(connection).await?;
    if tables.is_empty() {
        return Err(BackupError::NothingThere);
    }
    let references = queries::references(connection).await?;
    let migrations = examine::applied(connection).await?.into_iter();
    Ok(Manifest {
        format: FORMAT,
        portico: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: clock.now(),
        migrations: migrations
            .map(|(version, checksum)| Applied {
                version,
                checksum: hex::encode(checksum),
            })
            .collect(),
        tables: in_order(tables, &references),
        // Read after the state was frozen: never behind the rows.
        sequences: queries::sequences(connection).await?.into_iter().collect(),
    })
}

/// Every table behind those that it refers to; where they refer to each other, by name.
pub(super) fn in_order(mut tables: Vec<Table>, references: &[(String, String)]) -> Vec<Table> {
    let mut placed: BTreeSet<String> = BTreeSet::new();
    let mut ordered = Vec::with_capacity(tables.len());
    while !tables.is_empty() {
        let free = tables.iter().position(|table| {
            references
                .iter()
                .filter(|(from, _)| *from == table.name)
                .all(|(_, to)| placed.contains(to))
        });
        let table = tables.remove(free.unwrap_or(0));
        placed.insert(table.name.clone());
        ordered.push(table);
    }
    ordered
}

/// The size stands before the rows, so they go to a file of their own first.
async fn write(
    connection: &mut PgConnection,
    table: &Table,
    file: &mut Writer,
    path: &Path,
) -> Result<u64, BackupError> {
    let failed = failed(path);
    let mut kept = BufWriter::new(tempfile::tempfile().map_err(&failed)?);
    let mut rows = queries::copy_out(connection, table).await?;
    let mut count = 0;
    while let Some(part) = rows.try_next().await? {
        // Line breaks inside of values are written as \n: each one here ends a row.
        count += part.iter().filter(|byte| **byte == b'\n').count() as u64;
        kept.write_all(&part).map_err(&failed)?;
    }
    let mut kept = kept.into_inner().map_err(|error| failed(error.into_error()))?;
    let size = kept.stream_position().map_err(&failed)?;
    kept.rewind().map_err(&failed)?;
    file.entry(&table.entry(), size, kept)?;
    Ok(count)
}
