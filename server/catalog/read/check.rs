//! Checks a text that is no file yet, as if it were one.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::envelope::{self, FieldFault};
use super::super::{EntityRef, yaml};
use super::problem::{Place, Problem};
use super::{Policy, ref_of};

/// Checks the documents of `text` as if it stood at the address `target`. What they bring in from other files is taken for
/// given. Answers the refs of those that are right, and what is wrong with the others.
pub fn check_text(Policy { kinds, rules }: Policy<'_>, target: &str, text: &str) -> (Vec<String>, Vec<Problem>) {
    let (mut refs, mut problems, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    for document in yaml::documents(text) {
        let mut value = match document.value {
            Ok(value) => value,
            Err(fault) => {
                problems.push(Problem {
                    line: fault.line,
                    column: fault.column,
                    excerpt: fault.line.map(|line| yaml::excerpt(text, line)).unwrap_or_default(),
                    ..Problem::of_source(target, fault.message)
                });
                continue;
            }
        };
        let claimed = ref_of(&value);
        let place = Place {
            kind: "url",
            target,
            text,
            document: document.text,
            line: document.line,
            entity: claimed.as_ref().map(EntityRef::to_string),
        };
        fill_in(&mut value, 0);
        yaml::plain_numbers(&mut value);
        let mut faults = envelope::check(&mut value);
        if faults.is_empty() {
            faults = kinds.check(&mut value).err().unwrap_or_default();
        }
        if faults.is_empty() && !rules.allows(&value, "url", target) {
            let message = "this kind is not allowed for locations that are registered; catalog.rules of the configuration says which are";
            faults.push(FieldFault::at(&["kind"], message));
        }
        match ref_of(&value) {
            Some(reference) if faults.is_empty() => match seen.insert(reference.to_string()) {
                true => refs.push(reference.to_string()),
                false => faults.push(FieldFault::at(
                    &["metadata", "name"],
                    format!("{reference} is described a second time"),
                )),
            },
            _ if faults.is_empty() => faults.push(FieldFault::at(&[], "the document names no entity")),
            _ => {}
        }
        problems.extend(faults.into_iter().map(|fault| place.problem(fault)));
    }
    (refs, problems)
}

/// Puts a text in place of each `{$text: …}` and its like.
fn fill_in(value: &mut Value, depth: usize) {
    // Deeper than files are read.
    if depth > 100 {
        return;
    }
    let is_substitution = |map: &Map<String, Value>| {
        map.len() == 1
            && map
                .keys()
                .all(|key| ["$text", "$json", "$yaml"].contains(&key.as_str()))
    };
    match value {
        Value::Object(map) if is_substitution(map) => *value = Value::from("…"),
        Value::Object(map) => map.values_mut().for_each(|value| fill_in(value, depth + 1)),
        Value::Array(items) => items.iter_mut().for_each(|value| fill_in(value, depth + 1)),
        _ => {}
    }
}
