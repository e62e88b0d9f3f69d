//! Keys that nobody reads: most often a slip of the pen.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::node::join;
use super::types::Config;
use crate::language::nearest;

/// Marks, in the schema, what is accepted and not used.
pub(super) const IGNORED: &str = "x-ignored";

/// What the configuration may say, as JSON Schema without references.
pub(super) fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// Paths of keys that no part of the portal knows, each with the nearest known key beside it.
pub(super) fn unknown_keys(config: &Value) -> Vec<(String, Option<String>)> {
    let mut unknown = Vec::new();
    walk(config, &schema(), "", &mut unknown);
    unknown
}

fn walk(value: &Value, schema: &Value, path: &str, unknown: &mut Vec<(String, Option<String>)>) {
    match value {
        Value::Object(entries) => {
            let alternatives = alternatives(schema);
            let known = names(&alternatives);
            for (key, value) in entries {
                let below = join(path, key);
                match property(&alternatives, key) {
                    Some(schema) => walk(value, schema, &below, unknown),
                    None if known.is_empty() => {}
                    None => unknown.push((below, nearest(key, known.iter().copied()))),
                }
            }
        }
        Value::Array(items) => {
            let items_schema = alternatives(schema).into_iter().find_map(|schema| schema.get("items"));
            if let Some(schema) = items_schema {
                for (index, item) in items.iter().enumerate() {
                    walk(item, schema, &format!("{path}[{index}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

/// Keys that a map may have.
pub(super) fn names<'a>(alternatives: &[&'a Value]) -> BTreeSet<&'a str> {
    alternatives
        .iter()
        .filter_map(|schema| schema.get("properties")?.as_object())
        .flat_map(|properties| properties.keys().map(String::as_str))
        .collect()
}

/// What may stand at a key of a map.
pub(super) fn property<'a>(alternatives: &[&'a Value], key: &str) -> Option<&'a Value> {
    let named = alternatives
        .iter()
        .find_map(|schema| schema.get("properties")?.get(key));
    named.or_else(|| {
        alternatives
            .iter()
            .find_map(|schema| schema.get("additionalProperties"))
    })
}

/// The schema itself and what it offers to choose from.
pub(super) fn alternatives(schema: &Value) -> Vec<&Value> {
    let mut all = vec![schema];
    for list in ["anyOf", "oneOf", "allOf"] {
        let offered = schema.get(list).and_then(Value::as_array).into_iter().flatten();
        all.extend(offered.flat_map(alternatives));
    }
    all
}
