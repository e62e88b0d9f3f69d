use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Written, write_json};
use crate::scaffolder::actions::files::{on_files, write};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};

/// `roadiehq:utils:fs:write`: writes a file.
pub struct WriteFile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File of the workspace; what is there is replaced.
    path: String,
    /// What the file will hold.
    content: String,
    /// Write JSON on several lines, indented by two blanks.
    #[serde(default)]
    preserve_formatting: bool,
}

#[async_trait::async_trait]
impl Action for WriteFile {
    const ID: &'static str = "roadiehq:utils:fs:write";
    const DESCRIPTION: &'static str = "Writes a file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Write what an earlier step has serialized",
        example: "\
steps:
  - id: write
    action: roadiehq:utils:fs:write
    input:
      path: kustomize/base/${{ parameters.name }}.yaml
      content: ${{ steps['serialize'].output.serialized }}
",
    }];
    type Input = Input;
    type Output = Written;

    async fn run(&self, cx: &Context, input: Input) -> Result<Written, ActionError> {
        on_files(cx, move |cx| {
            let content = match serde_json::from_str::<Value>(&input.content) {
                Ok(value) if input.preserve_formatting => write_json(&value, "  "),
                _ => input.content,
            };
            write(cx, &input.path, content.as_bytes())?;
            cx.log(format!("Wrote {}", input.path));
            Ok(Written { path: input.path })
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
    async fn files_are_written_with_their_folders() {
        let cx = bench(&[("a", "old")]);
        run(&WriteFile, &cx, json!({"path": "a", "content": "{\"b\":1}"}))
            .await
            .unwrap();
        let input = json!({"path": "x/y.json", "content": "{\"b\":1}", "preserveFormatting": true});
        assert_eq!(run(&WriteFile, &cx, input).await.unwrap(), json!({"path": "x/y.json"}));
        let read = |path: &str| std::fs::read_to_string(cx.workspace.path().join(path)).unwrap();
        assert_eq!(
            (read("a").as_str(), read("x/y.json").as_str()),
            ("{\"b\":1}", "{\n  \"b\": 1\n}")
        );
        for path in ["../a", "/tmp/a", "x", ".git/hooks/post-commit"] {
            assert!(
                run(&WriteFile, &cx, json!({"path": path, "content": "x"}))
                    .await
                    .is_err(),
                "{path}"
            );
        }
    }
}
