//! Members of values, and the methods that may be called on them: a closed list.

mod arrays;
mod numbers;
mod objects;
mod strings;

pub(super) use self::strings::replace_pattern;

use std::rc::Rc;

use super::budget::Budget;
use super::coerce::{to_integer, to_text};
use super::error::Fault;
use super::number;
use super::value::{Function, Value, index, string, units};

/// Names of all methods, whatever the value that has them.
pub(super) fn names(python_methods: bool) -> impl Iterator<Item = &'static str> {
    let python: &[&[&str]] = match python_methods {
        true => &[objects::NAMES, objects::ARRAY_NAMES],
        false => &[],
    };
    let all = [
        strings::NAMES,
        numbers::NAMES,
        arrays::NAMES,
        &["test", "next", "reset"],
    ];
    all.into_iter().chain(python.iter().copied()).flatten().copied()
}

/// `value.key`; undefined where there is none, as also on null and undefined.
pub(super) fn member(value: &Value, key: &Value, python_methods: bool, budget: &Budget) -> Result<Value, Fault> {
    if value.is_nullish() {
        return Ok(Value::Undefined);
    }
    let key = to_text(key, budget)?;
    let length = units("length");
    let own = match value {
        Value::Text(text) | Value::Safe(text) if key == length => Some(Value::Number(text.len() as f64)),
        Value::Array(elements) if key == length => Some(Value::Number(elements.borrow().len() as f64)),
        Value::Text(_) | Value::Safe(_) | Value::Array(_) => index(&key).map(|index| element(value, index as f64)),
        Value::Object(members) => members.get(&*key).cloned(),
        Value::Cycler(cycler) if *key == *units("current") => Some(cycler.borrow().current.clone()),
        _ => None,
    };
    if let Some(own) = own {
        return Ok(own);
    }
    let key = string(&key);
    let names = match value {
        Value::Text(_) | Value::Safe(_) => strings::NAMES,
        Value::Number(_) => numbers::NAMES,
        Value::Array(_) if python_methods && objects::ARRAY_NAMES.contains(&key.as_str()) => objects::ARRAY_NAMES,
        Value::Array(_) => arrays::NAMES,
        Value::Regex(_) => &["test"],
        Value::Cycler(_) => &["next", "reset"],
        Value::Object(_) if python_methods => objects::NAMES,
        _ => &[],
    };
    Ok(match names.iter().find(|name| **name == key) {
        Some(name) => Value::Function(Rc::new(Function::Method {
            receiver: value.clone(),
            name,
        })),
        None => Value::Undefined,
    })
}

/// `value[index]` of a text or an array.
pub(super) fn element(value: &Value, index: f64) -> Value {
    if index < 0.0 || index.fract() != 0.0 {
        return Value::Undefined;
    }
    let index = index as usize;
    match value {
        Value::Array(elements) => elements.borrow().get(index).cloned(),
        Value::Text(text) | Value::Safe(text) => text.get(index).map(|unit| Value::Text([*unit].into())),
        _ => None,
    }
    .unwrap_or(Value::Undefined)
}

/// Calls a method that [`member`] found.
pub(super) fn call(receiver: &Value, name: &str, arguments: &[Value], budget: &Budget) -> Result<Value, Fault> {
    let arguments = Given {
        name,
        values: arguments,
        budget,
    };
    match receiver {
        Value::Text(text) | Value::Safe(text) => strings::call(text, name, &arguments),
        Value::Number(value) => numbers::call(*value, name, &arguments),
        Value::Array(elements) if objects::ARRAY_NAMES.contains(&name) && !arrays::NAMES.contains(&name) => {
            objects::call_array(elements, name, &arguments)
        }
        Value::Array(elements) => arrays::call(elements, name, &arguments),
        Value::Object(members) => objects::call(members, name, &arguments),
        Value::Regex(pattern) => {
            arguments.need(1)?;
            pattern
                .is_match(&string(&to_text(arguments.get(0), budget)?))
                .map(Value::Bool)
        }
        Value::Cycler(cycler) => {
            let mut cycler = cycler.borrow_mut();
            if name == "reset" || cycler.items.is_empty() {
                cycler.next = 0;
                cycler.current = Value::Null;
                return Ok(Value::Undefined);
            }
            cycler.current = cycler.items[cycler.next].clone();
            cycler.next = (cycler.next + 1) % cycler.items.len();
            Ok(cycler.current.clone())
        }
        _ => Ok(Value::Undefined),
    }
}

/// Arguments of a method.
struct Given<'a> {
    name: &'a str,
    values: &'a [Value],
    budget: &'a Budget,
}

impl Given<'_> {
    fn get(&self, at: usize) -> &Value {
        self.values.get(at).unwrap_or(&Value::Undefined)
    }

    fn has(&self, at: usize) -> bool {
        !matches!(self.get(at), Value::Undefined)
    }

    fn need(&self, count: usize) -> Result<(), Fault> {
        if self.values.len() < count {
            let noun = if count == 1 { "argument" } else { "arguments" };
            return Err(Fault::evaluation(format!("\"{}\" needs {count} {noun}", self.name)));
        }
        Ok(())
    }

    fn integer(&self, at: usize, default: i64) -> Result<i64, Fault> {
        if self.has(at) {
            to_integer(self.get(at), self.budget)
        } else {
            Ok(default)
        }
    }

    /// A position counted from the end where negative, within `0..=length`.
    fn position(&self, at: usize, length: usize, default: usize) -> Result<usize, Fault> {
        let length = length as i64;
        let given = self.integer(at, default as i64)?;
        let position = if given < 0 { given.saturating_add(length) } else { given };
        Ok(position.clamp(0, length) as usize)
    }
}

/// First position of `needle` at or after `from`.
pub(super) fn find(text: &[u16], needle: &[u16], from: usize) -> Option<usize> {
    if needle.is_empty() {
        return (from <= text.len()).then_some(from);
    }
    (from..=text.len().checked_sub(needle.len())?).find(|at| text[*at..].starts_with(needle))
}

/// `Number(…)` methods print through here, so that a wrong digit count is one message.
fn digits(given: &Given<'_>, lowest: i64, highest: i64) -> Result<Option<usize>, Fault> {
    if !given.has(0) {
        return Ok(None);
    }
    let count = to_integer(given.get(0), given.budget)?;
    if !(lowest..=highest).contains(&count) {
        return Err(Fault::evaluation(format!(
            "the argument of \"{}\" is a number from {lowest} to {highest}, not {}",
            given.name,
            number::to_text(count as f64)
        )));
    }
    Ok(usize::try_from(count).ok())
}
