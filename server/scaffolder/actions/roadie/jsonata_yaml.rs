use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::jsonata::{evaluate, problems};
use super::jsonata_json::{Form, Output};
use super::parse_yaml;
use crate::scaffolder::Outside;
use crate::scaffolder::actions::files::{on_files, read_text};
use crate::scaffolder::actions::{Action, ActionError, Context, Example, InputProblem, Unchecked};
use crate::scaffolder::yaml::{self, Style};

/// `roadiehq:utils:jsonata:yaml:transform`: the answer of a JSONata expression over a YAML file.
pub struct JsonataYaml;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// YAML file of the workspace.
    path: String,
    /// The expression.
    expression: String,
    /// How a text is written.
    #[serde(default)]
    options: Style,
    /// The expression reads a list of all documents of the file.
    #[serde(default)]
    load_all: bool,
    /// `string` (the default) or `object`.
    #[serde(default, rename = "as")]
    form: Form,
}

#[async_trait::async_trait]
impl Action for JsonataYaml {
    const ID: &'static str = "roadiehq:utils:jsonata:yaml:transform";
    const DESCRIPTION: &'static str = "Evaluates a JSONata expression over a YAML file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Set the number of replicas",
        example: "\
steps:
  - id: transform
    action: roadiehq:utils:jsonata:yaml:transform
    input:
      path: deployment.yaml
      expression: '$ ~> | spec | {\"replicas\": 3} |'
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        on_files(cx, move |cx| {
            let text = read_text(cx, &input.path)?;
            let data = match input.load_all {
                true => yaml::read_all(&text)
                    .map_err(|error| ActionError::Input(format!("{} is no YAML: {error}", input.path)))?
                    .into(),
                false => parse_yaml(&input.path, &text)?,
            };
            let result = match (evaluate(&input.expression, &data)?, input.form) {
                (Some(answer), Form::String) => Some(Value::String(
                    yaml::write(&answer, &input.options).map_err(ActionError::Input)?,
                )),
                (answer, _) => answer,
            };
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
        let cx = bench(&[("a.yaml", "spec:\n  replicas: 1\n"), ("m.yaml", "a: 1\n---\na: 2\n")]);
        let set = json!({"path": "a.yaml", "expression": "$ ~> | spec | {\"replicas\": 3} |"});
        assert_eq!(
            run(&JsonataYaml, &cx, set).await.unwrap(),
            json!({"result": "spec:\n  replicas: 3\n"})
        );
        let all = json!({"path": "m.yaml", "expression": "$sum(a)", "loadAll": true, "as": "object"});
        assert_eq!(run(&JsonataYaml, &cx, all).await.unwrap(), json!({"result": 3}));
        assert!(
            run(&JsonataYaml, &cx, json!({"path": "m.yaml", "expression": "a"}))
                .await
                .is_err()
        );
    }
}
