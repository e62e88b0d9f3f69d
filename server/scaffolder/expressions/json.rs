//! Between JSON and the values of expressions.

use serde_json::Value as Json;

use super::budget::Budget;
use super::coerce::not_callable_here;
use super::error::Fault;
use super::number;
use super::value::{Members, Value, string, units};

/// A value for expressions. Its size is paid from `budget`.
pub(super) fn from_json(json: &Json, budget: &Budget) -> Result<Value, Fault> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::text(text),
        Json::Array(elements) => budget.deeper(|| {
            let elements: Result<_, Fault> = elements.iter().map(|element| from_json(element, budget)).collect();
            Ok::<_, Fault>(Value::array(elements?))
        })?,
        Json::Object(members) => budget.deeper(|| {
            let mut result = Members::with_capacity(members.len());
            for (key, member) in members {
                result.insert(units(key), from_json(member, budget)?);
            }
            Ok::<_, Fault>(Value::object(result))
        })?,
    })
}

/// The JSON that `JSON.stringify` would write: `None` for undefined, which vanishes from objects and is
/// null in arrays; numbers that are none are null.
pub(super) fn to_json(value: &Value, budget: &Budget) -> Result<Option<Json>, Fault> {
    budget.spend(1)?;
    Ok(Some(match value {
        Value::Undefined => return Ok(None),
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) => number_to_json(*value),
        Value::Text(text) | Value::Safe(text) => {
            budget.allocate(text.len())?;
            Json::String(string(text))
        }
        Value::Regex(pattern) => Json::String(pattern.source.clone()),
        Value::Array(elements) => budget.deeper(|| {
            let elements: Result<_, Fault> = elements
                .borrow()
                .iter()
                .map(|element| Ok(to_json(element, budget)?.unwrap_or(Json::Null)))
                .collect();
            Ok::<_, Fault>(Json::Array(elements?))
        })?,
        Value::Object(members) => budget.deeper(|| {
            let mut result = serde_json::Map::new();
            for (key, member) in members.iter() {
                if let Some(member) = to_json(member, budget)? {
                    result.insert(string(key), member);
                }
            }
            Ok::<_, Fault>(Json::Object(result))
        })?,
        Value::Cycler(_) | Value::Function(_) => return Err(not_callable_here()),
    }))
}

/// Whole numbers without a fraction, as JavaScript writes them.
fn number_to_json(value: f64) -> Json {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= LARGEST {
        return Json::from(value as i64);
    }
    serde_json::Number::from_f64(value).map_or(Json::Null, Json::Number)
}

/// `JSON.stringify(value, null, indent)`; `None` for undefined.
pub(super) fn stringify(value: &Value, indent: &str, budget: &Budget) -> Result<Option<String>, Fault> {
    let mut out = String::new();
    let written = write(value, indent, &mut "\n".to_owned(), &mut out, budget)?;
    budget.allocate(out.len())?;
    Ok(written.then_some(out))
}

/// False, and nothing written, for undefined. `line` is a newline and the indentation so far.
fn write(value: &Value, indent: &str, line: &mut String, out: &mut String, budget: &Budget) -> Result<bool, Fault> {
    budget.spend(1)?;
    if out.len() > budget.limits.scratch {
        return budget.allocate(out.len()).map(|()| true);
    }
    match value {
        Value::Undefined => return Ok(false),
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) if value.is_finite() => out.push_str(&number::to_text(*value)),
        Value::Number(_) => out.push_str("null"),
        Value::Text(text) | Value::Safe(text) => quote(text, out),
        Value::Regex(_) => out.push_str("{}"),
        Value::Array(elements) => {
            let elements = elements.borrow().clone();
            let items = elements.iter().map(|element| (None, element));
            collection('[', ']', items, indent, line, out, budget)?;
        }
        Value::Object(members) => {
            let items = members
                .iter()
                .filter(|(_, member)| !matches!(member, Value::Undefined))
                .map(|(key, member)| (Some(&**key), member));
            collection('{', '}', items, indent, line, out, budget)?;
        }
        Value::Cycler(_) | Value::Function(_) => return Err(not_callable_here()),
    }
    Ok(true)
}

fn collection<'v>(
    open: char,
    close: char,
    items: impl Iterator<Item = (Option<&'v [u16]>, &'v Value)>,
    indent: &str,
    line: &mut String,
    out: &mut String,
    budget: &Budget,
) -> Result<(), Fault> {
    budget.deeper(|| {
        out.push(open);
        let outer = line.len();
        line.push_str(indent);
        let mut first = true;
        for (key, item) in items {
            if !first {
                out.push(',');
            }
            first = false;
            if !indent.is_empty() {
                out.push_str(line);
            }
            if let Some(key) = key {
                quote(key, out);
                out.push_str(if indent.is_empty() { ":" } else { ": " });
            }
            if !write(item, indent, line, out, budget)? {
                out.push_str("null");
            }
        }
        line.truncate(outer);
        if !first && !indent.is_empty() {
            out.push_str(line);
        }
        out.push(close);
        Ok(())
    })
}

/// As `JSON.stringify` writes it: half of a pair of surrogates is escaped.
fn quote(text: &[u16], out: &mut String) {
    out.push('"');
    for character in char::decode_utf16(text.iter().copied()) {
        match character {
            Ok('"') => out.push_str("\\\""),
            Ok('\\') => out.push_str("\\\\"),
            Ok('\n') => out.push_str("\\n"),
            Ok('\r') => out.push_str("\\r"),
            Ok('\t') => out.push_str("\\t"),
            Ok('\u{8}') => out.push_str("\\b"),
            Ok('\u{c}') => out.push_str("\\f"),
            Ok(control) if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            Ok(character) => out.push(character),
            Err(half) => out.push_str(&format!("\\u{:04x}", half.unpaired_surrogate())),
        }
    }
    out.push('"');
}
