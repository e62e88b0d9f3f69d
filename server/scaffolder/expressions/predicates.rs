//! Tests: the right side of `is`.

use std::cmp::Ordering;

use super::budget::Budget;
use super::coerce::{compare, same, to_number};
use super::error::Fault;
use super::filters::text::{lower, upper};
use super::value::Value;

/// Names of all tests.
pub(super) const NAMES: &[&str] = &[
    "callable",
    "defined",
    "divisibleby",
    "eq",
    "equalto",
    "escaped",
    "even",
    "falsy",
    "ge",
    "greaterthan",
    "gt",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "null",
    "number",
    "odd",
    "sameas",
    "string",
    "truthy",
    "undefined",
    "upper",
];

/// `subject is name(arguments)`.
pub(super) fn test(name: &str, subject: &Value, arguments: &[Value], budget: &Budget) -> Result<bool, Fault> {
    budget.spend(1)?;
    let argument = || {
        arguments
            .first()
            .ok_or_else(|| Fault::evaluation(format!("the test \"{name}\" needs an argument in brackets")))
    };
    let ordered = |expected: &[Ordering]| {
        Ok(compare(subject, argument()?, budget)?.is_some_and(|order| expected.contains(&order)))
    };
    let text = || {
        subject.as_units().ok_or_else(|| {
            Fault::evaluation(format!(
                "the test \"{name}\" needs a text, and this is {}",
                subject.type_name()
            ))
        })
    };
    const OF_VALUES: [&str; 11] = [
        "defined",
        "undefined",
        "escaped",
        "falsy",
        "truthy",
        "iterable",
        "mapping",
        "null",
        "none",
        "number",
        "string",
    ];
    if matches!(subject, Value::Function(_)) && OF_VALUES.contains(&name) {
        return Err(Fault::evaluation(format!(
            "the test \"{name}\" needs a value, and this is a function"
        )));
    }
    match name {
        // What an operator behind a test comes to: see where tests are parsed.
        "" => Ok(matches!(subject, Value::Undefined)),
        "callable" => Ok(matches!(subject, Value::Function(_))),
        "defined" => Ok(!matches!(subject, Value::Undefined)),
        "undefined" => Ok(matches!(subject, Value::Undefined)),
        "divisibleby" => Ok(to_number(subject, budget)? % to_number(argument()?, budget)? == 0.0),
        "escaped" => Ok(matches!(subject, Value::Safe(_))),
        "eq" | "equalto" | "sameas" => Ok(same(subject, argument()?)),
        "ne" => Ok(!same(subject, argument()?)),
        "even" => Ok(to_number(subject, budget)? % 2.0 == 0.0),
        "odd" => Ok(to_number(subject, budget)? % 2.0 == 1.0),
        "falsy" => Ok(!subject.is_true()),
        "truthy" => Ok(subject.is_true()),
        "ge" => ordered(&[Ordering::Greater, Ordering::Equal]),
        "gt" | "greaterthan" => ordered(&[Ordering::Greater]),
        "le" => ordered(&[Ordering::Less, Ordering::Equal]),
        "lt" | "lessthan" => ordered(&[Ordering::Less]),
        "iterable" if subject.is_nullish() => Err(Fault::evaluation(format!(
            "the test \"iterable\" needs a value, and this is {}",
            subject.type_name()
        ))),
        "iterable" => Ok(matches!(subject, Value::Text(_) | Value::Safe(_) | Value::Array(_))),
        "lower" | "upper" if matches!(subject, Value::Safe(_)) => Ok(false),
        "lower" => text().map(|text| lower(text) == *text),
        "upper" => text().map(|text| upper(text) == *text),
        "mapping" => Ok(matches!(
            subject,
            Value::Object(_) | Value::Safe(_) | Value::Regex(_) | Value::Cycler(_)
        )),
        "none" | "null" => Ok(matches!(subject, Value::Null)),
        "number" => Ok(matches!(subject, Value::Number(_))),
        "string" => Ok(matches!(subject, Value::Text(_))),
        _ => Err(Fault::unknown(format!("there is no test \"{name}\""))),
    }
}
