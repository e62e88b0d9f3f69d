//! The data folder: who may use it, what is remembered in it, how it is emptied.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const LOCK: &str = "lock";

/// Which program a data folder belongs to, and what it makes there.
#[derive(Debug)]
pub struct Owner {
    /// Name of the program, for messages.
    pub program: &'static str,
    /// Marks a folder as this program's and holds what must stay the same from start to start.
    pub marker: &'static str,
    /// Everything else that a start makes in the folder; nothing else is ever deleted from it.
    pub made: &'static [&'static str],
    /// How a folder that is in use is freed.
    pub how_to_stop: &'static str,
}

/// The folders of `portico-local`.
pub const LOCAL: Owner = Owner {
    program: "portico-local",
    marker: "portico-local.json",
    made: &[
        "app-config.local.yaml",
        "endpoints.json",
        "logs",
        "postgres",
        crate::portal::SCRATCH,
        "sandbox",
    ],
    how_to_stop: "stop it with Ctrl-C there, or use another folder with --data and --port",
};

/// What is remembered of a data folder. Other programs have no business with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Remembered {
    /// First of the five ports. Addresses with it are stored in the catalog and in repositories.
    pub port: u16,
    /// Where the private Postgres lives, or that a server of the user's holds the database.
    pub database: Database,
    /// Key that Portico seals with, base64. Losing it loses what is sealed.
    pub backend_key: String,
    /// Static token of `backend.auth.externalAccess`.
    pub api_token: String,
    /// Token of the forge's administrator, for scripts.
    pub forge_token: String,
    /// `auth.session.secret`.
    pub session_secret: String,
    /// Repository in the forge by folder of golden paths.
    pub golden_paths: std::collections::BTreeMap<PathBuf, GoldenPathsRepository>,
    /// The portal that runs, if one does; left behind by a start that was killed.
    pub portal: Option<crate::processes::Identity>,
}

/// See [`Remembered::database`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Database {
    /// Nothing is made yet.
    #[default]
    Unmade,
    /// A cluster of our own below this folder.
    Private(PathBuf),
    /// A database of this name in the server that `DATABASE_URL` names.
    Foreign(String),
}

/// What was put into the forge for one folder of golden paths.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GoldenPathsRepository {
    pub name: String,
    /// Digest of the folder as it was put there.
    pub digest: String,
    /// Our last commit. While the branch is still there, nobody has pushed, and the folder may be copied again.
    pub commit: String,
}

