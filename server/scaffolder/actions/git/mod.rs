//! The `git` program, shut off from everything but its arguments: no environment, no configuration of the
//! machine or the user, no hooks, no questions. Credentials go by environment only.

use std::path::Path;

use chrono::{DateTime, Utc};
use sha1::{Digest, Sha1};

mod program;

pub use program::basic;
use program::{Repository, TRANSFER_WITHIN, signed_in};

use crate::scaffolder::actions::{ActionError, Context};
use crate::scaffolder::{Author, Git};
use crate::scm::PushTarget;
use crate::telemetry;

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

/// What a commit says of itself.
pub struct Note {
    message: String,
    author: Author,
    at: DateTime<Utc>,
}

impl Note {
    /// The same for each run of a step: the message with a blank line and the Change-Id that marks the commit as this
    /// step's, the author, and the task's time. The configuration's author is for where the template names none.
    pub fn of(cx: &Context, text: &str, author_name: Option<&str>, author_email: Option<&str>) -> Self {
        let id = Sha1::digest(format!("{}\0{}", cx.task_id, cx.step_key()));
        let default = &cx.settings.default_author;
        let given =
            |text: Option<&str>, default: &str| text.filter(|text| !text.is_empty()).unwrap_or(default).to_owned();
        Self {
            message: format!("{text}\n\nChange-Id: I{}\n", hex::encode(id)),
            author: Author {
                name: given(author_name, &default.name),
                email: given(author_email, &default.email),
            },
            at: cx.task_created_at,
        }
    }
}

/// Commits all files of a folder. The same files and note give the same commit, always.
pub async fn commit(git: &Git, source: &Path, note: &Note) -> Result<Commit, ActionError> {
    let folder = tempfile::Builder::new().prefix("portico-git-").tempdir()?;
    let repository = Repository::init(git, folder.path(), source).await?;
    repository.run(&["add", "--all", "--", "."], &[], None).await?;
    let tree = repository.run(&["write-tree"], &[], None).await?;
    let id = repository.commit_tree(&tree, None, note).await?;
    Ok(Commit { id, folder })
}

/// What a commit changes in another one.
pub struct Changes<'a> {
    /// The files that are put in.
    pub source: &'a Path,
    /// The folder that they are put into, with a slash at its end; empty for the root.
    pub prefix: &'a str,
    /// Paths of the files that go.
    pub deleted: &'a [String],
    /// Commit also where nothing differs.
    pub or_nothing: bool,
}

/// Commits changes on top of the commit `base` of a branch; `None` where nothing differs, unless an empty commit is wanted
/// then. The same changes, base and
/// note give the same commit, always.
pub async fn commit_onto(
    git: &Git,
    from: &PushTarget,
    branch: &str,
    base: &str,
    changes: &Changes<'_>,
    note: &Note,
) -> Result<Option<Commit>, ActionError> {
    let folder = tempfile::Builder::new().prefix("portico-git-").tempdir()?;
    let repository = Repository::init(git, folder.path(), changes.source).await?;
    repository.fetch(from, branch, base).await?;
    repository.run(&["add", "--all", "--", "."], &[], None).await?;
    let added = repository.bytes(&["ls-files", "--stage", "-z"], None).await?;
    repository.run(&["read-tree", base], &[], None).await?;
    let wanted = index_info(&added, changes);
    repository
        .bytes(
            &["update-index", "--add", "--replace", "-z", "--index-info"],
            Some(&wanted),
        )
        .await?;
    let tree = repository.run(&["write-tree"], &[], None).await?;
    let before = repository
        .run(&["rev-parse", &format!("{base}^{{tree}}")], &[], None)
        .await?;
    if tree == before && !changes.or_nothing {
        return Ok(None);
    }
    let id = repository.commit_tree(&tree, Some(base), note).await?;
    Ok(Some(Commit { id, folder }))
}

/// What `update-index` reads: the entries of `ls-files --stage -z`, moved into the folder, and those that go.
fn index_info(added: &[u8], changes: &Changes<'_>) -> Vec<u8> {
    let mut wanted = Vec::new();
    for path in changes.deleted {
        wanted.extend_from_slice(format!("0 {}\t{path}\0", "0".repeat(40)).as_bytes());
    }
    for entry in added.split(|byte| *byte == 0) {
        if let Some(tab) = entry.iter().position(|byte| *byte == b'\t') {
            wanted.extend_from_slice(&entry[..=tab]);
            wanted.extend_from_slice(changes.prefix.as_bytes());
            wanted.extend_from_slice(&entry[tab + 1..]);
            wanted.push(0);
        }
    }
    wanted
}

/// Pushes the commit as the branch's newest one; a branch that is there must hold it already, or its parent as the
/// newest one.
pub async fn push(git: &Git, commit: &Commit, to: &PushTarget, branch: &str) -> Result<(), PushError> {
    let header = format!("Authorization: Basic {}", basic(to));
    let environment = signed_in(&header);
    let refspec = format!("{}:refs/heads/{branch}", commit.id);
    let arguments = ["push", "--quiet", "--porcelain", to.url.as_str(), &refspec];
    let repository = Repository::of(git, commit.folder.path(), commit.folder.path());
    let failed = |reason: String| PushError {
        reason,
        rejected: false,
    };
    let pushed = telemetry::outside(repository.output(&arguments, &environment, None, TRANSFER_WITHIN)).await;
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
        let note = |id: &str| Note {
            message: format!("m\n\nChange-Id: {id}\n"),
            author: Author {
                name: "Portico".to_owned(),
                email: "noreply".to_owned(),
            },
            at: DateTime::UNIX_EPOCH + chrono::Duration::days(20_000),
        };
        let git = Git::default();
        let first = commit(&git, source.path(), &note("I1")).await.unwrap();
        let second = commit(&git, source.path(), &note("I1")).await.unwrap();
        assert_eq!(first.id, second.id);
        assert_eq!(first.id.len(), 40);
        let other = commit(&git, source.path(), &note("I2")).await.unwrap();
        assert_ne!(first.id, other.id);
        assert!(!source.path().join(".git").exists());
    }
}
