//! Files of the server's disk, which only the configuration may name.

use std::path::{Component, Path, PathBuf};

use axum::body::Bytes;
use globset::GlobBuilder;

use super::source::{Failure, MAX_FILE_BYTES, text};

/// Reads the file `target`, or all that it matches: only inside of `root`. Each with its path, in order.
pub fn files(root: Option<&Path>, target: &str) -> Result<Vec<(String, String)>, Failure> {
    let Some(root) = root else {
        return Err(Failure::lasting(format!(
            "{target} is a file of the server, which only the configuration may name"
        )));
    };
    let root = root
        .canonicalize()
        .map_err(|error| Failure::lasting(format!("{} cannot be read: {error}", root.display())))?;
    let mut found = Vec::new();
    for path in expand(Path::new(target)).map_err(Failure::lasting)? {
        let shown = path.display().to_string();
        let real = path.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::Missing(format!("{shown} does not exist")),
            _ => Failure::lasting(format!("{shown} cannot be read: {error}")),
        })?;
        if !real.starts_with(&root) {
            return Err(Failure::lasting(format!(
                "{shown} lies outside of {}, the folder of the configured location",
                root.display()
            )));
        }
        let unreadable = |error: std::io::Error| Failure::lasting(format!("{shown} cannot be read: {error}"));
        let metadata = std::fs::metadata(&real).map_err(unreadable)?;
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            return Err(Failure::lasting(format!(
                "{shown} is not a file of at most {MAX_FILE_BYTES} bytes"
            )));
        }
        let bytes = std::fs::read(&real).map_err(unreadable)?;
        found.push((shown.clone(), text(Bytes::from(bytes), &shown)?));
    }
    match found.is_empty() {
        true => Err(Failure::Missing(format!("no file matches {target}"))),
        false => Ok(found),
    }
}

/// The path without `.` and `..`, as far as names alone tell.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    plain
}

/// The deepest folder of a path that holds no pattern.
pub fn fixed_folder(path: &Path) -> Option<PathBuf> {
    let fixed: PathBuf = path
        .components()
        .take_while(|part| !matches!(part, Component::Normal(name) if name.to_string_lossy().contains('*')))
        .collect();
    match fixed == path {
        true => path.parent().map(Path::to_path_buf),
        false => Some(fixed),
    }
}

/// Paths that a pattern names, sorted; a path without a pattern is itself.
fn expand(target: &Path) -> Result<Vec<PathBuf>, String> {
    let text = target.to_string_lossy();
    if !text.contains('*') {
        return Ok(vec![target.to_path_buf()]);
    }
    let matcher = GlobBuilder::new(&text)
        .literal_separator(true)
        .build()
        .map_err(|error| format!("{text} is not a pattern: {error}"))?
        .compile_matcher();
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = fixed_folder(target).into_iter().collect();
    while let Some(folder) = folders.pop() {
        let entries =
            std::fs::read_dir(&folder).map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != ".git" => folders.push(path),
                Ok(kind) if kind.is_file() && matcher.is_match(&path) => found.push(path),
                _ => {}
            }
            if found.len() + folders.len() > 100_000 {
                return Err(format!("{text} matches too many files"));
            }
        }
    }
    found.sort();
    Ok(found)
}
