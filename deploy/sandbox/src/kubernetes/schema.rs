//! How the lists of Kubernetes' own kinds are merged: by a key of their items, as a set, or as one value.
//!
//! The keys are those of the `x-kubernetes-list-map-keys` in Kubernetes' published OpenAPI document.

use serde_json::{Map, Value, json};

/// How one list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListType {
    /// Items are told apart by the values of these fields.
    Keyed(&'static [&'static str]),
    /// Items are told apart by their value.
    Set,
    /// The list is one value.
    Atomic,
}

/// How the list in `field` is merged. `builtin`: in one of Kubernetes' own kinds; `parent` is the field that holds the
/// object with the list, an index not counted.
pub fn list_type(builtin: bool, parent: &str, field: &str) -> ListType {
    match (parent, field) {
        ("metadata", "finalizers") => return ListType::Set,
        ("metadata", "ownerReferences") => return ListType::Keyed(&["uid"]),
        _ if !builtin => return ListType::Atomic,
        _ => {}
    }
    match field {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => {
            ListType::Keyed(&["name"])
        }
        "volumeMounts" => ListType::Keyed(&["mountPath"]),
        "volumeDevices" => ListType::Keyed(&["devicePath"]),
        "hostAliases" => ListType::Keyed(&["ip"]),
        "topologySpreadConstraints" => ListType::Keyed(&["topologyKey", "whenUnsatisfiable"]),
        "ports" if matches!(parent, "containers" | "initContainers") => ListType::Keyed(&["containerPort", "protocol"]),
        "ports" if parent == "spec" => ListType::Keyed(&["port", "protocol"]),
        "conditions" if parent == "status" => ListType::Keyed(&["type"]),
        _ => ListType::Atomic,
    }
}

/// The identity of a list's item, as `k:{…}` of managed fields has it; none when the item has no value for the keys.
pub fn item_key(item: &Value, keys: &[&str]) -> Option<String> {
    let mut found = Map::new();
    for key in keys {
        match item.get(*key) {
            Some(value) => found.insert((*key).into(), value.clone()),
            // Kubernetes has this default in its schema.
            None if *key == "protocol" => found.insert((*key).into(), json!("TCP")),
            None => return None,
        };
    }
    serde_json::to_string(&found).ok()
}
