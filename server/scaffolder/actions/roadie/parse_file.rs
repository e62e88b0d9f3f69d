use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{parse_json, parse_yaml};
use crate::scaffolder::actions::files::{on_files, read_text};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::yaml;

/// `roadiehq:utils:fs:parse`: reads a file as text, JSON or YAML.
pub struct ParseFile;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// File of the workspace.
    path: String,
    /// How it is read; as text where nothing is named.
    parser: Option<Parser>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Parser {
    Yaml,
    Json,
    /// A list of all documents.
    Multiyaml,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// Text or value of the file.
    content: Value,
}

#[async_trait::async_trait]
impl Action for ParseFile {
    const ID: &'static str = "roadiehq:utils:fs:parse";
    const DESCRIPTION: &'static str = "Reads a file of the workspace as text, JSON or YAML.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Read a value out of a file",
        example: "\
steps:
  - id: parse
    action: roadiehq:utils:fs:parse
    input:
      path: package.json
      parser: json
  - id: say
    action: debug:log
    input:
      message: ${{ steps.parse.output.content.name }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        on_files(cx, move |cx| {
            let text = read_text(cx, &input.path)?;
            let content = match input.parser {
                None => Value::String(text),
                Some(Parser::Json) => parse_json(&input.path, &text)?,
                Some(Parser::Yaml) => parse_yaml(&input.path, &text)?,
                Some(Parser::Multiyaml) => yaml::read_all(&text)
                    .map_err(|error| ActionError::Input(format!("{} is no YAML: {error}", input.path)))?
                    .into(),
            };
            Ok(Output { content })
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
    async fn files_are_read_in_each_way() {
        let cx = bench(&[
            ("j", "{\"a\": [1]}"),
            ("y", "a: [1]"),
            ("m", "a: 1\n---\nb: 2\n"),
            ("t", "a: ["),
        ]);
        for (path, parser, content) in [
            ("j", json!("json"), json!({"a": [1]})),
            ("y", json!("yaml"), json!({"a": [1]})),
            ("m", json!("multiyaml"), json!([{"a": 1}, {"b": 2}])),
            ("t", json!(null), json!("a: [")),
        ] {
            let found = run(&ParseFile, &cx, json!({"path": path, "parser": parser}))
                .await
                .unwrap();
            assert_eq!(found, json!({"content": content}));
        }
        let error = run(&ParseFile, &cx, json!({"path": "t", "parser": "yaml"}))
            .await
            .unwrap_err();
        assert!(error.to_string().starts_with("t is no YAML: line 1"), "{error}");
    }
}
