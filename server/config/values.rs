//! Kinds of values that configuration is made of.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("writeOnly" = true))]
pub struct Secret(#[serde(deserialize_with = "text")] String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The text itself, for the one place that sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Text; numbers and booleans that a file has without quotes count as text too.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(text) => Ok(text),
        serde_json::Value::Number(number) => Ok(number.to_string()),
        serde_json::Value::Bool(value) => Ok(value.to_string()),
        _ => Err(serde::de::Error::custom("must be a text")),
    }
}

/// As [`text`], for keys that may be missing.
pub(super) fn optional_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => Ok(None),
        other => text(other).map(Some).map_err(serde::de::Error::custom),
    }
}

/// A port; texts count too, since variables give texts.
pub(super) fn optional_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let port = match &value {
        serde_json::Value::Null => return Ok(None),
        serde_json::Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        serde_json::Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    port.map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("must be a port, 0 to 65535, not {value}")))
}

/// A length of time as Backstage writes it: `{minutes: 5}`, `5m`, `30 seconds` or ISO 8601 (`PT5M`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        duration(&value).map(Self).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "must be a length of time such as 5m or {{minutes: 5}}, not {value}"
            ))
        })
    }
}

impl JsonSchema for HumanDuration {
    fn schema_name() -> Cow<'static, str> {
        "HumanDuration".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

fn duration(value: &serde_json::Value) -> Option<Duration> {
    let seconds = match value {
        serde_json::Value::Object(parts) => {
            let mut seconds = 0.0;
            for (unit, count) in parts {
                seconds += count.as_f64()? * unit_seconds(unit)?;
            }
            seconds
        }
        serde_json::Value::String(text) => match text.strip_prefix('P') {
            Some(iso) => iso_seconds(iso)?,
            None => {
                let text = text.trim();
                let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
                text[..split].parse::<f64>().ok()? * unit_seconds(text[split..].trim())?
            }
        },
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn unit_seconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ms" | "milliseconds" | "millisecond" => 0.001,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        "months" | "month" => 2_629_800.0,
        "y" | "year" | "years" => 31_557_600.0,
        _ => return None,
    })
}

fn iso_seconds(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut number = String::new();
    let mut in_time = false;
    for letter in text.chars() {
        match letter {
            'T' => in_time = true,
            '0'..='9' | '.' => number.push(letter),
            unit => {
                let unit = match (unit, in_time) {
                    ('Y', false) => "y",
                    ('M', false) => "months",
                    ('W', false) => "w",
                    ('D', false) => "d",
                    ('H', true) => "h",
                    ('M', true) => "m",
                    ('S', true) => "s",
                    _ => return None,
                };
                seconds += number.parse::<f64>().ok()? * unit_seconds(unit)?;
                number.clear();
            }
        }
    }
    number.is_empty().then_some(seconds)
}

/// A size in bytes: a number, or a text such as `64 MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        let size = match &value {
            serde_json::Value::Number(number) => number.as_u64(),
            serde_json::Value::String(text) => {
                let text = text.trim();
                let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                let factor: Option<u64> = match text[split..].trim() {
                    "" | "B" => Some(1),
                    "KiB" => Some(1 << 10),
                    "MiB" => Some(1 << 20),
                    "GiB" => Some(1 << 30),
                    "KB" | "kB" => Some(1_000),
                    "MB" => Some(1_000_000),
                    "GB" => Some(1_000_000_000),
                    _ => None,
                };
                factor.and_then(|factor| text[..split].parse::<u64>().ok()?.checked_mul(factor))
            }
            _ => None,
        };
        size.map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("must be a size such as 64 MiB, not {value}")))
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_of_time_are_understood() {
        for (value, seconds) in [
            (json!({"minutes": 5, "seconds": 1}), Some(301.0)),
            (json!("5m"), Some(300.0)),
            (json!("30 seconds"), Some(30.0)),
            (json!("PT1H30M"), Some(5_400.0)),
            (json!("P1D"), Some(86_400.0)),
            (json!("soon"), None),
            (json!({"fortnights": 1}), None),
            (json!(5), None),
            (json!("-5m"), None),
        ] {
            let found = serde_json::from_value::<HumanDuration>(value.clone()).ok();
            assert_eq!(found.map(|found| found.0.as_secs_f64()), seconds, "{value}");
        }
    }

    #[test]
    fn sizes_are_understood() {
        for (value, size) in [
            (json!("64 MiB"), Some(67_108_864)),
            (json!(10), Some(10)),
            (json!("1GB"), Some(1_000_000_000)),
            (json!("99999999999999999999 GiB"), None),
            (json!("much"), None),
        ] {
            let found = serde_json::from_value::<Size>(value.clone()).ok();
            assert_eq!(found.map(|found| found.0), size, "{value}");
        }
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "***");
    }
}
