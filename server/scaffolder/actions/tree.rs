//! Reads the folder that a `url` names, at one commit, and decides what of it is safe to lay into a workspace.

use std::path::Path;

use axum::body::Bytes;

use super::context::join;
use super::{ActionError, Context};
use crate::scaffolder::engine::write_file;
use crate::scm::{Located, ScmError, TreeFile};

/// Content of a whole repository that is read for one of its folders, in bytes.
const TREE_LIMIT: u64 = 256 * 1024 * 1024;

/// The files below the folder that `url` names, with paths relative to it; `token` is a template's own.
pub async fn read_folder(cx: &Context, url: &str, token: Option<&str>) -> Result<Vec<TreeFile>, ActionError> {
    let files = match came_along(cx, url)? {
        Some((path, files)) => below(&path, files),
        None => {
            let located = located(cx, url, token)?;
            let commit = pin(cx, &located).await?;
            let repository = &located.source.repository;
            let tree = located.forge.read_tree(repository, &commit, TREE_LIMIT).await;
            if let Err(ScmError::TooLarge { .. } | ScmError::Unavailable { .. }) = &tree {
                cx.log(format!(
                    "All of {}/{} is read to get one folder of it: keep templates in a repository without large files",
                    repository.owner, repository.name
                ));
            }
            let tree = tree?;
            below(&located.source.path, &tree.files)
        }
    };
    if files.is_empty() {
        return Err(ActionError::Input(format!(
            "the url \"{url}\" names no folder that has files"
        )));
    }
    for file in &files {
        check(file, cx.settings.file_limit)?;
    }
    Ok(files)
}

/// The content of the one file that `url` names; `token` is a template's own.
pub async fn read_one(cx: &Context, url: &str, token: Option<&str>) -> Result<Bytes, ActionError> {
    if let Some((path, files)) = came_along(cx, url)? {
        let found = files.iter().find(|file| file.path == path && file.link.is_none());
        return found
            .map(|file| file.content.clone())
            .ok_or_else(|| ActionError::Input(format!("the url \"{url}\" names no file")));
    }
    let mut located = located(cx, url, token)?;
    located.source.reference = Some(pin(cx, &located).await?);
    Ok(located.forge.read_file(&located.source, cx.settings.file_limit).await?)
}

/// The path that a relative url has among the files that came with the template, and these files; `None` where
/// files are read from a repository.
fn came_along<'a>(cx: &'a Context, url: &str) -> Result<Option<(String, &'a [TreeFile])>, ActionError> {
    let Some(beside) = cx.beside.as_deref().filter(|_| !url.contains("://")) else {
        return Ok(None);
    };
    let path = join(&beside.folder, url)
        .ok_or_else(|| ActionError::Input(format!("the url \"{url}\" leaves the folder of the template")))?;
    Ok(Some((path, &beside.files)))
}

fn located(cx: &Context, url: &str, token: Option<&str>) -> Result<Located, ActionError> {
    cx.ask(url)?;
    let mut located = cx.locate(url)?;
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        cx.hide(token);
        located.forge = located.forge.with_token(token)?;
    }
    Ok(located)
}

/// The commit to read at; the log tells it.
async fn pin(cx: &Context, located: &Located) -> Result<String, ActionError> {
    let commit = cx.pin(located).await?;
    cx.log(format!(
        "Reading {} at {}",
        located.forge.web_url(&located.source, true),
        &commit[..commit.len().min(10)]
    ));
    Ok(commit)
}

fn below(folder: &str, files: &[TreeFile]) -> Vec<TreeFile> {
    let prefix = if folder.is_empty() {
        String::new()
    } else {
        format!("{folder}/")
    };
    let inside = files.iter().filter_map(|file| {
        let path = file.path.strip_prefix(&prefix)?.to_owned();
        Some(TreeFile { path, ..file.clone() })
    });
    inside.collect()
}

/// Refuses what no skeleton may hold.
fn check(file: &TreeFile, limit: u64) -> Result<(), ActionError> {
    if file.content.len() as u64 > limit {
        return Err(ActionError::Limit {
            what: format!("{} ({} bytes)", file.path, file.content.len()),
            limit,
            of: "one file of a skeleton",
        });
    }
    if file.path.split('/').any(|segment| segment.eq_ignore_ascii_case(".git")) {
        return Err(ActionError::Input(format!(
            "{} lies in a .git folder, which a skeleton may not have",
            file.path
        )));
    }
    if let Some(target) = &file.link {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if target.starts_with('/') || join(folder, target).is_none() {
            return Err(ActionError::Input(format!(
                "{} is a symbolic link to {target}, which leads out of the skeleton",
                file.path
            )));
        }
    }
    Ok(())
}

/// Lays a file or link into the workspace. An existing one stays unless `replace`; true when it was written. Blocks.
pub fn place(cx: &Context, path: &str, file: &TreeFile, content: &[u8], replace: bool) -> Result<bool, ActionError> {
    let place = cx.workspace.resolve(path)?;
    if place.symlink_metadata().is_ok() && !replace {
        return Ok(false);
    }
    match &file.link {
        None => write_file(&place, content, file.executable)?,
        Some(target) => link(cx, path, &place, target)?,
    }
    Ok(true)
}

fn link(cx: &Context, path: &str, place: &Path, target: &str) -> Result<(), ActionError> {
    // From its final place, which rendering may have moved.
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if target.starts_with('/') || join(folder, target).is_none() {
        return Err(ActionError::Input(format!(
            "{path} is a symbolic link to {target}, which leads out of the workspace"
        )));
    }
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    if place.symlink_metadata().is_ok() {
        std::fs::remove_file(place)?;
    }
    std::os::unix::fs::symlink(target, place)?;
    cx.workspace.resolve(path).map(drop).or_else(|error| {
        // A chain of links can lead out where none of them does by itself.
        std::fs::remove_file(place)?;
        Err(error.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_entries_are_refused() {
        let file = |path: &str, link: Option<&str>, size: usize| TreeFile {
            path: path.to_owned(),
            executable: false,
            link: link.map(str::to_owned),
            content: vec![b'x'; size].into(),
        };
        for (entry, fine) in [
            (file("a/b", None, 10), true),
            (file("a/b", None, 11), false),
            (file(".git/config", None, 1), false),
            (file("a/.Git/config", None, 1), false),
            (file(".gitignore", None, 1), true),
            (file("a/link", Some("../b"), 0), true),
            (file("a/link", Some("../../b"), 0), false),
            (file("link", Some("/etc/passwd"), 0), false),
        ] {
            assert_eq!(check(&entry, 10).is_ok(), fine, "{} {:?}", entry.path, entry.link);
        }
    }
}
