//! Files of the workspace, for actions: confined, bounded, off the threads that serve requests.

use globset::{GlobBuilder, GlobMatcher};

use super::{ActionError, Context};
use crate::scaffolder::engine::write_file;

/// Runs work that blocks on files.
pub async fn on_files<T: Send + 'static>(
    cx: &Context,
    work: impl FnOnce(&Context) -> Result<T, ActionError> + Send + 'static,
) -> Result<T, ActionError> {
    let cx = cx.clone();
    tokio::task::spawn_blocking(move || work(&cx))
        .await
        .map_err(|error| ActionError::Failed(format!("the work on files broke off: {error}")))?
}

/// The bytes of a file, which has to be there and not too large. Blocks.
pub fn read(cx: &Context, path: &str) -> Result<Vec<u8>, ActionError> {
    let place = cx.workspace.resolve(path)?;
    let missing = |error: std::io::Error| ActionError::Input(format!("the file \"{path}\" cannot be read: {error}"));
    let metadata = place.metadata().map_err(missing)?;
    if !metadata.is_file() {
        return Err(ActionError::Input(format!("\"{path}\" is no file of the workspace")));
    }
    if metadata.len() > cx.settings.file_limit {
        return Err(ActionError::Limit {
            what: format!("{path} ({} bytes)", metadata.len()),
            limit: cx.settings.file_limit,
            of: "one file that an action reads",
        });
    }
    std::fs::read(&place).map_err(missing)
}

/// The text of a file. Blocks.
pub fn read_text(cx: &Context, path: &str) -> Result<String, ActionError> {
    String::from_utf8(read(cx, path)?)
        .map_err(|_| ActionError::Input(format!("the file \"{path}\" is no text in UTF-8")))
}

/// Writes a file with its folders. Blocks.
pub fn write(cx: &Context, path: &str, content: &[u8]) -> Result<(), ActionError> {
    if content.len() as u64 > cx.settings.file_limit {
        return Err(ActionError::Limit {
            what: format!("the new {path} ({} bytes)", content.len()),
            limit: cx.settings.file_limit,
            of: "one file that an action writes",
        });
    }
    let place = cx.workspace.resolve(path)?;
    if place.is_dir() {
        return Err(ActionError::Input(format!("\"{path}\" is a folder, not a file")));
    }
    let executable = place.metadata().is_ok_and(|metadata| {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o100 != 0
    });
    Ok(write_file(&place, content, executable)?)
}

/// A pattern for paths of the workspace: `*` stays within a segment, `**` does not.
pub fn pattern(text: &str) -> Result<GlobMatcher, ActionError> {
    let relative = text.trim_start_matches("./").trim_end_matches('/');
    GlobBuilder::new(relative)
        .literal_separator(true)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| ActionError::Input(format!("the pattern \"{text}\" cannot be used: {error}")))
}

/// Something in the path is hidden: its name begins with a dot.
pub fn is_hidden(path: &str) -> bool {
    path.split('/').any(|segment| segment.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stay_within_a_segment() {
        for (glob, path, fits) in [
            ("*.md", "README.md", true),
            ("*.md", "docs/index.md", false),
            ("**/*.md", "docs/a/index.md", true),
            ("./docs/", "docs", true),
            ("*", ".hidden", true),
        ] {
            assert_eq!(pattern(glob).unwrap().is_match(path), fits, "{glob} {path}");
        }
        assert!(pattern("{a").is_err());
        assert!(is_hidden("a/.b/c") && !is_hidden("a/b.c"));
    }
}
