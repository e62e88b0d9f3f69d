//! A person's checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A clone of a repository in a temporary folder.
pub struct Checkout {
    folder: TempDir,
    /// The authority of the forge's certificate, where the machine does not know it.
    authority: Option<PathBuf>,
}

impl Checkout {
    /// Clones over HTTP with a user name and password in the URL, as people type it.
    pub fn clone(url: &str, username: &str, password: &str, authority: Option<&Path>) -> Self {
        let checkout = Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            authority: authority.map(Path::to_owned),
        };
        let with_credentials = url.replacen("://", &format!("://{username}:{password}@"), 1);
        checkout.git(&["clone", "--quiet", &with_credentials, "."]);
        checkout
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(self.path(), arguments, self.authority.as_deref())
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a text in a file, which must have it.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder.path().join(file);
        let before = std::fs::read_to_string(&path).expect("the file is there");
        assert!(before.contains(from), "{file} lacks {from:?}:\n{before}");
        std::fs::write(path, before.replace(from, to)).expect("the file can be written");
    }

    /// Commits everything and pushes; answers the commit.
    pub fn push(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["push", "--quiet"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Ids of all commits, newest first.
    pub fn commits(&self) -> Vec<String> {
        self.git(&["log", "--format=%H"])
            .lines()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Paths of all files that are tracked, sorted.
    pub fn files(&self) -> Vec<String> {
        self.git(&["ls-files"]).lines().map(ToOwned::to_owned).collect()
    }
}

/// Runs git in a folder, with no configuration of this machine.
pub fn git(folder: &Path, arguments: &[&str], authority: Option<&Path>) -> String {
    let mut command = Command::new("git");
    command
        .args(["-c", "user.name=A Person", "-c", "user.email=person@example.org"])
        .args(["-c", "init.defaultBranch=main"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    if let Some(authority) = authority {
        command.env("GIT_SSL_CAINFO", authority);
    }
    let output = command.output().expect("git runs");
    // Arguments may hold a password.
    let shown = arguments.first().unwrap_or(&"");
    assert!(
        output.status.success(),
        "git {shown}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
