//! Files of repositories and of the server's disk. Each repository is read once a commit and read of a location.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use futures::future::BoxFuture;
use globset::GlobBuilder;
use url::Url;

use super::disk;
use super::snapshots::{File, Key, MAX_TREE_BYTES, Snapshot, Snapshots};
use crate::scm::{Located, Repository, Scm, ScmError, Source};

/// A description file larger than this is refused.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;
/// Text that substitutions bring in for one location, at most.
const MAX_SUBSTITUTED_BYTES: usize = 64 * 1024 * 1024;

/// All that reading needs of other systems: the forge of a URL, and files at other addresses.
pub trait Sources: Send + Sync {
    fn locate(&self, url: &str) -> Result<Located, ScmError>;
    fn forge_of(&self, repository: &Repository) -> Result<Arc<dyn Scm>, ScmError>;
    fn forge_by_host(&self, host: &str) -> Result<Arc<dyn Scm>, ScmError>;

    /// May files be read at this address of a host that [`Self::locate`] does not know?
    fn permits(&self, _url: &str) -> bool {
        false
    }

    /// The file, of `limit` bytes at most, at an address of a host that [`Self::locate`] does not know.
    fn read_address<'a>(&'a self, url: &'a Url, _limit: u64) -> BoxFuture<'a, Result<Bytes, ScmError>> {
        let host = url.authority().to_owned();
        Box::pin(async move { Err(ScmError::UnknownHost { host }) })
    }

    /// Do the disk's files stand for those of a repository, so that a relative target of type url lies beside the file
    /// that names it?
    fn is_checkout(&self) -> bool {
        false
    }
}

/// A repository that was looked into, and the commit that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub repository: Repository,
    /// As the URL names it; `None` is the default branch.
    pub reference: Option<String>,
    pub commit: String,
}

/// Why a file was not read.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The repository was looked into, and the file is not in it; or there is no such repository.
    Missing(String),
    /// Nothing is known of the file now.
    Unreadable { message: String, temporary: bool },
}

impl Failure {
    pub fn lasting(message: impl Into<String>) -> Self {
        Self::Unreadable {
            message: message.into(),
            temporary: false,
        }
    }

    pub fn of(error: &ScmError) -> Self {
        match error {
            // The repository or its branch is gone.
            ScmError::NotFound { .. } => Self::Missing(error.to_string()),
            _ => Self::Unreadable {
                message: error.to_string(),
                temporary: error.is_temporary(),
            },
        }
    }

    pub fn message(&self) -> &str {
        match self {
            Self::Missing(message) | Self::Unreadable { message, .. } => message,
        }
    }

    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreadable { temporary: true, .. })
    }
}

/// One read of a location: what was fetched is kept until its end.
pub struct Reading<'a> {
    sources: &'a dyn Sources,
    snapshots: &'a Snapshots,
    /// Repositories that this read looked into.
    looked_into: Vec<Key>,
    /// Folder that files on the server's disk must lie in; `None`: no such file may be read.
    root: Option<PathBuf>,
    substituted: usize,
}

impl<'a> Reading<'a> {
    /// `file` is the target of a location of type file.
    pub fn new(sources: &'a dyn Sources, snapshots: &'a Snapshots, file: Option<PathBuf>) -> Self {
        Self {
            sources,
            snapshots,
            looked_into: Vec::new(),
            root: file.and_then(|file| disk::fixed_folder(&file)),
            substituted: 0,
        }
    }

    pub fn locate(&self, url: &str) -> Result<Located, ScmError> {
        self.sources.locate(url)
    }

