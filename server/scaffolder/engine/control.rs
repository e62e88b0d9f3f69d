//! `timeout` and `retry` of a step.
//!
//! ```yaml
//! timeout: 5m
//! retry:
//!   limit: 3
//!   backoff: {duration: 10s, factor: 2, maxDuration: 1m}
//! ```
//!
//! The names, and what they mean, are those of Argo CD's sync retries: `limit` further tries after the first; a pause of
//! `duration` before the second, `factor` times as long before each next, never longer than `maxDuration` (three minutes, or
//! `duration` where that is longer).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::rendering::{self, Rules};
use crate::config::HumanDuration;
use crate::scaffolder::actions::ActionError;
use crate::scaffolder::model::Step;

/// A forge that asks to come back later than this is not waited for any longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// Longest pause where the template names none.
const USUAL_LONGEST: Duration = Duration::from_secs(180);

/// How a step is run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Control {
    /// How long one try may take, with all its waiting.
    pub timeout: Option<Duration>,
    /// `None` where the author has not asked for tries.
    pub retry: Option<Retry>,
}

/// Further tries of a step that has failed.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    #[serde(default = "default_limit", deserialize_with = "limit")]
    pub limit: u32,
    #[serde(default)]
    pub backoff: Backoff,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Backoff {
    #[serde(deserialize_with = "length")]
    pub duration: Duration,
    #[serde(deserialize_with = "factor")]
    pub factor: f64,
    #[serde(deserialize_with = "perhaps_length")]
    pub max_duration: Option<Duration>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(5),
            factor: 2.0,
            max_duration: None,
        }
    }
}

fn default_limit() -> u32 {
    5
}

/// For errors that get better by themselves, where the author has not asked for anything.
const UNASKED: Retry = Retry {
    limit: 2,
    backoff: Backoff {
        duration: Duration::from_secs(1),
        factor: 3.0,
        max_duration: None,
    },
};

impl Control {
    /// Reads a step's `timeout` and `retry`, which may have expressions in them. Errors are for the template's author.
    pub fn read(step: &Step, context: &Value, rules: Rules<'_>) -> Result<Self, String> {
        let rendered = |key: &str| match step.other.get(key) {
            None => Ok(None),
            Some(template) => rendering::render(template, context, rules)
                .map_err(|error| format!("{key} of step {}: {error}", step.id)),
        };
        Self::of(&step.id, rendered("timeout")?, rendered("retry")?)
    }

    /// As [`Self::read`], for what can be known before anything is rendered.
    pub fn check(step: &Step) -> Result<(), String> {
        let plain = |key: &str| {
            let value = step.other.get(key);
            value.filter(|value| !value.to_string().contains("${{")).cloned()
        };
        Self::of(&step.id, plain("timeout"), plain("retry")).map(drop)
    }

    fn of(step: &str, timeout: Option<Value>, retry: Option<Value>) -> Result<Self, String> {
        let given = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
        let timeout = match timeout {
            timeout if !given(&timeout) => None,
            timeout => Some(
                serde_json::from_value::<HumanDuration>(timeout.unwrap_or_default())
                    .map_err(|error| format!("timeout of step {step} {error}"))?
                    .0,
            ),
        };
        if timeout == Some(Duration::ZERO) {
            return Err(format!("timeout of step {step} must be longer than nothing"));
        }
        let retry = match retry {
            retry if !given(&retry) => None,
            retry => Some(
                serde_json::from_value(retry.unwrap_or_default())
                    .map_err(|error| format!("retry of step {step}: {error}"))?,
            ),
        };
        Ok(Self { timeout, retry })
    }

    /// The rule for an error: what the author asked for, else some tries where the error can get better by itself.
    pub fn retry_of(&self, error: &ActionError) -> Option<Retry> {
        match self.retry {
            // The same input is as wrong the next time.
            Some(_) if error.is_settled() => None,
            Some(retry) => Some(retry),
            None => error.is_temporary().then_some(UNASKED),
        }
    }
}

