//! Sets of fields, the currency of server-side apply: who owns which field of an object.
//!
//! The notation is `FieldsV1` of `sigs.k8s.io/structured-merge-diff`: `f:name` for a field, `k:{"name":"x"}` for an item
//! of a keyed list, `v:"x"` for an item of a set, `.` for the thing itself.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::schema::{ListType, item_key, list_type};

/// Elements from the object's root to a field.
pub type Path = Vec<String>;

/// Paths of the fields that belong to the set.
pub type FieldSet = BTreeSet<Path>;

/// The fields that a manifest states; what identifies the object is not among them.
pub fn stated(manifest: &Value, builtin: bool) -> FieldSet {
    let mut found = FieldSet::new();
    collect(manifest, builtin, "", "", &mut Vec::new(), &mut found);
    found.retain(|path| {
        let names = path.iter().map(String::as_str).collect::<Vec<_>>();
        !matches!(
            names.as_slice(),
            ["f:apiVersion" | "f:kind", ..]
                | [
                    "f:metadata",
                    "f:name"
                        | "f:namespace"
                        | "f:uid"
                        | "f:resourceVersion"
                        | "f:generation"
                        | "f:creationTimestamp"
                        | "f:deletionTimestamp"
                        | "f:deletionGracePeriodSeconds"
                        | "f:selfLink"
                        | "f:managedFields"
                        | "f:generateName",
                    ..
                ]
                | ["f:metadata"]
        )
    });
    found
}

fn collect(value: &Value, builtin: bool, grandparent: &str, parent: &str, path: &mut Path, found: &mut FieldSet) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                path.push(format!("f:{name}"));
                collect(value, builtin, parent, name, path, found);
                path.pop();
            }
        }
        Value::Array(items) if !items.is_empty() => match list_type(builtin, grandparent, parent) {
            ListType::Atomic => {
                found.insert(path.clone());
            }
            ListType::Set => {
                for item in items {
                    path.push(format!("v:{item}"));
                    found.insert(path.clone());
                    path.pop();
                }
            }
            ListType::Keyed(keys) => {
                for item in items {
                    let Some(key) = item_key(item, keys) else { continue };
                    path.push(format!("k:{key}"));
                    found.insert(path.clone());
                    // The item's own fields see the list's name as their parent.
                    collect(item, builtin, grandparent, parent, path, found);
                    path.pop();
                }
            }
        },
        Value::Null => {}
        _ => {
            found.insert(path.clone());
        }
    }
}

/// Writes a set as `fieldsV1`.
pub fn to_fields_v1(set: &FieldSet) -> Value {
    fn insert(node: &mut Map<String, Value>, path: &[String]) {
        let Some((element, rest)) = path.split_first() else {
            node.insert(".".into(), json!({}));
            return;
        };
        if let Value::Object(child) = node.entry(element.clone()).or_insert_with(|| json!({})) {
            insert(child, rest);
        }
    }
    let mut root = Map::new();
    for path in set {
        insert(&mut root, path);
    }
    simplify(&mut root);
    Value::Object(root)
}

// A leaf is written `{}`, not `{".": {}}`.
fn simplify(node: &mut Map<String, Value>) {
    if node.len() == 1 {
        node.remove(".");
    }
    for child in node.values_mut().filter_map(Value::as_object_mut) {
        simplify(child);
    }
}

/// Reads `fieldsV1`; what is not in its notation is left out.
pub fn from_fields_v1(fields: &Value) -> FieldSet {
    fn walk(node: &Map<String, Value>, path: &mut Path, set: &mut FieldSet) {
        for (element, child) in node {
            let Some(child) = child.as_object() else { continue };
            if element == "." {
                set.insert(path.clone());
                continue;
            }
            path.push(element.clone());
            if child.is_empty() {
                set.insert(path.clone());
            } else {
                walk(child, path, set);
            }
            path.pop();
        }
    }
    let mut set = FieldSet::new();
    if let Some(fields) = fields.as_object() {
        walk(fields, &mut Vec::new(), &mut set);
    }
    set
}

/// The value at a path; none when it is not there.
pub fn value_at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter()
        .try_fold(object, |value, element| match element.split_at_checked(2)? {
            ("f:", name) => value.get(name),
            ("k:", key) => value.as_array()?.iter().find(|item| is_item(item, key)),
            ("v:", text) => value.as_array()?.iter().find(|item| is_value(item, text)),
            _ => None,
        })
}

fn is_value(item: &Value, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|value| value == *item)
}

fn is_item(item: &Value, key: &str) -> bool {
    let Ok(Value::Object(key)) = serde_json::from_str::<Value>(key) else {
        return false;
    };
    key.iter().all(|(name, value)| match item.get(name) {
        Some(found) => found == value,
        None => name == "protocol" && value == "TCP",
    })
}