    /// What `target`, written in the file `kind:file`, names as type `wanted`: a complete URL or path.
    pub fn resolve(&self, kind: &str, file: &str, wanted: &str, target: &str) -> Result<String, String> {
        match (kind, wanted) {
            ("url", "url") | ("file", "url") => {
                let base = Url::parse(file).ok();
                let joined = match &base {
                    Some(base) => base.join(target),
                    None => Url::parse(target),
                };
                let joined = joined.map_err(|error| format!("the target \"{target}\" is not an address: {error}"))?;
                match ["http", "https"].contains(&joined.scheme()) {
                    true => Ok(joined.to_string()),
                    false => Err(format!(
                        "the target \"{target}\" is of the form {}:, which is not read; use http or https",
                        joined.scheme()
                    )),
                }
            }
            ("file", "file") => {
                let folder = Path::new(file).parent().unwrap_or(Path::new("/"));
                Ok(disk::plain(&folder.join(target)).to_string_lossy().into_owned())
            }
            (_, "file") => Err(format!(
                "the target \"{target}\" is a file of the server, which only the configuration may name"
            )),
            (_, other) => Err(format!("locations of type \"{other}\" are not known; use url")),
        }
    }

    /// The files that a target names (several by a glob), each with its own target, in order.
    pub async fn files(&mut self, kind: &str, target: &str) -> Result<Vec<(String, String)>, Failure> {
        match kind {
            "url" => self.url_files(target).await,
            "file" => disk::files(self.root.as_deref(), target),
            other => Err(Failure::lasting(format!(
                "locations of type \"{other}\" are not known; use url"
            ))),
        }
    }

    /// The type that a target is read as where the file `kind:file` calls it `wanted`.
    pub fn kind_of<'k>(&self, kind: &'k str, wanted: &'k str, target: &str) -> &'k str {
        let relative = || Url::parse(target) == Err(url::ParseError::RelativeUrlWithoutBase);
        match (kind, wanted) {
            ("file", "url") if self.sources.is_checkout() && relative() => kind,
            _ => wanted,
        }
    }

    async fn url_files(&mut self, target: &str) -> Result<Vec<(String, String)>, Failure> {
        let located = match self.sources.locate(target) {
            Ok(located) => located,
            Err(ScmError::UnknownHost { .. }) => {
                let bytes = self.address(target).await?;
                return Ok(vec![(target.to_owned(), text(bytes, target)?)]);
            }
            Err(error) => return Err(Failure::of(&error)),
        };
        if !located.source.path.contains('*') {
            let bytes = self.content(&located, target).await?;
            return Ok(vec![(target.to_owned(), text(bytes, target)?)]);
        }
        let snapshot = self.snapshot(&located).await?;
        let Some(files) = &snapshot.files else {
            return Err(Failure::lasting(format!(
                "{target} has a pattern, but the repository is larger than {MAX_TREE_BYTES} bytes; name the files one by one"
            )));
        };
        let matcher = GlobBuilder::new(&located.source.path)
            .literal_separator(true)
            .build()
            .map_err(|error| Failure::lasting(format!("{target} is not a pattern: {error}")))?
            .compile_matcher();
        let found: BTreeMap<&str, &Bytes> = files
            .iter()
            .filter_map(|(path, file)| match file {
                File::Content(bytes) if matcher.is_match(path) => Some((path.as_str(), bytes)),
                _ => None,
            })
            .collect();
        if found.is_empty() {
            return Err(Failure::Missing(format!(
                "no file of the repository at commit {} matches {target}",
                short(&snapshot.commit)
            )));
        }
        found
            .into_iter()
            .map(|(path, bytes)| {
                let source = Source {
                    path: path.to_owned(),
                    ..located.source.clone()
                };
                let url = located.forge.web_url(&source, false);
                let text = text(bytes.clone(), &url)?;
                Ok((url, text))
            })
            .collect()
    }

    /// Content of a file at an address of no forge.
    async fn address(&self, target: &str) -> Result<Bytes, Failure> {
        let url =
            Url::parse(target).map_err(|error| Failure::lasting(format!("{target} is not an address: {error}")))?;
        let read = self.sources.read_address(&url, MAX_FILE_BYTES).await;
        read.map_err(|error| Failure::of(&error))
    }

