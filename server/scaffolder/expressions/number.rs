//! Numbers to text and back, as ECMAScript defines it.

/// `String(value)`.
pub(super) fn to_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let body = if count <= point && point <= 21 {
        format!("{digits}{}", "0".repeat(usize::try_from(point - count).unwrap_or(0)))
    } else if 0 < point && point <= 21 {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        format!("{whole}.{fraction}")
    } else if -6 < point && point <= 0 {
        format!("0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0)))
    } else {
        exponential(&digits, point - 1)
    };
    format!("{sign}{body}")
}

/// `d.ddde+x`.
fn exponential(digits: &str, exponent: i32) -> String {
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{dot}{rest}e{sign}{}", exponent.abs())
}

/// `Number(text)`.
pub(super) fn from_text(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    if text.is_empty() {
        return 0.0;
    }
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            return whole(digits, radix)
                .map_or(f64::NAN, |(value, rest)| if rest.is_empty() { value } else { f64::NAN });
        }
    }
    match decimal_prefix(text) {
        Some((value, "")) => value,
        _ => f64::NAN,
    }
}

/// `parseFloat(text)`; `None` for NaN.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    decimal_prefix(text.trim_start_matches(is_space)).map(|(value, _)| value)
}

/// `parseInt(text, radix)`; `None` for NaN.
pub(super) fn parse_int(text: &str, radix: u32) -> Option<f64> {
    let text = text.trim_start_matches(is_space);
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (radix, text) = match (radix, hexadecimal) {
        (16 | 0, Some(rest)) => (16, rest),
        (0, None) => (10, text),
        _ => (radix, text),
    };
    if !(2..=36).contains(&radix) {
        return None;
    }
    whole(text, radix).map(|(value, _)| sign * value)
}

/// White space as JavaScript trims it.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() && c != '\u{85}' || c == '\u{feff}'
}

/// Leading digits in a radix, and what follows them.
fn whole(text: &str, radix: u32) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_digit(radix)).unwrap_or(text.len());
    if end == 0 {
        return None;
    }
    let (digits, rest) = text.split_at(end);
    let value = if radix == 10 {
        digits.parse().ok()?
    } else {
        digits
            .chars()
            .filter_map(|c| c.to_digit(radix))
            .fold(0.0, |sum, digit| sum * f64::from(radix) + f64::from(digit))
    };
    Some((value, rest))
}

