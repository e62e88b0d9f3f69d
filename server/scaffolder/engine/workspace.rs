//! The folder that a task's steps work in. It is stored after each step that changed it, and restored by
//! whoever goes on with the task. Nothing in it leads out of it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

/// A folder of one task and one lease; removed when dropped.
pub struct Workspace {
    folder: tempfile::TempDir,
    /// Sum of the sizes of its files, in bytes.
    limit: u64,
}

/// A file, link or folder of a workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the workspace.
    pub path: String,
    pub is_folder: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    #[error("the path \"{path}\" {reason}")]
    Path { path: String, reason: &'static str },
    #[error("the workspace holds more than its limit of {} MiB (portico.workspaceLimit)", limit / 1024 / 1024)]
    TooLarge { limit: u64 },
    #[error("the workspace cannot be used: {0}")]
    Io(#[from] io::Error),
}

impl Workspace {
    /// An empty folder below `root`, filled from `archive` where there is one. Blocks.
    pub fn open(root: &Path, limit: u64, archive: Option<&[u8]>) -> Result<Self, WorkspaceError> {
        fs::create_dir_all(root)?;
        let folder = tempfile::Builder::new().prefix("task-").tempdir_in(root)?;
        if let Some(archive) = archive {
            let mut tar = tar::Archive::new(zstd::Decoder::new(archive)?);
            tar.set_preserve_permissions(true);
            tar.unpack(folder.path())?;
        }
        Ok(Self { folder, limit })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The place of a relative path. Refused: absolute paths, `..` out of the folder, `.git` anywhere, and
    /// ways through symbolic links that lead out. The place itself need not exist. Blocks shortly.
    pub fn resolve(&self, path: &str) -> Result<PathBuf, WorkspaceError> {
        let refuse = |reason| WorkspaceError::Path {
            path: path.to_owned(),
            reason,
        };
        if path.contains('\0') {
            return Err(refuse("contains a NUL character"));
        }
        let mut clean = PathBuf::new();
        for component in Path::new(path).components() {
            match component {
                Component::CurDir => {}
                Component::Normal(name) if name.eq_ignore_ascii_case(".git") => {
                    return Err(refuse("goes into a .git folder"));
                }
                Component::Normal(name) => clean.push(name),
                Component::ParentDir if clean.pop() => {}
                Component::ParentDir => return Err(refuse("leaves the workspace")),
                Component::RootDir | Component::Prefix(_) => return Err(refuse("is absolute")),
            }
        }
        let root = self.path().canonicalize()?;
        let place = root.join(&clean);
        let mut existing = place.as_path();
        while existing.symlink_metadata().is_err() {
            existing = existing.parent().unwrap_or(&root);
        }
        match existing.canonicalize() {
            Ok(real) if real.starts_with(&root) => Ok(place),
            _ => Err(refuse("leads out of the workspace through a symbolic link")),
        }
    }

    /// Everything in the folder, deepest last, in the order of names.
    fn entries(&self) -> Result<Vec<(PathBuf, fs::Metadata)>, WorkspaceError> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let metadata = entry.path().symlink_metadata()?;
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
                found.push((entry.path(), metadata));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(found)
    }

    /// Everything in the folder, in order of paths. Blocks.
    pub fn paths(&self) -> Result<Vec<Entry>, WorkspaceError> {
        let entries = self.entries()?.into_iter();
        Ok(entries
            .map(|(path, metadata)| Entry {
                path: path
                    .strip_prefix(self.path())
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .into_owned(),
                is_folder: metadata.is_dir(),
            })
            .collect())
    }

    /// Paths of all files and links, relative, in order of names. Blocks.
    pub fn files(&self) -> Result<Vec<String>, WorkspaceError> {
        let files = self.paths()?.into_iter().filter(|entry| !entry.is_folder);
        Ok(files.map(|entry| entry.path).collect())
    }

    /// A value that changes when anything in the folder does. Blocks.
    pub fn fingerprint(&self) -> Result<[u8; 32], WorkspaceError> {
        use std::os::unix::fs::MetadataExt;
        let mut digest = Sha256::new();
        let mut size = 0u64;
        for (path, metadata) in self.entries()? {
            size += if metadata.is_file() { metadata.len() } else { 0 };
            digest.update(path.as_os_str().as_encoded_bytes());
            for number in [metadata.len(), metadata.ino(), u64::from(metadata.mode())] {
                digest.update(number.to_le_bytes());
            }
            for number in [
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ] {
                digest.update(number.to_le_bytes());
            }
        }
        if size > self.limit {
            return Err(WorkspaceError::TooLarge { limit: self.limit });
        }
        Ok(digest.finalize().into())
    }

    /// The folder as tar, compressed with zstd. Blocks.
    pub fn archive(&self) -> Result<Vec<u8>, WorkspaceError> {
        let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 3)?);
        tar.follow_symlinks(false);
        tar.mode(tar::HeaderMode::Deterministic);
        for (path, metadata) in self.entries()? {
            let name = path.strip_prefix(self.path()).map_err(io::Error::other)?;
            if metadata.is_dir() {
                tar.append_dir(name, &path)?;
            } else {
                tar.append_path_with_name(&path, name)?;
            }
        }
        Ok(tar.into_inner()?.finish()?)
    }
}

