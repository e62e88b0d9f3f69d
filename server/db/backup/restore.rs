//! Restoring a backup.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use super::archive::{Entries, Reader};
use super::write::connect;
use super::{BackupError, END, FORMAT, MANIFEST, Manifest, Rows, Table, queries};
use crate::db::{self, DbError, MIGRATIONS, examine};

/// Rows are sent in parts of this many bytes.
const PART: usize = 256 * 1024;
/// How often, and how long apart, it is looked whether others use the database.
const LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// Puts all rows of a file into a database, in one transaction: into one without rows, or, where `replace` is set, in
/// place of all rows that there are. The database is brought to the migration of the backup, not further. Answers how
/// many rows each table has then.
///
/// # Errors
/// Where the file is not whole or of another version, where the database is in use or has rows, and where it fails.
pub async fn restore(
    options: &PgConnectOptions,
    ensure_exists: bool,
    path: &Path,
    replace: bool,
) -> Result<Rows, BackupError> {
    let mut file = Reader::open(path)?;
    let mut entries = file.entries()?;
    let manifest: Manifest = entries.json(MANIFEST)?;
    let target = check(&manifest, &entries)?;
    // Makes the database where it may.
    db::connect(options.clone(), ensure_exists).await?.close().await;

    let mut connection = connect(options).await?;
    refuse_use(&mut connection).await?;
    let mut transaction = connection.begin().await?;
    queries::take_time(&mut transaction).await?;
    refuse_newer(&mut transaction, target).await?;
    let found = queries::tables(&mut transaction).await?;
    if !replace {
        refuse_rows(&mut transaction, &found).await?;
    }
    // What is there goes first: migrations would change it for nothing.
    queries::empty(&mut transaction, &found).await?;
    MIGRATIONS
        .run_to(target, &mut *transaction)
        .await
        .map_err(DbError::from)?;
    // Migrations may bring rows of their own.
    let tables = queries::tables(&mut transaction).await?;
    queries::empty(&mut transaction, &tables).await?;

    let mut rows = Rows::new();
    for table in &manifest.tables {
        if !tables.iter().any(|known| known.name == table.name) {
            return Err(entries.broken(format!("there is no table {} in this version", table.name)));
        }
        let count = read(&mut transaction, table, &mut entries).await?;
        rows.insert(table.name.clone(), count);
    }
    let end: Rows = entries.json(END)?;
    if end != rows {
        return Err(entries.broken("tables have other numbers of rows than it says at its end".to_owned()));
    }
    for (name, last) in &manifest.sequences {
        queries::set_sequence(&mut transaction, name, *last).await?;
    }
    transaction.commit().await?;
    Ok(rows)
}

/// The migration that the backup's database was at.
fn check(manifest: &Manifest, entries: &Entries<'_>) -> Result<i64, BackupError> {
    let newer = || BackupError::Newer {
        portico: manifest.portico.clone(),
    };
    if manifest.format > FORMAT {
        return Err(newer());
    }
    for applied in &manifest.migrations {
        let known = MIGRATIONS.iter().find(|known| known.version == applied.version);
        match known {
            None => return Err(newer()),
            Some(known) if hex::encode(&known.checksum) != applied.checksum => {
                return Err(BackupError::OtherBuild {
                    version: applied.version,
                });
            }
            Some(_) => {}
        }
    }
    let last = manifest.migrations.iter().map(|applied| applied.version).max();
    last.ok_or_else(|| entries.broken("it names no migrations".to_owned()))
}

/// A connection that has just been closed is seen for a moment.
async fn refuse_use(connection: &mut PgConnection) -> Result<(), BackupError> {
    for _ in 0..LOOKS {
        if !queries::in_use(connection).await? {
            return Ok(());
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Err(BackupError::InUse)
}

async fn refuse_newer(connection: &mut PgConnection, target: i64) -> Result<(), BackupError> {
    let applied = match queries::tables(connection).await?.as_slice() {
        // A question about a table that is not there would end the transaction.
        [] => Vec::new(),
        _ => examine::applied(connection).await?,
    };
    match applied.iter().map(|(version, _)| *version).max() {
        Some(version) if version > target => Err(BackupError::DatabaseNewer { version }),
        _ => Ok(()),
    }
}

async fn refuse_rows(connection: &mut PgConnection, tables: &[Table]) -> Result<(), BackupError> {
    let mut filled: Vec<&str> = Vec::new();
    for table in tables {
        if queries::has_rows(connection, &table.name).await? {
            filled.push(&table.name);
        }
    }
    match filled.as_slice() {
        [] => Ok(()),
        filled => Err(BackupError::NotEmpty {
            tables: filled.join(", "),
        }),
    }
}

async fn read(connection: &mut PgConnection, table: &Table, entries: &mut Entries<'_>) -> Result<u64, BackupError> {
    let mut entry = entries.next(&table.entry())?;
    let mut rows = queries::copy_in(connection, table).await?;
    let mut part = vec![0; PART];
    loop {
        match entry.read(&mut part) {
            Ok(0) => return Ok(rows.finish().await?),
            Ok(length) => {
                rows.send(part.get(..length).unwrap_or_default()).await?;
            }
            Err(error) => {
                // The whole transaction goes; what the server says to that is nothing new.
                let _ = rows.abort("the file cannot be read").await;
                return Err(entries.broken(error.to_string()));
            }
        }
    }
}
