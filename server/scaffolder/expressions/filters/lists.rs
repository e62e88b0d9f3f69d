//! Filters on arrays and objects.

use super::super::coerce::{self, to_text};
use super::super::error::Fault;
use super::super::methods::element;
use super::super::predicates;
use super::super::value::{Members, Text, Value, index, string, units};
use super::text::{lower, upper};
use super::{Given, Outcome};

/// The elements that Nunjucks' own mapping sees: those of arrays and texts; none for anything else.
fn elements(value: &Value, given: &Given<'_>) -> Result<Vec<Value>, Fault> {
    let elements = match value {
        Value::Array(elements) => elements.borrow().clone(),
        Value::Text(text) | Value::Safe(text) => text.iter().map(|unit| Value::Text([*unit].into())).collect(),
        _ => Vec::new(),
    };
    given.budget().elements(elements.len())?;
    given.budget().spend(elements.len())?;
    Ok(elements)
}

/// As [`elements`], but null and undefined are errors.
fn sequence(value: &Value, given: &Given<'_>) -> Result<Vec<Value>, Fault> {
    if value.is_nullish() {
        return Err(given.fail(value, "an array or a text"));
    }
    elements(value, given)
}

fn array(value: &Value, given: &Given<'_>) -> Result<Vec<Value>, Fault> {
    match value {
        Value::Array(_) => elements(value, given),
        _ => Err(given.fail(value, "an array")),
    }
}

/// The member itself, no method: undefined where there is none, an error on null and undefined.
pub(super) fn own(value: &Value, key: &Value, given: &Given<'_>) -> Outcome {
    if value.is_nullish() {
        return Err(Fault::evaluation(format!(
            "the filter \"{}\" finds {} where it looks for a member",
            given.name,
            value.type_name()
        )));
    }
    given.budget().spend(1)?;
    let key = to_text(key, given.budget())?;
    Ok(match value {
        Value::Object(members) => members.get(&*key).cloned().unwrap_or(Value::Undefined),
        Value::Array(_) | Value::Text(_) | Value::Safe(_) => {
            if *key == *units("length") {
                let length = match value {
                    Value::Array(elements) => elements.borrow().len(),
                    other => other.as_units().map_or(0, |text| text.len()),
                };
                Value::Number(length as f64)
            } else {
                index(&key).map_or(Value::Undefined, |index| element(value, index as f64))
            }
        }
        _ => Value::Undefined,
    })
}

/// A member by a dotted path.
fn path(value: &Value, path: &Value, given: &Given<'_>) -> Outcome {
    let Value::Text(text) = path else {
        return own(value, path, given);
    };
    let mut found = value.clone();
    for part in string(text).split('.') {
        found = own(&found, &Value::text(part), given)?;
        if matches!(found, Value::Undefined) {
            break;
        }
    }
    Ok(found)
}

fn count(given: &Given<'_>) -> Result<usize, Fault> {
    let count = given.number(0)?.floor();
    if count >= 1.0 {
        return Ok(count as usize);
    }
    Err(Fault::evaluation(format!(
        "the filter \"{}\" needs a whole number above 0 in brackets",
        given.name
    )))
}

pub(super) fn batch(value: Value, given: &Given<'_>) -> Outcome {
    let elements = sequence(&value, given)?;
    let size = count(given)?;
    let mut rows: Vec<Vec<Value>> = elements.chunks(size).map(<[Value]>::to_vec).collect();
    if given.get(1).is_true()
        && let Some(last) = rows.last_mut()
    {
        given.budget().elements(size)?;
        last.resize(size, given.get(1).clone());
    }
    Ok(Value::array(rows.into_iter().map(Value::array).collect()))
}

