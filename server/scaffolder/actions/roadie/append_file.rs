use schemars::JsonSchema;
use serde::Deserialize;

use super::Written;
use crate::scaffolder::actions::files::{on_files, read, write};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};

/// `roadiehq:utils:fs:append`: adds text to the end of a file.
pub struct AppendFile;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// File of the workspace; it is created where there is none.
    path: String,
    /// Text to add.
    content: String,
}

#[async_trait::async_trait]
impl Action for AppendFile {
    const ID: &'static str = "roadiehq:utils:fs:append";
    const DESCRIPTION: &'static str = "Adds text to the end of a file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Add a line to a file",
        example: "\
steps:
  - id: ignore
    action: roadiehq:utils:fs:append
    input:
      path: .gitignore
      content: |
        target/
",
    }];
    type Input = Input;
    type Output = Written;

    // A step that is run again starts from the workspace that the step before it left.
    async fn run(&self, cx: &Context, input: Input) -> Result<Written, ActionError> {
        on_files(cx, move |cx| {
            let mut content = match cx.workspace.resolve(&input.path)?.symlink_metadata() {
                Ok(_) => read(cx, &input.path)?,
                Err(_) => Vec::new(),
            };
            content.extend_from_slice(input.content.as_bytes());
            write(cx, &input.path, &content)?;
            cx.log(format!("Added {} bytes to {}", input.content.len(), input.path));
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
    async fn text_is_added_at_the_end() {
        let cx = bench(&[("a", "1\n")]);
        for path in ["a", "new/b"] {
            run(&AppendFile, &cx, json!({"path": path, "content": "2\n"}))
                .await
                .unwrap();
        }
        let read = |path: &str| std::fs::read_to_string(cx.workspace.path().join(path)).unwrap();
        assert_eq!((read("a").as_str(), read("new/b").as_str()), ("1\n2\n", "2\n"));
        assert!(
            run(&AppendFile, &cx, json!({"path": "../a", "content": "x"}))
                .await
                .is_err()
        );
    }
}
