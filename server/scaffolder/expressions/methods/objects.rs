//! Methods that Python gives to dictionaries and lists, known to cookiecutter templates only.

use std::rc::Rc;

use super::super::coerce::{same, to_text};
use super::super::error::Fault;
use super::super::value::{Elements, Members, Value};
use super::Given;
use super::arrays::refuse_cycle;

pub(super) const NAMES: &[&str] = &["items", "keys", "values", "get", "has_key"];

/// Beside, and before, those that arrays have anyway.
pub(super) const ARRAY_NAMES: &[&str] = &["append", "count", "find", "index", "insert", "remove"];

pub(super) fn call(members: &Members, name: &str, given: &Given<'_>) -> Result<Value, Fault> {
    given.budget.spend(1 + members.len() / 16)?;
    let key = |key: &Rc<[u16]>| Value::Text(key.clone());
    Ok(match name {
        "items" => Value::array(
            members
                .iter()
                .map(|(name, value)| Value::array(vec![key(name), value.clone()]))
                .collect(),
        ),
        "keys" => Value::array(members.keys().map(key).collect()),
        "values" => Value::array(members.values().cloned().collect()),
        "has_key" => Value::Bool(members.contains_key(&to_text(given.get(0), given.budget)?)),
        _ => members
            .get(&to_text(given.get(0), given.budget)?)
            .unwrap_or_else(|| given.get(1))
            .clone(),
    })
}

pub(super) fn call_array(array: &Rc<Elements>, name: &str, given: &Given<'_>) -> Result<Value, Fault> {
    let length = array.borrow().len();
    given.budget.spend(1 + length / 16)?;
    let position = || array.borrow().iter().position(|element| same(element, given.get(0)));
    Ok(match name {
        "append" => {
            refuse_cycle(array, given.get(0), given)?;
            given.budget.elements(length + 1)?;
            array.borrow_mut().push(given.get(0).clone());
            Value::Number((length + 1) as f64)
        }
        "count" => {
            let count = array
                .borrow()
                .iter()
                .filter(|element| same(element, given.get(0)))
                .count();
            Value::Number(count as f64)
        }
        "find" => position().map_or(Value::Number(-1.0), |at| Value::Number(at as f64)),
        "index" => match position() {
            Some(at) => Value::Number(at as f64),
            None => return Err(Fault::evaluation("the array does not contain this value")),
        },
        "insert" => {
            refuse_cycle(array, given.get(1), given)?;
            given.budget.elements(length + 1)?;
            let at = given.position(0, length, 0)?;
            array.borrow_mut().insert(at, given.get(1).clone());
            Value::array(Vec::new())
        }
        _ => match position() {
            Some(at) => Value::array(vec![array.borrow_mut().remove(at)]),
            None => return Err(Fault::evaluation("the array does not contain this value")),
        },
    })
}