impl Retry {
    /// How long to wait after `failed` tries; `None` when there is no further one.
    pub fn pause(&self, failed: u32, asked: Option<Duration>) -> Option<Duration> {
        if failed == 0 || failed > self.limit {
            return None;
        }
        let backoff = &self.backoff;
        let grown = backoff.duration.as_secs_f64() * backoff.factor.powf(f64::from(failed - 1));
        let longest = backoff.max_duration.unwrap_or(USUAL_LONGEST.max(backoff.duration));
        let pause = Duration::try_from_secs_f64(grown.min(longest.as_secs_f64())).unwrap_or(longest);
        Some(pause.max(asked.unwrap_or_default()).min(LONGEST_PAUSE))
    }
}

fn length<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    HumanDuration::deserialize(deserializer).map(|length| length.0)
}

fn perhaps_length<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    length(deserializer).map(Some)
}

fn factor<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match f64::deserialize(deserializer)? {
        factor if factor >= 1.0 && factor.is_finite() => Ok(factor),
        factor => Err(serde::de::Error::custom(format!(
            "factor must be 1 or more, not {factor}"
        ))),
    }
}

/// Argo CD takes texts, too.
fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = match &value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    number
        .filter(|limit| *limit <= 100)
        .ok_or_else(|| serde::de::Error::custom(format!("limit must be a whole number, 0 to 100, not {value}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scm::ScmError;

    fn control(fields: Value) -> Result<Control, String> {
        let mut step = json!({"id": "a", "name": "a", "action": "x"});
        step.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let step: Step = serde_json::from_value(step).unwrap();
        Control::check(&step)?;
        let rules = Rules {
            failed: false,
            strict: false,
            integrations: &[],
        };
        Control::read(&step, &json!({"parameters": {"wait": {"minutes": 5}}}), rules)
    }

    #[test]
    fn lengths_are_written_as_people_do() {
        for (value, seconds) in [
            (json!("5m"), 300),
            (json!("10s"), 10),
            (json!({"minutes": 5}), 300),
            (json!("PT1H"), 3600),
            (json!("${{ parameters.wait }}"), 300),
        ] {
            let timeout = control(json!({"timeout": value})).unwrap().timeout;
            assert_eq!(timeout, Some(Duration::from_secs(seconds)));
        }
        assert_eq!(control(json!({"timeout": null})), Ok(Control::default()));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (fields, told) in [
            (json!({"timeout": "soon"}), "timeout of step a must be a length of time"),
            (json!({"timeout": "0s"}), "longer than nothing"),
            (json!({"retry": {"limit": -1}}), "limit must be a whole number"),
            (json!({"retry": {"times": 1}}), "unknown field `times`"),
            (
                json!({"retry": {"backoff": {"factor": 0.5}}}),
                "factor must be 1 or more",
            ),
            (
                json!({"retry": {"backoff": {"duration": "x"}}}),
                "retry of step a: must be a length of time",
            ),
        ] {
            let error = control(fields).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn pauses_grow_up_to_their_limit() {
        let retry = control(
            json!({"retry": {"limit": "4", "backoff": {"duration": "10s", "factor": 2, "maxDuration": "30s"}}}),
        );
        let retry = retry.unwrap().retry.unwrap();
        let pauses: Vec<Option<u64>> = (0..6)
            .map(|failed| retry.pause(failed, None).map(|pause| pause.as_secs()))
            .collect();
        assert_eq!(pauses, [None, Some(10), Some(20), Some(30), Some(30), None]);
        let asked = Some(Duration::from_secs(45));
        assert_eq!(retry.pause(1, asked), asked, "who asks to come later is listened to");
    }

    #[test]
    fn only_what_can_get_better_is_tried_again_unasked() {
        let away = || {
            ActionError::Scm(ScmError::Unavailable {
                host: "f".to_owned(),
                reason: "x".to_owned(),
            })
        };
        let denied = || {
            ActionError::Scm(ScmError::Denied {
                host: "f".to_owned(),
                reason: "x".to_owned(),
            })
        };
        let unasked = Control::default();
        assert!(unasked.retry_of(&away()).is_some());
        assert!(unasked.retry_of(&denied()).is_none());
        let asked = control(json!({"retry": {}})).unwrap();
        assert!(asked.retry_of(&denied()).is_some());
        assert!(asked.retry_of(&ActionError::Input("no".to_owned())).is_none());
    }
}
