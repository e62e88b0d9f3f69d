//! A person's checkout.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A clone of a repository in a temporary folder.
pub struct Checkout {
    folder: TempDir,
}

impl Checkout {
    /// Clones over HTTP with a user name and password in the URL, as people type it.
    pub fn clone(url: &str, username: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let with_credentials = url.replacen("http://", &format!("http://{username}:{password}@"), 1);
        run(folder.path(), &["clone", "--quiet", &with_credentials, "."]);
        Self { folder }
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
        run(self.path(), &["add", "--all"]);
        run(self.path(), &["commit", "--quiet", "--message", message]);
        run(self.path(), &["push", "--quiet"]);
        run(self.path(), &["rev-parse", "HEAD"])
    }

    /// Ids of all commits, newest first.
    pub fn commits(&self) -> Vec<String> {
        run(self.path(), &["log", "--format=%H"])
            .lines()
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Paths of all files that are tracked, sorted.
    pub fn files(&self) -> Vec<String> {
        run(self.path(), &["ls-files"]).lines().map(ToOwned::to_owned).collect()
    }
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=A Person", "-c", "user.email=person@example.org"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
