//! All rows of the portal's tables in one file, and back. The file is a tar archive, compressed with zstd:
//!
//! - `manifest.json`: what [`Manifest`] says, first;
//! - `tables/<name>.copy`: rows as PostgreSQL's `COPY … TO STDOUT` writes them (text, UTF-8), in an order in which every
//!   row stands behind those it refers to;
//! - `end.json`: how many rows each table has; a file without it is not whole.

mod archive;
mod queries;
mod restore;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::DbError;

pub use restore::restore;
pub use write::backup;

/// The form of files that is written and read.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const END: &str = "end.json";

/// What a file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the file itself.
    pub format: u32,
    /// Version of the program that wrote it.
    pub portico: String,
    pub made_at: DateTime<Utc>,
    /// Migrations that the database had, the last one last.
    pub migrations: Vec<Applied>,
    /// In the order of the file.
    pub tables: Vec<Table>,
    /// Last values of sequences that were used.
    pub sequences: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Applied {
    pub version: i64,
    /// Of its text, in hexadecimal digits.
    pub checksum: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub name: String,
    pub columns: Vec<String>,
}

impl Table {
    fn entry(&self) -> String {
        format!("tables/{}.copy", self.name)
    }
}

/// How many rows of each table were written or read.
pub type Rows = BTreeMap<String, u64>;

/// Why there is no backup, or why it was not restored; then nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("the database failed: {0}")]
    Sql(#[from] sqlx::Error),
    #[error("{path} cannot be read or written: {reason}", path = path.display())]
    File { path: PathBuf, reason: std::io::Error },
    #[error("{path} is no backup of a portal, or not whole: {reason}", path = path.display())]
    Broken { path: PathBuf, reason: String },
    #[error("there are no tables of a portal in this database; nothing was written")]
    NothingThere,
    #[error(
        "the database is not empty: {tables} have rows; restore into an empty database, or replace everything in this one \
         with --force"
    )]
    NotEmpty { tables: String },
    #[error(
        "the backup was made by a newer version of the portal ({portico}); restore it with that version or a newer one"
    )]
    Newer { portico: String },
    #[error(
        "the backup's migration {version} is another one than this program has; restore it with the build that made it"
    )]
    OtherBuild { version: i64 },
    #[error("the database is newer than the backup (it has migration {version}); restore into an empty database")]
    DatabaseNewer { version: i64 },
    #[error("another program uses the database as portico; stop the portal first")]
    InUse,
}

#[cfg(test)]
mod tests;
