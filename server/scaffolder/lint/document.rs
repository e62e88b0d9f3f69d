//! What a template is made of: its envelope, and the keys of `spec`.

use serde_json::Value;

use super::finding::Severity::{Error, Warning};
use super::source::{Source, way};
use crate::catalog::Entity;
use crate::language::nearest;
use crate::scaffolder::template::Template;

/// The only version that can be run.
const VERSION: &str = "scaffolder.backstage.io/v1beta3";

/// Keys of `spec` that Backstage or the portal reads.
const SPEC: [&str; 11] = [
    "type",
    "owner",
    "lifecycle",
    "parameters",
    "secrets",
    "presentation",
    "steps",
    "output",
    "formDecorators",
    "EXPERIMENTAL_formDecorators",
    "EXPERIMENTAL_recovery",
];

/// Checks the envelope; false where there is nothing to look at further.
pub fn check(source: &mut Source<'_>) -> bool {
    let nothing: &[&str] = &[];
    if !source.value.is_object() {
        source.tell_value(
            Error,
            &way(nothing),
            "this is not a template: it is no mapping of keys",
            None,
        );
        return false;
    }
    let kind = source.value["kind"].clone();
    if kind != "Template" {
        let message = match kind.as_str() {
            Some(kind) => format!("this is not a template: its kind is {kind}"),
            None => "this is not a template: it has no kind".to_owned(),
        };
        source.tell_value(Error, &way(&["kind"]), message, Some("write kind: Template".to_owned()));
        return false;
    }
    let help = format!("write apiVersion: {VERSION}");
    match source.value["apiVersion"].as_str() {
        Some(VERSION) => {}
        Some("backstage.io/v1beta2") => {
            let message = "templates of backstage.io/v1beta2 cannot be run";
            let help = format!("{help}, and expressions as ${{{{ … }}}}");
            source.tell_value(Error, &way(&["apiVersion"]), message, Some(help));
            return false;
        }
        other => {
            let message = match other {
                Some(other) => format!("the apiVersion \"{other}\" cannot be run"),
                None => "the template has no apiVersion".to_owned(),
            };
            source.tell_value(Error, &way(&["apiVersion"]), message, Some(help));
        }
    }
    if !source.at(&way(&["metadata", "name"])).is_string() {
        source.tell_key(Error, &way(&["metadata", "name"]), "metadata.name is missing", None);
    }
    let Some(spec) = source.value["spec"].as_object().cloned() else {
        source.tell_key(Error, &way(&["spec"]), "the template has no spec", None);
        return false;
    };
    if !spec.get("type").is_some_and(Value::is_string) {
        let help = "say what it makes, for example type: service".to_owned();
        source.tell_key(Error, &way(&["spec", "type"]), "spec.type is missing", Some(help));
    }
    for key in spec.keys().filter(|key| !SPEC.contains(&key.as_str())) {
        if let Some(meant) = nearest(key, SPEC.into_iter().filter(|known| !spec.contains_key(*known))) {
            let help = Some(format!("did you mean \"{meant}\"?"));
            source.tell_key(
                Warning,
                &way(&["spec", key]),
                format!("spec.{key} is read by nobody"),
                help,
            );
        }
    }
    match spec.get("steps") {
        Some(Value::Array(steps)) if !steps.is_empty() => {}
        Some(Value::Array(_)) => source.tell_key(Error, &way(&["spec", "steps"]), "the template has no steps", None),
        Some(_) => source.tell_value(
            Error,
            &way(&["spec", "steps"]),
            "spec.steps is not a list of steps",
            None,
        ),
        None => source.tell_key(Error, &way(&["spec", "steps"]), "the template has no steps", None),
    }
    if spec
        .get("output")
        .is_some_and(|output| !output.is_object() && !output.is_null())
    {
        source.tell_value(Error, &way(&["spec", "output"]), "spec.output is not an object", None);
    }
    true
}

/// What the portal itself finds when it reads the template, unless it has been told already.
pub fn check_rest(source: &mut Source<'_>) {
    if source.has_errors() {
        return;
    }
    let entity = Entity {
        body: source.value.clone(),
    };
    if let Err(message) = Template::read(&entity) {
        source.tell_key(Error, &way(&["spec", "steps"]), message, None);
    }
}