/// The longest decimal literal that `text` starts with, and what follows it.
fn decimal_prefix(text: &str) -> Option<(f64, &str)> {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    if let Some(rest) = text[at..].strip_prefix("Infinity") {
        let value = if bytes.first() == Some(&b'-') {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
        return Some((value, rest));
    }
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let before = digits(at);
    at += before;
    let mut after = 0;
    if bytes.get(at) == Some(&b'.') {
        after = digits(at + 1);
        if before + after > 0 {
            at += 1 + after;
        }
    }
    if before + after == 0 {
        return None;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    let (literal, rest) = text.split_at(at);
    literal.trim_end_matches('.').parse().ok().map(|value| (value, rest))
}

/// `Math.round(value)`: halves go up.
pub(super) fn round(value: f64) -> f64 {
    if !value.is_finite() {
        return value;
    }
    let floor = value.floor();
    let rounded = if value - floor >= 0.5 { floor + 1.0 } else { floor };
    if rounded == 0.0 {
        0.0_f64.copysign(value)
    } else {
        rounded
    }
}

/// The exact decimal digits of a positive number and the place of its point among them.
fn exact(value: f64) -> (Vec<u8>, usize) {
    let text = format!("{value:.1074}");
    let point = text.find('.').unwrap_or(text.len());
    (
        text.bytes()
            .filter(u8::is_ascii_digit)
            .map(|byte| byte - b'0')
            .collect(),
        point,
    )
}

/// Keeps `count` digits, halves up. True when a digit was added in front.
fn keep(digits: &mut Vec<u8>, count: usize) -> bool {
    let up = digits.get(count).is_some_and(|digit| *digit >= 5);
    digits.truncate(count);
    if up {
        for digit in digits.iter_mut().rev() {
            *digit = (*digit + 1) % 10;
            if *digit != 0 {
                return false;
            }
        }
        digits.insert(0, 1);
        return true;
    }
    false
}

fn spell(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// `value.toFixed(places)`, places at most 100.
pub(super) fn to_fixed(value: f64, places: usize) -> String {
    if !value.is_finite() || value.abs() >= 1e21 {
        return to_text(value);
    }
    let (mut digits, mut point) = exact(value.abs());
    if keep(&mut digits, point + places) {
        point += 1;
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let (whole, fraction) = digits.split_at(point);
    let dot = if places > 0 { "." } else { "" };
    format!("{sign}{}{dot}{}", spell(whole), spell(fraction))
}

/// The `count` significant digits of a positive number, and its exponent.
fn significant(value: f64, count: usize) -> (String, i32) {
    if value == 0.0 {
        return ("0".repeat(count), 0);
    }
    let (digits, point) = exact(value);
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    let mut exponent = i32::try_from(point).unwrap_or(0) - i32::try_from(zeros).unwrap_or(0) - 1;
    let mut digits = digits[zeros..].to_vec();
    digits.resize(digits.len().max(count), 0);
    if keep(&mut digits, count) {
        digits.truncate(count);
        exponent += 1;
    }
    (spell(&digits), exponent)
}

/// `value.toPrecision(count)`, count between 1 and 100.
pub(super) fn to_precision(value: f64, count: usize) -> String {
    if !value.is_finite() {
        return to_text(value);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let (digits, exponent) = significant(value.abs(), count);
    let body = if exponent < -6 || exponent >= i32::try_from(count).unwrap_or(i32::MAX) {
        exponential(&digits, exponent)
    } else if exponent < 0 {
        format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0)))
    } else {
        let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{whole}{dot}{fraction}")
    };
    format!("{sign}{body}")
}

/// `value.toExponential(places)`; as many places as needed without a number.
pub(super) fn to_exponential(value: f64, places: Option<usize>) -> String {
    if !value.is_finite() {
        return to_text(value);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let (digits, exponent) = match places {
        Some(places) => significant(value.abs(), places + 1),
        None => {
            let shortest = format!("{:e}", value.abs());
            let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
            (mantissa.replace('.', ""), exponent.parse().unwrap_or(0))
        }
    };
    format!("{sign}{}", exponential(&digits, exponent))
}

/// `value.toString(radix)`, radix between 2 and 36.
pub(super) fn to_radix(value: f64, radix: u32) -> String {
    if radix == 10 || !value.is_finite() {
        return to_text(value);
    }
    let base = f64::from(radix);
    let digit = |value: f64| char::from_digit(value as u32, radix).unwrap_or('0');
    let mut whole = value.abs().trunc();
    let mut fraction = value.abs().fract();
    let mut front = Vec::new();
    while whole >= 1.0 {
        front.push(digit(whole % base));
        whole = (whole / base).trunc();
    }
    if front.is_empty() {
        front.push('0');
    }
    if value < 0.0 {
        front.push('-');
    }
    let mut text: String = front.into_iter().rev().collect();
    if fraction > 0.0 {
        text.push('.');
        for _ in 0..52 {
            fraction *= base;
            text.push(digit(fraction.trunc()));
            fraction = fraction.fract();
            if fraction == 0.0 {
                break;
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_print_as_in_javascript() {
        let table = [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e21, "1e+21"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ];
        for (value, expected) in table {
            assert_eq!(to_text(value), expected);
        }
    }

    #[test]
    fn halves_are_rounded_on_the_exact_value() {
        let table = [
            (2.5, 0, "3"),
            (-2.5, 0, "-3"),
            (1.005, 2, "1.00"),
            (8.345, 2, "8.35"),
            (9.99, 1, "10.0"),
        ];
        for (value, places, expected) in table {
            assert_eq!(to_fixed(value, places), expected);
        }
        assert_eq!(to_precision(1234.5678, 2), "1.2e+3");
        assert_eq!(to_precision(99.99, 3), "100");
        assert_eq!(to_exponential(0.00015, None), "1.5e-4");
        assert_eq!(to_exponential(9.99, Some(1)), "1.0e+1");
    }

    #[test]
    fn texts_become_numbers_as_in_javascript() {
        let table = [
            ("", 0.0),
            (" 5 ", 5.0),
            ("0x10", 16.0),
            ("1e2", 100.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("-Infinity", f64::NEG_INFINITY),
        ];
        for (text, expected) in table {
            assert_eq!(from_text(text), expected, "{text}");
        }
        for text in ["1_0", "a", "inf", "nan", ".", "1e", "--1", "0x"] {
            assert!(from_text(text).is_nan(), "{text}");
        }
        assert_eq!(parse_int("42abc", 10), Some(42.0));
        assert_eq!(parse_float("-1.5e-2x"), Some(-0.015));
    }
}
