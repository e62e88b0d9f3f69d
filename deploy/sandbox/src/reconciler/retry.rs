//! The pauses between attempts of a sync that fails.

use std::time::Duration;

use serde_json::Value;

/// The pause before an attempt: `retry.backoff` of the operation, with Argo CD's defaults.
pub(super) fn backoff(operation: &Value, attempt: i64) -> Duration {
    let backoff = &operation["retry"]["backoff"];
    let first = backoff["duration"]
        .as_str()
        .and_then(duration)
        .unwrap_or(Duration::from_secs(5));
    let most = backoff["maxDuration"]
        .as_str()
        .and_then(duration)
        .unwrap_or(Duration::from_secs(180));
    let factor = backoff["factor"]
        .as_u64()
        .and_then(|factor| u32::try_from(factor).ok())
        .unwrap_or(2);
    let power = u32::try_from(attempt - 1).unwrap_or_default();
    first.saturating_mul(factor.saturating_pow(power)).min(most)
}

/// A duration as Go writes it: `90s`, `1m30s`, `2h`; a bare number is seconds.
fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|at| *at > 0)?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return None,
        };
        total += unit.checked_mul(u32::try_from(number).ok()?)?;
        rest = &rest[letters..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pauses_grow_up_to_their_limit() {
        let operation = json!({"retry": {"backoff": {"duration": "5s", "factor": 2, "maxDuration": "1m30s"}}});
        let pauses = (1..=6)
            .map(|attempt| backoff(&operation, attempt).as_secs())
            .collect::<Vec<_>>();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 90]);
        for (text, expected) in [
            ("1h", Some(3600)),
            ("7", Some(7)),
            ("x", None),
            ("5y", None),
            ("s", None),
        ] {
            assert_eq!(duration(text).map(|found| found.as_secs()), expected, "{text}");
        }
    }
}
