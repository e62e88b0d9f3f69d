//! The files of a repository at one commit, or of a folder of the server's disk, as far as documentation needs them.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::book::is_markdown;
use super::markdown::LONGEST;

/// Names that are known of one repository.
const MOST_FILES: usize = 100_000;
/// Bytes of text that are kept of one repository.
const MOST_TEXT: usize = 24 * 1024 * 1024;
/// Files of a folder of the disk that are looked at.
const MOST_ON_DISK: usize = 10_000;

/// A text as far as it is shown.
#[derive(Debug, Clone)]
pub struct FileText {
    pub text: Arc<str>,
    /// There is more of it.
    pub cut: bool,
}

#[derive(Debug, Default)]
pub struct Files {
    /// 40 hexadecimal digits of a commit, or a digest of what is on the disk.
    pub version: String,
    pub at: Option<DateTime<Utc>>,
    names: BTreeSet<String>,
    texts: HashMap<String, FileText>,
    size: usize,
    /// Too large to be known as a whole.
    pub partial: bool,
    /// Folder of the disk in which the names are.
    pub disk: Option<PathBuf>,
}

impl Files {
    pub fn new(version: String, at: Option<DateTime<Utc>>) -> Self {
        Self {
            version,
            at,
            ..Self::default()
        }
    }

    /// Adds a file; its content is kept where it is a page or a setting of MkDocs.
    pub fn add(&mut self, path: &str, content: &[u8]) {
        if self.names.len() >= MOST_FILES {
            self.partial = true;
            return;
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        if is_markdown(path) || ["mkdocs.yml", "mkdocs.yaml"].contains(&name) {
            let text = shown(content);
            if self.size + text.text.len() > MOST_TEXT {
                self.partial = true;
                return;
            }
            self.size += text.text.len();
            self.texts.insert(path.to_owned(), text);
        }
        self.size += path.len();
        self.names.insert(path.to_owned());
    }

    /// Bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        self.size + 1024
    }

    pub fn has(&self, path: &str) -> bool {
        self.names.contains(path)
    }

    /// Is something in such a folder?
    pub fn has_folder(&self, path: &str) -> bool {
        let start = format!("{path}/");
        let next = self.names.range(start.clone()..).next();
        next.is_some_and(|name| name.starts_with(&start))
    }

    pub fn text(&self, path: &str) -> Option<&FileText> {
        self.texts.get(path)
    }

    /// Paths of Markdown, in order.
    pub fn markdown(&self) -> impl Iterator<Item = &str> {
        let pages = self.names.iter().map(String::as_str);
        pages.filter(|path| is_markdown(path) && self.texts.contains_key(*path))
    }

    /// What is in a folder of the disk. Nothing that a link leads to outside of it.
    pub fn on_disk(root: &Path) -> std::io::Result<Self> {
        let root = root.canonicalize()?;
        let mut digest = Sha256::new();
        let mut found: Vec<(String, PathBuf, u64)> = Vec::new();
        let mut folders = vec![root.clone()];
        let mut partial = false;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder)?.flatten() {
                let (path, kind) = (entry.path(), entry.file_type()?);
                if entry.file_name().to_string_lossy().starts_with('.')
                    || entry.file_name() == "node_modules"
                    || entry.file_name() == "target"
                {
                    continue;
                }
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file()
                    && let Ok(metadata) = entry.metadata()
                    && let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str)
                {
                    let changed = metadata
                        .modified()
                        .ok()
                        .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
                    digest.update(format!("{name}\0{}\0{:?}\0", metadata.len(), changed));
                    found.push((name.to_owned(), path.clone(), metadata.len()));
                }
                if found.len() + folders.len() > MOST_ON_DISK {
                    partial = true;
                    break;
                }
            }
        }
        found.sort();
        let mut files = Self::new(hex::encode(digest.finalize()), None);
        files.partial = partial;
        for (name, path, length) in found {
            let wanted = is_markdown(&name) || name.rsplit('/').next().is_some_and(|name| name.starts_with("mkdocs.y"));
            let content = match wanted && length <= 64 * 1024 * 1024 {
                true => std::fs::read(path).unwrap_or_default(),
                false => Vec::new(),
            };
            files.add(&name, &content);
        }
        files.disk = Some(root);
        Ok(files)
    }

    /// Content of a file of the disk.
    pub fn read_disk(&self, path: &str, limit: u64) -> Option<Bytes> {
        let root = self.disk.as_ref()?;
        let real = root.join(path).canonicalize().ok()?;
        let metadata = std::fs::metadata(&real).ok()?;
        let allowed = real.starts_with(root) && self.has(path) && metadata.is_file() && metadata.len() <= limit;
        allowed.then(|| std::fs::read(real).ok().map(Bytes::from))?
    }
}

/// The beginning of a file as text; what is no UTF-8 is replaced.
pub fn shown(content: &[u8]) -> FileText {
    // One more, so that the page tells that it was cut.
    let cut = content.len() > LONGEST + 1;
    let text = String::from_utf8_lossy(&content[..content.len().min(LONGEST + 1)]);
    FileText {
        text: text.as_ref().into(),
        cut,
    }
}
