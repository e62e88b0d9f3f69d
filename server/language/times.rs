//! Times and lengths of time in words. `static/app.js` keeps the times of a page fresh with the [`Words`] that it got.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde::Serialize;

use super::{Locale, Text, Value, text};

/// Seconds below which it is now.
const NOW: i64 = 5;
/// Lengths in seconds, and the words for one and for several. Both languages need one case only: behind "vor" and
/// "in" German has the dative.
const UNITS: [(i64, &str, &str); 6] = [
    (31_536_000, "{count} year", "{count} years"),
    (2_592_000, "{count} month", "{count} months"),
    (86_400, "{count} day", "{count} days"),
    (3_600, "{count} h", "{count} h"),
    (60, "{count} min", "{count} min"),
    (1, "{count} s", "{count} s"),
];
/// The texts above and below, for the catalogue's test.
#[cfg(test)]
pub(super) const KEYS: [&str; 12] = [
    "{count} year",
    "{count} years",
    "{count} month",
    "{count} months",
    "{count} day",
    "{count} days",
    "{count} h",
    "{count} min",
    "{count} s",
    "just now",
    "{time} ago",
    "in {time}",
];

/// `at` as seen from `now`, with unit and direction: `just now`, `18 min ago`, `in 2 days`.
pub fn relative(at: &DateTime<Utc>, now: &DateTime<Utc>) -> Text {
    let seconds = (*now - *at).num_seconds();
    let size = seconds.abs();
    let unit = UNITS.into_iter().find(|(length, ..)| size >= *length);
    let Some((length, one, many)) = unit.filter(|_| size >= NOW) else {
        return Text::ours("just now");
    };
    let time = Text::counted(one, many, size / length);
    Text::ours(if seconds > 0 { "{time} ago" } else { "in {time}" }).with("time", time)
}

/// For the `datetime` attribute: RFC 3339 in UTC.
pub fn machine_time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A length of time in the two largest units that matter: `12 s`, `2 min 5 s`, `3 h 1 min`; `1.4 s` below ten seconds.
pub fn duration(length: Duration) -> Text {
    let milliseconds = length.num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => match milliseconds / 100 {
            tenths if tenths > 0 && tenths % 10 == 0 => text!("{seconds} s", seconds = seconds),
            tenths => text!("{seconds} s", seconds = Value::Tenths(tenths)),
        },
        10..60 => text!("{seconds} s", seconds = seconds),
        60..3600 => text!(
            "{minutes} min {seconds} s",
            minutes = seconds / 60,
            seconds = seconds % 60
        ),
        _ => text!(
            "{hours} h {minutes} min",
            hours = seconds / 3600,
            minutes = seconds % 3600 / 60
        ),
    }
}

/// What a script needs to say times as [`relative`] does, in one language.
#[derive(Debug, Serialize)]
pub struct Words {
    now: String,
    ago: String,
    ahead: String,
    /// Length in seconds, one, several; the longest first.
    units: Vec<(i64, String, String)>,
}

impl Words {
    pub fn of(locale: Locale) -> Self {
        let say = |key| locale.say(&Text::ours(key));
        Self {
            now: say("just now"),
            ago: say("{time} ago"),
            ahead: say("in {time}"),
            units: UNITS
                .into_iter()
                .map(|(length, one, many)| (length, say(one), say(many)))
                .collect(),
        }
    }
}
