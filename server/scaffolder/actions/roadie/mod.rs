//! The actions of Roadie's modules for Backstage's scaffolder (`-utils`, `-http-request`, `-argocd`), under their ids.

use serde_json::Value;

use super::ActionError;

mod append_file;
mod create_resources;
mod http_request;
mod jsonata;
mod jsonata_json;
mod jsonata_yaml;
mod merge;
mod merge_json;
mod parse_file;
mod replace_in_files;
mod serialize_json;
mod serialize_yaml;
mod sleep;
mod write_file;
mod zip;

pub use append_file::AppendFile;
pub use create_resources::CreateResources;
pub use http_request::HttpRequest;
pub use jsonata::{Jsonata, problem as jsonata_problem};
pub use jsonata_json::JsonataJson;
pub use jsonata_yaml::JsonataYaml;
pub use merge::Merge;
pub use merge_json::MergeJson;
pub use parse_file::ParseFile;
pub use replace_in_files::ReplaceInFiles;
pub use serialize_json::SerializeJson;
pub use serialize_yaml::SerializeYaml;
pub use sleep::Sleep;
pub use write_file::WriteFile;
pub use zip::Zip;

/// The output of actions that write one file.
#[derive(Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Written {
    /// Path of the file, relative to the workspace.
    path: String,
}

fn parse_json(what: &str, text: &str) -> Result<Value, ActionError> {
    serde_json::from_str(text).map_err(|error| ActionError::Input(format!("{what} is no JSON: {error}")))
}

fn parse_yaml(what: &str, text: &str) -> Result<Value, ActionError> {
    crate::scaffolder::yaml::read(text).map_err(|error| ActionError::Input(format!("{what} is no YAML: {error}")))
}

/// JSON as `JSON.stringify` writes it: on one line, or with `indent` in front of each level.
fn write_json(value: &Value, indent: &str) -> String {
    use serde::Serialize;
    if indent.is_empty() {
        return value.to_string();
    }
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&text).into_owned(),
        // A value has nothing that JSON cannot say.
        Err(_) => value.to_string(),
    }
}

/// The value with those keys of its objects only that `replacer` lists, as `JSON.stringify` has it.
fn replaced(value: &Value, replacer: &[String]) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            replacer
                .iter()
                .filter_map(|key| Some((key.clone(), replaced(fields.get(key)?, replacer))))
                .collect(),
        ),
        Value::Array(items) => items.iter().map(|item| replaced(item, replacer)).collect(),
        other => other.clone(),
    }
}

/// What `JSON.stringify(value, replacer, space)` gives.
fn stringify(value: &Value, replacer: Option<&[String]>, space: Option<&str>) -> String {
    let space: String = space.unwrap_or_default().chars().take(10).collect();
    match replacer {
        Some(replacer) => write_json(&replaced(value, replacer), &space),
        None => write_json(value, &space),
    }
}

/// Merges `new` into `old`, deep. Lists are replaced, or joined without repetition.
fn merged(old: Value, new: Value, join_lists: bool) -> Value {
    match (old, new) {
        (Value::Object(mut old), Value::Object(new)) => {
            for (key, new) in new {
                let value = match old.get_mut(&key).map(Value::take) {
                    Some(old) => merged(old, new, join_lists),
                    None => new,
                };
                old.insert(key, value);
            }
            Value::Object(old)
        }
        (Value::Array(mut old), new) if join_lists => {
            let new = match new {
                Value::Array(items) => items,
                other => vec![other],
            };
            for item in new {
                // Objects are never the same to JavaScript, so both stay.
                if item.is_object() || item.is_array() || !old.contains(&item) {
                    old.push(item);
                }
            }
            Value::Array(old)
        }
        (_, new) => new,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_merged_deep() {
        for (old, new, join, expected) in [
            (
                json!({"a": {"b": 1, "c": 2}}),
                json!({"a": {"c": 3, "d": 4}}),
                false,
                json!({"a": {"b": 1, "c": 3, "d": 4}}),
            ),
            (json!({"l": [1, 2]}), json!({"l": [2, 3]}), false, json!({"l": [2, 3]})),
            (
                json!({"l": [1, 2]}),
                json!({"l": [2, 3]}),
                true,
                json!({"l": [1, 2, 3]}),
            ),
            (
                json!({"l": [{"a": 1}]}),
                json!({"l": [{"a": 1}]}),
                true,
                json!({"l": [{"a": 1}, {"a": 1}]}),
            ),
            (json!({"a": {"b": 1}}), json!({"a": "x"}), false, json!({"a": "x"})),
        ] {
            assert_eq!(merged(old, new.clone(), join), expected, "{new}");
        }
    }

    #[test]
    fn json_is_written_as_javascript_does() {
        let value = json!({"b": {"a": 1, "x": []}, "a": [1, {}]});
        assert_eq!(stringify(&value, None, None), r#"{"b":{"a":1,"x":[]},"a":[1,{}]}"#);
        assert_eq!(stringify(&value, Some(&["a".to_owned()]), None), r#"{"a":[1,{}]}"#);
        assert_eq!(
            stringify(&value, None, Some("--")),
            "{\n--\"b\": {\n----\"a\": 1,\n----\"x\": []\n--},\n--\"a\": [\n----1,\n----{}\n--]\n}"
        );
    }
}
