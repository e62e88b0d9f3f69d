//! The git forge: real repositories over smart HTTP, the REST API of Forgejo and Gitea, webhooks and plain pages.
//!
//! A repository is a bare one under `repositories/<id>.git` of the data folder; all else is in `forge.json` there.
//! After each change of refs they are compared with those that were announced last, so that webhooks miss nothing, also
//! when the process was killed between a push and its deliveries.

mod access;
mod api;
mod commits;
mod git;
mod model;
mod names;
mod pages;
mod payload;
mod smart_http;
mod webhooks;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use tokio::sync::{Notify, OwnedMutexGuard};
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;

pub use commits::Change;
pub use model::{Delivered, Permission};

use crate::Credentials;
use crate::identity::USERS;
use crate::store::Store;
use commits::Note;
use git::Git;
use model::{Contents, Repository};

/// What the forge needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for repositories and state.
    pub data: PathBuf,
    /// Its own URL, `http://localhost:<port>`; all links in answers start with it.
    pub root_url: String,
    /// Further `host:port` names that it is known by.
    pub aliases: Vec<String>,
    /// Passwords.
    pub credentials: Credentials,
}

/// The forge. Clones share it.
#[derive(Debug, Clone)]
pub struct Forge {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    contents: Store<Contents>,
    /// One writer at a time for each repository.
    locks: Mutex<HashMap<u64, Arc<tokio::sync::Mutex<()>>>>,
    /// Rung when there are deliveries to make.
    deliveries: Notify,
    /// What git told of commits.
    kept: Arc<git::Kept>,
}

/// What [`Forge::put_tree`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// The folder is as it was when it was put there last; people's later commits stay.
    Unchanged,
    /// This commit was made.
    Committed(String),
}

impl Forge {
    /// Opens the forge in its folder; makes the administrator and the users of the realm when they are missing, gives
    /// them the passwords in force, and goes on with deliveries that were not made.
    pub async fn open(settings: Settings) -> Result<Self> {
        let version = tokio::process::Command::new("git").arg("--version").output().await;
        if !version.is_ok_and(|output| output.status.success()) {
            bail!("the forge of the sandbox needs the program `git`: install it or put it on the PATH");
        }
        std::fs::create_dir_all(settings.data.join("repositories"))
            .with_context(|| format!("cannot make {}", settings.data.join("repositories").display()))?;
        let contents = Store::open(settings.data.join("forge.json"), Contents::default)?;
        contents.update(|contents| {
            let users = USERS
                .iter()
                .map(|user| (user.name, settings.credentials.user_password.as_str()));
            let admin = (Credentials::FORGE_ADMIN, settings.credentials.forge_password.as_str());
            for (name, password) in users.chain([admin]) {
                contents.add_account(name, None, None);
                let Some(account) = contents.accounts.get_mut(&name.to_lowercase()) else {
                    continue;
                };
                if !account.has_password(password) {
                    account.set_password(password);
                }
                let of_realm = USERS.iter().find(|user| user.name == name);
                account.is_admin = of_realm.is_none_or(|user| user.groups.contains(&"admin"));
                if let Some(user) = of_realm {
                    account.full_name = format!("{} {}", user.first_name, user.last_name);
                }
            }
        })?;
        let inner = Inner {
            settings,
            contents,
            locks: Mutex::default(),
            deliveries: Notify::new(),
            kept: Arc::default(),
        };
        let forge = Self { inner: Arc::new(inner) };
        for id in forge
            .inner
            .contents
            .read(|contents| contents.repositories.keys().copied().collect::<Vec<_>>())
        {
            forge.announce(id, None).await?;
        }
        Ok(forge)
    }

    /// Makes webhook deliveries until the returned task is aborted or the runtime ends.
    pub(crate) fn deliver(&self) -> Result<tokio::task::JoinHandle<()>> {
        webhooks::start(self.clone())
    }

    /// All its pages and endpoints, also under `/gitea`.
    pub fn routes(&self) -> Router {
        let routes = Router::new()
            .nest("/api/v1", api::routes())
            .merge(smart_http::routes())
            .merge(pages::routes())
            .fallback(pages::nothing_here)
            .layer(DefaultBodyLimit::max(256 << 20))
            .with_state(self.clone());
        // The prefix goes before anything is routed.
        Router::new().fallback_service(
            ServiceBuilder::new()
                .layer(MapRequestLayer::new(without_prefix))
                .service(routes),
        )
    }

