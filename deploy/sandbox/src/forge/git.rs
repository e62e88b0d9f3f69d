//! The `git` program: how it is started, and what is read from a repository.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::names::is_ref_name;

mod kept;
mod refs;

pub use kept::Kept;

/// The id of no object, as git writes it for a ref that is not there.
pub const NOTHING: &str = "0000000000000000000000000000000000000000";

/// Why git did not do something.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started or talked to.
    #[error("the git program cannot be run: {0}")]
    Run(#[from] io::Error),
    /// It refused.
    #[error("git {command} failed: {message}")]
    Failed {
        /// First word of the command.
        command: String,
        /// What it wrote to standard error.
        message: String,
    },
    /// It wrote what we cannot read.
    #[error("git {0} answered something unexpected")]
    Unexpected(&'static str),
}

/// A command in a repository, cut off from the configuration of this machine and user.
///
/// Hooks never run; the ownership check is off, since the folder is ours alone.
pub fn command(repository: &Path) -> Command {
    const SETTINGS: [(&str, &str); 9] = [
        ("safe.directory", "*"),
        ("core.hooksPath", "/dev/null"),
        ("core.quotePath", "false"),
        ("core.fsync", "committed,reference"),
        ("gc.auto", "0"),
        ("receive.autogc", "false"),
        ("uploadpack.allowFilter", "true"),
        ("uploadpack.allowAnySHA1InWant", "true"),
        ("init.defaultBranch", "main"),
    ];
    let mut command = Command::new("git");
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_COUNT", SETTINGS.len().to_string());
    for (index, (key, value)) in SETTINGS.iter().enumerate() {
        command
            .env(format!("GIT_CONFIG_KEY_{index}"), key)
            .env(format!("GIT_CONFIG_VALUE_{index}"), value);
    }
    command
        .env("GIT_DIR", repository)
        .current_dir(repository)
        .kill_on_drop(true);
    command
}

/// A bare repository on disk. Everything that changes refs goes through [`super::Forge`], which holds its lock.
#[derive(Debug, Clone)]
pub struct Git {
    folder: PathBuf,
    kept: Arc<Kept>,
}

/// One line of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeEntry {
    /// For instance `100644`.
    pub mode: String,
    /// `blob`, `tree` or `commit`.
    pub kind: String,
    /// Object id.
    pub id: String,
    /// Bytes of a blob.
    pub size: Option<u64>,
    /// From the root of the tree that was asked for.
    pub path: String,
}

/// A commit.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Object id.
    pub id: String,
    /// Of its tree.
    pub tree: String,
    /// Ids of its parents.
    pub parents: Vec<String>,
    /// Who wrote it.
    pub author: Signature,
    /// Who committed it.
    pub committer: Signature,
    /// The whole message.
    pub message: String,
}

/// Name, address and time (RFC 3339) of an author or committer.
#[derive(Debug, Clone)]
pub struct Signature {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
    /// Time, RFC 3339.
    pub date: String,
}

/// Paths that a commit touched.
#[derive(Debug, Clone, Default)]
pub struct Touched {
    /// New paths.
    pub added: Vec<String>,
    /// Paths that are gone.
    pub removed: Vec<String>,
    /// Other paths.
    pub modified: Vec<String>,
}

impl Git {
    /// The repository in `folder`; `kept` is what is known of commits.
    pub fn at(folder: PathBuf, kept: Arc<Kept>) -> Self {
        Self { folder, kept }
    }

    /// Makes the repository if its folder is missing.
    pub async fn init(&self, default_branch: &str) -> Result<(), GitError> {
        if self.folder.join("HEAD").exists() {
            return self.set_head(default_branch).await;
        }
        tokio::fs::create_dir_all(&self.folder).await?;
        self.run([
            "init",
            "--quiet",
            "--bare",
            &format!("--initial-branch={default_branch}"),
        ])
        .await?;
        Ok(())
    }

