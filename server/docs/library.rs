//! What was read lately: which commit a branch stands for, files, books, pages and pictures. A commit never changes; what a
//! branch stands for is believed for a short time, and not beyond a push.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::addresses::Links;
use super::book::{Book, join};
use super::files::{FileText, Files, shown};
use super::markdown::{self, Rendered};
use super::place::Place;
use crate::scm::{Located, Repository, ScmError, Source};

/// How long a branch is believed to be where it was.
const BELIEVED: Duration = Duration::from_secs(30);
/// Content of a repository that is read whole.
const MOST_TREE: u64 = 64 * 1024 * 1024;
/// A page or picture that is read by itself.
const MOST_FILE: u64 = 8 * 1024 * 1024;
/// Branches that are remembered.
const MOST_BRANCHES: usize = 1_000;

/// What is used last stays, as far as there is room.
struct Kept<K, V> {
    entries: Vec<(K, V, usize)>,
    size: usize,
    room: usize,
}

impl<K: PartialEq, V: Clone> Kept<K, V> {
    fn new(room: usize) -> Self {
        Self {
            entries: Vec::new(),
            size: 0,
            room,
        }
    }

    fn get(&mut self, key: &K) -> Option<V> {
        let at = self.entries.iter().position(|(known, ..)| known == key)?;
        let entry = self.entries.remove(at);
        let value = entry.1.clone();
        self.entries.push(entry);
        Some(value)
    }

    fn put(&mut self, key: K, value: V, size: usize) {
        if let Some(at) = self.entries.iter().position(|(known, ..)| *known == key) {
            self.size -= self.entries.remove(at).2;
        }
        if size > self.room {
            return;
        }
        self.size += size;
        self.entries.push((key, value, size));
        while self.size > self.room && !self.entries.is_empty() {
            self.size -= self.entries.remove(0).2;
        }
    }
}

/// A commit, and the branch that was asked for.
#[derive(Clone)]
struct Resolved {
    commit: String,
    at: DateTime<Utc>,
    branch: String,
}

type Branch = (Repository, Option<String>);
/// Repository (or folder of the disk), version, folder.
type Key = (String, String, String);

struct State {
    branches: HashMap<Branch, (Resolved, Instant)>,
    /// Changes with each push, so that what was asked before it is not kept after it.
    pushes: u64,
    files: Kept<Key, Arc<Files>>,
    books: Kept<(Key, String), Arc<Book>>,
    pages: Kept<(Key, String, String), Arc<Rendered>>,
    pictures: Kept<Key, Bytes>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Library(Arc<Mutex<State>>);

/// Documentation that was opened: its files and its pages.
#[derive(Clone)]
pub struct Opened {
    place: Place,
    key: Key,
    pub files: Arc<Files>,
    pub book: Arc<Book>,
    /// Address of the book on the portal.
    pub base: String,
    branch: String,
}

impl Default for Library {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self(Arc::new(Mutex::new(State {
            branches: HashMap::new(),
            pushes: 0,
            files: Kept::new(48 * MIB),
            books: Kept::new(8 * MIB),
            pages: Kept::new(24 * MIB),
            pictures: Kept::new(16 * MIB),
        })))
    }
}

impl Library {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was pushed: its branches are asked for anew. `None`: nobody knows where.
    pub fn pushed(&self, repository: Option<&Repository>) {
        let mut state = self.state();
        state.pushes += 1;
        match repository {
            Some(repository) => state.branches.retain(|(known, _), _| known != repository),
            None => state.branches.clear(),
        }
    }

    /// Opens the documentation of a place. `base` is its address on the portal, `name` what it is called where it says
    /// nothing itself.
    pub async fn open(&self, place: Place, base: String, name: &str) -> Result<Opened, ScmError> {
        let (files, key, branch, folder) = match &place {
            Place::Forge(located) => {
                let resolved = self.resolve(located).await?;
                let folder = located.source.path.clone();
                let (files, key) = self.files(located, &resolved, &folder).await?;
                (files, key, resolved.branch, folder)
            }
            Place::Disk { root, base } => {
                let looked = root.clone();
                let read = tokio::task::spawn_blocking(move || Files::on_disk(&looked)).await;
                let files = match read {
                    Ok(Ok(files)) => files,
                    _ => Files::default(),
                };
                let key = (root.to_string_lossy().into_owned(), files.version.clone(), base.clone());
                (Arc::new(files), key, String::new(), base.clone())
            }
        };
        let known = self.state().books.get(&(key.clone(), name.to_owned()));
        let book = match known {
            Some(book) => book,
            None => {
                let (files, name) = (files.clone(), name.to_owned());
                let made = tokio::task::spawn_blocking(move || (Book::of(&files, &folder, &name), name)).await;
                let (book, name) = made.unwrap_or_default();
                let book = Arc::new(book);
                let size = 1024 + book.pages.len() * 256;
                self.state().books.put((key.clone(), name), book.clone(), size);
                book
            }
        };
        Ok(Opened {
            place,
            key,
            files,
            book,
            base,
            branch,
        })
    }

    async fn resolve(&self, located: &Located) -> Result<Resolved, ScmError> {
        let key = (located.source.repository.clone(), located.source.reference.clone());
        let pushes = {
            let state = self.state();
            if let Some((resolved, at)) = state.branches.get(&key)
                && at.elapsed() < BELIEVED
            {
                return Ok(resolved.clone());
            }
            state.pushes
        };
        let branch = match &key.1 {
            Some(reference) => reference.clone(),
            None => located.forge.repository(&key.0).await?.default_branch,
        };
        let commit = located.forge.commit(&key.0, &branch).await?;
        let resolved = Resolved {
            commit: commit.id,
            at: commit.at,
            branch,
        };
        let mut state = self.state();
        if state.branches.len() >= MOST_BRANCHES {
            state.branches.clear();
        }
        if state.pushes == pushes {
            state.branches.insert(key, (resolved.clone(), Instant::now()));
        }
        Ok(resolved)
    }

