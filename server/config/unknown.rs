//! Keys that nobody reads: most often a slip of the pen.

use std::collections::BTreeSet;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::node::join;
use super::types::Config;

/// Paths of keys that no part of the portal knows, each with the nearest known key beside it.
pub(super) fn unknown_keys(config: &Value) -> Vec<(String, Option<String>)> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<Config>();
    let mut unknown = Vec::new();
    walk(config, schema.as_value(), "", &mut unknown);
    unknown
}

fn walk(value: &Value, schema: &Value, path: &str, unknown: &mut Vec<(String, Option<String>)>) {
    match value {
        Value::Object(entries) => {
            let alternatives = alternatives(schema);
            let known: BTreeSet<&str> = alternatives
                .iter()
                .filter_map(|schema| schema.get("properties")?.as_object())
                .flat_map(|properties| properties.keys().map(String::as_str))
                .collect();
            for (key, value) in entries {
                let below = join(path, key);
                let schema = alternatives
                    .iter()
                    .find_map(|schema| schema.get("properties")?.get(key))
                    .or_else(|| {
                        alternatives
                            .iter()
                            .find_map(|schema| schema.get("additionalProperties"))
                    });
                match schema {
                    Some(schema) => walk(value, schema, &below, unknown),
                    None if known.is_empty() => {}
                    None => unknown.push((below, nearest(key, &known))),
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

/// The schema itself and what it offers to choose from.
fn alternatives(schema: &Value) -> Vec<&Value> {
    let mut all = vec![schema];
    for list in ["anyOf", "oneOf", "allOf"] {
        all.extend(schema.get(list).and_then(Value::as_array).into_iter().flatten());
    }
    all
}

fn nearest(key: &str, known: &BTreeSet<&str>) -> Option<String> {
    known
        .iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&key.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| (*candidate).to_owned())
}
