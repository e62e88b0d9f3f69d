//! Runs git.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::Note;
use crate::scaffolder::Git;
use crate::scaffolder::actions::ActionError;
use crate::scm::PushTarget;
use crate::telemetry;

const COMMIT_WITHIN: Duration = Duration::from_secs(60);
pub(super) const TRANSFER_WITHIN: Duration = Duration::from_secs(120);

/// The environment of a git that talks to one host.
pub(super) fn signed_in(header: &str) -> [(&'static str, &str); 5] {
    [
        ("GIT_CONFIG_COUNT", "2"),
        ("GIT_CONFIG_KEY_0", "http.extraHeader"),
        ("GIT_CONFIG_VALUE_0", header),
        // Credentials go to this host only.
        ("GIT_CONFIG_KEY_1", "http.followRedirects"),
        ("GIT_CONFIG_VALUE_1", "false"),
    ]
}

/// `user:password` as the Authorization header has it.
pub fn basic(to: &PushTarget) -> String {
    STANDARD.encode(format!("{}:{}", to.username, to.password))
}

/// A bare repository in a folder, and the folder with its files.
pub(super) struct Repository<'a> {
    git: &'a Git,
    folder: PathBuf,
    source: PathBuf,
}

impl<'a> Repository<'a> {
    /// One that is there.
    pub(super) fn of(git: &'a Git, folder: &Path, source: &Path) -> Self {
        Self {
            git,
            folder: folder.to_owned(),
            source: source.to_owned(),
        }
    }

    /// A new one, bare, in `folder`, with the files of `source`.
    pub(super) async fn init(git: &'a Git, folder: &Path, source: &Path) -> Result<Self, ActionError> {
        let repository = Self::of(git, folder, source);
        repository
            .run(&["init", "--quiet", "--bare", "--template=", "."], &[], None)
            .await?;
        Ok(repository)
    }

    /// Fetches a commit of a branch, without what came before it where the forge gives single commits out.
    pub(super) async fn fetch(&self, from: &PushTarget, branch: &str, commit: &str) -> Result<(), ActionError> {
        let header = format!("Authorization: Basic {}", basic(from));
        let environment = signed_in(&header);
        let url = from.url.as_str();
        let shallow = ["fetch", "--quiet", "--no-tags", "--depth=1", url, commit];
        let output = telemetry::outside(self.output(&shallow, &environment, None, TRANSFER_WITHIN)).await?;
        if output.status.success() {
            return Ok(());
        }
        let reference = format!("refs/heads/{branch}");
        let whole = ["fetch", "--quiet", "--no-tags", url, &reference];
        let output = telemetry::outside(self.output(&whole, &environment, None, TRANSFER_WITHIN)).await?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(ActionError::Failed(format!(
                "fetching {branch} of {url} failed: {reason}"
            )));
        }
        Ok(())
    }

    /// The id of a commit of a tree.
    pub(super) async fn commit_tree(
        &self,
        tree: &str,
        parent: Option<&str>,
        note: &Note,
    ) -> Result<String, ActionError> {
        let date = format!("{} +0000", note.at.timestamp());
        let identity = [
            ("GIT_AUTHOR_NAME", note.author.name.as_str()),
            ("GIT_AUTHOR_EMAIL", note.author.email.as_str()),
            ("GIT_AUTHOR_DATE", date.as_str()),
            ("GIT_COMMITTER_NAME", note.author.name.as_str()),
            ("GIT_COMMITTER_EMAIL", note.author.email.as_str()),
            ("GIT_COMMITTER_DATE", date.as_str()),
        ];
        let mut arguments = vec!["commit-tree", tree, "-F", "-"];
        if let Some(parent) = parent {
            arguments.extend(["-p", parent]);
        }
        self.run(&arguments, &identity, Some(note.message.as_bytes())).await
    }

    /// Standard output, trimmed; an error with standard error where git fails.
    pub(super) async fn run(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&[u8]>,
    ) -> Result<String, ActionError> {
        let output = self.succeed(arguments, environment, input).await?;
        Ok(String::from_utf8_lossy(&output).trim().to_owned())
    }

    /// Standard output as it is.
    pub(super) async fn bytes(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, ActionError> {
        self.succeed(arguments, &[], input).await
    }

    async fn succeed(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&[u8]>,
    ) -> Result<Vec<u8>, ActionError> {
        let output = self.output(arguments, environment, input, COMMIT_WITHIN).await?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(ActionError::Failed(format!("git {} failed: {reason}", arguments[0])));
        }
        Ok(output.stdout)
    }

    pub(super) async fn output(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
        input: Option<&[u8]>,
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
            stdin.write_all(text).await?;
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
