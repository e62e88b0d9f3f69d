use schemars::JsonSchema;
use serde::Deserialize;

use super::skeleton::{Plan, Rendering, render};
use super::tree::read_folder;
use super::{Action, ActionError, Context, Example, NoOutput};

/// `fetch:template`: copies a folder into the workspace, rendering names and contents.
pub struct FetchTemplate;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Folder to render: absolute, or relative to the template.
    url: String,
    /// Folder in the workspace to render to.
    target_path: Option<String>,
    /// Token to read with, in place of the portal's own account at the forge.
    token: Option<String>,
    /// Accepted for older templates; it does nothing, as in Backstage. What counts is `copyWithoutTemplating`.
    #[serde(default)]
    copy_without_render: Vec<String>,
    #[serde(flatten)]
    rendering: Rendering,
}

#[async_trait::async_trait]
impl Action for FetchTemplate {
    const ID: &'static str = "fetch:template";
    const DESCRIPTION: &'static str =
        "Copies a folder of a repository into the workspace and renders names and contents.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Render the skeleton that lies beside the template",
        example: "\
steps:
  - id: template
    action: fetch:template
    input:
      url: ./skeleton
      values:
        name: ${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let target = input.target_path.unwrap_or_default();
        let plan = Plan::new(cx, &target, &input.rendering)?;
        cx.workspace.resolve(&target)?;
        if !input.copy_without_render.is_empty() {
            cx.log("copyWithoutRender does nothing; use copyWithoutTemplating");
        }
        let files = read_folder(cx, &input.url, input.token.as_deref()).await?;
        render(cx, plan, files).await?;
        Ok(NoOutput {})
    }
}
