//! A forge in memory: files of repositories at numbered commits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use chrono::{DateTime, TimeDelta};

use crate::catalog::Sources;
use crate::scm::{
    Collaboration, Commit, CommitStatus, Issue, Located, NewFile, NewHook, NewIssue, NewPullRequest, NewRepository,
    PullRequest, PullRequestState, PushTarget, Repository, RepositoryInfo, RepositorySettings, Scm, ScmError, Source,
    Tree, TreeFile, Watched,
};

type Files = BTreeMap<String, String>;

#[derive(Default)]
struct Content {
    /// Files of `owner/name`, and how often they were changed.
    repositories: BTreeMap<String, (usize, Files)>,
    down: bool,
    /// Asks to come back after so many seconds.
    slow: Option<u64>,
    /// Commit statuses: repository, failed, description.
    statuses: Vec<(String, bool, String)>,
    /// Proposed files: repository, branch, path, text.
    proposed: Vec<[String; 4]>,
    /// Whether each pull request was merged, was closed, or is open.
    pulls: Vec<PullRequestState>,
}

/// Cheap to clone; all clones are one forge at `https://forge.test`.
#[derive(Clone, Default)]
pub struct MemoryForge {
    content: Arc<Mutex<Content>>,
    pub trees_read: Arc<AtomicUsize>,
    /// Its repositories are so large that it packs them for ever.
    pub packs: Arc<AtomicBool>,
    /// Questions of any kind.
    pub asked: Arc<AtomicUsize>,
}

impl MemoryForge {
    /// Writes one file of `owner/name` as a new commit.
    pub fn write(&self, repository: &str, path: &str, text: &str) {
        let mut content = self.content.lock().unwrap();
        let entry = content.repositories.entry(repository.to_owned()).or_default();
        entry.0 += 1;
        entry.1.insert(path.to_owned(), text.to_owned());
    }

    pub fn remove(&self, repository: &str, path: &str) {
        let mut content = self.content.lock().unwrap();
        let entry = content.repositories.entry(repository.to_owned()).or_default();
        entry.0 += 1;
        entry.1.remove(path);
    }

    /// Proposed files: repository, branch, path, text.
    pub fn proposed(&self) -> Vec<[String; 4]> {
        self.content.lock().unwrap().proposed.clone()
    }

    /// Says what has become of all pull requests; answers how many there are.
    pub fn end_pulls(&self, state: PullRequestState) -> usize {
        let mut content = self.content.lock().unwrap();
        content.pulls.fill(state);
        content.pulls.len()
    }

    /// Removes a whole repository.
    pub fn remove_repository(&self, repository: &str) {
        self.content.lock().unwrap().repositories.remove(repository);
    }

    /// Reported commit statuses: repository, failed, description.
    pub fn statuses(&self) -> Vec<(String, bool, String)> {
        self.content.lock().unwrap().statuses.clone()
    }

    pub fn set_down(&self, down: bool) {
        self.content.lock().unwrap().down = down;
    }

    pub fn set_slow(&self, seconds: Option<u64>) {
        self.content.lock().unwrap().slow = seconds;
    }

    /// Questions since this was asked last.
    pub fn questions(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    pub fn repository(name: &str) -> Repository {
        let (owner, name) = name.split_once('/').unwrap();
        Repository {
            forge: "https://forge.test".to_owned(),
            owner: owner.to_owned(),
            name: name.to_owned(),
        }
    }

    fn look(&self, repository: &Repository) -> Result<(String, Files), ScmError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.state_of(repository)
    }

    fn info(&self, repository: &Repository) -> Result<RepositoryInfo, ScmError> {
        let commits = i64::from_str_radix(&self.state_of(repository)?.0, 16).unwrap();
        Ok(RepositoryInfo {
            repository: repository.clone(),
            default_branch: "main".to_owned(),
            empty: false,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(commits),
            may_administer: true,
        })
    }

    fn state_of(&self, repository: &Repository) -> Result<(String, Files), ScmError> {
        let host = "forge.test".to_owned();
        let content = self.content.lock().unwrap();
        if let Some(seconds) = content.slow {
            let retry_after = Some(std::time::Duration::from_secs(seconds));
            return Err(ScmError::RateLimited { host, retry_after });
        }
        if content.down {
            return Err(ScmError::Unavailable {
                host,
                reason: "connection refused".to_owned(),
            });
        }
        let name = format!("{}/{}", repository.owner, repository.name);
        match content.repositories.get(&name) {
            Some((commits, files)) => Ok((format!("{commits:040x}"), files.clone())),
            None => Err(ScmError::NotFound { host, what: name }),
        }
    }
}

