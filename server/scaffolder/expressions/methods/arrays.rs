//! Methods of arrays. Those that change an array change it for all who share it, during this render.

use std::rc::Rc;

use super::super::coerce::{join, same, sort, to_integer, to_text};
use super::super::error::Fault;
use super::super::value::{Elements, Value, units};
use super::Given;

pub(super) const NAMES: &[&str] = &[
    "at",
    "concat",
    "copyWithin",
    "fill",
    "flat",
    "includes",
    "indexOf",
    "join",
    "lastIndexOf",
    "pop",
    "push",
    "reverse",
    "shift",
    "slice",
    "sort",
    "splice",
    "unshift",
];

pub(super) fn call(array: &Rc<Elements>, name: &str, given: &Given<'_>) -> Result<Value, Fault> {
    let budget = given.budget;
    let length = array.borrow().len();
    budget.spend(1 + length / 16)?;
    match name {
        "at" => {
            given.need(1)?;
            let at = to_integer(given.get(0), budget)?;
            let at = if at < 0 { at.saturating_add(length as i64) } else { at };
            let found = usize::try_from(at).ok().and_then(|at| array.borrow().get(at).cloned());
            Ok(found.unwrap_or(Value::Undefined))
        }
        "concat" => {
            let mut joined = array.borrow().clone();
            for value in given.values {
                match value {
                    Value::Array(more) => joined.extend(more.borrow().iter().cloned()),
                    other => joined.push(other.clone()),
                }
                budget.elements(joined.len())?;
            }
            Ok(Value::array(joined))
        }
        "copyWithin" => {
            let (to, from, end) = (
                given.position(0, length, 0)?,
                given.position(1, length, 0)?,
                given.position(2, length, length)?,
            );
            let count = end.saturating_sub(from).min(length - to);
            let copied = array.borrow()[from..from + count].to_vec();
            array.borrow_mut().splice(to..to + count, copied);
            Ok(Value::Array(array.clone()))
        }
        "fill" => {
            let (from, to) = (given.position(1, length, 0)?, given.position(2, length, length)?);
            refuse_cycle(array, given.get(0), given)?;
            for element in array.borrow_mut().iter_mut().take(to).skip(from) {
                *element = given.get(0).clone();
            }
            Ok(Value::Array(array.clone()))
        }
        "flat" => {
            let mut flat = Vec::new();
            flatten(&array.borrow(), given.integer(0, 1)?, &mut flat, given)?;
            Ok(Value::array(flat))
        }
        "includes" => {
            let found = array.borrow().iter().any(|element| same_or_nan(element, given.get(0)));
            Ok(Value::Bool(found))
        }
        "indexOf" => {
            let from = given.position(1, length, 0)?;
            let found = array
                .borrow()
                .iter()
                .skip(from)
                .position(|element| same(element, given.get(0)));
            Ok(Value::Number(found.map_or(-1.0, |at| (at + from) as f64)))
        }
        "lastIndexOf" => {
            let last = given.integer(1, length as i64 - 1)?;
            let last = if last < 0 {
                last.saturating_add(length as i64)
            } else {
                last
            };
            let count = usize::try_from(last.saturating_add(1)).unwrap_or(0);
            let found = array
                .borrow()
                .iter()
                .take(count)
                .rposition(|element| same(element, given.get(0)));
            Ok(Value::Number(found.map_or(-1.0, |at| at as f64)))
        }
        "join" => {
            let separator = if given.has(0) {
                to_text(given.get(0), budget)?
            } else {
                units(",")
            };
            join(&array.borrow(), &separator, budget).map(Value::Text)
        }
        "pop" => Ok(array.borrow_mut().pop().unwrap_or(Value::Undefined)),
        "shift" => Ok(if length == 0 {
            Value::Undefined
        } else {
            array.borrow_mut().remove(0)
        }),
        "push" | "unshift" => {
            given
                .values
                .iter()
                .try_for_each(|value| refuse_cycle(array, value, given))?;
            budget.elements(length + given.values.len())?;
            let at = if name == "push" { length } else { 0 };
            array.borrow_mut().splice(at..at, given.values.iter().cloned());
            Ok(Value::Number((length + given.values.len()) as f64))
        }
        "reverse" => {
            array.borrow_mut().reverse();
            Ok(Value::Array(array.clone()))
        }
        "slice" => {
            let (from, to) = (given.position(0, length, 0)?, given.position(1, length, length)?);
            Ok(Value::array(array.borrow()[from..to.max(from)].to_vec()))
        }
        "sort" => {
            let (undefined, values): (Vec<_>, Vec<_>) = array
                .borrow()
                .iter()
                .cloned()
                .partition(|value| matches!(value, Value::Undefined));
            let mut sorted = sort(values, &mut |left, right| {
                budget.spend(1)?;
                Ok(to_text(left, budget)? < to_text(right, budget)?)
            })?;
            sorted.extend(undefined);
            *array.borrow_mut() = sorted;
            Ok(Value::Array(array.clone()))
        }
        _ => {
            let from = given.position(0, length, 0)?;
            let rest = (length - from) as i64;
            let count = if given.values.is_empty() {
                0
            } else {
                given.integer(1, rest)?.clamp(0, rest) as usize
            };
            let new = given.values.get(2..).unwrap_or_default();
            new.iter().try_for_each(|value| refuse_cycle(array, value, given))?;
            budget.elements(length - count + new.len())?;
            let removed = array
                .borrow_mut()
                .splice(from..from + count, new.iter().cloned())
                .collect();
            Ok(Value::array(removed))
        }
    }
}

fn same_or_nan(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) if left.is_nan() => right.is_nan(),
        _ => same(left, right),
    }
}

fn flatten(elements: &[Value], depth: i64, flat: &mut Vec<Value>, given: &Given<'_>) -> Result<(), Fault> {
    given.budget.deeper(|| {
        for element in elements {
            match element {
                Value::Array(inner) if depth > 0 => flatten(&inner.borrow(), depth - 1, flat, given)?,
                other => flat.push(other.clone()),
            }
            given.budget.elements(flat.len())?;
        }
        Ok(())
    })
}

/// An array that contained itself could never be printed, and never be freed.
pub(super) fn refuse_cycle(array: &Rc<Elements>, value: &Value, given: &Given<'_>) -> Result<(), Fault> {
    given.budget.spend(1)?;
    given.budget.deeper(|| match value {
        Value::Array(inner) if Rc::ptr_eq(array, inner) => Err(Fault::evaluation("an array cannot contain itself")),
        Value::Array(inner) => inner
            .borrow()
            .iter()
            .try_for_each(|value| refuse_cycle(array, value, given)),
        Value::Object(members) => members.values().try_for_each(|value| refuse_cycle(array, value, given)),
        _ => Ok(()),
    })
}
