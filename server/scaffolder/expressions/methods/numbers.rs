//! Methods of numbers.

use super::super::error::Fault;
use super::super::number;
use super::super::value::Value;
use super::{Given, digits};

pub(super) const NAMES: &[&str] = &["toFixed", "toPrecision", "toExponential", "toString"];

pub(super) fn call(value: f64, name: &str, given: &Given<'_>) -> Result<Value, Fault> {
    let text = match name {
        "toFixed" => number::to_fixed(value, digits(given, 0, 100)?.unwrap_or(0)),
        "toPrecision" => match digits(given, 1, 100)? {
            Some(count) => number::to_precision(value, count),
            None => number::to_text(value),
        },
        "toExponential" => number::to_exponential(value, digits(given, 0, 100)?),
        _ => {
            let radix = digits(given, 2, 36)?.unwrap_or(10);
            number::to_radix(value, u32::try_from(radix).unwrap_or(10))
        }
    };
    Ok(Value::text(&text))
}