impl Sources for MemoryForge {
    fn locate(&self, url: &str) -> Result<Located, ScmError> {
        let invalid = |reason: &str| ScmError::InvalidUrl {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let parsed = url::Url::parse(url).map_err(|error| invalid(&error.to_string()))?;
        if parsed.host_str() != Some("forge.test") {
            return Err(ScmError::UnknownHost {
                host: parsed.host_str().unwrap_or_default().to_owned(),
            });
        }
        let parts: Vec<&str> = parsed.path_segments().into_iter().flatten().collect();
        match parts.as_slice() {
            [owner, name, "src" | "raw", "branch", reference, path @ ..] => Ok(Located {
                forge: Arc::new(self.clone()),
                source: Source {
                    repository: Self::repository(&format!("{owner}/{name}")),
                    reference: Some((*reference).to_owned()),
                    path: path.join("/"),
                },
            }),
            [owner, name] => Ok(Located {
                forge: Arc::new(self.clone()),
                source: Source {
                    repository: Self::repository(&format!("{owner}/{name}")),
                    reference: None,
                    path: String::new(),
                },
            }),
            _ => Err(invalid("not a file")),
        }
    }

    fn forge_of(&self, _: &Repository) -> Result<Arc<dyn Scm>, ScmError> {
        Ok(Arc::new(self.clone()))
    }

    fn forge_by_host(&self, _: &str) -> Result<Arc<dyn Scm>, ScmError> {
        Ok(Arc::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl Scm for MemoryForge {
    fn web_url(&self, source: &Source, _: bool) -> String {
        let Repository { forge, owner, name } = &source.repository;
        format!("{forge}/{owner}/{name}/src/branch/main/{}", source.path)
    }

    fn edit_url(&self, source: &Source) -> String {
        self.web_url(source, false).replace("/src/branch/", "/_edit/")
    }

    fn repository_url(&self, repository: &Repository) -> String {
        format!("{}/{}/{}", repository.forge, repository.owner, repository.name)
    }

    fn clone_url(&self, repository: &Repository) -> String {
        format!("{}.git", self.repository_url(repository))
    }

    fn commit_url(&self, repository: &Repository, commit: &str) -> String {
        format!("{}/commit/{commit}", self.repository_url(repository))
    }

    fn base(&self) -> &str {
        "https://forge.test"
    }

    fn account(&self) -> &str {
        "tester"
    }

    async fn repository(&self, repository: &Repository) -> Result<RepositoryInfo, ScmError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.info(repository)
    }

    async fn list_repositories(&self, owner: &str) -> Result<Vec<RepositoryInfo>, ScmError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let names: Vec<String> = self.content.lock().unwrap().repositories.keys().cloned().collect();
        let own = names.iter().filter(|name| name.starts_with(&format!("{owner}/")));
        own.map(|name| self.info(&Self::repository(name))).collect()
    }

    async fn has_file(&self, source: &Source) -> Result<bool, ScmError> {
        Ok(self.look(&source.repository)?.1.contains_key(&source.path))
    }

    async fn report_status(&self, repository: &Repository, _: &str, status: &CommitStatus) -> Result<(), ScmError> {
        let name = format!("{}/{}", repository.owner, repository.name);
        let told = (name, status.failed, status.description.clone());
        self.content.lock().unwrap().statuses.push(told);
        Ok(())
    }

    async fn commit(&self, repository: &Repository, _: &str) -> Result<Commit, ScmError> {
        Ok(Commit {
            id: self.look(repository)?.0,
            message: String::new(),
            author: String::new(),
            email: String::new(),
            account: None,
            at: DateTime::UNIX_EPOCH,
        })
    }

    /// One, of whoever it is told of.
    async fn list_commits(&self, source: &Source, _: usize) -> Result<Vec<Commit>, ScmError> {
        let (newest, _) = self.look(&source.repository)?;
        Ok(vec![Commit {
            id: source
                .reference
                .clone()
                .filter(|name| name.len() == 40)
                .unwrap_or(newest),
            message: format!("Change {} <&>\n\nMore.", source.path),
            author: "Ada <b>Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            account: Some("ada".to_owned()),
            at: DateTime::UNIX_EPOCH,
        }])
    }

    async fn read_file(&self, source: &Source, limit: u64) -> Result<Bytes, ScmError> {
        let what = source.path.clone();
        match self.look(&source.repository)?.1.get(&source.path) {
            Some(text) if text.len() as u64 > limit => Err(ScmError::TooLarge { what, limit }),
            Some(text) => Ok(text.clone().into()),
            None => Err(ScmError::NotFound {
                host: "forge.test".to_owned(),
                what,
            }),
        }
    }

    async fn read_tree(&self, repository: &Repository, _: &str, _: u64) -> Result<Tree, ScmError> {
        self.trees_read.fetch_add(1, Ordering::SeqCst);
        if self.packs.load(Ordering::SeqCst) {
            return Err(ScmError::Unavailable {
                host: "forge.test".to_owned(),
                reason: "no answer in time".to_owned(),
            });
        }
        let (commit, files) = self.look(repository)?;
        let files = files
            .into_iter()
            .map(|(path, text)| TreeFile {
                path,
                executable: false,
                link: text.strip_prefix("-> ").map(str::to_owned),
                content: text.into(),
            })
            .collect();
        Ok(Tree { commit, files })
    }

    async fn create_repository(&self, _: &NewRepository) -> Result<RepositoryInfo, ScmError> {
        unreachable!("the catalog creates nothing")
    }

    fn push_target(&self, _: &Repository) -> Result<PushTarget, ScmError> {
        unreachable!("the catalog pushes nothing")
    }

    fn collaboration(&self) -> Option<&dyn Collaboration> {
        Some(self)
    }

    async fn ensure_webhook(&self, _: &Watched, _: &str, _: &str) -> Result<(), ScmError> {
        unreachable!("the catalog registers no webhooks")
    }
}

#[async_trait::async_trait]
impl Collaboration for MemoryForge {
    async fn propose_file(&self, repository: &Repository, file: &NewFile<'_>) -> Result<(), ScmError> {
        self.look(repository)?;
        let name = format!("{}/{}", repository.owner, repository.name);
        let proposed = [&name, file.branch, file.path, file.content].map(str::to_owned);
        let mut content = self.content.lock().unwrap();
        content.proposed.retain(|other| other[..3] != proposed[..3]);
        content.proposed.push(proposed);
        Ok(())
    }

    async fn open_pull_request(&self, repository: &Repository, _: &NewPullRequest) -> Result<PullRequest, ScmError> {
        self.content.lock().unwrap().pulls.push(PullRequestState::Open);
        let number = self.content.lock().unwrap().pulls.len() as u64;
        self.pull_request(repository, number).await
    }

    async fn find_pull_request(
        &self,
        repository: &Repository,
        _: &str,
        _: &str,
    ) -> Result<Option<PullRequest>, ScmError> {
        let last = self.content.lock().unwrap().pulls.len() as u64;
        match last {
            0 => Ok(None),
            last => Ok(
                Some(self.pull_request(repository, last).await?).filter(|pull| pull.state == PullRequestState::Open)
            ),
        }
    }

    async fn pull_request(&self, repository: &Repository, number: u64) -> Result<PullRequest, ScmError> {
        self.look(repository)?;
        let state = self.content.lock().unwrap().pulls[number as usize - 1];
        Ok(PullRequest {
            number,
            url: format!("{}/pulls/{number}", self.repository_url(repository)),
            state,
        })
    }

    async fn update_repository(&self, _: &Repository, _: &RepositorySettings) -> Result<(), ScmError> {
        unreachable!("the catalog sets nothing")
    }

    async fn delete_repository(&self, _: &Repository) -> Result<(), ScmError> {
        unreachable!("the catalog deletes no repository")
    }

    async fn ensure_hook(&self, _: &Repository, _: &NewHook<'_>) -> Result<(), ScmError> {
        unreachable!("the catalog registers no webhooks")
    }

    async fn create_issue(&self, _: &Repository, _: &NewIssue<'_>) -> Result<Issue, ScmError> {
        unreachable!("the catalog opens no issue")
    }

    async fn find_issue(&self, _: &Repository, _: &str, _: DateTime<chrono::Utc>) -> Result<Option<Issue>, ScmError> {
        unreachable!("the catalog opens no issue")
    }

    async fn set_secret(&self, _: &Repository, _: &str, _: &str) -> Result<(), ScmError> {
        unreachable!("the catalog knows no secret")
    }

    async fn set_variable(&self, _: &Repository, _: &str, _: &str) -> Result<(), ScmError> {
        unreachable!("the catalog sets nothing")
    }
}
