//! Conversions and comparisons of JavaScript.

use std::cmp::Ordering;
use std::rc::Rc;

use super::budget::Budget;
use super::error::Fault;
use super::number;
use super::value::{Text, Value, string, units};

/// `String(value)`. Functions have no text here.
pub(super) fn to_text(value: &Value, budget: &Budget) -> Result<Text, Fault> {
    match value {
        Value::Text(text) | Value::Safe(text) => Ok(text.clone()),
        Value::Array(elements) => join(&elements.borrow(), &[u16::from(b',')], budget),
        _ => {
            let text = units(&scalar(value)?);
            budget.allocate(text.len())?;
            Ok(text)
        }
    }
}

fn scalar(value: &Value) -> Result<String, Fault> {
    Ok(match value {
        Value::Undefined => "undefined".to_owned(),
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => number::to_text(*value),
        Value::Text(text) | Value::Safe(text) => string(text),
        Value::Object(_) | Value::Array(_) => "[object Object]".to_owned(),
        Value::Regex(pattern) => pattern.source.clone(),
        Value::Cycler(_) | Value::Function(_) => return Err(not_callable_here()),
    })
}

/// A function stands where a value should.
pub(super) fn not_callable_here() -> Fault {
    Fault::evaluation("a function stands here without being called; add brackets with its arguments")
}

/// `elements.join(separator)`: null and undefined are empty.
pub(super) fn join(elements: &[Value], separator: &[u16], budget: &Budget) -> Result<Text, Fault> {
    budget.deeper(|| {
        budget.spend(elements.len())?;
        let mut joined = Vec::new();
        for (at, element) in elements.iter().enumerate() {
            if at > 0 {
                joined.extend_from_slice(separator);
            }
            if !element.is_nullish() {
                joined.extend_from_slice(&to_text(element, budget)?);
            }
            if joined.len() > budget.limits.scratch {
                break;
            }
        }
        budget.allocate(joined.len())?;
        Ok(joined.into())
    })
}

/// `Number(value)`.
pub(super) fn to_number(value: &Value, budget: &Budget) -> Result<f64, Fault> {
    Ok(match value {
        Value::Undefined => f64::NAN,
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(value) => *value,
        Value::Object(_) => f64::NAN,
        _ => {
            let text = to_text(value, budget)?;
            budget.spend(text.len() / 64)?;
            number::from_text(&string(&text))
        }
    })
}

/// An index or count: NaN is 0, fractions are cut, infinities are as far as it goes.
pub(super) fn to_integer(value: &Value, budget: &Budget) -> Result<i64, Fault> {
    // The cast cuts, saturates, and makes NaN zero.
    Ok(to_number(value, budget)?.trunc() as i64)
}

/// The primitive that operators see in place of an object.
fn primitive(value: &Value, budget: &Budget) -> Result<Value, Fault> {
    Ok(match value {
        Value::Safe(_)
        | Value::Array(_)
        | Value::Object(_)
        | Value::Regex(_)
        | Value::Cycler(_)
        | Value::Function(_) => Value::Text(to_text(value, budget)?),
        _ => value.clone(),
    })
}

/// `left + right`.
pub(super) fn add(left: &Value, right: &Value, budget: &Budget) -> Result<Value, Fault> {
    let (left, right) = (primitive(left, budget)?, primitive(right, budget)?);
    if matches!(left, Value::Text(_)) || matches!(right, Value::Text(_)) {
        let (left, right) = (to_text(&left, budget)?, to_text(&right, budget)?);
        budget.allocate(left.len() + right.len())?;
        return Ok(Value::Text(left.iter().chain(right.iter()).copied().collect()));
    }
    Ok(Value::Number(to_number(&left, budget)? + to_number(&right, budget)?))
}

/// `left === right`.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Undefined, Value::Undefined) | (Value::Null, Value::Null) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Number(left), Value::Number(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Safe(left), Value::Safe(right)) => Rc::ptr_eq(left, right),
        (Value::Array(left), Value::Array(right)) => Rc::ptr_eq(left, right),
        (Value::Object(left), Value::Object(right)) => Rc::ptr_eq(left, right),
        (Value::Regex(left), Value::Regex(right)) => Rc::ptr_eq(left, right),
        (Value::Cycler(left), Value::Cycler(right)) => Rc::ptr_eq(left, right),
        (Value::Function(left), Value::Function(right)) => Rc::ptr_eq(left, right),
        _ => false,
    }
}

/// `left == right`.
pub(super) fn equal(left: &Value, right: &Value, budget: &Budget) -> Result<bool, Fault> {
    let is_object = |value: &Value| {
        !matches!(
            value,
            Value::Undefined | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_)
        )
    };
    Ok(match (left, right) {
        (Value::Undefined | Value::Null, Value::Undefined | Value::Null) => true,
        (Value::Undefined | Value::Null, _) | (_, Value::Undefined | Value::Null) => false,
        (left, right) if is_object(left) && is_object(right) => same(left, right),
        (left, right) if is_object(left) => equal(&primitive(left, budget)?, right, budget)?,
        (left, right) if is_object(right) => equal(left, &primitive(right, budget)?, budget)?,
        (Value::Text(left), Value::Text(right)) => left == right,
        _ => to_number(left, budget)? == to_number(right, budget)?,
    })
}

/// How `<` and `>` see the two; `None` where neither holds, as with NaN.
pub(super) fn compare(left: &Value, right: &Value, budget: &Budget) -> Result<Option<Ordering>, Fault> {
    let (left, right) = (primitive(left, budget)?, primitive(right, budget)?);
    if let (Value::Text(left), Value::Text(right)) = (&left, &right) {
        budget.spend(left.len().min(right.len()) / 64)?;
        return Ok(Some(left.cmp(right)));
    }
    Ok(to_number(&left, budget)?.partial_cmp(&to_number(&right, budget)?))
}

/// A stable sort whose comparison may fail and need not be consistent, as JavaScript's.
pub(super) fn sort(
    mut values: Vec<Value>,
    less: &mut dyn FnMut(&Value, &Value) -> Result<bool, Fault>,
) -> Result<Vec<Value>, Fault> {
    if values.len() > 32 {
        let right = values.split_off(values.len() / 2);
        let mut left = sort(values, less)?.into_iter().peekable();
        let mut right = sort(right, less)?.into_iter().peekable();
        let mut merged = Vec::new();
        loop {
            let take_right = match (left.peek(), right.peek()) {
                (Some(left), Some(right)) => less(right, left)?,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (None, None) => return Ok(merged),
            };
            merged.extend(if take_right { right.next() } else { left.next() });
        }
    }
    let mut sorted: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        let (mut low, mut high) = (0, sorted.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if less(&value, &sorted[middle])? {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        sorted.insert(low, value);
    }
    Ok(sorted)
}
