//! Filters that make or unmake markup.

use std::sync::LazyLock;

use regex::Regex;

use super::super::coerce::to_text;
use super::super::error::Fault;
use super::super::value::{Text, Value, string, units};
use super::{Given, Outcome, like};
use crate::web::encode_uri_component;

fn escaped(text: &[u16], given: &Given<'_>) -> Result<Text, Fault> {
    let mut out = Vec::with_capacity(text.len());
    for unit in text {
        let entity = match u8::try_from(*unit) {
            Ok(b'&') => "&amp;",
            Ok(b'<') => "&lt;",
            Ok(b'>') => "&gt;",
            Ok(b'"') => "&quot;",
            Ok(b'\'') => "&#39;",
            _ => {
                out.push(*unit);
                continue;
            }
        };
        out.extend(entity.encode_utf16());
    }
    given.budget().allocate(out.len())?;
    Ok(out.into())
}

fn text_or_nothing(value: &Value, given: &Given<'_>) -> Result<Text, Fault> {
    if value.is_nullish() {
        Ok(units(""))
    } else {
        to_text(value, given.budget())
    }
}

pub(super) fn escape(value: Value, given: &Given<'_>) -> Outcome {
    match &value {
        Value::Safe(_) => Ok(value),
        _ => force_escape(value, given),
    }
}

pub(super) fn force_escape(value: Value, given: &Given<'_>) -> Outcome {
    let text = text_or_nothing(&value, given)?;
    escaped(&text, given).map(Value::Safe)
}

pub(super) fn safe(value: Value, given: &Given<'_>) -> Outcome {
    match &value {
        Value::Safe(_) => Ok(value),
        _ => text_or_nothing(&value, given).map(Value::Safe),
    }
}

pub(super) fn nl2br(value: Value, given: &Given<'_>) -> Outcome {
    if value.is_nullish() {
        return Ok(Value::text(""));
    }
    let text = string(&given.units(&value)?)
        .replace("\r\n", "\n")
        .replace('\n', "<br />\n");
    given.budget().allocate(text.len())?;
    Ok(like(&value, units(&text)))
}

static TAGS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)</?([a-z][a-z0-9]*)(?-u:\b)[^>]*>|<!--(?s:.*?)-->").ok());
static BLANK_LINES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\n\n\n+").ok());

pub(super) fn striptags(value: Value, given: &Given<'_>) -> Outcome {
    let text = string(&given.normalized(&value)?);
    given.budget().allocate(text.len())?;
    let stripped = match TAGS.as_ref() {
        Some(tags) => tags.replace_all(&text, ""),
        None => text.as_str().into(),
    };
    let trimmed = stripped.trim_matches(super::super::number::is_space);
    let tidy = if given.get(0).is_true() {
        let lines: Vec<_> = trimmed
            .split('\n')
            .map(|line| one_blank(line.trim_matches(' ')))
            .collect();
        let joined = lines.join("\n").replace("\r\n", "\n");
        match BLANK_LINES.as_ref() {
            Some(lines) => lines.replace_all(&joined, "\n\n").into_owned(),
            None => joined,
        }
    } else {
        trimmed
            .split(super::super::number::is_space)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    };
    Ok(like(&value, units(&tidy)))
}

/// Runs of blanks become one.
fn one_blank(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    for c in line.chars() {
        if c != ' ' || !out.ends_with(' ') {
            out.push(c);
        }
    }
    out
}

/// `encodeURIComponent(text)`.
fn component(text: &[u16]) -> String {
    encode_uri_component(&string(text)).to_string()
}

pub(super) fn urlencode(value: Value, given: &Given<'_>) -> Outcome {
    let encode = |value: &Value| to_text(value, given.budget()).map(|text| component(&text));
    let pair = |key: &Value, value: &Value| Ok::<_, Fault>(format!("{}={}", encode(key)?, encode(value)?));
    let pairs: Result<Vec<String>, _> = match &value {
        Value::Text(text) | Value::Safe(text) => {
            given.budget().allocate(text.len())?;
            return Ok(Value::text(&component(text)));
        }
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| pair(&Value::Text(key.clone()), value))
            .collect(),
        Value::Array(elements) => elements
            .borrow()
            .iter()
            .map(|element| {
                if element.is_nullish() {
                    return Err(given.fail(element, "a pair"));
                }
                let part = |index| super::super::methods::element(element, index);
                pair(&part(0.0), &part(1.0))
            })
            .collect(),
        _ => return Ok(Value::text("")),
    };
    let text = pairs?.join("&");
    given.budget().allocate(text.len())?;
    Ok(Value::text(&text))
}

static MAIL: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)^[A-Za-z0-9_.!#$%&'*+\-/=?^`{|}~]+@[a-z0-9\-]+(\.[a-z0-9\-]+)+$").ok());
static DOMAIN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\.(?:org|net|com)(?::|/|$)").ok());

pub(super) fn urlize(value: Value, given: &Given<'_>) -> Outcome {
    let text = string(&given.units(&value)?);
    let length = match given.number(0)? {
        length if length.is_nan() => usize::MAX,
        length => length.max(0.0) as usize,
    };
    let follow = if matches!(given.get(1), Value::Bool(true)) {
        " rel=\"nofollow\""
    } else {
        ""
    };
    let mut out = String::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let space = rest.find(|c| !super::super::number::is_space(c)).unwrap_or(rest.len());
        let (blank, after) = rest.split_at(space);
        out.push_str(blank);
        let end = after.find(super::super::number::is_space).unwrap_or(after.len());
        let (word, after) = after.split_at(end);
        out.push_str(&link(word, length, follow));
        given.budget().allocate(2 * word.len() + 32)?;
        rest = after;
    }
    Ok(Value::text(&out))
}

fn link(word: &str, length: usize, follow: &str) -> String {
    let start = ["(", "<", "&lt;"]
        .iter()
        .find(|start| word.starts_with(**start))
        .map_or(0, |start| start.len());
    let inner = &word[start..];
    let inner = [".", ",", ")", "&gt;"]
        .iter()
        .find_map(|end| inner.strip_suffix(*end))
        .unwrap_or(inner);
    let shown: String = string(&inner.encode_utf16().take(length).collect::<Vec<_>>());
    let matches = |pattern: &LazyLock<Option<Regex>>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(inner));
    if inner.starts_with("http://") || inner.starts_with("https://") {
        format!("<a href=\"{inner}\"{follow}>{shown}</a>")
    } else if inner.starts_with("www.") {
        format!("<a href=\"http://{inner}\"{follow}>{shown}</a>")
    } else if matches(&MAIL) {
        format!("<a href=\"mailto:{inner}\">{inner}</a>")
    } else if matches(&DOMAIN) {
        format!("<a href=\"http://{inner}\"{follow}>{shown}</a>")
    } else {
        word.to_owned()
    }
}
