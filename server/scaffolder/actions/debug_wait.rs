use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Action, ActionError, Context, Example, NoOutput};

/// Longer waits are a mistake, or something else than a wait: see the actions that wait for something.
const LONGEST: Duration = Duration::from_secs(600);

/// `debug:wait`: does nothing for a while.
pub struct DebugWait;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Minutes to wait; the three add up, to 10 minutes at most.
    #[serde(default)]
    minutes: f64,
    /// Seconds to wait.
    #[serde(default)]
    seconds: f64,
    /// Milliseconds to wait.
    #[serde(default)]
    milliseconds: f64,
}

/// A wait of some seconds, within what is allowed.
pub fn bounded(seconds: f64) -> Result<Duration, ActionError> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err(ActionError::Input(format!(
            "a wait of {seconds} s is longer than the {} s that are allowed",
            LONGEST.as_secs()
        ))),
        Err(_) => Err(ActionError::Input(format!("nothing can wait for {seconds} s"))),
    }
}

#[async_trait::async_trait]
impl Action for DebugWait {
    const ID: &'static str = "debug:wait";
    const DESCRIPTION: &'static str = "Waits for some time, 10 minutes at most.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Wait for five seconds",
        example: "\
steps:
  - id: wait
    action: debug:wait
    input:
      seconds: 5
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let time = bounded(input.minutes * 60.0 + input.seconds + input.milliseconds / 1000.0)?;
        cx.log(format!("Waiting for {} s", time.as_secs_f64()));
        tokio::time::sleep(time).await;
        Ok(NoOutput {})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn it_waits_as_long_as_it_is_told() {
        let begun = std::time::Instant::now();
        run(
            &DebugWait,
            &bench(&[]),
            json!({"minutes": 0.0001, "seconds": 0.02, "milliseconds": 5}),
        )
        .await
        .unwrap();
        assert!(begun.elapsed().as_millis() >= 31);
        for input in [json!({"minutes": 11}), json!({"seconds": -1})] {
            assert!(run(&DebugWait, &bench(&[]), input.clone()).await.is_err(), "{input}");
        }
    }
}
