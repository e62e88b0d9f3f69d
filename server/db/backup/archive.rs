//! The file: a tar archive, compressed with zstd.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::BackupError;

/// Manifest and end are small.
const JSON_LIMIT: u64 = 16 * 1024 * 1024;
const LEVEL: i32 = 3;

/// A file that is being written. It appears under its name when it is whole, readable for its owner only: it holds
/// everything that the portal keeps.
pub(super) struct Writer {
    path: PathBuf,
    tar: tar::Builder<zstd::Encoder<'static, tempfile::NamedTempFile>>,
}

impl Writer {
    pub fn create(path: &Path) -> Result<Self, BackupError> {
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let file = tempfile::NamedTempFile::new_in(folder).map_err(failed(path))?;
        let zstd = zstd::Encoder::new(file, LEVEL).map_err(failed(path))?;
        Ok(Self {
            path: path.to_owned(),
            tar: tar::Builder::new(zstd),
        })
    }

    pub fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(value).map_err(io::Error::other);
        let text = text.map_err(failed(&self.path))?;
        self.entry(name, text.len() as u64, text.as_slice())
    }

    pub fn entry(&mut self, name: &str, size: u64, content: impl Read) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(0o600);
        self.tar
            .append_data(&mut header, name, content)
            .map_err(failed(&self.path))
    }

    pub fn finish(self) -> Result<(), BackupError> {
        let finished = || {
            let file = self.tar.into_inner()?.finish()?;
            file.as_file().sync_all()?;
            file.persist(&self.path)?;
            Ok(())
        };
        finished().map_err(failed(&self.path))
    }
}

/// A file that is read from its beginning to its end.
pub(super) struct Reader {
    path: PathBuf,
    tar: tar::Archive<Source>,
}

impl Reader {
    pub fn open(path: &Path) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(failed(path))?;
        let zstd = zstd::Decoder::new(file).map_err(failed(path))?;
        Ok(Self {
            path: path.to_owned(),
            tar: tar::Archive::new(zstd),
        })
    }

    pub fn entries(&mut self) -> Result<Entries<'_>, BackupError> {
        let entries = self.tar.entries().map_err(failed(&self.path))?;
        Ok(Entries {
            path: &self.path,
            entries,
        })
    }
}

type Source = zstd::Decoder<'static, io::BufReader<File>>;

pub(super) struct Entries<'a> {
    path: &'a Path,
    entries: tar::Entries<'a, Source>,
}

impl<'a> Entries<'a> {
    /// The next entry, which must have this name.
    pub fn next(&mut self, name: &str) -> Result<tar::Entry<'a, Source>, BackupError> {
        let entry = match self.entries.next() {
            Some(entry) => entry.map_err(|error| self.broken(error.to_string()))?,
            None => return Err(self.broken(format!("it ends before {name}"))),
        };
        let found = entry.path().map(|path| path.display().to_string());
        let found = found.map_err(|error| self.broken(error.to_string()))?;
        if found != name {
            return Err(self.broken(format!("{name} is expected where {found} stands")));
        }
        Ok(entry)
    }

    pub fn json<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, BackupError> {
        let mut text = Vec::new();
        let entry = self.next(name)?;
        let read = entry.take(JSON_LIMIT).read_to_end(&mut text);
        read.map_err(|error| self.broken(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| self.broken(format!("{name}: {error}")))
    }

    pub fn broken(&self, reason: String) -> BackupError {
        BackupError::Broken {
            path: self.path.to_owned(),
            reason,
        }
    }
}

pub(super) fn failed(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |reason| BackupError::File {
        path: path.to_owned(),
        reason,
    }
}