/// Writes a file with its folders; an existing link in its place is replaced, never followed. Folders, pipes and devices are
/// refused: writing to them would hang, or reach out of the workspace.
pub fn write_file(place: &Path, content: &[u8], executable: bool) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    match place.symlink_metadata() {
        Ok(there) if there.is_symlink() => fs::remove_file(place)?,
        Ok(there) if !there.is_file() => return Err(io::Error::other("a folder, a pipe or a device is in its place")),
        _ => {}
    }
    fs::write(place, content)?;
    fs::set_permissions(
        place,
        fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(archive: Option<&[u8]>) -> Workspace {
        Workspace::open(&std::env::temp_dir(), 1024, archive).unwrap()
    }

    #[test]
    fn paths_stay_inside() {
        let workspace = workspace(None);
        std::os::unix::fs::symlink("/etc", workspace.path().join("out")).unwrap();
        std::os::unix::fs::symlink("nowhere", workspace.path().join("broken")).unwrap();
        for (path, fine) in [
            ("a/b.txt", true),
            ("./a/../b", true),
            ("", true),
            ("/etc/passwd", false),
            ("../x", false),
            ("a/../../x", false),
            ("out/passwd", false),
            ("out", false),
            ("broken/x", false),
            (".git/config", false),
            ("a/.GIT/hooks/x", false),
            (".github/workflows/x", true),
            ("a\0b", false),
        ] {
            assert_eq!(workspace.resolve(path).is_ok(), fine, "{path:?}");
        }
    }

    #[test]
    fn what_is_stored_is_restored() {
        let first = workspace(None);
        write_file(&first.path().join("bin/run"), b"#!/bin/sh\n", true).unwrap();
        fs::create_dir(first.path().join("empty")).unwrap();
        std::os::unix::fs::symlink("bin/run", first.path().join("link")).unwrap();
        let before = first.fingerprint().unwrap();
        let archive = first.archive().unwrap();
        let second = workspace(Some(&archive));
        assert_eq!(second.archive().unwrap(), archive);
        assert_eq!(fs::read_link(second.path().join("link")).unwrap(), Path::new("bin/run"));
        assert!(second.path().join("empty").is_dir());
        write_file(&first.path().join("bin/run"), b"#!/bin/sh\necho\n", true).unwrap();
        assert_ne!(first.fingerprint().unwrap(), before);
    }

    #[test]
    fn a_workspace_over_its_limit_is_refused() {
        let workspace = workspace(None);
        write_file(&workspace.path().join("big"), &[b'x'; 1025], false).unwrap();
        assert!(matches!(
            workspace.fingerprint(),
            Err(WorkspaceError::TooLarge { limit: 1024 })
        ));
    }
}
