//! Filters on texts.

use super::super::coerce::{to_number, to_text};
use super::super::methods::find;
use super::super::scan::is_space;
use super::super::value::{Text, Value, string, units};
use super::{Given, Outcome, like};

/// Lower case, keeping halves of surrogate pairs.
pub(in super::super) fn lower(text: &[u16]) -> Text {
    map(text, |text| text.to_lowercase(), |c, out| out.extend(c.to_lowercase()))
}

/// Upper case, keeping halves of surrogate pairs.
pub(in super::super) fn upper(text: &[u16]) -> Text {
    map(text, |text| text.to_uppercase(), |c, out| out.extend(c.to_uppercase()))
}

fn map(text: &[u16], whole: fn(&str) -> String, single: fn(char, &mut String)) -> Text {
    if let Ok(text) = String::from_utf16(text) {
        return units(&whole(&text));
    }
    let mut out = Vec::with_capacity(text.len());
    for decoded in char::decode_utf16(text.iter().copied()) {
        match decoded {
            Ok(c) => {
                let mut mapped = String::new();
                single(c, &mut mapped);
                out.extend(mapped.encode_utf16());
            }
            Err(half) => out.push(half.unpaired_surrogate()),
        }
    }
    out.into()
}

pub(super) fn lower_filter(value: Value, given: &Given<'_>) -> Outcome {
    given.normalized(&value).map(|text| Value::Text(lower(&text)))
}

pub(super) fn upper_filter(value: Value, given: &Given<'_>) -> Outcome {
    given.normalized(&value).map(|text| Value::Text(upper(&text)))
}

fn capitalized(text: &[u16]) -> Vec<u16> {
    let lower = lower(text);
    let mut out = upper(&lower[..lower.len().min(1)]).to_vec();
    out.extend_from_slice(lower.get(1..).unwrap_or_default());
    out
}

pub(super) fn capitalize(value: Value, given: &Given<'_>) -> Outcome {
    let text = given.normalized(&value)?;
    Ok(like(&value, capitalized(&text).into()))
}

pub(super) fn title(value: Value, given: &Given<'_>) -> Outcome {
    let text = given.normalized(&value)?;
    let space = u16::from(b' ');
    let words: Vec<_> = text.split(|unit| *unit == space).map(capitalized).collect();
    Ok(like(&value, words.join(&space).into()))
}

pub(super) fn center(value: Value, given: &Given<'_>) -> Outcome {
    let (text, length) = match &value {
        Value::Undefined | Value::Null | Value::Bool(false) => (units(""), 0.0),
        Value::Text(text) | Value::Safe(text) => (text.clone(), text.len() as f64),
        // The length of an array is the number of its elements; what is printed is its text.
        Value::Array(elements) => (to_text(&value, given.budget())?, elements.borrow().len() as f64),
        other => return Ok(Value::Text(to_text(other, given.budget())?)),
    };
    let width = match given.number(0)? {
        width if width == 0.0 || width.is_nan() => 80.0,
        width => width,
    };
    if length >= width {
        return Ok(value);
    }
    let spaces = width - length;
    let before = (spaces / 2.0 - spaces % 2.0).ceil().max(0.0) as usize;
    let after = (spaces / 2.0).ceil().max(0.0) as usize;
    given.budget().allocate(before.saturating_add(after))?;
    let mut out = vec![u16::from(b' '); before];
    out.extend_from_slice(&text);
    out.resize(before + text.len() + after, u16::from(b' '));
    Ok(like(&value, out.into()))
}

pub(super) fn indent(value: Value, given: &Given<'_>) -> Outcome {
    let text = given.normalized(&value)?;
    if text.is_empty() {
        return Ok(Value::Text(text));
    }
    let width = if given.get(0).is_true() { given.number(0)? } else { 4.0 };
    // NaN becomes none.
    let width = width.ceil().max(0.0) as usize;
    let newline = u16::from(b'\n');
    let lines = text.iter().filter(|unit| **unit == newline).count() + 1;
    given
        .budget()
        .allocate(text.len().saturating_add(lines.saturating_mul(width)))?;
    let mut out = Vec::new();
    for (at, line) in text.split(|unit| *unit == newline).enumerate() {
        if at > 0 {
            out.push(newline);
        }
        if at > 0 || given.get(1).is_true() {
            out.resize(out.len() + width, u16::from(b' '));
        }
        out.extend_from_slice(line);
    }
    Ok(like(&value, out.into()))
}

