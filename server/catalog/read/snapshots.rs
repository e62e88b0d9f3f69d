//! Repositories as they are now: each is asked for its commit and for its files once, by all reads that share this.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use tokio::sync::OnceCell;

use crate::scm::{Located, Repository, Scm, ScmError};

/// A repository larger than this is read file by file instead of as one tree.
pub const MAX_TREE_BYTES: u64 = 64 * 1024 * 1024;

/// The files of one commit; `None` where the repository is too large to be read whole, or not sent in time.
pub struct Snapshot {
    /// 40 hexadecimal digits.
    pub commit: String,
    pub files: Option<HashMap<String, File>>,
}

/// What stands at a path.
pub enum File {
    Content(Bytes),
    /// A symbolic link and what it names.
    Link(String),
}

/// A repository and a reference of it; `None` is the default branch.
pub type Key = (Repository, Option<String>);

#[derive(Default)]
struct Answers {
    head: OnceCell<Result<String, ScmError>>,
    snapshot: OnceCell<Result<Arc<Snapshot>, ScmError>>,
}

/// What forges answered, failures included, so that nothing is asked for twice. It lives as long as one round of reads.
#[derive(Default)]
pub struct Snapshots(Mutex<HashMap<Key, Arc<Answers>>>);

impl Snapshots {
    fn answers(&self, key: &Key) -> Arc<Answers> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(key.clone()).or_default().clone()
    }

    /// The commit that a reference stands for.
    pub async fn head(&self, forge: &dyn Scm, key: &Key) -> Result<String, ScmError> {
        let answers = self.answers(key);
        let head = answers.head.get_or_init(|| head(forge, &key.0, key.1.as_deref()));
        head.await.clone()
    }

    /// All files of the repository that a URL was found to name.
    pub async fn of(&self, located: &Located) -> Result<Arc<Snapshot>, ScmError> {
        let key = (located.source.repository.clone(), located.source.reference.clone());
        let answers = self.answers(&key);
        let snapshot = answers.snapshot.get_or_init(async || {
            let commit = self.head(&*located.forge, &key).await?;
            fetch(&*located.forge, &key.0, commit).await.map(Arc::new)
        });
        snapshot.await.clone()
    }

    /// The commit of a snapshot that was taken.
    pub fn taken(&self, key: &Key) -> Option<String> {
        let answers = self.answers(key);
        let snapshot = answers.snapshot.get()?.as_ref().ok()?;
        Some(snapshot.commit.clone())
    }

    /// Forges that were asked, each with what is wrong with it for now, if anything.
    pub fn forges(&self) -> HashMap<String, Option<ScmError>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut forges: HashMap<String, Option<ScmError>> = HashMap::new();
        for ((repository, _), answers) in known.iter() {
            let head = answers.head.get().map(|head| head.as_ref().err());
            let snapshot = answers.snapshot.get().map(|snapshot| snapshot.as_ref().err());
            for failure in head.into_iter().chain(snapshot) {
                let failure = failure.filter(|error| error.is_temporary());
                let told = forges.entry(repository.forge.clone()).or_default();
                *told = told.take().or_else(|| failure.cloned());
            }
        }
        forges
    }
}

async fn head(forge: &dyn Scm, repository: &Repository, reference: Option<&str>) -> Result<String, ScmError> {
    let default;
    let reference = match reference {
        Some(reference) => reference,
        None => {
            default = forge.repository(repository).await?.default_branch;
            &default
        }
    };
    Ok(forge.commit(repository, reference).await?.id)
}

async fn fetch(forge: &dyn Scm, repository: &Repository, commit: String) -> Result<Snapshot, ScmError> {
    let files = match forge.read_tree(repository, &commit, MAX_TREE_BYTES).await {
        Ok(tree) => {
            let content = |file: &crate::scm::TreeFile| match &file.link {
                Some(to) => (file.path.clone(), File::Link(to.clone())),
                None => (file.path.clone(), File::Content(file.content.clone())),
            };
            Some(tree.files.iter().map(content).collect())
        }
        // A forge that has just told the commit and does not send its files in time is packing too many: they are read one
        // by one, and fail for themselves where it is the forge that fails.
        Err(ScmError::TooLarge { .. } | ScmError::Unavailable { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Snapshot { commit, files })
}
