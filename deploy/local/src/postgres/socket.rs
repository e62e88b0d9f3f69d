//! The Unix socket of a private cluster: where it lies, and who may enter.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::account::Account;

/// Superuser of the cluster and owner of its database; the socket's folder is what keeps others out.
pub const USER: &str = "portico";
/// The port is part of the socket's file name even where nothing listens on it.
pub const PORT: u16 = 5432;
/// `sockaddr_un` holds 108 bytes with the ending zero; `/.s.PGSQL.5432` takes 14 of them.
const LONGEST_FOLDER: usize = 93;

/// A URL that Portico, `psql` and other programs with libpq's rules take: the folder of the socket is the host.
pub fn url(socket_folder: &Path, database: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("host", &socket_folder.to_string_lossy())
        .append_pair("user", USER)
        .finish()
        // Forms write a space as a plus, which libpq takes for a plus. A true plus is %2B here.
        .replace('+', "%20");
    format!("postgres:///{database}?{query}")
}

/// A folder for the socket that only the account of Postgres (and root) may enter.
pub fn folder(home: &Path, account: Option<&Account>) -> Result<PathBuf> {
    let folder = place(home);
    make_folder(&folder, account)?;
    Ok(folder)
}

/// Beside the data, or below /tmp where that path is too long for a socket, or holds a comma: libpq takes a host with
/// commas for several.
pub fn place(home: &Path) -> PathBuf {
    let beside = home.join("socket");
    let bytes = beside.as_os_str().as_encoded_bytes();
    if bytes.len() <= LONGEST_FOLDER && !bytes.contains(&b',') {
        return beside;
    }
    let digest = hex::encode(Sha256::digest(home.as_os_str().as_encoded_bytes()));
    PathBuf::from(format!("/tmp/portico-{}", &digest[..12]))
}

/// Makes a folder for the account of Postgres alone. One that is there already must be exactly that: below /tmp
/// somebody else may have been first.
pub fn make_folder(folder: &Path, account: Option<&Account>) -> Result<()> {
    let problem = || format!("cannot make {}", folder.display());
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).with_context(problem)?;
    }
    match std::fs::DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => {
            if let Some(account) = account {
                account.own(folder)?;
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let metadata = folder.symlink_metadata().with_context(problem)?;
            // SAFETY: geteuid only reads.
            let owner = account.map_or_else(|| unsafe { libc::geteuid() }, Account::uid);
            if metadata.is_dir() && metadata.uid() == owner && metadata.mode() & 0o077 == 0 {
                return Ok(());
            }
            bail!(
                "{} is there already and is not a private folder of {}; remove it",
                folder.display(),
                account.map_or("yours", |account| &account.name)
            );
        }
        Err(error) => Err(error).with_context(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_folder_is_not_taken_for_the_socket() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = temporary.path().join("socket");
        make_folder(&folder, None).expect("made");
        make_folder(&folder, None).expect("ours already");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("changed");
        let error = make_folder(&folder, None).expect_err("refused").to_string();
        assert!(error.contains("not a private folder"), "{error}");
    }

    #[test]
    fn urls_are_read_alike_by_libpq_and_by_forms() {
        assert_eq!(
            url(Path::new("/tmp/my data+more,${x}"), "portico"),
            "postgres:///portico?host=%2Ftmp%2Fmy%20data%2Bmore%2C%24%7Bx%7D&user=portico"
        );
    }

    #[test]
    fn long_paths_and_commas_get_another_socket() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        for name in ["a".repeat(90), "a,b".into()] {
            let home = temporary.path().join(name);
            let folder = place(&home);
            assert!(
                folder.parent() == Some(Path::new("/tmp")) && folder.as_os_str().len() <= LONGEST_FOLDER,
                "{folder:?}"
            );
        }
        let plain = temporary.path().join("plain");
        assert_eq!(place(&plain), plain.join("socket"));
    }
}
