//! Steps: their form, their ids, their actions, and whether they ever run.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::finding::Severity::{Error, Warning};
use super::outline::Outline;
use super::source::{Source, below, help};
use crate::language::nearest;
use crate::scaffolder::actions::Registry;
use crate::scaffolder::engine::Control;
use crate::scaffolder::expressions::{Options, analyse, is_truthy, render_value};
use crate::scaffolder::model::Step;

/// Keys of a step that are read.
const KEYS: [&str; 9] = [
    "id",
    "name",
    "action",
    "input",
    "if",
    "each",
    "timeout",
    "retry",
    "backstage:permissions",
];

pub fn check(source: &mut Source<'_>, outline: &Outline, actions: &Registry) {
    let mut ids = BTreeSet::new();
    for (index, step) in outline.steps.iter().enumerate() {
        let value = source.at(&step.way).clone();
        let Some(fields) = value.as_object() else {
            source.tell_key(Error, &step.way, format!("step {} is not an object", index + 1), None);
            continue;
        };
        if !ids.insert(step.id.clone()) {
            let message = format!("two steps have the id \"{}\"", step.id);
            source.tell_value(
                Error,
                &below(&step.way, "id"),
                message,
                Some("give each its own".to_owned()),
            );
        }
        if fields.get("id").is_some_and(|id| !id.is_string()) {
            let help = format!("put it into quotes; the step is called \"{}\" otherwise", step.id);
            source.tell_value(Warning, &below(&step.way, "id"), "the id is not a text", Some(help));
        }
        for key in fields.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let message = format!("a step has no key \"{key}\"; it is ignored");
            let help = nearest(key, KEYS).map(|meant| format!("did you mean \"{meant}\"?"));
            source.tell_key(Warning, &below(&step.way, key), message, help);
        }
        match fields.get("action") {
            Some(Value::String(action)) => check_action(source, &below(&step.way, "action"), action, actions),
            Some(_) => source.tell_value(Error, &below(&step.way, "action"), "the action is not a text", None),
            None => source.tell_key(
                Error,
                &step.way,
                format!("the step \"{}\" names no action", step.id),
                None,
            ),
        }
        check_control(source, &step.way, &value);
        if let Some(condition) = fields.get("if") {
            check_condition(source, &below(&step.way, "if"), condition);
        }
        if let Some(each) = fields.get("each").filter(|each| !each.is_array() && !each.is_object()) {
            let is_expression = each
                .as_str()
                .is_some_and(|text| text.contains("${{") || text.contains("{%"));
            if !is_expression {
                let message = "each is neither a list nor an object";
                source.tell_value(Error, &below(&step.way, "each"), message, None);
            }
        }
    }
}

/// Actions of others may be installed in other portals: theirs are a warning.
fn check_action(source: &mut Source<'_>, way: &[String], action: &str, actions: &Registry) {
    if actions.find(action).is_some() {
        return;
    }
    let namespace = |id: &str| id.split(':').next().unwrap_or_default().to_owned();
    let ours = actions.iter().any(|known| namespace(known.id()) == namespace(action));
    let severity = if ours { Error } else { Warning };
    let help = help(action, actions.iter().map(|known| known.id()));
    source.tell_value(
        severity,
        way,
        format!("there is no action \"{action}\" in this portal"),
        help,
    );
}

/// `timeout` and `retry`, each on its own.
fn check_control(source: &mut Source<'_>, way: &[String], step: &Value) {
    for key in ["timeout", "retry"] {
        let Some(value) = step.get(key) else { continue };
        let alone = json!({"id": step["id"].as_str().unwrap_or("this"), "name": "", "action": "", key: value});
        let Ok(alone) = serde_json::from_value::<Step>(alone) else {
            continue;
        };
        if let Err(message) = Control::check(&alone) {
            source.tell_value(Error, &below(way, key), message, None);
        }
    }
}

/// A condition that says no whatever the answers are.
fn check_condition(source: &mut Source<'_>, way: &[String], condition: &Value) {
    let never = "unreachable: the step never runs, its condition is always false";
    let help = Some("remove the step, or write its condition with an expression".to_owned());
    let Value::String(text) = condition else {
        if !condition.is_null() && !is_truthy(condition) {
            source.tell_value(Error, way, never, help);
        }
        return;
    };
    let Ok(analysis) = analyse(text) else { return };
    if !analysis.references.is_empty() || !analysis.unknown.is_empty() {
        if !analysis.is_value && !analysis.is_plain {
            let message = "the condition is a text with an expression in it, and a text is true unless it is empty";
            let help = "write all of it as one expression: ${{ … }}".to_owned();
            source.tell_value(Warning, way, message, Some(help));
        }
        return;
    }
    match render_value(condition, &json!({}), &Options::default()) {
        Ok(Some(value)) if is_truthy(&value) => {
            if analysis.is_plain {
                let message = "the condition is a text without an expression, and such a text is always true";
                let help = "write it as an expression: ${{ … }}".to_owned();
                source.tell_value(Warning, way, message, Some(help));
            }
        }
        Ok(_) => source.tell_value(Error, way, never, help),
        Err(_) => {}
    }
}
