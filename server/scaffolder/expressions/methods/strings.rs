//! Methods of texts.

use super::super::budget::Budget;
use super::super::coerce::to_text;
use super::super::error::Fault;
use super::super::filters::text::{lower, upper};
use super::super::regex::{Match, Pattern};
use super::super::scan::is_space;
use super::super::value::{Text, Value, string, units};
use super::{Given, find};

pub(super) const NAMES: &[&str] = &[
    "charAt",
    "charCodeAt",
    "concat",
    "endsWith",
    "includes",
    "indexOf",
    "lastIndexOf",
    "replace",
    "slice",
    "split",
    "startsWith",
    "substring",
    "toLowerCase",
    "toUpperCase",
    "trim",
    "trimStart",
    "trimEnd",
];

pub(super) fn call(text: &Text, name: &str, given: &Given<'_>) -> Result<Value, Fault> {
    let budget = given.budget;
    budget.spend(1 + text.len() / 64)?;
    let part = |from: usize, to: usize| {
        budget.allocate(to.saturating_sub(from))?;
        Ok(Value::Text(if from < to { text[from..to].into() } else { units("") }))
    };
    match name {
        "charAt" => Ok(Value::Text(match usize::try_from(given.integer(0, 0)?) {
            Ok(at) if at < text.len() => [text[at]].into(),
            _ => units(""),
        })),
        "charCodeAt" => Ok(Value::Number(match usize::try_from(given.integer(0, 0)?) {
            Ok(at) if at < text.len() => f64::from(text[at]),
            _ => f64::NAN,
        })),
        "concat" => {
            let mut joined = text.to_vec();
            for value in given.values {
                joined.extend_from_slice(&to_text(value, budget)?);
            }
            budget.allocate(joined.len())?;
            Ok(Value::Text(joined.into()))
        }
        "startsWith" | "endsWith" | "includes" => {
            given.need(1)?;
            if matches!(given.get(0), Value::Regex(_)) {
                return Err(Fault::evaluation(format!(
                    "\"{name}\" looks for a text, not for a regular expression"
                )));
            }
            let needle = to_text(given.get(0), budget)?;
            let default = if name == "endsWith" { text.len() } else { 0 };
            let at = given.integer(1, default as i64)?.clamp(0, text.len() as i64) as usize;
            Ok(Value::Bool(match name {
                "startsWith" => text[at..].starts_with(&needle),
                "endsWith" => text[..at].ends_with(&needle),
                _ => find(text, &needle, at).is_some(),
            }))
        }
        "indexOf" | "lastIndexOf" => {
            given.need(1)?;
            let needle = to_text(given.get(0), budget)?;
            let last = name == "lastIndexOf";
            let default = if last { text.len() as i64 } else { 0 };
            let from = given.integer(1, default)?.clamp(0, text.len() as i64) as usize;
            budget.spend(text.len() / 16 * (needle.len() / 64 + 1))?;
            let found = if last {
                (0..=from.min(text.len().saturating_sub(needle.len())))
                    .rev()
                    .find(|at| text[*at..].starts_with(&needle))
            } else {
                find(text, &needle, from)
            };
            Ok(Value::Number(found.map_or(-1.0, |at| at as f64)))
        }
        "slice" => part(
            given.position(0, text.len(), 0)?,
            given.position(1, text.len(), text.len())?,
        ),
        "substring" => {
            let bound = |at, default: usize| {
                Ok::<_, Fault>(given.integer(at, default as i64)?.clamp(0, text.len() as i64) as usize)
            };
            let (from, to) = (bound(0, 0)?, bound(1, text.len())?);
            part(from.min(to), from.max(to))
        }
        "toLowerCase" => Ok(Value::Text(lower(text))),
        "toUpperCase" => Ok(Value::Text(upper(text))),
        "trim" | "trimStart" | "trimEnd" => {
            let blank = |unit: &&u16| is_space(**unit);
            let start = if name == "trimEnd" {
                0
            } else {
                text.iter().take_while(blank).count()
            };
            let end = if name == "trimStart" {
                0
            } else {
                text.iter().rev().take_while(blank).count()
            };
            part(start, text.len() - end)
        }
        "split" => split(text, given),
        _ => replace(text, given),
    }
}