/// A data folder that this process alone uses until it ends.
pub struct Folder {
    path: PathBuf,
    owner: &'static Owner,
    // Held for the lock: it ends with the process, however that ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder if need be and takes it for this process of the program `owner`.
    ///
    /// # Errors
    /// When another start uses it, when it holds other people's files, and when it cannot be made.
    pub fn open(path: &Path, owner: &'static Owner) -> Result<Folder> {
        std::fs::create_dir_all(path).with_context(|| {
            format!(
                "cannot make the data folder {}; choose another with --data",
                path.display()
            )
        })?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot use the data folder {}", path.display()))?;
        if path.to_str().is_none() {
            bail!(
                "the name of the data folder {} is not UTF-8, but it must stand in files of configuration; choose another with --data",
                path.display()
            );
        }
        check_account(&path.join(owner.marker), &path)?;
        if !path.join(owner.marker).exists() && !is_empty_but_for_lock(&path)? {
            bail!(
                "{} is neither empty nor a data folder of Portico; choose another with --data (nothing was changed)",
                path.display()
            );
        }
        let mut lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path.join(LOCK))
            .with_context(|| {
                format!(
                    "cannot write to the data folder {}; choose another with --data",
                    path.display()
                )
            })?;
        if let Err(error) = lock.try_lock() {
            match error {
                std::fs::TryLockError::WouldBlock => {
                    let mut holder = String::new();
                    // Only for the message: an unreadable number is left out.
                    drop(lock.read_to_string(&mut holder));
                    bail!(
                        "{} already runs with {} (process {}); {}",
                        owner.program,
                        path.display(),
                        if holder.trim().is_empty() {
                            "unknown"
                        } else {
                            holder.trim()
                        },
                        owner.how_to_stop
                    );
                }
                std::fs::TryLockError::Error(error) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.join(LOCK).display()));
                }
            }
        }
        lock.set_len(0)?;
        lock.rewind()?;
        writeln!(lock, "{}", std::process::id())
            .with_context(|| format!("cannot write to the data folder {}", path.display()))?;
        Ok(Folder {
            path,
            owner,
            _lock: lock,
        })
    }

    /// The folder itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A name that belongs to this folder alone: 12 hex digits of its path's digest.
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(self.path.as_os_str().as_encoded_bytes()))[..12].to_owned()
    }

    /// The folder of logs, made if need be.
    pub fn logs(&self) -> Result<PathBuf> {
        self.private_folder("logs")
    }

    /// A folder in it that only its owner may enter, made if need be.
    pub fn private_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.path.join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// What earlier starts remembered, `None` on the first.
    pub fn remembered<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let file = self.path.join(self.owner.marker);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
        };
        serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; --reset starts anew", file.display()))
            .map(Some)
    }

    /// Remembers. Done before what is remembered is made, so that `--reset` finds all of it.
    pub fn remember<T: Serialize>(&self, remembered: &T) -> Result<()> {
        let mut text = serde_json::to_string_pretty(remembered)?;
        text.push('\n');
        self.write_private(self.owner.marker, &text)
    }

    /// Writes a file of the folder in one go: readers see the old content or the new, and only the owner may read.
    pub fn write_private(&self, name: &str, content: &str) -> Result<()> {
        write_private(&self.path.join(name), content)
    }

    /// Removes a file of the folder, if it is there.
    pub fn remove(&self, name: &str) -> Result<()> {
        match std::fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", self.path.join(name).display()))
            }
            _ => Ok(()),
        }
    }

    /// Deletes what starts made in the folder, and nothing else. The marker goes last: an emptying that was
    /// interrupted can be repeated.
    pub fn empty(&self) -> Result<()> {
        for name in self.owner.made.iter().chain([&self.owner.marker]) {
            let path = self.path.join(name);
            let removed = if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot delete {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// See [`Folder::write_private`].
pub fn write_private(path: &Path, content: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        // A temporary file is 0600 from its first moment on.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Where data goes when `--data` is not given: the user's data folder as XDG defines it.
pub fn default_path() -> Result<PathBuf> {
    Ok(home_folder("XDG_DATA_HOME", ".local/share")?.join("portico"))
}

/// Where what can be fetched again goes.
pub fn cache_path() -> Result<PathBuf> {
    Ok(home_folder("XDG_CACHE_HOME", ".cache")?.join("portico"))
}

fn home_folder(variable: &str, below_home: &str) -> Result<PathBuf> {
    // The XDG specification: relative paths in these variables are to be ignored.
    if let Some(path) = std::env::var_os(variable)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
    {
        return Ok(path);
    }
    match std::env::home_dir().filter(|home| home.is_absolute()) {
        Some(home) => Ok(home.join(below_home)),
        None => bail!("neither {variable} nor HOME is set; say where data goes with --data"),
    }
}

/// Whoever made the data folder must go on with it: files of two accounts in it lock both of them out.
fn check_account(marker: &Path, folder: &Path) -> Result<()> {
    let Ok(marker) = marker.metadata() else {
        return Ok(());
    };
    // SAFETY: geteuid only reads.
    let us = unsafe { libc::geteuid() };
    if marker.uid() != us {
        bail!(
            "the data folder {} was made by another account (number {}, this one is {us}): start as that one, or choose another folder with --data (nothing was changed)",
            folder.display(),
            marker.uid()
        );
    }
    Ok(())
}

fn is_empty_but_for_lock(path: &Path) -> Result<bool> {
    let entries = std::fs::read_dir(path).with_context(|| format!("cannot read {}", path.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", path.display()))?;
        if entry.file_name() != LOCK {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_other_files_is_refused_and_untouched() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("thesis.txt"), "years of work").expect("written");
        let error = Folder::open(folder.path(), &LOCAL).err().expect("refused");
        assert!(
            error.to_string().contains("neither empty nor a data folder of Portico"),
            "{error}"
        );
        assert!(folder.path().join("thesis.txt").exists());
    }

    #[test]
    fn emptying_leaves_what_is_not_ours() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(temporary.path(), &LOCAL).expect("opened");
        folder
            .remember(&Remembered {
                port: 7007,
                ..Remembered::default()
            })
            .expect("remembered");
        std::fs::create_dir_all(folder.path().join("postgres/data")).expect("made");
        std::fs::write(folder.path().join("notes.txt"), "mine").expect("written");
        folder.empty().expect("emptied");
        assert!(!folder.path().join("postgres").exists());
        assert!(folder.remembered::<Remembered>().expect("readable").is_none());
        assert!(folder.path().join("notes.txt").exists());
    }

    #[test]
    fn a_second_start_is_told_who_runs() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let _first = Folder::open(temporary.path(), &LOCAL).expect("opened");
        let error = Folder::open(temporary.path(), &LOCAL).err().expect("refused");
        assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    }

    #[test]
    fn a_folder_of_another_account_is_left_alone() {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let marker = temporary.path().join(LOCAL.marker);
        std::fs::write(&marker, "{}").expect("written");
        check_account(&marker, temporary.path()).expect("our own");
        // Only root can give a file away.
        if std::os::unix::fs::chown(&marker, Some(4_000_000), None).is_ok() {
            let error = Folder::open(temporary.path(), &LOCAL)
                .err()
                .expect("refused")
                .to_string();
            assert!(error.contains("made by another account (number 4000000"), "{error}");
            assert!(!temporary.path().join(LOCK).exists());
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_refused() {
        use std::os::unix::ffi::OsStrExt;
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let path = temporary.path().join(std::ffi::OsStr::from_bytes(b"bad\xff"));
        // Some file systems do not even take such names.
        if std::fs::create_dir(&path).is_ok() {
            let error = Folder::open(&path, &LOCAL).err().expect("refused").to_string();
            assert!(error.contains("is not UTF-8"), "{error}");
        }
    }

    #[test]
    fn private_files_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let mode_of = |path: PathBuf| path.metadata().expect("there").permissions().mode() & 0o777;
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(temporary.path(), &LOCAL).expect("opened");
        folder.write_private("endpoints.json", "{}").expect("written");
        assert_eq!(mode_of(folder.path().join("endpoints.json")), 0o600);
        assert_eq!(mode_of(folder.logs().expect("made")), 0o700);
    }
}
