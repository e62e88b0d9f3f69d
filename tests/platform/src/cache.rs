//! What was built once: `<cache>/portico/platform/<system>-<version>-<digest of all inputs>/`, outside of any checkout.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use portico_local::progress::{Step, note};
use sha2::{Digest, Sha256};

/// Where entries lie.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

/// One thing that is built, and everything that decides what comes out.
pub struct Recipe<'a> {
    pub system: &'a str,
    pub version: &'a str,
    /// Contents of files, flags, sums: whatever changes the outcome.
    pub inputs: &'a [&'a str],
}

impl Recipe<'_> {
    /// The entry's name. Inputs are told apart: moving text from one to the next gives another digest.
    fn name(&self) -> String {
        let mut digest = Sha256::new();
        for input in self.inputs {
            digest.update((input.len() as u64).to_be_bytes());
            digest.update(input);
        }
        let digest = hex::encode(digest.finalize());
        format!("{}-{}-{}", self.system, self.version, &digest[..12])
    }
}

impl Cache {
    /// The user's cache, made if need be.
    ///
    /// # Errors
    /// When there is no home or the folder cannot be made.
    pub fn open() -> Result<Cache> {
        Cache::at(portico_local::folder::cache_path()?.join("platform"))
    }

    fn at(folder: PathBuf) -> Result<Cache> {
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the cache {}", folder.display()))?;
        Ok(Cache { folder })
    }

    /// The entry's folder, built by `build` where it is missing. `build` fills an empty folder that becomes the entry by
    /// a rename, so an entry is whole or not there.
    ///
    /// # Errors
    /// When building fails; nothing is kept then.
    pub async fn entry(&self, recipe: &Recipe<'_>, build: impl AsyncFnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let entry = self.folder.join(recipe.name());
        if entry.is_dir() {
            return Ok(entry);
        }
        // Two starts at once build once: the second waits here. The lock ends with the process that holds it.
        let lock = self.folder.join(format!("{}.lock", recipe.name()));
        let lock = File::create(&lock).with_context(|| format!("cannot write {}", lock.display()))?;
        let held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock));
        let _lock = held
            .await
            .context("waiting for another build failed")?
            .context("cannot lock the cache")?;
        if entry.is_dir() {
            return Ok(entry);
        }
        // What an interrupted build left under this name is nobody's while the lock is ours.
        let unfinished = self.folder.join(format!(".unfinished-{}", recipe.name()));
        remove(&unfinished)?;
        std::fs::create_dir(&unfinished).with_context(|| format!("cannot make {}", unfinished.display()))?;
        let what = format!("{} {}", recipe.system, recipe.version);
        if !std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            note("Building", &format!("{what}, once"));
        }
        let step = Step::begin("Building", &format!("{what}, once"));
        if let Err(error) = build(&unfinished).await {
            remove(&unfinished)?;
            return Err(error.context(format!("cannot build {what}")));
        }
        std::fs::rename(&unfinished, &entry).with_context(|| format!("cannot make {}", entry.display()))?;
        step.done("Built", &format!("{what} ({} MB)", size(&entry) / 1_000_000));
        Ok(entry)
    }
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn size(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return path.symlink_metadata().map_or(0, |metadata| metadata.len());
    };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            _ => entry.metadata().map_or(0, |metadata| metadata.len()),
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: Recipe<'static> = Recipe {
        system: "forge",
        version: "1.0",
        inputs: &["ab", "c"],
    };

    fn cache() -> (tempfile::TempDir, Cache) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = Cache::at(folder.path().join("platform")).expect("opened");
        (folder, cache)
    }

    #[test]
    fn every_input_is_part_of_the_name() {
        let name = RECIPE.name();
        assert!(name.starts_with("forge-1.0-"), "{name}");
        let moved = Recipe {
            inputs: &["a", "bc"],
            ..RECIPE
        };
        assert_ne!(moved.name(), name);
        let newer = Recipe {
            version: "1.1",
            ..RECIPE
        };
        assert_ne!(newer.name(), name);
    }

    #[tokio::test]
    async fn a_second_start_builds_nothing() {
        let (_folder, cache) = cache();
        let first = cache
            .entry(&RECIPE, async |folder: &Path| {
                Ok(std::fs::write(folder.join("program"), "x")?)
            })
            .await
            .expect("built");
        assert!(first.join("program").is_file());
        let second = cache
            .entry(&RECIPE, async |_: &Path| anyhow::bail!("built again"))
            .await
            .expect("found");
        assert_eq!(second, first);
    }

    #[tokio::test]
    async fn a_build_that_fails_leaves_nothing() {
        let (_folder, cache) = cache();
        let error = cache
            .entry(&RECIPE, async |folder: &Path| {
                std::fs::write(folder.join("program"), "half")?;
                anyhow::bail!("no more disk")
            })
            .await
            .expect_err("failed");
        assert!(format!("{error:#}").contains("cannot build forge 1.0"), "{error:#}");
        let left: Vec<_> = std::fs::read_dir(&cache.folder)
            .expect("listed")
            .flatten()
            .filter(|entry| entry.path().is_dir())
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}
