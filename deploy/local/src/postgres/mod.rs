//! PostgreSQL for this machine: a cluster of our own, or a database in the user's server.

mod account;
mod binaries;
mod cluster;
mod foreign;
mod run;
mod socket;

pub use account::{Account, relax_umask};
pub use cluster::{Cluster, Durability, delete};
pub use foreign::Foreign;
pub use run::{Arguments, run};
pub use socket::{PORT as SOCKET_PORT, USER};

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::progress::warn;

/// Where clusters of data folders live that the account running Postgres cannot reach.
const SHARED_DATA: &str = "/var/lib/portico";

/// Chooses the folder of a cluster. A start as root hands Postgres to another account; what lies in root's home is out
/// of its reach, so the cluster goes elsewhere and the terminal says so.
pub fn place(below: &Path, fingerprint: &str) -> Result<PathBuf> {
    let wanted = below.join("postgres");
    let Some(account) = Account::choose()? else {
        return Ok(wanted);
    };
    if account.reaches(&wanted) {
        return Ok(wanted);
    }
    let elsewhere = Path::new(SHARED_DATA).join(fingerprint);
    warn(&format!(
        "Postgres runs as {}, which may not enter {}; its data goes to {}",
        account.name,
        below.display(),
        elsewhere.display()
    ));
    Ok(elsewhere)
}

/// Whether a remembered place is one that [`place`] can have chosen: nothing else is ever deleted.
pub fn is_ours(home: &Path, below: &Path, fingerprint: &str) -> bool {
    home == below.join("postgres") || home == Path::new(SHARED_DATA).join(fingerprint)
}