fn split(text: &Text, given: &Given<'_>) -> Result<Value, Fault> {
    let limit = usize::try_from(given.integer(1, i64::MAX)?).unwrap_or(usize::MAX);
    let mut parts: Vec<Value> = Vec::new();
    match given.get(0) {
        Value::Undefined => parts.push(Value::Text(text.clone())),
        Value::Regex(pattern) => {
            let text = string(text);
            let mut from = 0;
            for found in pattern.matches(&text, true)? {
                // An empty match at either end separates nothing.
                if found.start == found.end && (found.start == 0 || found.start >= text.len()) {
                    continue;
                }
                parts.push(Value::text(&text[from..found.start]));
                parts.extend(
                    found
                        .groups
                        .into_iter()
                        .map(|group| group.map_or(Value::Undefined, |group| Value::text(&group))),
                );
                from = found.end;
                given.budget.elements(parts.len())?;
            }
            parts.push(Value::text(&text[from..]));
        }
        separator => {
            let separator = to_text(separator, given.budget)?;
            given.budget.allocate(text.len())?;
            if separator.is_empty() {
                given.budget.elements(text.len())?;
                parts.extend(text.iter().map(|unit| Value::Text([*unit].into())));
            } else {
                let mut from = 0;
                while let Some(at) = find(text, &separator, from) {
                    parts.push(Value::Text(text[from..at].into()));
                    from = at + separator.len();
                    given.budget.elements(parts.len())?;
                }
                parts.push(Value::Text(text[from..].into()));
            }
        }
    }
    parts.truncate(limit);
    Ok(Value::array(parts))
}

fn replace(text: &Text, given: &Given<'_>) -> Result<Value, Fault> {
    given.need(2)?;
    let replacement = to_text(given.get(1), given.budget)?;
    let replaced = match given.get(0) {
        Value::Regex(pattern) => return replace_pattern(text, pattern, &replacement, given.budget),
        old => {
            let old = to_text(old, given.budget)?;
            let Some(at) = find(text, &old, 0) else {
                return Ok(Value::Text(text.clone()));
            };
            let (before, after) = (string(&text[..at]), string(&text[at + old.len()..]));
            let new = expand(&string(&replacement), &string(&old), &before, &after, None);
            format!("{before}{new}{after}")
        }
    };
    given.budget.allocate(replaced.len())?;
    Ok(Value::text(&replaced))
}

/// `text.replace(pattern, replacement)`: the first match, or all with the flag `g`.
pub(in super::super) fn replace_pattern(
    text: &[u16],
    pattern: &Pattern,
    replacement: &[u16],
    budget: &Budget,
) -> Result<Value, Fault> {
    let text = string(text);
    let replacement = string(replacement);
    let mut out = String::new();
    let mut from = 0;
    for found in pattern.matches(&text, pattern.global)? {
        out.push_str(&text[from..found.start]);
        let whole = &text[found.start..found.end];
        let new = expand(
            &replacement,
            whole,
            &text[..found.start],
            &text[found.end..],
            Some(&found),
        );
        budget.allocate(new.len() + 16)?;
        out.push_str(&new);
        from = found.end;
    }
    out.push_str(&text[from..]);
    budget.allocate(out.len())?;
    Ok(Value::text(&out))
}

/// Fills in `$$`, `$&`, `` $` ``, `$'`, `$1` and `$<name>`.
fn expand(template: &str, whole: &str, before: &str, after: &str, found: Option<&Match>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let taken = match rest.bytes().next() {
            Some(b'$') => {
                out.push('$');
                1
            }
            Some(b'&') => {
                out.push_str(whole);
                1
            }
            Some(b'`') => {
                out.push_str(before);
                1
            }
            Some(b'\'') => {
                out.push_str(after);
                1
            }
            Some(b'<') => match (found.filter(|found| !found.named.is_empty()), rest.find('>')) {
                (Some(found), Some(end)) => {
                    let name = &rest[1..end];
                    out.extend(
                        found
                            .named
                            .iter()
                            .find(|(known, _)| known == name)
                            .map(|(_, group)| group.as_str()),
                    );
                    end + 1
                }
                _ => {
                    out.push('$');
                    0
                }
            },
            Some(b'0'..=b'9') => group(rest, found, &mut out),
            _ => {
                out.push('$');
                0
            }
        };
        rest = &rest[taken..];
    }
    out.push_str(rest);
    out
}

/// `$n` or `$nn`, if there is such a group; how many digits were taken.
fn group(rest: &str, found: Option<&Match>, out: &mut String) -> usize {
    let groups = found.map_or(&[][..], |found| &found.groups[..]);
    for length in [2, 1] {
        let number = rest.get(..length).and_then(|digits| digits.parse::<usize>().ok());
        if let Some(number) = number
            && let Some(group) = number.checked_sub(1).and_then(|at| groups.get(at))
        {
            out.push_str(group.as_deref().unwrap_or_default());
            return length;
        }
    }
    out.push('$');
    0
}
