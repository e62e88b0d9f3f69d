//! State that outlives the process: one JSON file a store, replaced as a whole at every change.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value in memory with its copy on disk. Clones share the value.
///
/// A change is on disk when [`Store::update`] returns, so nothing that was answered to a client is lost by SIGKILL or
/// power failure. Only the owner may read the file: it can hold passwords and keys.
#[derive(Debug)]
pub struct Store<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    path: PathBuf,
    value: Mutex<T>,
}

impl<T> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<T: Serialize + DeserializeOwned + Clone> Store<T> {
    /// Opens the store at `path`, or makes it with the value of `initial` when there is no such file.
    ///
    /// Fails when the file cannot be read or written, or is not what `T` expects; the error names the file.
    pub fn open(path: impl Into<PathBuf>, initial: impl FnOnce() -> T) -> Result<Self> {
        let path = path.into();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let value = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| {
                format!(
                    "{} is not a state file of this version; move it away to start afresh",
                    path.display()
                )
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let value = initial();
                write_atomically(&path, &serde_json::to_vec_pretty(&value)?)?;
                value
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                path,
                value: Mutex::new(value),
            }),
        })
    }

    /// Looks at the value. The store is locked while `look` runs: keep it short and do not call the store in it.
    pub fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    /// Changes the value and puts it on disk before it returns.
    ///
    /// `change` works on a copy: when writing fails, memory keeps what the disk has.
    pub fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R> {
        let mut value = self.lock();
        let mut changed = value.clone();
        let result = change(&mut changed);
        write_atomically(&self.shared.path, &serde_json::to_vec_pretty(&changed)?)?;
        *value = changed;
        Ok(result)
    }

    /// As [`Store::update`], for a change that may refuse: on `Err` nothing changes. Failing to write is the outer error.
    pub fn try_update<R, E>(&self, change: impl FnOnce(&mut T) -> Result<R, E>) -> Result<Result<R, E>> {
        let mut value = self.lock();
        let mut changed = value.clone();
        match change(&mut changed) {
            Ok(result) => {
                write_atomically(&self.shared.path, &serde_json::to_vec_pretty(&changed)?)?;
                *value = changed;
                Ok(Ok(result))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    // A panic inside `look` cannot leave the value half changed, since changes are made on a copy.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.shared.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replaces the file at `path` by `bytes`: after a crash it holds either the old bytes or the new ones, never a mixture.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a state file needs a folder")?;
    let name = path.file_name().context("a state file needs a name")?.to_string_lossy();
    let draft = folder.join(format!(".{name}.{}.new", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        // The rename itself is durable only when the folder is.
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_there_after_reopening() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("deep/state.json");
        let store = Store::open(&path, || vec!["first".to_owned()]).expect("new store");
        store.update(|list| list.push("second".to_owned())).expect("change");
        let refused = store.try_update(|list| {
            list.clear();
            Err::<(), _>("no")
        });
        assert_eq!(refused.expect("no write failed"), Err("no"));
        drop(store);
        let again = Store::<Vec<String>>::open(&path, Vec::new).expect("existing store");
        assert_eq!(again.read(Clone::clone), ["first", "second"]);
    }

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("state.json");
        fs::write(&path, "{").expect("write");
        let error = Store::<Vec<String>>::open(&path, Vec::new).expect_err("must not open");
        assert!(format!("{error:#}").contains("state.json"), "{error:#}");
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let store = Store::open(folder.path().join("gone/state.json"), || 1).expect("new store");
        fs::remove_dir_all(folder.path().join("gone")).expect("remove");
        assert!(store.update(|number| *number = 2).is_err());
        assert_eq!(store.read(|number| *number), 1);
    }
}