/// Removes what is at a path, and maps and lists that become empty by it.
pub fn remove_at(object: &mut Value, path: &[String]) {
    let [element, rest @ ..] = path else { return };
    let Some((prefix, name)) = element.split_at_checked(2) else {
        return;
    };
    match (prefix, object) {
        ("f:", Value::Object(fields)) => {
            let Some(child) = fields.get_mut(name) else { return };
            if !rest.is_empty() {
                remove_at(child, rest);
            }
            let empty = matches!(child, Value::Object(map) if map.is_empty())
                || matches!(child, Value::Array(list) if list.is_empty());
            if rest.is_empty() || empty {
                fields.shift_remove(name);
            }
        }
        ("k:", Value::Array(items)) => {
            let Some(index) = items.iter().position(|item| is_item(item, name)) else {
                return;
            };
            if rest.is_empty() {
                items.remove(index);
            } else {
                remove_at(&mut items[index], rest);
            }
        }
        ("v:", Value::Array(items)) if rest.is_empty() => items.retain(|item| !is_value(item, name)),
        _ => {}
    }
}

/// The path as error messages write it: `.spec.template.spec.containers[name="web"].image`.
pub fn display(path: &[String]) -> String {
    path.iter()
        .map(|element| match element.split_at_checked(2) {
            Some(("f:", name)) => format!(".{name}"),
            Some(("k:", key)) => {
                let key: Value = serde_json::from_str(key).unwrap_or_default();
                let parts = key.as_object().into_iter().flatten();
                let parts = parts.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
                format!("[{}]", parts.join(","))
            }
            Some(("v:", value)) => format!("[={value}]"),
            _ => String::new(),
        })
        .collect()
}

/// Leaves that differ between two objects: those that are new or changed, and those that are gone.
pub fn difference(old: &Value, new: &Value, builtin: bool) -> (FieldSet, FieldSet) {
    let (before, after) = (stated(old, builtin), stated(new, builtin));
    let changed = after.iter().filter(|path| {
        let is_item = path.last().is_some_and(|element| element.starts_with("k:"));
        // An item as such only appears or disappears; its fields change by themselves.
        if is_item {
            !before.contains(*path)
        } else {
            value_at(old, path) != value_at(new, path)
        }
    });
    let gone = before.iter().filter(|path| value_at(new, path).is_none());
    (changed.cloned().collect(), gone.cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "x", "labels": {"a": "b"}, "finalizers": ["f"]},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [
                {"name": "web", "image": "i", "ports": [{"containerPort": 80}], "command": ["a", "b"]}]}}},
        })
    }

    #[test]
    fn a_set_survives_its_notation() {
        let set = stated(&deployment(), true);
        let fields = to_fields_v1(&set);
        assert_eq!(from_fields_v1(&fields), set);
        let containers = &fields["f:spec"]["f:template"]["f:spec"]["f:containers"];
        let web = &containers["k:{\"name\":\"web\"}"];
        assert_eq!(web["."], json!({}));
        assert_eq!(web["f:command"], json!({}));
        assert_eq!(
            web["f:ports"]["k:{\"containerPort\":80,\"protocol\":\"TCP\"}"]["f:containerPort"],
            json!({})
        );
        assert_eq!(fields["f:metadata"]["f:finalizers"], json!({"v:\"f\"": {}}));
        assert!(fields["f:metadata"].get("f:name").is_none());
    }

    #[test]
    fn paths_find_and_remove() {
        let mut object = deployment();
        let image: Path = [
            "f:spec",
            "f:template",
            "f:spec",
            "f:containers",
            "k:{\"name\":\"web\"}",
            "f:image",
        ]
        .map(String::from)
        .into();
        assert_eq!(value_at(&object, &image), Some(&json!("i")));
        assert_eq!(display(&image), ".spec.template.spec.containers[name=\"web\"].image");
        remove_at(&mut object, &image);
        assert_eq!(value_at(&object, &image), None);
        remove_at(&mut object, &image[..5]);
        assert_eq!(object["spec"], json!({"replicas": 1}));
    }

    #[test]
    fn differences_name_leaves() {
        let mut new = deployment();
        new["spec"]["replicas"] = json!(2);
        new["metadata"]["labels"] = json!({"c": "d"});
        let (changed, gone) = difference(&deployment(), &new, true);
        let names = |set: &FieldSet| set.iter().map(|path| display(path)).collect::<Vec<_>>();
        assert_eq!(names(&changed), [".metadata.labels.c", ".spec.replicas"]);
        assert_eq!(names(&gone), [".metadata.labels.a"]);
    }
}
