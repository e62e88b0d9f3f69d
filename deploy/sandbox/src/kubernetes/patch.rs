//! The three patch formats besides apply: JSON patch, JSON merge patch, strategic merge patch.

use serde_json::{Map, Value};

use super::{
    kinds::Kind,
    schema::{ListType, item_key, list_type},
    status::Status,
};

/// A patch by its content type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchType {
    /// `application/json-patch+json`
    Json,
    /// `application/merge-patch+json`
    Merge,
    /// `application/strategic-merge-patch+json`
    Strategic,
}

/// The object after the patch. A patch that does not fit is a 400, or a 422 as Kubernetes answers for JSON patches.
pub fn patched(kind: &Kind, object: &Value, patch: &Value, patch_type: PatchType) -> Result<Value, Status> {
    let mut result = object.clone();
    match patch_type {
        PatchType::Json => {
            let operations: json_patch::Patch = serde_json::from_value(patch.clone())
                .map_err(|error| Status::bad_request(format!("the patch is not a JSON patch: {error}")))?;
            json_patch::patch(&mut result, &operations).map_err(|error| {
                let message = format!("the server rejected our request due to an error in our request: {error}");
                Status {
                    code: 422,
                    reason: "Invalid",
                    message,
                    details: Value::Null,
                }
            })?;
        }
        PatchType::Merge => json_patch::merge(&mut result, patch),
        PatchType::Strategic if kind.builtin => strategic(&mut result, patch, ""),
        PatchType::Strategic => {
            let accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            return Err(Status::unsupported_media_type(accepted));
        }
    }
    if result.is_object() {
        Ok(result)
    } else {
        Err(Status::bad_request("the patched object is not an object"))
    }
}

fn strategic(into: &mut Value, patch: &Value, parent: &str) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if patch.get("$patch").is_some_and(|directive| directive == "replace") {
        *into = Value::Object(plain(patch));
        return;
    }
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let Value::Object(fields) = into else { return };
    for (name, value) in patch {
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Value::Array(gone)) = (fields.get_mut(list), value) {
                items.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if name.starts_with('$') {
            continue;
        }
        match value {
            Value::Null => {
                fields.shift_remove(name);
            }
            Value::Object(inner) if inner.get("$patch").is_some_and(|directive| directive == "delete") => {
                fields.shift_remove(name);
            }
            Value::Object(_) => strategic(fields.entry(name.clone()).or_insert(Value::Null), value, name),
            Value::Array(items) => {
                let found = fields.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
                strategic_list(found, items, parent, name);
            }
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
}

fn strategic_list(into: &mut Value, items: &[Value], parent: &str, name: &str) {
    let replaces = items
        .iter()
        .any(|item| item.get("$patch").is_some_and(|directive| directive == "replace"));
    let kept = items.iter().filter(|item| item.get("$patch").is_none());
    let (false, Value::Array(list)) = (replaces, &mut *into) else {
        *into = Value::Array(kept.cloned().collect());
        return;
    };
    // Ports merge by their first key alone here, as the struct tags of Kubernetes say.
    let keys = match list_type(true, parent, name) {
        ListType::Keyed(keys) => &keys[..1],
        ListType::Set => {
            list.extend(
                items
                    .iter()
                    .filter(|item| !list.contains(item))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            return;
        }
        ListType::Atomic => {
            *list = items.to_vec();
            return;
        }
    };
    for item in items {
        let key = item_key(item, keys);
        let found = list
            .iter()
            .position(|found| key.is_some() && item_key(found, keys) == key);
        match (found, item.get("$patch").is_some_and(|directive| directive == "delete")) {
            (Some(at), true) => {
                list.remove(at);
            }
            (Some(at), false) => strategic(&mut list[at], item, name),
            (None, true) => {}
            (None, false) => list.push(item.clone()),
        }
    }
}

fn plain(patch: &Map<String, Value>) -> Map<String, Value> {
    patch
        .iter()
        .filter(|(name, _)| !name.starts_with('$'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::kinds::Kinds;
    use serde_json::json;

    #[test]
    fn strategic_patches_merge_lists_by_key() {
        let kind = Kinds::default().by_kind("apps", "Deployment").expect("a known kind");
        let containers = |value: Value| json!({"spec": {"template": {"spec": {"containers": value}}}});
        let object = containers(json!([{"name": "a", "image": "1", "command": ["x"]}, {"name": "b", "image": "1"}]));
        for (patch, expected) in [
            (
                json!([{"name": "a", "image": "2"}]),
                json!([{"name": "a", "image": "2", "command": ["x"]}, {"name": "b", "image": "1"}]),
            ),
            (
                json!([{"name": "b", "$patch": "delete"}]),
                json!([{"name": "a", "image": "1", "command": ["x"]}]),
            ),
            (
                json!([{"name": "a", "command": null}, {"name": "b", "$patch": "delete"}]),
                json!([{"name": "a", "image": "1"}]),
            ),
            (
                json!([{"$patch": "replace"}, {"name": "c", "image": "3"}]),
                json!([{"name": "c", "image": "3"}]),
            ),
        ] {
            let result = patched(&kind, &object, &containers(patch), PatchType::Strategic).expect("a patch that fits");
            assert_eq!(result, containers(expected));
        }
    }

    #[test]
    fn patches_that_do_not_fit_are_refused() {
        let kinds = Kinds::default();
        let deployment = kinds.by_kind("apps", "Deployment").expect("a known kind");
        let application = kinds.by_kind("argoproj.io", "Application").expect("a known kind");
        for (kind, patch, patch_type, code) in [
            (&deployment, json!({"a": 1}), PatchType::Json, 400),
            (
                &deployment,
                json!([{"op": "remove", "path": "/spec"}]),
                PatchType::Json,
                422,
            ),
            (&deployment, json!([]), PatchType::Merge, 400),
            (&application, json!({}), PatchType::Strategic, 415),
        ] {
            let refused = patched(kind, &json!({"metadata": {}}), &patch, patch_type).expect_err("refused");
            assert_eq!(refused.code, code, "{patch}");
        }
    }
}
