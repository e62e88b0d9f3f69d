use schemars::JsonSchema;
use serde::Deserialize;

use super::fetch_template_file::keeps;
use super::files::{on_files, read_text, write};
use super::skeleton::Rendering;
use super::{Action, ActionError, Context, Example, NoOutput};

/// `workspace:template:file`: renders one file of the workspace into another one.
pub struct WorkspaceTemplateFile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File of the workspace to render.
    source_path: String,
    /// File of the workspace to render to.
    target_path: String,
    #[serde(flatten)]
    rendering: Rendering,
}

#[async_trait::async_trait]
impl Action for WorkspaceTemplateFile {
    const ID: &'static str = "workspace:template:file";
    const DESCRIPTION: &'static str = "Renders one file of the workspace into another one.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Render one file that an earlier step has fetched",
        example: "\
steps:
  - id: render
    action: workspace:template:file
    input:
      sourcePath: templates/README.md
      targetPath: README.md
      values:
        name: ${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        if keeps(cx, &input.target_path, input.rendering.replace)? {
            return Ok(NoOutput {});
        }
        on_files(cx, move |cx| {
            let text = read_text(cx, &input.source_path)?;
            let rendered = input.rendering.render(cx, &input.source_path, &text)?;
            write(cx, &input.target_path, rendered.as_bytes())?;
            cx.log(format!("Rendered {}", input.target_path));
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
    async fn a_file_is_rendered_over_itself_only_when_told() {
        let cx = bench(&[("a", "${{ values.x }}${% broken")]);
        let read = || std::fs::read_to_string(cx.workspace.path().join("a")).unwrap();
        let input = json!({"sourcePath": "a", "targetPath": "a", "values": {"x": 1}});
        run(&WorkspaceTemplateFile, &cx, input).await.unwrap();
        assert_eq!(read(), "${{ values.x }}${% broken");
        let input = json!({"sourcePath": "a", "targetPath": "a", "values": {"x": 1}, "replace": true});
        let error = run(&WorkspaceTemplateFile, &cx, input.clone()).await.unwrap_err();
        assert!(error.to_string().starts_with("a: "), "{error}");
        std::fs::write(cx.workspace.path().join("a"), "${{ values.x }}").unwrap();
        run(&WorkspaceTemplateFile, &cx, input).await.unwrap();
        assert_eq!(read(), "1");
    }
}
