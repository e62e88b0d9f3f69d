//! Commits that the forge makes itself, without a working copy: blobs, an index of its own, a tree, a commit.

use std::path::{Path, PathBuf};

use super::git::{Git, GitError, NOTHING};

/// What happens to one path.
#[derive(Debug, Clone)]
pub enum Change {
    /// The path holds these bytes afterwards.
    Put {
        /// Relative path.
        path: String,
        /// All of the file.
        bytes: Vec<u8>,
        /// Whether it can be run.
        executable: bool,
    },
    /// The path holds an object that is in the repository already.
    Point {
        /// Relative path.
        path: String,
        /// For instance `100644`.
        mode: String,
        /// Object id.
        id: String,
    },
    /// The path is gone afterwards.
    Remove {
        /// Relative path.
        path: String,
    },
}

/// Who and why.
#[derive(Debug, Clone)]
pub struct Note {
    /// Message.
    pub message: String,
    /// Author: name and address.
    pub author: (String, String),
    /// Committer: name and address.
    pub committer: (String, String),
}

/// The tree that `base` (a commit or tree; none: the empty tree) becomes by `changes`.
pub async fn tree_with(git: &Git, base: Option<&str>, changes: &[Change]) -> Result<String, GitError> {
    let index = tempfile::Builder::new().prefix("portico-index-").tempdir()?;
    let index = index.path().join("index");
    let index = index.to_string_lossy();
    let environment = [("GIT_INDEX_FILE", index.as_ref())];
    match base {
        Some(base) => git.run_with(["read-tree", base], &environment, b"").await?,
        None => git.run_with(["read-tree", "--empty"], &environment, b"").await?,
    };
    let mut lines = Vec::new();
    for change in changes {
        let line = match change {
            Change::Put {
                path,
                bytes,
                executable,
            } => {
                let id = git.run_with(["hash-object", "-w", "--stdin"], &[], bytes).await?;
                let mode = if *executable { "100755" } else { "100644" };
                format!("{mode} {}\t{path}\0", String::from_utf8_lossy(&id).trim())
            }
            Change::Point { path, mode, id } => format!("{mode} {id}\t{path}\0"),
            Change::Remove { path } => format!("0 {NOTHING}\t{path}\0"),
        };
        lines.extend_from_slice(line.as_bytes());
    }
    git.run_with(["update-index", "-z", "--index-info"], &environment, &lines)
        .await?;
    let tree = git.run_with(["write-tree"], &environment, b"").await?;
    Ok(String::from_utf8_lossy(&tree).trim().to_owned())
}

/// Makes a commit of `tree` and returns its id. No branch points to it yet.
pub async fn commit(git: &Git, tree: &str, parents: &[&str], note: &Note) -> Result<String, GitError> {
    let mut arguments = vec!["commit-tree".to_owned(), tree.to_owned()];
    for parent in parents {
        arguments.extend(["-p".to_owned(), (*parent).to_owned()]);
    }
    let environment = [
        ("GIT_AUTHOR_NAME", note.author.0.as_str()),
        ("GIT_AUTHOR_EMAIL", note.author.1.as_str()),
        ("GIT_COMMITTER_NAME", note.committer.0.as_str()),
        ("GIT_COMMITTER_EMAIL", note.committer.1.as_str()),
    ];
    let mut message = note.message.clone();
    if !message.ends_with('\n') {
        message.push('\n');
    }
    let id = git.run_with(&arguments, &environment, message.as_bytes()).await?;
    Ok(String::from_utf8_lossy(&id).trim().to_owned())
}

/// Points a branch to a commit, if it points to `expected` (none: does not exist) now.
pub async fn move_branch(git: &Git, branch: &str, commit: &str, expected: Option<&str>) -> Result<(), GitError> {
    git.run([
        "update-ref",
        &format!("refs/heads/{branch}"),
        commit,
        expected.unwrap_or(NOTHING),
    ])
    .await?;
    Ok(())
}

/// Paths that differ between two trees, as changes that lead from the first to the second.
pub async fn changes_between(git: &Git, from: &str, to: &str) -> Result<Vec<Change>, GitError> {
    let listed = git
        .run([
            "diff-tree",
            "-r",
            "-z",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            from,
            to,
        ])
        .await?;
    let text = String::from_utf8_lossy(&listed);
    let mut words = text.split('\0').filter(|word| !word.is_empty());
    let mut changes = Vec::new();
    while let (Some(head), Some(path)) = (words.next(), words.next()) {
        // :100644 100755 <old> <new> M
        let fields: Vec<&str> = head.split(' ').collect();
        let [_, mode, _, id, status] = fields.as_slice() else {
            return Err(GitError::Unexpected("diff-tree"));
        };
        changes.push(match *status {
            "D" => Change::Remove { path: path.to_owned() },
            _ => Change::Point {
                path: path.to_owned(),
                mode: (*mode).to_owned(),
                id: (*id).to_owned(),
            },
        });
    }
    Ok(changes)
}

/// All files of a folder as changes, sorted; `.git` folders and symbolic links are left out.
pub fn files_of(folder: &Path) -> std::io::Result<Vec<Change>> {
    use std::os::unix::fs::PermissionsExt;
    let mut changes = Vec::new();
    let mut open: Vec<(PathBuf, String)> = vec![(folder.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        let mut listed = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
        listed.sort_by_key(std::fs::DirEntry::file_name);
        for entry in listed {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let kind = entry.file_type()?;
            if name.eq_ignore_ascii_case(".git") {
                continue;
            } else if kind.is_dir() {
                open.push((entry.path(), format!("{path}/")));
            } else if kind.is_file() {
                let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
                changes.push(Change::Put {
                    path,
                    bytes: std::fs::read(entry.path())?,
                    executable,
                });
            }
        }
    }
    Ok(changes)
}
