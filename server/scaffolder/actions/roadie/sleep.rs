use schemars::JsonSchema;
use serde::Deserialize;

use crate::scaffolder::actions::debug_wait::bounded;
use crate::scaffolder::actions::{Action, ActionError, Context, Example, NoOutput};

/// `roadiehq:utils:sleep`: does nothing for some seconds.
pub struct Sleep;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Seconds to wait, 600 at most.
    amount: f64,
}

#[async_trait::async_trait]
impl Action for Sleep {
    const ID: &'static str = "roadiehq:utils:sleep";
    const DESCRIPTION: &'static str = "Waits for some seconds, 600 at most.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Wait for five seconds",
        example: "\
steps:
  - id: sleep
    action: roadiehq:utils:sleep
    input:
      amount: 5
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let time = bounded(input.amount)?;
        cx.log(format!("Waiting {} seconds", input.amount));
        // In a dry run nobody waits for anything.
        if !cx.dry_run {
            tokio::time::sleep(time).await;
        }
        Ok(NoOutput {})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn it_waits_and_not_for_ever() {
        let begun = std::time::Instant::now();
        run(&Sleep, &bench(&[]), json!({"amount": 0.03})).await.unwrap();
        assert!(begun.elapsed().as_millis() >= 30);
        for amount in [json!(601), json!(-1), json!("five")] {
            assert!(run(&Sleep, &bench(&[]), json!({"amount": amount})).await.is_err());
        }
    }
}
