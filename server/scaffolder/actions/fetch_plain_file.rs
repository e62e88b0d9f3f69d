use schemars::JsonSchema;
use serde::Deserialize;

use super::files::{on_files, write};
use super::tree::read_one;
use super::{Action, ActionError, Context, Example, NoOutput};

/// `fetch:plain:file`: copies one file into the workspace as it is.
pub struct FetchPlainFile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File to copy: absolute, or relative to the template.
    url: String,
    /// File in the workspace to copy to.
    target_path: String,
    /// Token to read with, in place of the portal's own account at the forge.
    token: Option<String>,
}

#[async_trait::async_trait]
impl Action for FetchPlainFile {
    const ID: &'static str = "fetch:plain:file";
    const DESCRIPTION: &'static str = "Copies one file of a repository into the workspace, without rendering it.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Copy a file that lies beside the template",
        example: "\
steps:
  - id: licence
    action: fetch:plain:file
    input:
      url: ./LICENSE
      targetPath: LICENSE
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        cx.workspace.resolve(&input.target_path)?;
        let content = read_one(cx, &input.url, input.token.as_deref()).await?;
        on_files(cx, move |cx| {
            write(cx, &input.target_path, &content)?;
            cx.log(format!("Copied {}", input.target_path));
            Ok(NoOutput {})
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, beside, run};

    #[tokio::test]
    async fn a_file_is_copied_as_it_is() {
        let cx = beside(bench(&[]), &[("a", "${{ values.name }}")]);
        run(&FetchPlainFile, &cx, json!({"url": "a", "targetPath": "x/y"}))
            .await
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(cx.workspace.path().join("x/y")).unwrap(),
            "${{ values.name }}"
        );
    }
}
