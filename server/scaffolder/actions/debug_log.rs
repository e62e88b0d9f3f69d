use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Action, ActionError, Context, Example, NoOutput};

/// `debug:log`: writes a message and the workspace into the log.
pub struct DebugLog;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Message to write.
    message: Option<String>,
    /// List the files of the workspace: true, "with-filenames" or "with-contents".
    #[schemars(with = "Option<ListWorkspace>")]
    list_workspace: Option<Value>,
}

/// The values of `listWorkspace`, for the schema.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum ListWorkspace {
    All(bool),
    How(String),
}

#[async_trait::async_trait]
impl Action for DebugLog {
    const ID: &'static str = "debug:log";
    const DESCRIPTION: &'static str = "Writes a message into the log, or lists the files of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Write a message",
        example: "steps:\n  - id: say\n    action: debug:log\n    input:\n      message: Hello ${{ user.ref }}\n",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        if let Some(message) = &input.message {
            cx.log(message);
        }
        let how = input.list_workspace.unwrap_or_default();
        if matches!(&how, Value::Bool(true)) || how.as_str().is_some_and(|how| how.starts_with("with-")) {
            let files = cx.workspace.files()?;
            cx.log(format!("Workspace:\n{}", files.join("\n")));
            if how == "with-contents" {
                for file in &files {
                    match std::fs::read_to_string(cx.workspace.resolve(file)?) {
                        Ok(content) => cx.log(format!("{file}:\n{content}")),
                        Err(_) => cx.log(format!("{file}: not text")),
                    }
                }
            }
        }
        Ok(NoOutput {})
    }
}
