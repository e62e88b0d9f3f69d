//! Times in words. `static/app.js` keeps them fresh with the same words.

use chrono::{DateTime, SecondsFormat, Utc};

const UNITS: [(i64, &str, &str); 6] = [
    (31_536_000, "year", "years"),
    (2_592_000, "month", "months"),
    (86_400, "day", "days"),
    (3_600, "h", "h"),
    (60, "min", "min"),
    (1, "s", "s"),
];

/// `at` as seen from `now`, with unit and direction: `just now`, `18 min ago`, `in 2 days`.
pub fn relative(at: &DateTime<Utc>, now: &DateTime<Utc>) -> String {
    let seconds = (*now - *at).num_seconds();
    let size = seconds.abs();
    if size < 5 {
        return "just now".to_owned();
    }
    let (length, one, many) = UNITS
        .into_iter()
        .find(|(length, ..)| size >= *length)
        .unwrap_or((1, "s", "s"));
    let count = size / length;
    let unit = if count == 1 { one } else { many };
    if seconds > 0 {
        format!("{count} {unit} ago")
    } else {
        format!("in {count} {unit}")
    }
}

/// For the `datetime` attribute: RFC 3339 in UTC.
pub fn machine_time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// For titles and records: `2026-11-22 09:58:46 UTC`.
pub fn exact_time(at: &DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time in the two largest units that matter: `12 s`, `2 min 5 s`, `3 h 1 min`; `1.4 s` below ten seconds.
pub fn duration(length: chrono::Duration) -> String {
    let milliseconds = length.num_milliseconds().max(0);
    let seconds = milliseconds / 1000;
    match seconds {
        0..10 => match milliseconds % 1000 / 100 {
            0 if seconds > 0 => format!("{seconds} s"),
            tenths => format!("{seconds}.{tenths} s"),
        },
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Up to two letters for the avatar: initials of the words of a name.
pub fn initials(name: &str) -> String {
    let words: Vec<&str> = name
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let letters: String = match words.as_slice() {
        [] => "?".to_owned(),
        [one] => {
            let digit = one.chars().rev().find(char::is_ascii_digit);
            one.chars().take(1).chain(digit).collect()
        }
        [first, .., last] => first.chars().take(1).chain(last.chars().take(1)).collect(),
    };
    letters.to_uppercase()
}

#[cfg(test)]
mod tests {
    use chrono::Duration;

    use super::*;

    #[test]
    fn times_are_told_in_words() {
        let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
        for (seconds, words) in [
            (0, "just now"),
            (-3, "just now"),
            (5, "5 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (7_300, "2 h ago"),
            (86_400, "1 day ago"),
            (3 * 86_400, "3 days ago"),
            (40 * 86_400, "1 month ago"),
            (800 * 86_400, "2 years ago"),
            (-120, "in 2 min"),
        ] {
            assert_eq!(relative(&(now - Duration::seconds(seconds)), &now), words);
        }
    }

    #[test]
    fn lengths_name_two_units() {
        for (milliseconds, words) in [
            (420, "0.4 s"),
            (9_100, "9.1 s"),
            (2_000, "2 s"),
            (12_400, "12 s"),
            (125_000, "2 min 5 s"),
            (10_860_000, "3 h 1 min"),
            (-5, "0.0 s"),
        ] {
            assert_eq!(duration(Duration::milliseconds(milliseconds)), words);
        }
    }

    #[test]
    fn avatars_show_initials() {
        for (name, letters) in [
            ("user one", "UO"),
            ("user1", "U1"),
            ("", "?"),
            ("Ada B. Lovelace", "AL"),
            ("ß", "SS"),
        ] {
            assert_eq!(initials(name), letters);
        }
    }
}