pub(super) fn replace(value: Value, given: &Given<'_>) -> Outcome {
    let budget = given.budget();
    if let Value::Regex(pattern) = given.get(0) {
        let Some(text) = value.as_units() else {
            return Err(given.fail(&value, "a text"));
        };
        let new = given.text(1)?;
        return super::super::methods::replace_pattern(text, pattern, &new, budget);
    }
    let old = match given.get(0) {
        Value::Text(old) => old.clone(),
        Value::Number(_) => given.text(0)?,
        _ => return Ok(value),
    };
    let text = match &value {
        Value::Number(_) => to_text(&value, budget)?,
        Value::Text(text) | Value::Safe(text) => text.clone(),
        _ => return Ok(value),
    };
    budget.spend(text.len() / 16)?;
    let new = given.text(1)?;
    let mut out = Vec::new();
    if old.is_empty() {
        budget.allocate(text.len().saturating_add(new.len().saturating_mul(text.len() + 1)))?;
        out.extend_from_slice(&new);
        for unit in text.iter() {
            out.push(*unit);
            out.extend_from_slice(&new);
        }
        return Ok(like(&value, out.into()));
    }
    let limit = match given.get(2) {
        Value::Undefined => -1.0,
        count => to_number(count, budget)?,
    };
    let mut from = 0;
    let mut count = 0.0;
    while limit == -1.0 || count < limit {
        let Some(at) = find(&text, &old, from) else { break };
        out.extend_from_slice(&text[from..at]);
        out.extend_from_slice(&new);
        from = at + old.len();
        count += 1.0;
        budget.allocate(new.len() + 16)?;
    }
    if count == 0.0 {
        return Ok(like(&value, text));
    }
    out.extend_from_slice(&text[from..]);
    budget.allocate(out.len())?;
    Ok(like(&value, out.into()))
}

pub(super) fn string_filter(value: Value, given: &Given<'_>) -> Outcome {
    if value.is_nullish() {
        return Err(given.fail(&value, "a value"));
    }
    let text = to_text(&value, given.budget())?;
    Ok(like(&value, text))
}

pub(super) fn trim(value: Value, given: &Given<'_>) -> Outcome {
    let text = given.units(&value)?;
    let start = text.iter().take_while(|unit| is_space(**unit)).count();
    let end = text[start..].iter().rev().take_while(|unit| is_space(**unit)).count();
    Ok(like(&value, text[start..text.len() - end].into()))
}

pub(super) fn truncate(value: Value, given: &Given<'_>) -> Outcome {
    // An array that has fewer elements than the text may have characters stays.
    if let Value::Array(elements) = &value {
        let length = match given.number(0)? {
            length if length == 0.0 || length.is_nan() => 255.0,
            length => length,
        };
        if elements.borrow().len() as f64 <= length {
            return Ok(value);
        }
    }
    let text = given.normalized(&value)?;
    let length = match given.number(0)? {
        // What is no number but true, such as named arguments, is longer than any text and shorter too.
        length if length.is_nan() && given.get(0).is_true() => f64::NAN,
        length if length == 0.0 || length.is_nan() => 255.0,
        length => length.trunc(),
    };
    if text.len() as f64 <= length {
        return Ok(value_or_empty(value, text));
    }
    let length_units = if length.is_nan() {
        text.len()
    } else {
        length.clamp(0.0, text.len() as f64) as usize
    };
    let end = if given.get(1).is_true() {
        length_units
    } else {
        // A blank at the very length still ends a word; a negative length finds none but at the start.
        (0..=length_units)
            .rev()
            .find(|at| text.get(*at) == Some(&u16::from(b' ')))
            .unwrap_or(length_units)
    };
    let mut out = text[..end].to_vec();
    if given.get(2).is_nullish() {
        out.extend("...".encode_utf16());
    } else {
        out.extend_from_slice(&given.text(2)?);
    }
    given.budget().allocate(out.len())?;
    Ok(like(&value, out.into()))
}

fn value_or_empty(value: Value, text: Text) -> Value {
    if value.as_units().is_some() {
        value
    } else {
        Value::Text(text)
    }
}

pub(super) fn wordcount(value: Value, given: &Given<'_>) -> Outcome {
    if !value.is_true() {
        return Ok(Value::Null);
    }
    let text = string(&given.normalized(&value)?);
    let words = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .count();
    Ok(if words == 0 {
        Value::Null
    } else {
        Value::Number(words as f64)
    })
}
