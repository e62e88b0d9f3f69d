use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::yaml::{self, Style};

/// `cnoe:utils:sanitize`: takes out of a YAML document what says nothing.
pub struct Sanitize;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// One YAML document.
    document: String,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The document without null, empty objects and empty lists.
    sanitized: String,
}

#[async_trait::async_trait]
impl Action for Sanitize {
    const ID: &'static str = "cnoe:utils:sanitize";
    const DESCRIPTION: &'static str = "Removes null, empty objects and empty lists from a YAML document.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Clean a manifest that was made of answers",
        example: "\
steps:
  - id: sanitize
    action: cnoe:utils:sanitize
    input:
      document: ${{ steps['serialize'].output.serialized }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, _: &Context, input: Input) -> Result<Output, ActionError> {
        let document =
            yaml::read(&input.document).map_err(|error| ActionError::Input(format!("document is no YAML: {error}")))?;
        let sanitized =
            yaml::write(&without_empty(document).unwrap_or_default(), &Style::default()).map_err(ActionError::Input)?;
        Ok(Output { sanitized })
    }
}

/// The value without null, empty objects and empty lists at any depth; `None` where nothing is left. Empty texts,
/// 0 and false are values.
fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(without_empty).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        Value::Object(fields) => {
            let kept = fields
                .into_iter()
                .filter_map(|(key, value)| Some((key, without_empty(value)?)));
            let fields: serde_json::Map<String, Value> = kept.collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn what_says_nothing_goes() {
        for (document, sanitized) in [
            (
                "a: null\nb: {}\nc: []\nd: ''\ne: 0\nf: false\ng: {h: {i: null}}\nj: [null, {}, 1]\n",
                "d: \"\"\ne: 0\nf: false\nj:\n  - 1\n",
            ),
            ("a:\n  b: c\n", "a:\n  b: c\n"),
        ] {
            let found = run(&Sanitize, &bench(&[]), json!({"document": document}))
                .await
                .unwrap();
            assert_eq!(found, json!({"sanitized": sanitized}));
        }
        for document in ["a: [", "a: 1\n---\nb: 2\n"] {
            assert!(
                run(&Sanitize, &bench(&[]), json!({"document": document}))
                    .await
                    .is_err()
            );
        }
    }
}
