//! A tree of files as a layer holds it: who made it, when, and on which machine does not show.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder, with its mode.
    Folder(u32),
    /// A file, with its mode and what it holds.
    File(u32, Vec<u8>),
    /// A symbolic link, with what it names.
    Link(String),
}

/// Entries by their path from the root, sorted, so that folders come before what is in them.
#[derive(Debug, Default)]
pub struct Files(BTreeMap<String, Entry>);

impl Files {
    /// A folder that everybody may read.
    ///
    /// # Errors
    /// As [`Files::put`].
    pub fn folder(&mut self, path: &str) -> Result<()> {
        self.put(path, Entry::Folder(0o755))
    }

    /// A file that everybody may read.
    ///
    /// # Errors
    /// As [`Files::put`].
    pub fn text(&mut self, path: &str, text: impl Into<Vec<u8>>) -> Result<()> {
        self.put(path, Entry::File(0o644, text.into()))
    }

    /// Puts an entry and the folders above it. The same entry twice is one.
    ///
    /// # Errors
    /// Where the path is not absolute or leads out of the root, or something else is there.
    pub fn put(&mut self, path: &str, entry: Entry) -> Result<()> {
        let place = below_root(path)?;
        let mut above = Path::new(&place).parent();
        while let Some(folder) = above.filter(|folder| !folder.as_os_str().is_empty()) {
            let name = folder.to_string_lossy().into_owned();
            match self.0.get(&name) {
                None => drop(self.0.insert(name, Entry::Folder(0o755))),
                Some(Entry::Folder(_)) => {}
                Some(_) => bail!("/{name} is no folder in the image, and {path} is below it"),
            }
            above = folder.parent();
        }
        match self.0.get(&place) {
            Some(there) if *there != entry && !matches!((there, &entry), (Entry::Folder(_), Entry::Folder(_))) => {
                bail!("two different things want to be {path} in the image")
            }
            _ => drop(self.0.insert(place, entry)),
        }
        Ok(())
    }

    /// Puts a file of this machine at the same path, and where it is a link what the link names, too.
    ///
    /// # Errors
    /// Names the path where it cannot be read.
    pub fn copy(&mut self, path: &Path) -> Result<()> {
        // The folders may be reached by links (/lib is one); the image has them at their own place.
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            bail!("{} is no file", path.display());
        };
        let reading = || format!("cannot read {}", path.display());
        let place = folder.canonicalize().with_context(reading)?.join(name);
        let kind = place.symlink_metadata().with_context(reading)?;
        if kind.is_symlink() {
            let target = place.read_link().with_context(reading)?;
            self.put(&text(&place)?, Entry::Link(text(&target)?))?;
            return self.copy(&place.parent().unwrap_or(Path::new("/")).join(target));
        }
        let executable = std::os::unix::fs::PermissionsExt::mode(&kind.permissions()) & 0o111 != 0;
        let bytes = std::fs::read(&place).with_context(reading)?;
        self.put(
            &text(&place)?,
            Entry::File(if executable { 0o755 } else { 0o644 }, bytes),
        )
    }

    /// All entries, folders before what is in them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.0.iter().map(|(path, entry)| (path.as_str(), entry))
    }
}

fn text(path: &Path) -> Result<String> {
    let text = path.to_str();
    text.map(str::to_owned)
        .with_context(|| format!("{} is no UTF-8", path.display()))
}

/// The path without the slash at its beginning.
fn below_root(path: &str) -> Result<String> {
    let mut place = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::RootDir => {}
            Component::Normal(name) => place.push(name),
            _ => bail!("{path} leads out of the image"),
        }
    }
    if !path.starts_with('/') || place.as_os_str().is_empty() {
        bail!("{path} is no path in the image");
    }
    text(&place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(files: &Files) -> Vec<&str> {
        files.iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn folders_come_before_what_is_in_them() {
        let mut files = Files::default();
        files.text("/usr/lib/b", "b").unwrap();
        files.put("/bin", Entry::Link("usr/bin".to_owned())).unwrap();
        files.folder("/usr/lib").unwrap();
        assert_eq!(paths(&files), ["bin", "usr", "usr/lib", "usr/lib/b"]);
    }

    #[test]
    fn what_contradicts_is_refused() {
        let mut files = Files::default();
        files.text("/etc/group", "a").unwrap();
        files.text("/etc/group", "a").unwrap();
        for (path, wanted) in [
            ("/etc/group", "two different things"),
            ("/etc/group/b", "is no folder"),
            ("/../etc/shadow", "leads out"),
            ("etc/shadow", "is no path"),
            ("/", "is no path"),
        ] {
            let error = files.text(path, "b").unwrap_err().to_string();
            assert!(error.contains(wanted), "{path}: {error}");
        }
    }

    #[test]
    fn a_link_brings_what_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::write(root.join("libz.so.1.2"), "library").unwrap();
        std::os::unix::fs::symlink("libz.so.1.2", root.join("libz.so.1")).unwrap();
        let mut files = Files::default();
        files.copy(&root.join("libz.so.1")).unwrap();
        let found: Vec<&Entry> = files
            .iter()
            .filter(|(path, _)| path.contains("libz"))
            .map(|(_, entry)| entry)
            .collect();
        assert_eq!(
            found,
            [
                &Entry::Link("libz.so.1.2".to_owned()),
                &Entry::File(0o644, b"library".to_vec())
            ]
        );
        assert!(files.copy(&root.join("missing")).is_err());
    }
}
