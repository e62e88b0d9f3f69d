//! Trees that were read lately: a commit never changes, so that whoever asks for the same one again need not wait for the
//! forge. Each account has its own, because another may see less.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::archive::{self, ArchiveError};
use super::{Repository, ScmError, Tree, TreeFile};

/// Content that is kept of one account, in bytes; a larger tree is not kept.
const ROOM: u64 = 16 * 1024 * 1024;
/// Trees that are kept of one account.
const TREES: usize = 64;
/// A tree that nobody asks for any more is forgotten after this time.
const REST: Duration = Duration::from_secs(60);

/// The files of a tree, and the bytes of their content.
type Files = (Arc<[TreeFile]>, u64);

/// The trees of one account at one forge.
#[derive(Clone)]
pub(super) struct Trees {
    state: Arc<Mutex<State>>,
    rest: Duration,
}

impl Default for Trees {
    fn default() -> Self {
        Self {
            state: Arc::default(),
            rest: REST,
        }
    }
}

#[derive(Default)]
struct State {
    /// Those used last at the end.
    kept: Vec<Kept>,
    /// Somebody looks after those that rest.
    swept: bool,
}

struct Kept {
    repository: Repository,
    commit: String,
    /// Asked for once, however many want it at the same time.
    files: Arc<OnceCell<Files>>,
    used: Instant,
}

impl Kept {
    fn size(&self) -> u64 {
        self.files.get().map_or(0, |(_, size)| *size)
    }
}

fn content(files: &[TreeFile]) -> u64 {
    files.iter().map(|file| file.content.len() as u64).sum()
}

impl Trees {
    /// The tree of a commit: as it is kept, or unpacked from what `packed` fetches. `what` names it in errors, `limit` is as
    /// in [`super::Scm::read_tree`].
    pub async fn get(
        &self,
        repository: &Repository,
        commit: String,
        limit: u64,
        what: &str,
        packed: impl Future<Output = Result<axum::body::Bytes, ScmError>>,
        unexpected: impl FnOnce(String) -> ScmError,
    ) -> Result<Tree, ScmError> {
        let too_large = || ScmError::TooLarge {
            what: what.to_owned(),
            limit,
        };
        let cell = self.cell(repository, &commit);
        let (files, size) = cell
            .get_or_try_init(async || match archive::unpack_apart(packed.await?, limit).await {
                Ok(files) => {
                    let size = content(&files);
                    Ok((files.into(), size))
                }
                Err(ArchiveError::TooLarge) => Err(too_large()),
                Err(error) => Err(unexpected(format!("{what}: {error}"))),
            })
            .await?
            .clone();
        self.make_room();
        if size > limit {
            return Err(too_large());
        }
        Ok(Tree { commit, files })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place of a tree, last among those that were used.
    fn cell(&self, repository: &Repository, commit: &str) -> Arc<OnceCell<Files>> {
        let kept = &mut self.state().kept;
        let found = kept
            .iter()
            .position(|kept| kept.commit == commit && kept.repository == *repository);
        let mut entry = match found {
            Some(index) => kept.remove(index),
            None => Kept {
                repository: repository.clone(),
                commit: commit.to_owned(),
                files: Arc::default(),
                used: Instant::now(),
            },
        };
        entry.used = Instant::now();
        let files = entry.files.clone();
        kept.push(entry);
        files
    }

    /// Forgets what was used longest ago, as far as it is too much, and later what nobody has used for a while.
    fn make_room(&self) {
        let mut state = self.state();
        let kept = &mut state.kept;
        let mut size: u64 = kept.iter().map(Kept::size).sum();
        while (size > ROOM || kept.len() > TREES) && !kept.is_empty() {
            size -= kept.remove(0).size();
        }
        if !std::mem::replace(&mut state.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self.state), self.rest));
        }
    }
}

/// Forgets trees that rest, until there is none.
async fn sweep(trees: Weak<Mutex<State>>, rest: Duration) {
    loop {
        tokio::time::sleep(rest).await;
        let Some(trees) = trees.upgrade() else { return };
        let mut state = trees.lock().unwrap_or_else(PoisonError::into_inner);
        state.kept.retain(|kept| kept.used.elapsed() < rest);
        state.swept = !state.kept.is_empty();
        if !state.swept {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn repository(name: &str) -> Repository {
        Repository {
            forge: "https://forge.test".to_owned(),
            owner: "o".to_owned(),
            name: name.to_owned(),
        }
    }

    fn tar_of(size: usize) -> axum::body::Bytes {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(size as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, "top/file", &vec![b'x'; size][..]).unwrap();
        tar.into_inner().unwrap().into()
    }

    async fn get(trees: &Trees, asked: &AtomicUsize, name: &str, size: usize, limit: u64) -> Result<Tree, ScmError> {
        let packed = async {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(tar_of(size))
        };
        let unexpected = |reason| ScmError::Unexpected {
            host: "forge.test".to_owned(),
            reason,
        };
        trees
            .get(
                &repository(name),
                "c".repeat(40),
                limit,
                "the files",
                packed,
                unexpected,
            )
            .await
    }

    #[tokio::test]
    async fn a_tree_is_fetched_once_and_forgotten_when_nobody_asks() {
        let trees = Trees {
            rest: Duration::from_millis(200),
            ..Trees::default()
        };
        let asked = AtomicUsize::new(0);
        let (one, two) = tokio::join!(get(&trees, &asked, "a", 10, 100), get(&trees, &asked, "a", 10, 100));
        assert_eq!((one.unwrap().files.len(), two.unwrap().files.len()), (1, 1));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        // The same commit of another repository is another tree: not everybody may see it.
        get(&trees, &asked, "b", 10, 100).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        while !trees.state().kept.is_empty() {
            tokio::time::sleep(trees.rest).await;
        }
        get(&trees, &asked, "a", 10, 100).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn limits_hold_for_what_is_kept() {
        let (trees, asked) = (Trees::default(), AtomicUsize::new(0));
        assert!(matches!(
            get(&trees, &asked, "a", 10, 5).await,
            Err(ScmError::TooLarge { limit: 5, .. })
        ));
        get(&trees, &asked, "a", 10, 10).await.unwrap();
        assert!(matches!(
            get(&trees, &asked, "a", 10, 5).await,
            Err(ScmError::TooLarge { limit: 5, .. })
        ));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let (trees, asked) = (Trees::default(), AtomicUsize::new(0));
        let third = ROOM as usize / 3;
        for name in ["a", "b", "c", "d"] {
            get(&trees, &asked, name, third, u64::MAX / 4).await.unwrap();
        }
        let size: u64 = trees.state().kept.iter().map(Kept::size).sum();
        assert!(size <= ROOM, "{size}");
        // The last is there, the first is not.
        get(&trees, &asked, "d", third, u64::MAX / 4).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 4);
        get(&trees, &asked, "a", third, u64::MAX / 4).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 5);
        get(&trees, &asked, "huge", ROOM as usize + 1, u64::MAX / 4)
            .await
            .unwrap();
        assert!(trees.state().kept.is_empty());
    }
}
