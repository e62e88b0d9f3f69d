//! Files beside a template that lies on this machine.

use std::io::{Error, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::lint::Beside;
use crate::scm::TreeFile;

/// Content of all files of one folder, in bytes, and how many they may be.
const LIMIT: u64 = 256 * 1024 * 1024;
const MOST: usize = 50_000;

/// A template's folder.
pub struct Folder(pub PathBuf);

impl Beside for Folder {
    fn folder(&self, path: &str) -> Result<Option<Vec<TreeFile>>, String> {
        let folder = self.0.join(path);
        match folder.is_dir() {
            true => files(&folder)
                .map(Some)
                .map_err(|error| format!("{} cannot be read: {error}", folder.display())),
            false => Ok(None),
        }
    }

    fn file(&self, path: &str) -> Result<Option<TreeFile>, String> {
        let place = self.0.join(path);
        if !place.is_file() {
            return Ok(None);
        }
        let content = std::fs::read(&place).map_err(|error| format!("{} cannot be read: {error}", place.display()))?;
        Ok(Some(TreeFile {
            path: path.to_owned(),
            executable: false,
            link: None,
            content: content.into(),
        }))
    }
}

/// All files below a folder, or the one file; its path is empty then.
pub fn below(place: &Path) -> std::io::Result<Vec<TreeFile>> {
    if place.is_dir() {
        return files(place);
    }
    Ok(vec![TreeFile {
        path: String::new(),
        executable: false,
        link: None,
        content: std::fs::read(place)?.into(),
    }])
}

/// All files below a folder, in the order of their paths; symbolic links are not followed, and git's own are left out.
pub fn files(folder: &Path) -> std::io::Result<Vec<TreeFile>> {
    let mut files = Vec::new();
    let mut size = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        for entry in std::fs::read_dir(&current)? {
            let entry = entry?;
            let place = entry.path();
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                if entry.file_name() != ".git" {
                    folders.push(place);
                }
                continue;
            }
            let relative = place.strip_prefix(folder).unwrap_or(&place);
            let path = relative
                .to_str()
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::InvalidData,
                        format!("{} is no name in UTF-8", place.display()),
                    )
                })?
                .to_owned();
            let mut file = TreeFile {
                path,
                executable: metadata.permissions().mode() & 0o111 != 0,
                link: None,
                content: Vec::new().into(),
            };
            if metadata.is_symlink() {
                file.link = Some(std::fs::read_link(&place)?.to_string_lossy().into_owned());
                file.executable = false;
            } else if metadata.is_file() {
                size += metadata.len();
                if size > LIMIT || files.len() >= MOST {
                    let message = format!(
                        "its files are more than {MOST}, or larger than {} MiB",
                        LIMIT / 1024 / 1024
                    );
                    return Err(Error::new(ErrorKind::FileTooLarge, message));
                }
                file.content = std::fs::read(&place)?.into();
            } else {
                continue;
            }
            files.push(file);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
