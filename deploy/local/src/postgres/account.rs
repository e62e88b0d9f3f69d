//! Who runs Postgres: it refuses root, so a start as root hands it to an account without rights.

use std::ffi::CStr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// As root: folders that we make must let the account of Postgres pass, and a strict umask would shut it out. What is
/// private has its own mode from the moment it is made.
pub fn relax_umask() {
    // SAFETY: neither call has memory to misuse.
    unsafe {
        if libc::geteuid() == 0 {
            libc::umask(0o022);
        }
    }
}

/// An account of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// `None` when we are an ordinary user: Postgres then runs as that user.
    ///
    /// # Errors
    /// As root on a machine that has neither `postgres` nor `nobody`.
    pub fn choose() -> Result<Option<Account>> {
        // SAFETY: geteuid only reads.
        if unsafe { libc::geteuid() } != 0 {
            return Ok(None);
        }
        match [c"postgres", c"nobody"].into_iter().find_map(Account::named) {
            Some(account) => Ok(Some(account)),
            None => bail!(
                "Postgres refuses to run as root, and this machine has neither an account `postgres` nor `nobody`; start portico-local as an ordinary user"
            ),
        }
    }

    fn named(name: &CStr) -> Option<Account> {
        // SAFETY: the name ends with a zero byte. The answer lies in memory of the C library that the next such
        // call may overwrite; it is copied at once, and nothing else here asks for accounts.
        let entry = unsafe { libc::getpwnam(name.as_ptr()).as_ref()? };
        (entry.pw_uid != 0).then(|| Account {
            name: name.to_string_lossy().into_owned(),
            uid: entry.pw_uid,
            gid: entry.pw_gid,
        })
    }

    /// Its number.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// Makes a command run as this account.
    pub fn run(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Gives a file or folder to this account.
    pub fn own(&self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} to {}", path.display(), self.name))
    }

    /// Whether this account may pass through `folder` and everything above it.
    pub fn reaches(&self, folder: &Path) -> bool {
        // What is not there yet will be made by us, below the nearest folder that is.
        folder.ancestors().filter(|ancestor| ancestor.exists()).all(|ancestor| {
            ancestor.metadata().is_ok_and(|metadata| {
                let needed = if metadata.uid() == self.uid {
                    0o100
                } else if metadata.gid() == self.gid {
                    0o010
                } else {
                    0o001
                };
                metadata.permissions().mode() & needed != 0
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_root_alone_is_out_of_reach() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let inner = temporary.path().join("inner");
        std::fs::create_dir(&inner).expect("made");
        let stranger = Account {
            name: "stranger".into(),
            uid: 4_000_000,
            gid: 4_000_000,
        };
        let mode = |bits| {
            std::fs::set_permissions(temporary.path(), std::fs::Permissions::from_mode(bits)).expect("changed");
        };
        mode(0o700);
        assert!(!stranger.reaches(&inner));
        assert!(!stranger.reaches(&inner.join("not/yet/made")));
        mode(0o755);
        assert!(stranger.reaches(&inner));
    }
}