    async fn files(&self, located: &Located, resolved: &Resolved, base: &str) -> Result<(Arc<Files>, Key), ScmError> {
        let repository = &located.source.repository;
        let name = format!("{}/{}/{}", repository.forge, repository.owner, repository.name);
        let whole: Key = (name.clone(), resolved.commit.clone(), String::new());
        let part: Key = (name, resolved.commit.clone(), format!("{base}/"));
        for key in [&whole, &part] {
            if let Some(files) = self.state().files.get(key) {
                return Ok((files, (key.0.clone(), key.1.clone(), base.to_owned())));
            }
        }
        let mut files = Files::new(resolved.commit.clone(), Some(resolved.at));
        let key = match located.forge.read_tree(repository, &resolved.commit, MOST_TREE).await {
            Ok(tree) => {
                for file in tree.files.iter().filter(|file| file.link.is_none()) {
                    files.add(&file.path, &file.content);
                }
                whole
            }
            Err(ScmError::TooLarge { .. }) => {
                files.partial = true;
                for name in ["mkdocs.yml", "README.md", "docs/index.md", "docs/README.md"] {
                    let path = join(base, name);
                    match read(located, &resolved.commit, &path).await {
                        Ok(content) => files.add(&path, &content),
                        Err(ScmError::NotFound { .. } | ScmError::TooLarge { .. }) => {}
                        Err(error) => return Err(error),
                    }
                }
                part
            }
            Err(error) => return Err(error),
        };
        let files = Arc::new(files);
        let own = (key.0.clone(), key.1.clone(), base.to_owned());
        self.state().files.put(key, files.clone(), files.size());
        Ok((files, own))
    }

    /// A page of the book, rendered.
    pub async fn page(&self, opened: &Opened, file: &str) -> Result<Arc<Rendered>, ScmError> {
        let key = (opened.key.clone(), opened.base.clone(), file.to_owned());
        if let Some(page) = self.state().pages.get(&key) {
            return Ok(page);
        }
        let text = self.text(opened, file).await?;
        let links = Arc::new(Links::new(opened, file));
        let rendered = tokio::task::spawn_blocking(move || {
            let mut rendered = markdown::render(&text.text, links);
            rendered.cut |= text.cut;
            rendered
        })
        .await;
        let page = Arc::new(rendered.unwrap_or_default());
        let size = page.html.len() + 1024;
        self.state().pages.put(key, page.clone(), size);
        Ok(page)
    }

    async fn text(&self, opened: &Opened, file: &str) -> Result<FileText, ScmError> {
        if let Some(text) = opened.files.text(file) {
            return Ok(text.clone());
        }
        let content = opened.read(file).await?;
        Ok(shown(&content))
    }

    /// A file of the repository that may be a picture.
    pub async fn picture(&self, opened: &Opened, file: &str) -> Result<Bytes, ScmError> {
        let key: Key = (opened.key.0.clone(), opened.key.1.clone(), file.to_owned());
        if let Some(picture) = self.state().pictures.get(&key) {
            return Ok(picture);
        }
        let content = opened.read(file).await?;
        self.state().pictures.put(key, content.clone(), content.len() + 256);
        Ok(content)
    }
}

async fn read(located: &Located, commit: &str, path: &str) -> Result<Bytes, ScmError> {
    let source = Source {
        repository: located.source.repository.clone(),
        reference: Some(commit.to_owned()),
        path: path.to_owned(),
    };
    located.forge.read_file(&source, MOST_FILE).await
}

impl Opened {
    async fn read(&self, file: &str) -> Result<Bytes, ScmError> {
        let missing = || ScmError::NotFound {
            host: String::new(),
            what: file.to_owned(),
        };
        if !self.files.has(file) && !self.files.partial {
            return Err(missing());
        }
        match &self.place {
            Place::Forge(located) => read(located, &self.files.version, file).await,
            Place::Disk { .. } => self.files.read_disk(file, MOST_FILE).ok_or_else(missing),
        }
    }

    /// Where it lies, if not on the server's disk.
    pub fn repository(&self) -> Option<&Repository> {
        match &self.place {
            Place::Forge(located) => Some(&located.source.repository),
            Place::Disk { .. } => None,
        }
    }

    /// The forge's page of a file or folder, at the commit.
    pub fn forge_page(&self, path: &str, folder: bool) -> Option<String> {
        let Place::Forge(located) = &self.place else {
            return None;
        };
        let source = Source {
            repository: located.source.repository.clone(),
            reference: Some(self.files.version.clone()),
            path: path.to_owned(),
        };
        Some(located.forge.web_url(&source, folder))
    }

    /// The forge's page on which a file is edited.
    pub fn edit_page(&self, path: &str) -> Option<String> {
        let Place::Forge(located) = &self.place else {
            return None;
        };
        let source = Source {
            repository: located.source.repository.clone(),
            reference: Some(self.branch.clone()),
            path: path.to_owned(),
        };
        Some(located.forge.edit_url(&source))
    }

    /// The commit, and its page.
    pub fn commit(&self) -> Option<(String, String)> {
        let Place::Forge(located) = &self.place else {
            return None;
        };
        let commit = &self.files.version;
        let short = commit.get(..7).unwrap_or(commit).to_owned();
        Some((short, located.forge.commit_url(&located.source.repository, commit)))
    }
}