    /// Folder of the bare repository that a clone URL means: `<root>/<owner>/<name>[.git]`, or the same under an alias,
    /// in both cases also with the prefix `/gitea`. `None` when the URL is not of this forge or there is no such
    /// repository.
    pub fn repository_folder(&self, clone_url: &str) -> Option<PathBuf> {
        let url = url::Url::parse(clone_url).ok()?;
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        };
        let root = self
            .inner
            .settings
            .root_url
            .split_once("://")
            .map_or("", |(_, authority)| authority);
        let here = root.strip_prefix("localhost").map(|port| format!("127.0.0.1{port}"));
        let known = authority == root
            || here.as_deref() == Some(&authority)
            || self
                .inner
                .settings
                .aliases
                .iter()
                .any(|alias| alias.eq_ignore_ascii_case(&authority));
        if !known {
            return None;
        }
        let path = url
            .path()
            .strip_prefix("/gitea/")
            .or_else(|| url.path().strip_prefix('/'))?;
        let (owner, name) = path.trim_end_matches('/').split_once('/')?;
        let name = name.strip_suffix(".git").unwrap_or(name);
        let id = self
            .inner
            .contents
            .read(|contents| contents.repository(owner, name).map(|repository| repository.id))?;
        Some(self.git(id).folder().to_owned())
    }

    /// Makes a user, or sets the password of the one there is.
    pub fn create_user(&self, name: &str, password: &str) -> Result<()> {
        if !names::is_name(name) {
            bail!("`{name}` is not a possible user name: letters, digits, `-`, `_` and `.` are");
        }
        self.inner.contents.update(|contents| {
            contents.add_account(name, None, None);
            if let Some(account) = contents.accounts.get_mut(&name.to_lowercase()) {
                account.set_password(password);
            }
        })
    }

    /// Makes an access token of a user.
    pub fn create_token(&self, user: &str, name: &str) -> Result<String> {
        self.inner
            .contents
            .update(|contents| {
                let id = contents.next_id();
                let account = contents.accounts.get_mut(&user.to_lowercase())?;
                account.tokens.retain(|token| token.name != name);
                Some(account.add_token(id, name, vec!["all".to_owned()]).1)
            })?
            .with_context(|| format!("the forge has no user `{user}`"))
    }

    /// Makes an open, empty repository if there is none of that name.
    pub async fn ensure_repository(&self, owner: &str, name: &str) -> Result<()> {
        if self
            .inner
            .contents
            .read(|contents| contents.repository(owner, name).is_some())
        {
            return Ok(());
        }
        if self.inner.contents.read(|contents| contents.account(owner).is_none()) {
            bail!("the forge has no user `{owner}`");
        }
        if !names::is_name(name) {
            bail!("`{name}` is not a possible repository name: letters, digits, `-`, `_` and `.` are");
        }
        self.make_repository(owner, name, "main", |_| {}).await?;
        Ok(())
    }

    /// Brings a folder on disk into a repository (made when missing) as one commit of `owner`.
    ///
    /// Only what changed in the folder since it was last put there is committed, on top of what people did since: their
    /// other changes stay. An unchanged folder makes no commit. Symbolic links and `.git` are left out.
    pub async fn put_tree(&self, owner: &str, name: &str, branch: &str, folder: &Path, message: &str) -> Result<Put> {
        if !names::is_ref_name(branch) {
            bail!("`{branch}` is not a possible branch name");
        }
        self.ensure_repository(owner, name).await?;
        let from = folder.to_owned();
        let files = tokio::task::spawn_blocking(move || commits::files_of(&from))
            .await?
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        let (id, seeded) = self
            .inner
            .contents
            .read(|contents| {
                contents
                    .repository(owner, name)
                    .map(|found| (found.id, found.seeded.clone()))
            })
            .context("the repository was deleted meanwhile")?;
        let git = self.git(id);
        let lock = self.lock(id).await;
        let tree = commits::tree_with(&git, None, &files).await?;
        let head = git.resolve(&format!("refs/heads/{branch}")).await?;
        if seeded.as_ref() == Some(&tree) && head.is_some() {
            return Ok(Put::Unchanged);
        }
        let wanted = match (&head, &seeded) {
            (Some(head), Some(seeded)) => {
                let changes = commits::changes_between(&git, seeded, &tree).await?;
                commits::tree_with(&git, Some(head), &changes).await?
            }
            _ => tree.clone(),
        };
        let (account, email) = self
            .inner
            .contents
            .read(|contents| {
                contents
                    .account(owner)
                    .map(|account| (account.name.clone(), account.email.clone()))
            })
            .context("the owner was deleted meanwhile")?;
        let who = (account, email);
        let note = Note {
            message: message.to_owned(),
            author: who.clone(),
            committer: who,
        };
        let parents: Vec<&str> = head.as_deref().into_iter().collect();
        let commit = commits::commit(&git, &wanted, &parents, &note).await?;
        commits::move_branch(&git, branch, &commit, head.as_deref()).await?;
        drop(lock);
        self.inner.contents.update(|contents| {
            if let Some(repository) = contents.repositories.get_mut(&id) {
                repository.seeded = Some(tree);
            }
        })?;
        self.announce(id, Some(owner)).await?;
        Ok(Put::Committed(commit))
    }

    /// The last deliveries of all webhooks of a repository itself, newest first for each hook.
    pub fn deliveries(&self, owner: &str, name: &str) -> Vec<Delivered> {
        self.inner.contents.read(|contents| {
            let hooks = contents
                .repository(owner, name)
                .map(|repository| repository.hooks.as_slice())
                .unwrap_or_default();
            hooks.iter().flat_map(|hook| hook.deliveries.clone()).collect()
        })
    }

    fn git(&self, id: u64) -> Git {
        let folder = self.inner.settings.data.join(format!("repositories/{id:06}.git"));
        Git::at(folder, self.inner.kept.clone())
    }

    async fn lock(&self, id: u64) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.inner.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(id).or_default())
        };
        lock.lock_owned().await
    }

    /// Makes the folder first and the entry last, so that a crash leaves at most an unused folder.
    async fn make_repository(
        &self,
        owner: &str,
        name: &str,
        default_branch: &str,
        adorn: impl FnOnce(&mut Repository),
    ) -> Result<Option<u64>> {
        let id = self.inner.contents.update(Contents::next_id)?;
        let git = self.git(id);
        git.init(default_branch).await?;
        let made = self.inner.contents.try_update(|contents| {
            if contents.repository(owner, name).is_some() {
                return Err(());
            }
            let mut repository = Repository::new(id, owner, name, default_branch);
            adorn(&mut repository);
            contents.repositories.insert(id, repository);
            Ok(())
        })?;
        if made.is_err() {
            let _ = tokio::fs::remove_dir_all(git.folder()).await;
            return Ok(None);
        }
        self.announce_repository(id).await?;
        Ok(Some(id))
    }

    /// Compares refs with those announced last, and orders deliveries for what changed.
    async fn announce(&self, id: u64, pusher: Option<&str>) -> Result<()> {
        let _lock = self.lock(id).await;
        let Some(repository) = self
            .inner
            .contents
            .read(|contents| contents.repositories.get(&id).cloned())
        else {
            return Ok(());
        };
        let refs = self.git(id).refs().await?;
        if refs == repository.announced {
            return Ok(());
        }
        let events = payload::of_refs(self, &repository, &refs, pusher).await?;
        self.inner.contents.update(|contents| {
            if let Some(repository) = contents.repositories.get_mut(&id) {
                repository.announced = refs;
                repository.updated = chrono::Utc::now();
            }
            webhooks::order(contents, &repository, &events);
        })?;
        self.inner.deliveries.notify_one();
        Ok(())
    }
}

fn without_prefix(mut request: Request) -> Request {
    let rest = request
        .uri()
        .path_and_query()
        .and_then(|path| path.as_str().strip_prefix("/gitea/"));
    if let Some(path) = rest.and_then(|rest| format!("/{rest}").parse().ok()) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(path);
        if let Ok(uri) = axum::http::Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}
