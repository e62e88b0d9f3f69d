use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jsonata::{evaluate, problems};
use super::{parse_json, stringify};
use crate::scaffolder::Outside;
use crate::scaffolder::actions::files::{on_files, read_text};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};

/// `roadiehq:utils:jsonata:json:transform`: the answer of a JSONata expression over a JSON file.
pub struct JsonataJson;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// JSON file of the workspace.
    path: String,
    /// The expression.
    expression: String,
    /// The only keys to write, where the result is text.
    replacer: Option<Vec<String>>,
    /// What each level is indented by, where the result is text.
    space: Option<String>,
    /// `string` (the default) or `object`.
    #[serde(default, rename = "as")]
    form: Form,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    #[default]
    String,
    Object,
}

/// The output of actions that transform a file.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The answer as text, or as it is; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

#[async_trait::async_trait]
impl Action for JsonataJson {
    const ID: &'static str = "roadiehq:utils:jsonata:json:transform";
    const DESCRIPTION: &'static str = "Evaluates a JSONata expression over a JSON file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Add a script to a package file",
        example: "\
steps:
  - id: transform
    action: roadiehq:utils:jsonata:json:transform
    input:
      path: package.json
      expression: '$ ~> | scripts | {\"lint\": \"eslint .\"} |'
      space: '  '
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        on_files(cx, move |cx| {
            let data = parse_json(&input.path, &read_text(cx, &input.path)?)?;
            let answer = evaluate(&input.expression, &data)?;
            let result = answer.map(|answer| match input.form {
                Form::Object => answer,
                Form::String => stringify(&answer, input.replacer.as_deref(), input.space.as_deref()).into(),
            });
            Ok(Output { result })
        })
        .await
    }

    async fn precheck(&self, _: &Outside, input: &Value) -> Result<Vec<InputProblem>, Unchecked> {
        Ok(problems(input))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn a_file_is_transformed() {
        let cx = bench(&[("a.json", "{\"a\": [1, 2]}"), ("b", "x")]);
        for (input, result) in [
            (
                json!({"path": "a.json", "expression": "$sum(a)"}),
                json!({"result": "3"}),
            ),
            (
                json!({"path": "a.json", "expression": "{\"n\": a[0]}", "as": "object"}),
                json!({"result": {"n": 1}}),
            ),
            (json!({"path": "a.json", "expression": "nothing"}), json!({})),
        ] {
            assert_eq!(run(&JsonataJson, &cx, input).await.unwrap(), result);
        }
        for (path, expression) in [("b", "a"), ("a.json", "$sum("), ("c", "a")] {
            let input = json!({"path": path, "expression": expression});
            assert!(run(&JsonataJson, &cx, input).await.is_err(), "{path} {expression}");
        }
    }
}
