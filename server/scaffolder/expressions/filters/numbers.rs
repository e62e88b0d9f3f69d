//! Filters on numbers.

use super::super::coerce::{add, to_number, to_text};
use super::super::number;
use super::super::value::{Value, string};
use super::{Given, Outcome, lists};

pub(super) fn abs(value: Value, given: &Given<'_>) -> Outcome {
    Ok(Value::Number(to_number(&value, given.budget())?.abs()))
}

pub(super) fn float(value: Value, given: &Given<'_>) -> Outcome {
    let text = string(&to_text(&value, given.budget())?);
    Ok(number::parse_float(&text).map_or_else(|| given.get(0).clone(), Value::Number))
}

pub(super) fn int(value: Value, given: &Given<'_>) -> Outcome {
    let text = string(&to_text(&value, given.budget())?);
    let base = match given.named(1, "base") {
        Value::Undefined => 10.0,
        base => to_number(&base, given.budget())?,
    };
    let parsed = number::parse_int(&text, base as u32);
    Ok(parsed.map_or_else(|| given.named(0, "default"), Value::Number))
}

pub(super) fn round(value: Value, given: &Given<'_>) -> Outcome {
    let value = to_number(&value, given.budget())?;
    let precision = if given.get(0).is_true() { given.number(0)? } else { 0.0 };
    let factor = 10f64.powf(precision);
    let scaled = value * factor;
    let rounded = match given.get(1).as_units().map(|method| string(method)).as_deref() {
        Some("ceil") => scaled.ceil(),
        Some("floor") => scaled.floor(),
        _ => number::round(scaled),
    };
    Ok(Value::Number(rounded / factor))
}

pub(super) fn sum(value: Value, given: &Given<'_>) -> Outcome {
    let Value::Array(elements) = &value else {
        return Err(given.fail(&value, "an array"));
    };
    let mut total = Value::Number(0.0);
    for element in elements.borrow().iter() {
        given.budget().spend(1)?;
        let element = if given.get(0).is_true() {
            lists::own(element, given.get(0), given)?
        } else {
            element.clone()
        };
        total = add(&total, &element, given.budget())?;
    }
    let start = if given.get(1).is_true() {
        given.get(1).clone()
    } else {
        Value::Number(0.0)
    };
    add(&start, &total, given.budget())
}
