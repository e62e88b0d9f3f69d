use schemars::JsonSchema;
use serde::Deserialize;

use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};

/// `cnoe:verify:dependency`: known, so that a template that has it can be read, and not supported.
pub struct VerifyDependency;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Files that the program `cnoe` would verify the cluster with.
    verifiers: Option<Vec<String>>,
}

#[async_trait::async_trait]
impl Action for VerifyDependency {
    const ID: &'static str = "cnoe:verify:dependency";
    const DESCRIPTION: &'static str = "Not supported: it would run the program cnoe with the portal's rights in the \
                                       cluster on what a template says.";
    const EXAMPLES: &'static [Example] = &[];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        if input.verifiers.is_none_or(|verifiers| verifiers.is_empty()) {
            cx.log("There is nothing to verify");
            return Ok(NoOutput {});
        }
        Err(ActionError::Failed(
            "cnoe:verify:dependency is not supported: it runs the program cnoe (cnoe-cli 0.1.0, which is not developed any \
             more) with the portal's rights in the cluster. Remove the step, or let the templates' manifests name what they \
             need: Argo CD reports what is missing"
                .to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn it_says_that_it_is_not_supported() {
        let error = run(&VerifyDependency, &bench(&[]), json!({"verifiers": ["a.yaml"]}))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("not supported"), "{error}");
        run(&VerifyDependency, &bench(&[]), json!({"verifiers": []}))
            .await
            .unwrap();
    }
}
