use schemars::JsonSchema;
use serde::Deserialize;

use super::tree::{place, read_folder};
use super::{Action, ActionError, Context, Example, NoOutput};

/// `fetch:plain`: copies a folder into the workspace as it is.
pub struct FetchPlain;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Folder to copy: absolute, or relative to the template.
    url: String,
    /// Folder in the workspace to copy to.
    target_path: Option<String>,
    /// Token to read with, in place of the portal's own account at the forge.
    token: Option<String>,
}

#[async_trait::async_trait]
impl Action for FetchPlain {
    const ID: &'static str = "fetch:plain";
    const DESCRIPTION: &'static str = "Copies a folder of a repository into the workspace, without rendering it.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Copy a folder that lies beside the template",
        example: "steps:\n  - id: fetch\n    action: fetch:plain\n    input:\n      url: ./files\n      targetPath: src\n",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let target = input.target_path.unwrap_or_default();
        cx.workspace.resolve(&target)?;
        let files = read_folder(cx, &input.url, input.token.as_deref()).await?;
        let worker = cx.clone();
        let count = tokio::task::spawn_blocking(move || {
            for file in &files {
                place(
                    &worker,
                    format!("{target}/{}", file.path).trim_start_matches('/'),
                    file,
                    &file.content,
                    true,
                )?;
            }
            Ok::<_, ActionError>(files.len())
        })
        .await
        .map_err(|error| ActionError::Failed(format!("copying broke off: {error}")))??;
        cx.log(format!("Copied {count} files"));
        Ok(NoOutput {})
    }
}
