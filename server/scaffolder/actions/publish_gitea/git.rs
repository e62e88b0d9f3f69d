//! The `git` program, shut off from everything but its arguments: no environment, no configuration of the
//! machine or the user, no hooks, no questions. Credentials go by environment only.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::ActionError;
use crate::scaffolder::{Author, Git};
use crate::scm::PushTarget;
use crate::telemetry;

const COMMIT_WITHIN: Duration = Duration::from_secs(60);
const PUSH_WITHIN: Duration = Duration::from_secs(120);

/// A commit in a repository of its own, outside of the workspace; both go when it is dropped.
pub struct Commit {
    /// 40 hexadecimal digits.
    pub id: String,
    folder: tempfile::TempDir,
}

pub struct PushError {
    pub reason: String,
    /// The branch is there and holds something else.
    pub rejected: bool,
}

/// Commits all files of a folder. The same files, message, author and time give the same commit, always.
pub async fn commit(
    git: &Git,
    source: &Path,
    message: &str,
    author: &Author,
    at: DateTime<Utc>,
) -> Result<Commit, ActionError> {
    let folder = tempfile::Builder::new().prefix("portico-git-").tempdir()?;
    let repository = Repository {
        git,
        folder: folder.path().to_owned(),
        source: source.to_owned(),
    };
    repository
        .run(&["init", "--quiet", "--bare", "--template=", "."], &[], None)
        .await?;
    repository.run(&["add", "--all", "--", "."], &[], None).await?;
    let tree = repository.run(&["write-tree"], &[], None).await?;
    let date = format!("{} +0000", at.timestamp());
    let identity = [
        ("GIT_AUTHOR_NAME", author.name.as_str()),
        ("GIT_AUTHOR_EMAIL", author.email.as_str()),
        ("GIT_AUTHOR_DATE", date.as_str()),
        ("GIT_COMMITTER_NAME", author.name.as_str()),
        ("GIT_COMMITTER_EMAIL", author.email.as_str()),
        ("GIT_COMMITTER_DATE", date.as_str()),
    ];
    let id = repository
        .run(&["commit-tree", &tree, "-F", "-"], &identity, Some(message))
        .await?;
    Ok(Commit { id, folder })
}

/// Pushes the commit as the branch's first one; a branch that is there must hold it already.
pub async fn push(git: &Git, commit: &Commit, to: &PushTarget, branch: &str) -> Result<(), PushError> {
    let header = format!("Authorization: Basic {}", basic(to));
    let environment = [
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "http.extraHeader"),
        ("GIT_CONFIG_VALUE_0", header.as_str()),
        // Credentials go to this host only.
        ("GIT_CONFIG_KEY_1", "http.followRedirects"),
        ("GIT_CONFIG_VALUE_1", "false"),
    ];
    let refspec = format!("{}:refs/heads/{branch}", commit.id);
    let arguments = ["push", "--quiet", "--porcelain", to.url.as_str(), &refspec];
    let repository = Repository {
        git,
        folder: commit.folder.path().to_owned(),
        source: commit.folder.path().to_owned(),
    };
    let failed = |reason: String| PushError {
        reason,
        rejected: false,
    };
    let pushed = telemetry::outside(repository.output(&arguments, &environment, None, PUSH_WITHIN)).await;
    let output = pushed.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Err(PushError {
        rejected: text.contains("[rejected]") || text.contains("non-fast-forward") || text.contains("fetch first"),
        reason: text.trim().to_owned(),
    })
}

/// `user:password` as the Authorization header has it.
pub fn basic(to: &PushTarget) -> String {
    STANDARD.encode(format!("{}:{}", to.username, to.password))
}

struct Repository<'a> {
    git: &'a Git,
    folder: PathBuf,
    source: PathBuf,
}

impl Repository<'_> {
    /// Standard output, trimmed; an error with standard error where git fails.
    async fn run(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&str>,
    ) -> Result<String, ActionError> {
        let output = self.output(arguments, environment, input, COMMIT_WITHIN).await?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(ActionError::Failed(format!("git {} failed: {reason}", arguments[0])));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    async fn output(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&str>,
        within: Duration,
    ) -> Result<Output, ActionError> {
        let mut command = Command::new(&self.git.program);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &self.folder)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_DIR", &self.folder)
            .env("GIT_WORK_TREE", &self.source)
            .envs(environment.iter().copied());
        if let Some(file) = &self.git.ca_file {
            command.env("GIT_SSL_CAINFO", file);
        }
        command
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "-c",
                "core.bare=false",
                "-c",
                "core.autocrlf=false",
            ])
            .args([
                "-c",
                "core.symlinks=true",
                "-c",
                "core.fsmonitor=false",
                "-c",
                "credential.helper=",
            ])
            .args([
                "-c",
                "protocol.allow=never",
                "-c",
                "protocol.http.allow=always",
                "-c",
                "protocol.https.allow=always",
            ])
            .args(arguments)
            .current_dir(if arguments.first() == Some(&"init") {
                &self.folder
            } else {
                &self.source
            })
            .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if arguments.first() == Some(&"init") {
            command.env_remove("GIT_WORK_TREE");
        }
        let mut child = command.spawn().map_err(|error| {
            ActionError::Failed(format!(
                "the program {} cannot be started: {error}",
                self.git.program.display()
            ))
        })?;
        let group = Group::of(&child);
        if let (Some(text), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(text.as_bytes()).await?;
        }
        let output = tokio::time::timeout(within, child.wait_with_output())
            .await
            .map_err(|_| {
                ActionError::Failed(format!(
                    "git {} took longer than {} s and was stopped",
                    arguments[0],
                    within.as_secs()
                ))
            })??;
        group.release();
        Ok(output)
    }
}

/// The processes that git has started; killed with it when the task is cancelled.
struct Group(Option<libc::pid_t>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| libc::pid_t::try_from(id).ok()))
    }

    /// The leader has ended, and its number may be somebody else's soon.
    fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0 {
            // SAFETY: kill takes numbers only. The leader has not been waited for, so the group is still ours.
            unsafe { libc::kill(-id, libc::SIGKILL) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_task_makes_the_same_commit() {
        let source = tempfile::tempdir().unwrap();
        std::fs::create_dir(source.path().join("docs")).unwrap();
        std::fs::write(source.path().join("docs/index.md"), "# Demo\n").unwrap();
        std::fs::write(
            source.path().join(".gitattributes"),
            "* filter=evil export-subst text\n",
        )
        .unwrap();
        let author = Author {
            name: "Portico".to_owned(),
            email: "noreply".to_owned(),
        };
        let git = Git::default();
        let at = DateTime::UNIX_EPOCH + chrono::Duration::days(20_000);
        let first = commit(&git, source.path(), "m\n\nChange-Id: I1\n", &author, at)
            .await
            .unwrap();
        let second = commit(&git, source.path(), "m\n\nChange-Id: I1\n", &author, at)
            .await
            .unwrap();
        assert_eq!(first.id, second.id);
        assert_eq!(first.id.len(), 40);
        let other = commit(&git, source.path(), "m\n\nChange-Id: I2\n", &author, at)
            .await
            .unwrap();
        assert_ne!(first.id, other.id);
        assert!(!source.path().join(".git").exists());
    }
}
