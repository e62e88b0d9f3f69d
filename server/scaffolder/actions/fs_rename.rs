use schemars::JsonSchema;
use serde::Deserialize;

use super::files::on_files;
use super::{Action, ActionError, Context, Example, NoOutput};

/// `fs:rename`: moves files and folders of the workspace.
pub struct FsRename;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// What to move where, in this order.
    files: Vec<Move>,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Move {
    /// Path of a file or folder.
    from: String,
    /// Its new path.
    to: String,
    /// Replace what is there.
    #[serde(default)]
    overwrite: bool,
}

#[async_trait::async_trait]
impl Action for FsRename {
    const ID: &'static str = "fs:rename";
    const DESCRIPTION: &'static str = "Renames and moves files and folders of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Give a file its final name",
        example: "\
steps:
  - id: rename
    action: fs:rename
    input:
      files:
        - from: README.template.md
          to: README.md
          overwrite: true
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        on_files(cx, move |cx| {
            for item in &input.files {
                rename(cx, item)?;
                cx.log(format!("Renamed {} to {}", item.from, item.to));
            }
            Ok(NoOutput {})
        })
        .await
    }
}

fn rename(cx: &Context, item: &Move) -> Result<(), ActionError> {
    let (from, to) = (cx.workspace.resolve(&item.from)?, cx.workspace.resolve(&item.to)?);
    if item.from.is_empty() || item.to.is_empty() {
        return Err(ActionError::Input("each of files needs from and to".to_owned()));
    }
    if from.symlink_metadata().is_err() {
        return Err(ActionError::Input(format!(
            "there is no \"{}\" in the workspace",
            item.from
        )));
    }
    if from == to {
        return Ok(());
    }
    if to.starts_with(&from) {
        return Err(ActionError::Input(format!(
            "\"{}\" cannot be moved into itself, to \"{}\"",
            item.from, item.to
        )));
    }
    if let Ok(metadata) = to.symlink_metadata() {
        if !item.overwrite {
            return Err(ActionError::Input(format!(
                "\"{}\" is there already; set overwrite: true to replace it",
                item.to
            )));
        }
        if metadata.is_dir() {
            std::fs::remove_dir_all(&to)?;
        } else {
            std::fs::remove_file(&to)?;
        }
    }
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::rename(&from, &to)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn files_and_folders_move() {
        let cx = bench(&[("a", "1"), ("b/c", "2"), ("d", "3")]);
        let files = json!([{"from": "a", "to": "x/y"}, {"from": "b", "to": "z"}, {"from": "d", "to": "z/c", "overwrite": true}]);
        run(&FsRename, &cx, json!({"files": files})).await.unwrap();
        assert_eq!(cx.workspace.files().unwrap(), ["x/y", "z/c"]);
        assert_eq!(std::fs::read_to_string(cx.workspace.path().join("z/c")).unwrap(), "3");
    }

    #[tokio::test]
    async fn what_cannot_be_moved_is_told() {
        let cx = bench(&[("a", "1"), ("b/c", "2")]);
        for (from, to, reason) in [
            ("a", "b/c", "overwrite"),
            ("nothing", "x", "there is no"),
            ("b", "b/d", "into itself"),
            ("a", "../x", "leaves the workspace"),
            ("", "x", "needs from and to"),
        ] {
            let error = run(&FsRename, &cx, json!({"files": [{"from": from, "to": to}]}))
                .await
                .unwrap_err();
            assert!(error.to_string().contains(reason), "{from} {to}: {error}");
        }
        assert_eq!(cx.workspace.files().unwrap(), ["a", "b/c"]);
    }
}
