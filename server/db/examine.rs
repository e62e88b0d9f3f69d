//! Whether a database can be used, found out without changing anything.

use std::collections::BTreeSet;

use sqlx::migrate::{Migrate, MigrateError};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};

use super::{DbError, MIGRATIONS, NO_SUCH_DATABASE, address, code, queries};

/// SQLSTATE `undefined_table`.
const NO_SUCH_TABLE: &str = "42P01";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// As PostgreSQL counts: 150004 is 15.4.
    pub version: u32,
    /// Migrations of this program that the database does not have; all of them in an empty one.
    pub missing: Vec<i64>,
    /// Migrations of the database that this program does not know: it was used by a newer one.
    pub unknown: Vec<i64>,
    /// Migrations that this program has in another form.
    pub changed: Vec<i64>,
    /// The user may make tables.
    pub may_create: bool,
    /// Tables that the user may not read and write.
    pub closed_tables: Vec<String>,
}

/// Looks at the database; `None` where the server has none of this name.
///
/// # Errors
/// Where it cannot be reached or does not let the user in.
pub async fn examine(options: &PgConnectOptions) -> Result<Option<Examined>, DbError> {
    let unreachable = |reason| DbError::Unreachable {
        address: address(options),
        reason,
    };
    let mut connection = match options.clone().connect().await {
        Ok(connection) => connection,
        Err(error) if code(&error).as_deref() == Some(NO_SUCH_DATABASE) => return Ok(None),
        Err(error) => return Err(unreachable(error)),
    };
    let applied = applied(&mut connection).await?;
    let known: BTreeSet<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
    let found: BTreeSet<i64> = applied.iter().map(|(version, _)| *version).collect();
    let changed = MIGRATIONS.iter().filter(|migration| {
        applied
            .iter()
            .any(|(version, checksum)| *version == migration.version && *checksum != *migration.checksum)
    });
    let rights = queries::rights(&mut connection).await.map_err(unreachable)?;
    let examined = Examined {
        version: connection.server_version_num().unwrap_or_default(),
        missing: known.difference(&found).copied().collect(),
        unknown: found.difference(&known).copied().collect(),
        changed: changed.map(|migration| migration.version).collect(),
        may_create: rights.0,
        closed_tables: rights.1,
    };
    // What was found counts, whatever becomes of the connection.
    let _ = connection.close().await;
    Ok(Some(examined))
}

/// Version and checksum of each migration that the database has.
pub(super) async fn applied(connection: &mut PgConnection) -> Result<Vec<(i64, Vec<u8>)>, DbError> {
    match connection.list_applied_migrations(&MIGRATIONS.table_name).await {
        Ok(applied) => Ok(applied
            .into_iter()
            .map(|migration| (migration.version, migration.checksum.into_owned()))
            .collect()),
        Err(MigrateError::Execute(error)) if code(&error).as_deref() == Some(NO_SUCH_TABLE) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}