    /// The folder of the repository.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Points HEAD to a branch, which need not exist.
    pub async fn set_head(&self, branch: &str) -> Result<(), GitError> {
        self.run(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])
            .await?;
        Ok(())
    }

    /// Runs a command and returns what it wrote.
    pub async fn run<I, S>(&self, arguments: I) -> Result<Vec<u8>, GitError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        self.run_with(arguments, &[], b"").await
    }

    /// As [`Git::run`] with more environment and something on standard input.
    pub async fn run_with<I, S>(
        &self,
        arguments: I,
        environment: &[(&str, &str)],
        input: &[u8],
    ) -> Result<Vec<u8>, GitError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let arguments: Vec<_> = arguments
            .into_iter()
            .map(|argument| argument.as_ref().to_owned())
            .collect();
        let mut child = command(&self.folder)
            .args(&arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or(GitError::Unexpected("start"))?;
        let write = async move {
            // A command that does not read its input closes it: not an error of its own.
            let _ = stdin.write_all(input).await;
        };
        let ((), output) = tokio::join!(write, child.wait_with_output());
        let output = output?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(GitError::Failed {
            command: arguments
                .first()
                .map(|word| word.to_string_lossy().into_owned())
                .unwrap_or_default(),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    async fn line<I, S>(&self, arguments: I) -> Result<String, GitError>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        Ok(String::from_utf8_lossy(&self.run(arguments).await?).trim().to_owned())
    }

    /// All branches and tags: full name → object id.
    pub async fn refs(&self) -> Result<std::collections::BTreeMap<String, String>, GitError> {
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || refs::read(&folder)).await;
        Ok(read.map_err(io::Error::other)??)
    }

    /// As [`Git::run`], for a command that asks of a commit by its whole id `of`: its answer is kept.
    async fn run_of(&self, of: &str, arguments: Vec<&str>) -> Result<Vec<u8>, GitError> {
        let is_id = of.len() >= 40 && of.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return self.run(arguments).await;
        }
        let words = arguments.iter().map(|word| (*word).to_owned()).collect();
        let asked = (self.folder.clone(), words);
        if let Some(answer) = self.kept.get(&asked) {
            return Ok(answer);
        }
        let answer = self.run(arguments).await?;
        self.kept.put(asked, &answer);
        Ok(answer)
    }

    /// The commit that a branch, a tag or a commit id means; `None` when there is no such thing.
    pub async fn resolve(&self, name: &str) -> Result<Option<String>, GitError> {
        let is_id = (4..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        // Most are asked for by the name of a branch.
        if is_ref_name(name)
            && let Some(id) = self.refs().await?.remove(&format!("refs/heads/{name}"))
        {
            return Ok(Some(id));
        }
        let mut candidates = Vec::new();
        if is_ref_name(name) {
            candidates.push(format!("refs/tags/{name}"));
            if name.starts_with("refs/") {
                candidates.push(name.to_owned());
            }
        }
        if is_id {
            candidates.push(name.to_owned());
        }
        for candidate in candidates {
            let wanted = format!("{candidate}^{{commit}}");
            match self
                .line(["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted])
                .await
            {
                Ok(id) if !id.is_empty() => return Ok(Some(id)),
                Ok(_) | Err(GitError::Failed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The entry at `path` of a commit; the root is a tree with an empty path.
    pub async fn entry(&self, commit: &str, path: &str) -> Result<Option<TreeEntry>, GitError> {
        if path.is_empty() {
            let id = self
                .line([
                    "rev-parse",
                    "--verify",
                    "--end-of-options",
                    &format!("{commit}^{{tree}}"),
                ])
                .await?;
            let entry = TreeEntry {
                mode: "040000".into(),
                kind: "tree".into(),
                id,
                size: None,
                path: String::new(),
            };
            return Ok(Some(entry));
        }
        let listed = self
            .run(["--literal-pathspecs", "ls-tree", "-z", "-l", commit, "--", path])
            .await?;
        Ok(entries(&listed)?.into_iter().find(|entry| entry.path == path))
    }

    /// Entries of a tree; with `recursive` those of the trees in it too, and the trees themselves.
    pub async fn tree(&self, tree: &str, recursive: bool) -> Result<Vec<TreeEntry>, GitError> {
        let mut arguments = vec!["ls-tree", "-z", "-l"];
        if recursive {
            arguments.extend(["-r", "-t"]);
        }
        arguments.push(tree);
        entries(&self.run(arguments).await?)
    }

    /// Bytes of a blob.
    pub async fn blob(&self, id: &str) -> Result<Vec<u8>, GitError> {
        self.run(["cat-file", "blob", id]).await
    }

    /// Commits from `from` backwards (newest first), those that touched `path` if it is not empty.
    pub async fn log(&self, from: &[&str], path: &str, skip: usize, limit: usize) -> Result<Vec<Commit>, GitError> {
        let (skip, limit) = (format!("--skip={skip}"), format!("--max-count={limit}"));
        let mut arguments = vec![
            "--literal-pathspecs",
            "log",
            "-z",
            "--date=iso-strict",
            "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B",
            &skip,
            &limit,
        ];
        arguments.extend(from);
        arguments.push("--");
        if !path.is_empty() {
            arguments.push(path);
        }
        let listed = match from {
            [one] => self.run_of(one, arguments).await?,
            _ => self.run(arguments).await?,
        };
        let text = String::from_utf8_lossy(&listed);
        let fields: Vec<&str> = text.split('\0').collect();
        Ok(fields.chunks_exact(10).map(commit_of).collect())
    }

    /// One commit.
    pub async fn commit(&self, id: &str) -> Result<Option<Commit>, GitError> {
        Ok(self.log(&[id], "", 0, 1).await?.into_iter().next())
    }

    /// How many commits are behind `from`, those that touched `path` if it is not empty.
    pub async fn count(&self, from: &str, path: &str) -> Result<usize, GitError> {
        let mut arguments = vec!["--literal-pathspecs", "rev-list", "--count", from, "--"];
        if !path.is_empty() {
            arguments.push(path);
        }
        let counted = self.run_of(from, arguments).await?;
        let counted = String::from_utf8_lossy(&counted);
        counted.trim().parse().map_err(|_| GitError::Unexpected("rev-list"))
    }

    /// Paths that a commit touched, against its first parent.
    pub async fn touched(&self, commit: &str) -> Result<Touched, GitError> {
        let arguments = vec![
            "diff-tree",
            "--no-commit-id",
            "--name-status",
            "--no-renames",
            "-r",
            "-z",
            "--root",
            "-m",
            "--first-parent",
            commit,
        ];
        let listed = self.run_of(commit, arguments).await?;
        let text = String::from_utf8_lossy(&listed);
        let mut words = text.split('\0');
        let mut touched = Touched::default();
        while let (Some(status), Some(path)) = (words.next(), words.next()) {
            match status {
                "A" => touched.added.push(path.to_owned()),
                "D" => touched.removed.push(path.to_owned()),
                _ => touched.modified.push(path.to_owned()),
            }
        }
        Ok(touched)
    }
}

fn entries(listed: &[u8]) -> Result<Vec<TreeEntry>, GitError> {
    String::from_utf8_lossy(listed)
        .split('\0')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (head, path) = line.split_once('\t')?;
            let mut words = head.split_whitespace();
            Some(TreeEntry {
                mode: words.next()?.to_owned(),
                kind: words.next()?.to_owned(),
                id: words.next()?.to_owned(),
                size: words.next()?.parse().ok(),
                path: path.to_owned(),
            })
        })
        .collect::<Option<_>>()
        .ok_or(GitError::Unexpected("ls-tree"))
}

fn commit_of(fields: &[&str]) -> Commit {
    let signature = |at: usize| Signature {
        name: fields[at].into(),
        email: fields[at + 1].into(),
        date: fields[at + 2].into(),
    };
    Commit {
        id: fields[0].into(),
        tree: fields[1].into(),
        parents: fields[2].split_whitespace().map(str::to_owned).collect(),
        author: signature(3),
        committer: signature(6),
        message: fields[9].into(),
    }
}
