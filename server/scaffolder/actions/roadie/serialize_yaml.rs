use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::serialize_json::Output;
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::yaml::{self, Style};

/// `roadiehq:utils:serialize:yaml`: a value as YAML.
pub struct SerializeYaml;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Value to write.
    data: Value,
    /// How it is written.
    #[serde(default)]
    options: Style,
}

#[async_trait::async_trait]
impl Action for SerializeYaml {
    const ID: &'static str = "roadiehq:utils:serialize:yaml";
    const DESCRIPTION: &'static str = "Writes a value as YAML into the step's output.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Make a manifest out of answers",
        example: "\
steps:
  - id: serialize
    action: roadiehq:utils:serialize:yaml
    input:
      data:
        apiVersion: v1
        kind: ConfigMap
        metadata:
          name: ${{ parameters.name }}
        data: ${{ parameters.config }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, _: &Context, input: Input) -> Result<Output, ActionError> {
        let serialized = yaml::write(&input.data, &input.options).map_err(ActionError::Input)?;
        Ok(Output { serialized })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn values_become_yaml() {
        for (input, text) in [
            (
                json!({"data": {"a": {"b": [1, "x"]}, "c": "true"}}),
                "a:\n  b:\n    - 1\n    - x\nc: \"true\"\n",
            ),
            (
                json!({"data": {"a": {"b": [1]}, "c": "true"}, "options": {"indent": 4, "singleQuote": true, "lineWidth": 0}}),
                "a:\n    b:\n        - 1\nc: 'true'\n",
            ),
        ] {
            let found = run(&SerializeYaml, &bench(&[]), input).await.unwrap();
            assert_eq!(found, json!({"serialized": text}));
        }
    }
}
