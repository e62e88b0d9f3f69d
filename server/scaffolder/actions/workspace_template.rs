use schemars::JsonSchema;
use serde::Deserialize;

use super::files::{on_files, read};
use super::skeleton::{Plan, Rendering, render};
use super::{Action, ActionError, Context, Example, NoOutput};
use crate::scm::TreeFile;

/// `workspace:template`: renders a folder of the workspace into another one.
pub struct WorkspaceTemplate;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Folder of the workspace to render.
    source_path: String,
    /// Folder of the workspace to render to; neither may lie in the other.
    target_path: String,
    #[serde(flatten)]
    rendering: Rendering,
}

#[async_trait::async_trait]
impl Action for WorkspaceTemplate {
    const ID: &'static str = "workspace:template";
    const DESCRIPTION: &'static str = "Renders names and contents of a folder of the workspace into another folder.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Render what an earlier step has fetched",
        example: "\
steps:
  - id: render
    action: workspace:template
    input:
      sourcePath: templates
      targetPath: result
      values:
        name: ${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let (source, target) = (
            cx.workspace.resolve(&input.source_path)?,
            cx.workspace.resolve(&input.target_path)?,
        );
        if source.starts_with(&target) || target.starts_with(&source) {
            return Err(ActionError::Input(format!(
                "targetPath \"{}\" and sourcePath \"{}\" lie in each other",
                input.target_path, input.source_path
            )));
        }
        if !source.is_dir() {
            return Err(ActionError::Input(format!(
                "sourcePath \"{}\" is no folder of the workspace",
                input.source_path
            )));
        }
        let plan = Plan::new(cx, &input.target_path, &input.rendering)?;
        let files = on_files(cx, move |cx| collect(cx, &input.source_path)).await?;
        render(cx, plan, files).await?;
        Ok(NoOutput {})
    }
}

/// The files and links below a folder, with paths relative to it. Blocks.
fn collect(cx: &Context, folder: &str) -> Result<Vec<TreeFile>, ActionError> {
    use std::os::unix::fs::PermissionsExt;
    let root = cx.workspace.resolve(folder)?;
    let mut files = Vec::new();
    for entry in cx.workspace.paths()? {
        let place = cx.workspace.path().join(&entry.path);
        let (Ok(below), false) = (place.strip_prefix(&root), entry.is_folder) else {
            continue;
        };
        let metadata = place.symlink_metadata()?;
        let (link, content) = if metadata.is_symlink() {
            (
                Some(std::fs::read_link(&place)?.to_string_lossy().into_owned()),
                Vec::new(),
            )
        } else {
            (None, read(cx, &entry.path)?)
        };
        files.push(TreeFile {
            path: below.to_string_lossy().into_owned(),
            executable: metadata.permissions().mode() & 0o100 != 0,
            link,
            content: content.into(),
        });
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn a_folder_is_rendered_into_another() {
        let cx = bench(&[
            ("in/${{ values.name }}.md", "# ${{ values.name }}"),
            ("in/raw/x", "${{ values.name }}"),
            ("in2/x", ""),
        ]);
        let input = json!({"sourcePath": "in", "targetPath": "out", "values": {"name": "demo"}, "copyWithoutTemplating": ["raw"]});
        run(&WorkspaceTemplate, &cx, input).await.unwrap();
        let read = |path: &str| std::fs::read_to_string(cx.workspace.path().join(path)).unwrap();
        assert_eq!(
            (read("out/demo.md").as_str(), read("out/raw/x").as_str()),
            ("# demo", "${{ values.name }}")
        );
        for (source, target) in [
            ("in", "in/below"),
            ("in", "."),
            ("missing", "x"),
            ("../a", "x"),
            ("in", "../x"),
        ] {
            let input = json!({"sourcePath": source, "targetPath": target});
            assert!(run(&WorkspaceTemplate, &cx, input).await.is_err(), "{source} {target}");
        }
    }
}
