use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Written, merged, parse_json, write_json};
use crate::scaffolder::actions::files::{on_files, read_text, write};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};

/// `roadiehq:utils:json:merge`: merges a value into a JSON file.
pub struct MergeJson;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// JSON file of the workspace; it is created where there is none.
    path: String,
    /// Object, or text with JSON, to merge into it.
    content: Value,
    /// Join lists instead of replacing them.
    #[serde(default)]
    merge_arrays: bool,
    /// Indent as the file does, instead of by two blanks.
    #[serde(default)]
    match_file_indent: bool,
}

#[async_trait::async_trait]
impl Action for MergeJson {
    const ID: &'static str = "roadiehq:utils:json:merge";
    const DESCRIPTION: &'static str = "Merges a value into a JSON file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Add a dependency to a package file",
        example: "\
steps:
  - id: merge
    action: roadiehq:utils:json:merge
    input:
      path: package.json
      content:
        dependencies:
          left-pad: ^1.3.0
",
    }];
    type Input = Input;
    type Output = Written;

    async fn run(&self, cx: &Context, input: Input) -> Result<Written, ActionError> {
        on_files(cx, move |cx| {
            let text = match cx.workspace.resolve(&input.path)?.symlink_metadata() {
                Ok(_) => Some(read_text(cx, &input.path)?),
                Err(_) => None,
            };
            let old = match &text {
                Some(text) => parse_json(&input.path, text)?,
                None => json!({}),
            };
            let new = match input.content {
                Value::String(text) => parse_json("content", &text)?,
                value => value,
            };
            let found = text
                .as_deref()
                .filter(|_| input.match_file_indent)
                .and_then(indentation);
            let indent = found.unwrap_or("  ").to_owned();
            write(
                cx,
                &input.path,
                write_json(&merged(old, new, input.merge_arrays), &indent).as_bytes(),
            )?;
            cx.log(format!("Merged into {}", input.path));
            Ok(Written { path: input.path })
        })
        .await
    }
}

/// What the first indented line of a text is indented by.
fn indentation(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let rest = line.trim_start_matches([' ', '\t']);
        let indent = &line[..line.len() - rest.len()];
        (!indent.is_empty() && !rest.is_empty()).then_some(indent)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn values_are_merged_into_files() {
        let cx = bench(&[("a.json", "{\n    \"a\": {\"b\": [1]}\n}")]);
        let read = |path: &str| std::fs::read_to_string(cx.workspace.path().join(path)).unwrap();
        let input =
            json!({"path": "a.json", "content": "{\"a\": {\"b\": [2]}}", "mergeArrays": true, "matchFileIndent": true});
        run(&MergeJson, &cx, input).await.unwrap();
        assert_eq!(
            read("a.json"),
            "{\n    \"a\": {\n        \"b\": [\n            1,\n            2\n        ]\n    }\n}"
        );
        run(&MergeJson, &cx, json!({"path": "b.json", "content": {"x": 1}}))
            .await
            .unwrap();
        assert_eq!(read("b.json"), "{\n  \"x\": 1\n}");
        assert!(
            run(&MergeJson, &cx, json!({"path": "b.json", "content": "{"}))
                .await
                .is_err()
        );
    }
}
