//! Which properties a page has, given the answers: `dependencies`, `if`/`then`/`else`, `allOf`, `oneOf`, `anyOf`.

use serde_json::{Map, Value};

/// Keys that make the properties depend on the answers.
const CONDITIONAL: &[&str] = &["dependencies", "if", "allOf", "oneOf", "anyOf"];

/// How deep conditions are followed into each other.
const DEPTH: usize = 8;

/// The schema with the properties and requirements added that hold for `values`, and without its conditions.
pub fn effective(schema: &Value, values: &Value) -> Value {
    resolve(schema, values, DEPTH)
}

/// The properties of the schema depend on the answers.
pub fn is_conditional(schema: &Value) -> bool {
    let Some(members) = schema.as_object() else {
        return false;
    };
    CONDITIONAL.iter().any(|key| members.contains_key(*key))
        || members
            .get("properties")
            .and_then(Value::as_object)
            .is_some_and(|properties| {
                properties
                    .values()
                    .filter(|property| is_object(property))
                    .any(is_conditional)
            })
}

fn is_object(schema: &Value) -> bool {
    schema["type"] == "object" || schema.get("properties").is_some()
}

fn resolve(schema: &Value, values: &Value, depth: usize) -> Value {
    let Some(members) = schema.as_object() else {
        return schema.clone();
    };
    let mut result: Map<String, Value> = members
        .iter()
        .filter(|(key, _)| !CONDITIONAL.contains(&key.as_str()) && !matches!(key.as_str(), "then" | "else"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    // `oneOf` of plain constants is a choice of one field, no condition.
    let is_choice = !is_object(schema) && members.get("oneOf").is_some_and(|branches| choices(branches).is_some());
    if is_choice {
        return schema.clone();
    }
    if depth > 0 {
        for part in parts(members, values) {
            merge(&mut result, &resolve(&part, values, depth - 1));
        }
    }
    if let Some(properties) = result.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, property) in properties.iter_mut().filter(|(_, property)| is_object(property)) {
            *property = resolve(property, &values[name.as_str()], depth.saturating_sub(1));
        }
    }
    Value::Object(result)
}

/// `[{const, title}, …]` as pairs.
pub(super) fn choices(branches: &Value) -> Option<Vec<(Value, Option<String>)>> {
    branches
        .as_array()?
        .iter()
        .map(|branch| {
            let value = branch.get("const").or_else(|| branch.get("enum")?.get(0))?;
            Some((value.clone(), branch["title"].as_str().map(str::to_owned)))
        })
        .collect()
}

/// The schemas whose conditions hold.
fn parts(members: &Map<String, Value>, values: &Value) -> Vec<Value> {
    let mut parts = Vec::new();
    if let Some(dependencies) = members.get("dependencies").and_then(Value::as_object) {
        for (name, dependency) in dependencies {
            match dependency {
                _ if values.get(name).is_none() => {}
                Value::Array(required) => parts.push(serde_json::json!({"required": required})),
                Value::Object(_) => parts.push(dependency.clone()),
                _ => {}
            }
        }
    }
    if let Some(condition) = members.get("if") {
        let branch = if holds(condition, values) { "then" } else { "else" };
        parts.extend(members.get(branch).cloned());
    }
    parts.extend(
        members
            .get("allOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .cloned(),
    );
    for key in ["oneOf", "anyOf"] {
        if let Some(branches) = members.get(key).and_then(Value::as_array) {
            // Whatever is required may still be missing: the constants alone tell the branches apart.
            let chosen = branches.iter().find(|branch| matches_constants(branch, values));
            parts.extend(chosen.or_else(|| branches.first()).cloned());
        }
    }
    parts
}

fn matches_constants(branch: &Value, values: &Value) -> bool {
    branch["properties"].as_object().is_none_or(|properties| {
        properties.iter().all(|(name, property)| {
            let value = &values[name.as_str()];
            property.get("const").is_none_or(|expected| expected == value)
                && property
                    .get("enum")
                    .and_then(Value::as_array)
                    .is_none_or(|allowed| allowed.len() > 1 && value.is_null() || allowed.contains(value))
        })
    })
}

fn holds(condition: &Value, values: &Value) -> bool {
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft7)
        .build(condition)
        .is_ok_and(|validator| validator.is_valid(values))
}

fn merge(into: &mut Map<String, Value>, from: &Value) {
    let Some(from) = from.as_object() else { return };
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(known)), Value::Object(more)) if key == "properties" => {
                for (name, property) in more {
                    match known.get_mut(name).and_then(Value::as_object_mut) {
                        Some(known) => {
                            // A branch repeats the property that it hangs on, as a constant: the form keeps its own.
                            for (key, value) in property.as_object().into_iter().flatten() {
                                if !known.contains_key(key) && !matches!(key.as_str(), "const" | "enum") {
                                    known.insert(key.clone(), value.clone());
                                }
                            }
                        }
                        None => {
                            known.insert(name.clone(), property.clone());
                        }
                    }
                }
            }
            (Some(Value::Array(known)), Value::Array(more)) if key == "required" => {
                known.extend(
                    more.iter()
                        .filter(|name| !known.contains(name))
                        .cloned()
                        .collect::<Vec<_>>(),
                );
            }
            (None, _) => {
                into.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(schema: &Value, values: &Value) -> Vec<String> {
        effective(schema, values)["properties"]
            .as_object()
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    }

    #[test]
    fn conditions_add_properties() {
        let dependency = json!({
            "properties": {"kind": {"type": "string", "enum": ["a", "b"]}},
            "dependencies": {"kind": {"oneOf": [
                {"properties": {"kind": {"enum": ["a"]}, "size": {"type": "integer"}}},
                {"properties": {"kind": {"enum": ["b"]}, "color": {"type": "string"}}, "required": ["color"]},
            ]}},
        });
        assert_eq!(names(&dependency, &json!({})), ["kind"]);
        assert_eq!(names(&dependency, &json!({"kind": "a"})), ["kind", "size"]);
        assert_eq!(names(&dependency, &json!({"kind": "b"})), ["kind", "color"]);
        assert_eq!(
            effective(&dependency, &json!({"kind": "b"}))["required"],
            json!(["color"])
        );
        assert_eq!(
            effective(&dependency, &json!({"kind": "b"}))["properties"]["kind"]["enum"],
            json!(["a", "b"])
        );

        let branch = json!({
            "properties": {"public": {"type": "boolean"}},
            "if": {"properties": {"public": {"const": true}}, "required": ["public"]},
            "then": {"properties": {"host": {"type": "string"}}},
            "else": {"properties": {"reason": {"type": "string"}}},
        });
        assert_eq!(names(&branch, &json!({"public": true})), ["public", "host"]);
        assert_eq!(names(&branch, &json!({})), ["public", "reason"]);
        assert!(is_conditional(&branch));
        assert!(!is_conditional(
            &json!({"properties": {"x": {"oneOf": [{"const": 1}]}}})
        ));
    }
}
