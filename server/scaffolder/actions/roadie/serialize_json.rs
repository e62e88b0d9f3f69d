use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stringify;
use crate::scaffolder::actions::{Action, ActionError, Context, Example};

/// `roadiehq:utils:serialize:json`: a value as JSON.
pub struct SerializeJson;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Value to write.
    data: Value,
    /// The only keys to write; all where nothing is named.
    replacer: Option<Vec<String>>,
    /// What each level is indented by; on one line where it is not given.
    space: Option<String>,
}

/// The output of actions that serialize.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The text.
    pub serialized: String,
}

#[async_trait::async_trait]
impl Action for SerializeJson {
    const ID: &'static str = "roadiehq:utils:serialize:json";
    const DESCRIPTION: &'static str = "Writes a value as JSON into the step's output.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Write the answers as JSON",
        example: "\
steps:
  - id: serialize
    action: roadiehq:utils:serialize:json
    input:
      data: ${{ parameters }}
      space: '  '
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, _: &Context, input: Input) -> Result<Output, ActionError> {
        let replacer = input.replacer.as_deref().filter(|keys| !keys.is_empty());
        Ok(Output {
            serialized: stringify(&input.data, replacer, input.space.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn values_become_json() {
        for (input, text) in [
            (json!({"data": {"b": 1, "a": [2]}}), "{\"b\":1,\"a\":[2]}"),
            (
                json!({"data": {"b": 1, "a": [2]}, "replacer": ["a"], "space": " "}),
                "{\n \"a\": [\n  2\n ]\n}",
            ),
            (json!({"data": {"b": 1}, "replacer": []}), "{\"b\":1}"),
        ] {
            assert_eq!(
                run(&SerializeJson, &bench(&[]), input).await.unwrap(),
                json!({"serialized": text})
            );
        }
    }
}