    /// Content of the file that a URL was found to name.
    async fn content(&mut self, located: &Located, target: &str) -> Result<Bytes, Failure> {
        let snapshot = self.snapshot(located).await?;
        let path = &located.source.path;
        if path.is_empty() {
            return Err(Failure::lasting(format!(
                "{target} names a repository, not a file in it"
            )));
        }
        let Some(files) = &snapshot.files else {
            let source = Source {
                reference: Some(snapshot.commit.clone()),
                ..located.source.clone()
            };
            return located
                .forge
                .read_file(&source, MAX_FILE_BYTES)
                .await
                .map_err(|error| match error {
                    ScmError::NotFound { .. } => missing(target, &snapshot.commit),
                    other => Failure::of(&other),
                });
        };
        match files.get(path) {
            Some(File::Content(bytes)) if bytes.len() as u64 <= MAX_FILE_BYTES => Ok(bytes.clone()),
            Some(File::Content(bytes)) => Err(Failure::lasting(format!(
                "{target} has {} bytes, more than the {MAX_FILE_BYTES} that are read",
                bytes.len()
            ))),
            Some(File::Link(to)) => Err(Failure::lasting(format!(
                "{target} is a symbolic link to {to}; links are not followed, name the file itself"
            ))),
            None => Err(missing(target, &snapshot.commit)),
        }
    }

    async fn snapshot(&mut self, located: &Located) -> Result<Arc<Snapshot>, Failure> {
        let key = (located.source.repository.clone(), located.source.reference.clone());
        if !self.looked_into.contains(&key) {
            self.looked_into.push(key);
        }
        self.snapshots.of(located).await.map_err(|error| Failure::of(&error))
    }

    /// The text that a substitution names, relative to the file `kind:file`, from the same repository.
    pub async fn beside(&mut self, kind: &str, file: &str, target: &str) -> Result<String, Failure> {
        let resolved = self.resolve(kind, file, kind, target).map_err(Failure::lasting)?;
        let found = match kind {
            "url" => {
                let elsewhere = |what: &str| {
                    let same = "only files of the same one are put in";
                    Failure::lasting(format!("{resolved} is {what} than {file}; {same}"))
                };
                let bytes = match (self.sources.locate(file), self.sources.locate(&resolved)) {
                    (Ok(own), Ok(located)) if own.source.repository == located.source.repository => {
                        self.content(&located, &resolved).await?
                    }
                    (Ok(_), Ok(_)) => return Err(elsewhere("in another repository")),
                    (Err(ScmError::UnknownHost { host: own }), Err(ScmError::UnknownHost { host })) if own == host => {
                        self.address(&resolved).await?
                    }
                    (Err(ScmError::UnknownHost { .. }), _) => return Err(elsewhere("at another host")),
                    (Err(error), _) | (_, Err(error)) => return Err(Failure::of(&error)),
                };
                text(bytes, &resolved)?
            }
            _ => {
                let mut files = disk::files(self.root.as_deref(), &resolved)?;
                match files.len() {
                    1 => files.remove(0).1,
                    many => return Err(Failure::lasting(format!("{resolved} names {many} files, not one"))),
                }
            }
        };
        self.substituted += found.len();
        match self.substituted > MAX_SUBSTITUTED_BYTES {
            true => Err(Failure::lasting(format!(
                "the location's substitutions bring in more than {MAX_SUBSTITUTED_BYTES} bytes"
            ))),
            false => Ok(found),
        }
    }

    /// Repositories that were looked into so far.
    pub fn checked(&self) -> Vec<Checked> {
        let taken = self.looked_into.iter().filter_map(|key| {
            Some(Checked {
                repository: key.0.clone(),
                reference: key.1.clone(),
                commit: self.snapshots.taken(key)?,
            })
        });
        taken.collect()
    }
}

fn missing(target: &str, commit: &str) -> Failure {
    Failure::Missing(format!("{target} does not exist at commit {}", short(commit)))
}

fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

pub fn text(bytes: Bytes, name: &str) -> Result<String, Failure> {
    String::from_utf8(bytes.into()).map_err(|_| Failure::lasting(format!("{name} is not UTF-8 text")))
}
