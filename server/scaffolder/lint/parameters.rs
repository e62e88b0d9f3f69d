//! The form: pages that are JSON Schemas, and fields that the portal knows.

use serde_json::Value;

use super::finding::Severity::{Error, Warning};
use super::outline::Outline;
use super::source::{Source, Way, below, help};
use crate::scaffolder::forms::{FIELDS, draft7};

pub fn check(source: &mut Source<'_>, outline: &Outline) {
    for page in &outline.pages {
        let schema = source.at(page).clone();
        if !schema.is_object() {
            let message = "a page of the form is a JSON Schema of an object, and this is none";
            source.tell_value(Error, page, message, None);
            continue;
        }
        match schema.get("type") {
            None => {}
            Some(kind) if kind == "object" => {}
            Some(_) => {
                let message = "a page of the form describes an object, and this has another type";
                source.tell_value(
                    Error,
                    &below(page, "type"),
                    message,
                    Some("write type: object".to_owned()),
                );
            }
        }
        check_schema(source, page, &schema);
        check_required(source, outline, page, &schema);
        check_fields(source, page, &schema);
    }
}

/// What JSON Schema itself says about the page; its first error.
fn check_schema(source: &mut Source<'_>, page: &[String], schema: &Value) {
    let schema = draft7(schema);
    let problem = match jsonschema::draft7::meta::validate(&schema) {
        Ok(()) => jsonschema::options()
            .with_draft(jsonschema::Draft::Draft7)
            .build(&schema)
            .err()
            .map(|error| (error.instance_path().to_string(), error.to_string())),
        Err(error) => Some((error.instance_path().to_string(), error.to_string())),
    };
    if let Some((pointer, message)) = problem {
        let mut way = page.to_vec();
        way.extend(segments(&pointer));
        source.tell_value(Error, &way, format!("the form is broken: {message}"), None);
    }
}

/// The segments of a JSON pointer.
pub fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer
        .split('/')
        .skip(1)
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

/// A field that is required and that no page asks for can never be given.
fn check_required(source: &mut Source<'_>, outline: &Outline, page: &[String], schema: &Value) {
    let list = below(page, "required");
    for (index, name) in schema["required"].as_array().into_iter().flatten().enumerate() {
        let Some(name) = name.as_str() else { continue };
        if outline.parameters.open || outline.parameters.members.contains_key(name) {
            continue;
        }
        let message = format!("\"{name}\" is required, and no page asks for it");
        let help = help(name, outline.parameters.members.keys().map(String::as_str));
        source.tell_key(Error, &below(&list, index), message, help);
    }
}

/// Fields that the portal does not have are filled in as their type says.
fn check_fields(source: &mut Source<'_>, way: &[String], schema: &Value) {
    let mut found: Vec<(Way, String)> = Vec::new();
    collect_fields(schema, way, &mut found);
    for (way, field) in found {
        if !FIELDS.contains(&field.as_str()) {
            let message = format!("the portal has no field \"{field}\"; the form shows what the type asks for");
            source.tell_value(Warning, &way, message, help(&field, FIELDS));
        }
    }
}

fn collect_fields(schema: &Value, way: &[String], found: &mut Vec<(Way, String)>) {
    match schema {
        Value::Object(members) => {
            for (key, member) in members {
                let below = below(way, key);
                match member {
                    Value::String(field) if key == "ui:field" => found.push((below, field.clone())),
                    _ => collect_fields(member, &below, found),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_fields(item, &below(way, index), found);
            }
        }
        _ => {}
    }
}