pub(super) fn slice(value: Value, given: &Given<'_>) -> Outcome {
    let (length, text) = match &value {
        Value::Array(elements) => (elements.borrow().len(), None),
        Value::Text(text) | Value::Safe(text) => (text.len(), Some(text.clone())),
        _ => return Err(given.fail(&value, "an array or a text")),
    };
    let slices = count(given)?;
    given.budget().elements(slices)?;
    let (size, extra) = (length / slices, length % slices);
    let mut offset = 0;
    let mut columns = Vec::new();
    for at in 0..slices {
        let start = offset + at * size;
        if at < extra {
            offset += 1;
        }
        let end = offset + (at + 1) * size;
        columns.push(match (&text, &value) {
            (Some(text), _) => Value::Text(text[start..end].into()),
            (None, Value::Array(elements)) => {
                let mut column = elements.borrow()[start..end].to_vec();
                if given.get(1).is_true() && at >= extra {
                    column.push(given.get(1).clone());
                }
                Value::array(column)
            }
            _ => Value::Undefined,
        });
    }
    Ok(Value::array(columns))
}

pub(super) fn dictsort(value: Value, given: &Given<'_>) -> Outcome {
    let Value::Object(members) = &value else {
        return Err(given.fail(&value, "an object"));
    };
    let by_value = match given.get(1) {
        Value::Undefined => false,
        Value::Text(by) if **by == *units("key") => false,
        Value::Text(by) if **by == *units("value") => true,
        _ => {
            return Err(Fault::evaluation(
                "the filter \"dictsort\" sorts by \"key\" or by \"value\"",
            ));
        }
    };
    let ignore_case = !given.get(0).is_true();
    let part = |pair: &Value| {
        let part = element(pair, if by_value { 1.0 } else { 0.0 });
        match part {
            Value::Text(text) if ignore_case => Value::Text(upper(&text)),
            other => other,
        }
    };
    let pairs = members
        .iter()
        .map(|(key, value)| Value::array(vec![Value::Text(key.clone()), value.clone()]))
        .collect();
    let budget = given.budget();
    coerce::sort(pairs, &mut |left, right| {
        budget.spend(1)?;
        Ok(coerce::compare(&part(left), &part(right), budget)? == Some(std::cmp::Ordering::Less))
    })
    .map(Value::array)
}

pub(super) fn sort(value: Value, given: &Given<'_>) -> Outcome {
    let reversed = given.named(0, "reverse").is_true();
    let case_sensitive = given.named(1, "case_sensitive").is_true();
    let attribute = given.named(2, "attribute");
    let budget = given.budget();
    let key = |value: &Value| {
        let key = if attribute.is_true() {
            path(value, &attribute, given)?
        } else {
            value.clone()
        };
        Ok::<_, Fault>(match key {
            Value::Text(text) if !case_sensitive => Value::Text(lower(&text)),
            other => other,
        })
    };
    let wanted = if reversed {
        std::cmp::Ordering::Greater
    } else {
        std::cmp::Ordering::Less
    };
    coerce::sort(elements(&value, given)?, &mut |left, right| {
        budget.spend(1)?;
        let (left, right) = (key(left)?, key(right)?);
        Ok(coerce::compare(&left, &right, budget)? == Some(wanted))
    })
    .map(Value::array)
}

pub(super) fn first(value: Value, given: &Given<'_>) -> Outcome {
    if value.is_nullish() {
        return Err(given.fail(&value, "an array or a text"));
    }
    own(&value, &Value::Number(0.0), given)
}

pub(super) fn last(value: Value, given: &Given<'_>) -> Outcome {
    let length = match &value {
        Value::Array(elements) => elements.borrow().len(),
        Value::Text(text) | Value::Safe(text) => text.len(),
        Value::Undefined | Value::Null => return Err(given.fail(&value, "an array or a text")),
        _ => 0,
    };
    Ok(element(&value, length as f64 - 1.0))
}

pub(super) fn length(value: Value, _: &Given<'_>) -> Outcome {
    let length = match &value {
        Value::Undefined | Value::Null | Value::Bool(false) => 0,
        Value::Array(elements) => elements.borrow().len(),
        Value::Text(text) | Value::Safe(text) => text.len(),
        Value::Object(members) => members.len(),
        _ => return Ok(Value::Undefined),
    };
    Ok(Value::Number(length as f64))
}

