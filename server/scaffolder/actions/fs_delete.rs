use schemars::JsonSchema;
use serde::Deserialize;

use super::files::{on_files, pattern};
use super::{Action, ActionError, Context, Example, NoOutput};

/// `fs:delete`: removes files and folders of the workspace.
pub struct FsDelete;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Paths or patterns; hidden files are matched too.
    files: Vec<String>,
}

#[async_trait::async_trait]
impl Action for FsDelete {
    const ID: &'static str = "fs:delete";
    const DESCRIPTION: &'static str = "Deletes files and folders of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Delete a file, and all files of a kind",
        example: "\
steps:
  - id: delete
    action: fs:delete
    input:
      files:
        - LICENSE.draft
        - docs/**/*.bak
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        on_files(cx, move |cx| {
            for wanted in &input.files {
                // A path that leads out is refused even where nothing would match it.
                cx.workspace.resolve(wanted)?;
                let pattern = pattern(wanted)?;
                let found = cx.workspace.paths()?.into_iter();
                for path in found.map(|entry| entry.path).filter(|path| pattern.is_match(path)) {
                    let place = cx.workspace.path().join(&path);
                    match place.symlink_metadata() {
                        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(&place)?,
                        Ok(_) => std::fs::remove_file(&place)?,
                        // It went with its folder.
                        Err(_) => continue,
                    }
                    cx.log(format!("Deleted {path}"));
                }
            }
            Ok(NoOutput {})
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn what_matches_goes_and_the_rest_stays() {
        let cx = bench(&[
            ("a.md", "1"),
            ("docs/b.bak", "2"),
            ("docs/.c.bak", "3"),
            ("docs/d", "4"),
            ("old/x/y", "5"),
        ]);
        run(
            &FsDelete,
            &cx,
            json!({"files": ["a.md", "docs/*.bak", "old", "missing"]}),
        )
        .await
        .unwrap();
        assert_eq!(cx.workspace.files().unwrap(), ["docs/d"]);
    }

    #[tokio::test]
    async fn nothing_outside_is_reached() {
        let cx = bench(&[("a", "1")]);
        std::os::unix::fs::symlink("/tmp", cx.workspace.path().join("out")).unwrap();
        for path in ["../x", "/etc/passwd", "out/*"] {
            assert!(run(&FsDelete, &cx, json!({"files": [path]})).await.is_err(), "{path}");
        }
        // The link itself may go; what it leads to stays.
        std::fs::remove_file(cx.workspace.path().join("out")).unwrap();
        assert_eq!(cx.workspace.files().unwrap(), ["a"]);
    }
}