pub(super) fn list(value: Value, given: &Given<'_>) -> Outcome {
    match &value {
        Value::Array(_) => Ok(value),
        Value::Text(_) | Value::Safe(_) => elements(&value, given).map(Value::array),
        Value::Object(members) => {
            given.budget().elements(members.len())?;
            let pair = |(key, value): (&Text, &Value)| {
                let members = [
                    (units("key"), Value::Text(key.clone())),
                    (units("value"), value.clone()),
                ];
                Value::object(members.into_iter().collect())
            };
            Ok(Value::array(members.iter().map(pair).collect()))
        }
        _ => Err(given.fail(&value, "an array, an object or a text")),
    }
}

pub(super) fn join(value: Value, given: &Given<'_>) -> Outcome {
    let mut elements = array(&value, given)?;
    if given.get(1).is_true() {
        for element in &mut elements {
            *element = own(element, given.get(1), given)?;
        }
    }
    let separator = if given.get(0).is_true() {
        given.text(0)?
    } else {
        units("")
    };
    coerce::join(&elements, &separator, given.budget()).map(Value::Text)
}

pub(super) fn groupby(value: Value, given: &Given<'_>) -> Outcome {
    let mut groups: Vec<(Text, Vec<Value>)> = Vec::new();
    for element in sequence(&value, given)? {
        // Without a name each element is its own key.
        let key = match given.get(0) {
            Value::Undefined => element.clone(),
            name => path(&element, name, given)?,
        };
        let key = to_text(&key, given.budget())?;
        given.budget().spend(1 + groups.len() / 16)?;
        match groups.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push(element),
            None => groups.push((key, vec![element])),
        }
    }
    let members: Members = groups
        .into_iter()
        .map(|(key, group)| (key, Value::array(group)))
        .collect();
    Ok(Value::object(members))
}

pub(super) fn random(value: Value, given: &Given<'_>) -> Outcome {
    let elements = sequence(&value, given)?;
    if elements.is_empty() {
        return Ok(Value::Undefined);
    }
    Ok(elements[rand::random_range(0..elements.len())].clone())
}

pub(super) fn reverse(value: Value, given: &Given<'_>) -> Outcome {
    if let Some(text) = value.as_units() {
        given.budget().allocate(text.len())?;
        return Ok(super::like(&value, text.iter().rev().copied().collect()));
    }
    let mut elements = elements(&value, given)?;
    elements.reverse();
    Ok(Value::array(elements))
}

pub(super) fn select(value: Value, given: &Given<'_>) -> Outcome {
    keep(&value, given, true)
}

pub(super) fn reject(value: Value, given: &Given<'_>) -> Outcome {
    keep(&value, given, false)
}

fn keep(value: &Value, given: &Given<'_>, wanted: bool) -> Outcome {
    let name = match given.get(0) {
        Value::Undefined => "truthy".to_owned(),
        name => string(&to_text(name, given.budget())?),
    };
    let arguments = given.values.get(1..).unwrap_or_default();
    let mut kept = Vec::new();
    for element in sequence(value, given)? {
        if predicates::test(&name, &element, arguments, given.budget())? == wanted {
            kept.push(element);
        }
    }
    Ok(Value::array(kept))
}

pub(super) fn selectattr(value: Value, given: &Given<'_>) -> Outcome {
    keep_by_member(&value, given, true)
}

pub(super) fn rejectattr(value: Value, given: &Given<'_>) -> Outcome {
    keep_by_member(&value, given, false)
}

fn keep_by_member(value: &Value, given: &Given<'_>, wanted: bool) -> Outcome {
    let mut kept = Vec::new();
    for element in array(value, given)? {
        if own(&element, given.get(0), given)?.is_true() == wanted {
            kept.push(element);
        }
    }
    Ok(Value::array(kept))
}
