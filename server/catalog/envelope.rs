//! The envelope that all kinds share: root keys, names, labels, annotations, tags, links, as the entity
//! policies of `@backstage/catalog-model` 1.10.1 check it.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

/// A field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Path of the field, `["metadata", "name"]`; empty for the document.
    pub path: Vec<String>,
    pub message: String,
}

impl FieldFault {
    pub fn at(path: &[&str], message: impl Into<String>) -> Self {
        Self {
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            message: message.into(),
        }
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is written in this file")
}

static NAME: LazyLock<Regex> = LazyLock::new(|| pattern("^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"));
static NAMESPACE: LazyLock<Regex> = LazyLock::new(|| pattern("^[a-z0-9]+(?:-+[a-z0-9]+)*$"));
static KIND: LazyLock<Regex> = LazyLock::new(|| pattern("^[a-zA-Z][a-z0-9A-Z]*$"));
static VERSION: LazyLock<Regex> = LazyLock::new(|| pattern("^[a-z0-9A-Z]{1,63}$"));
static DNS_LABEL: LazyLock<Regex> = LazyLock::new(|| pattern("^[a-z0-9]+(?:-+[a-z0-9]+)*$"));
static TAG: LazyLock<Regex> = LazyLock::new(|| pattern("^[a-z0-9:+#]+(?:-[a-z0-9:+#]+)*$"));

fn is_name(text: &str) -> bool {
    text.len() <= 63 && NAME.is_match(text)
}

fn is_subdomain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text
            .split('.')
            .all(|label| label.len() <= 63 && DNS_LABEL.is_match(label))
}

pub(super) fn is_kind(text: &str) -> bool {
    text.len() <= 63 && KIND.is_match(text)
}

/// Keys of labels and annotations: an optional DNS subdomain and a slash, then a name.
fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_name(name),
        None => is_name(text),
    }
}

pub(super) fn is_api_version(text: &str) -> bool {
    match text.split_once('/') {
        Some((group, version)) => is_subdomain(group) && VERSION.is_match(version),
        None => VERSION.is_match(text),
    }
}

/// Checks the envelope and fills in the default namespace. Every fault is told, not only the first.
pub fn check(entity: &mut Value) -> Vec<FieldFault> {
    let Value::Object(root) = entity else {
        return vec![FieldFault::at(
            &[],
            format!(
                "expected a mapping with apiVersion, kind, metadata and spec, got {}",
                type_name(entity)
            ),
        )];
    };
    let mut faults = Vec::new();
    for key in root.keys() {
        if !["apiVersion", "kind", "metadata", "spec"].contains(&key.as_str()) {
            faults.push(FieldFault::at(
                &[key],
                format!("unknown field \"{key}\"; an entity has apiVersion, kind, metadata and spec"),
            ));
        }
    }
    text_field(root, "apiVersion", &mut faults, |text| {
        (!is_api_version(text)).then(|| format!("\"{text}\" is not an API version such as backstage.io/v1alpha1"))
    });
    text_field(root, "kind", &mut faults, |text| {
        (!is_kind(text)).then(|| format!("\"{text}\" is not a kind: letters and digits, a letter first, at most 63"))
    });
    if let Some(spec) = root.get("spec")
        && !spec.is_object()
    {
        faults.push(FieldFault::at(
            &["spec"],
            format!("spec must be a mapping, not {}", type_name(spec)),
        ));
    }
    for key in ["metadata", "spec"] {
        case_twins(root.get(key), &mut vec![key.to_owned()], &mut faults);
    }
    match root.get_mut("metadata") {
        Some(Value::Object(metadata)) => check_metadata(metadata, &mut faults),
        Some(other) => faults.push(FieldFault::at(
            &["metadata"],
            format!("metadata must be a mapping, not {}", type_name(other)),
        )),
        None => faults.push(FieldFault::at(
            &["metadata"],
            "metadata is missing; it needs at least a name",
        )),
    }
    faults
}

fn check_metadata(metadata: &mut Map<String, Value>, faults: &mut Vec<FieldFault>) {
    match metadata.get("name") {
        Some(Value::String(name)) if is_name(name) => {}
        Some(Value::String(name)) => faults.push(FieldFault::at(
            &["metadata", "name"],
            format!("\"{name}\" is not a name: letters and digits, with - _ . between them, at most 63 characters"),
        )),
        Some(other) => faults.push(FieldFault::at(
            &["metadata", "name"],
            format!("metadata.name must be text, not {}", type_name(other)),
        )),
        None => faults.push(FieldFault::at(&["metadata", "name"], "metadata.name is missing")),
    }
    match metadata.get("namespace") {
        None => {
            metadata.insert("namespace".to_owned(), json!("default"));
        }
        Some(Value::String(text)) if text.len() <= 63 && NAMESPACE.is_match(text) => {}
        Some(other) => faults.push(FieldFault::at(
            &["metadata", "namespace"],
            format!(
                "{other} is not a namespace: lower-case letters and digits, with - between them, at most 63 characters"
            ),
        )),
    }
    for (key, least) in [("title", 1), ("description", 0), ("uid", 1), ("etag", 1)] {
        match metadata.get(key) {
            None => {}
            Some(Value::String(text)) if text.chars().count() >= least => {}
            Some(other) => faults.push(FieldFault::at(
                &["metadata", key],
                format!("metadata.{key} must be text that is not empty, not {other}"),
            )),
        }
    }
    // These two are given by the catalog.
    metadata.remove("uid");
    metadata.remove("etag");
    if metadata.get("annotations") == Some(&Value::Null) {
        metadata.remove("annotations");
    }
    check_pairs(metadata, "labels", faults, |value| match value.as_str() {
        Some("") => None,
        Some(text) if is_name(text) => None,
        _ => Some("a label's value is text of letters and digits with - _ . between them, at most 63 characters"),
    });
    check_pairs(metadata, "annotations", faults, |value| {
        (!value.is_string()).then_some("an annotation's value must be text; put it in quotes")
    });
    check_tags(metadata, faults);
    check_links(metadata, faults);
}

/// Filters ignore case, so keys of one mapping must not differ in it alone.
fn case_twins(value: Option<&Value>, path: &mut Vec<String>, faults: &mut Vec<FieldFault>) {
    match value {
        Some(Value::Object(map)) => {
            let mut seen: HashMap<String, &String> = HashMap::with_capacity(map.len());
            for (key, value) in map {
                path.push(key.clone());
                if let Some(other) = seen.insert(key.to_lowercase(), key) {
                    let place = path.join(".");
                    faults.push(FieldFault {
                        path: path.clone(),
                        message: format!("{place} and {other} beside it differ only in case; one of them must go"),
                    });
                }
                case_twins(Some(value), path, faults);
                path.pop();
            }
        }
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                path.push(index.to_string());
                case_twins(Some(item), path, faults);
                path.pop();
            }
        }
        _ => {}
    }
}

fn check_pairs(
    metadata: &Map<String, Value>,
    field: &str,
    faults: &mut Vec<FieldFault>,
    wrong: impl Fn(&Value) -> Option<&'static str>,
) {
    let pairs = match metadata.get(field) {
        None => return,
        Some(Value::Object(pairs)) => pairs,
        Some(other) => {
            faults.push(FieldFault::at(
                &["metadata", field],
                format!("metadata.{field} must be a mapping, not {}", type_name(other)),
            ));
            return;
        }
    };
    for (key, value) in pairs {
        if !is_key(key) {
            faults.push(FieldFault::at(
                &["metadata", field, key],
                format!("\"{key}\" is not a key: a name of at most 63 characters, with a DNS name and a slash before it if need be"),
            ));
        }
        if let Some(message) = wrong(value) {
            faults.push(FieldFault::at(&["metadata", field, key], format!("{key}: {message}")));
        }
    }
}

fn check_tags(metadata: &Map<String, Value>, faults: &mut Vec<FieldFault>) {
    let path = ["metadata", "tags"];
    match metadata.get("tags") {
        None => {}
        Some(Value::Array(tags)) => {
            for tag in tags {
                if !tag.as_str().is_some_and(|tag| tag.len() <= 63 && TAG.is_match(tag)) {
                    faults.push(FieldFault::at(
                        &path,
                        format!("{tag} is not a tag: lower-case letters, digits, : + # with - between them, at most 63 characters"),
                    ));
                }
            }
        }
        Some(other) => faults.push(FieldFault::at(
            &path,
            format!("metadata.tags must be a list, not {}", type_name(other)),
        )),
    }
}

fn check_links(metadata: &Map<String, Value>, faults: &mut Vec<FieldFault>) {
    let path = ["metadata", "links"];
    let links = match metadata.get("links") {
        None => return,
        Some(Value::Array(links)) => links,
        Some(other) => {
            faults.push(FieldFault::at(
                &path,
                format!("metadata.links must be a list, not {}", type_name(other)),
            ));
            return;
        }
    };
    for link in links {
        let address = link.get("url").and_then(Value::as_str).unwrap_or_default();
        match url::Url::parse(address) {
            Ok(_) => {}
            Err(_) => faults.push(FieldFault::at(
                &path,
                format!("a link needs a complete url (https://…), got \"{address}\""),
            )),
        }
        for (key, may_be_blank) in [("title", false), ("icon", false), ("type", true)] {
            match link.get(key) {
                None => {}
                Some(Value::String(text)) if !text.trim().is_empty() || (may_be_blank && !text.is_empty()) => {}
                Some(other) => faults.push(FieldFault::at(
                    &path,
                    format!("a link's {key} must be text that is not blank, not {other}"),
                )),
            }
        }
    }
}

fn text_field(
    root: &Map<String, Value>,
    key: &str,
    faults: &mut Vec<FieldFault>,
    wrong: impl Fn(&str) -> Option<String>,
) {
    match root.get(key) {
        Some(Value::String(text)) => {
            if let Some(message) = wrong(text) {
                faults.push(FieldFault::at(&[key], message));
            }
        }
        Some(other) => faults.push(FieldFault::at(
            &[key],
            format!("{key} must be text, not {}", type_name(other)),
        )),
        None => faults.push(FieldFault::at(&[], format!("{key} is missing"))),
    }
}

/// What a value is, in words.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing (null)",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut entity = json!({"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": "demo"}, "spec": {}});
        change(&mut entity);
        check(&mut entity)
            .into_iter()
            .map(|fault| fault.path.join("."))
            .collect()
    }

    #[test]
    fn envelopes_are_checked_field_by_field() {
        let table: Vec<(&str, Value, &[&str])> = vec![
            ("/metadata/name", json!("a b"), &["metadata.name"]),
            ("/metadata/name", json!("-a"), &["metadata.name"]),
            ("/metadata/name", json!("a".repeat(64)), &["metadata.name"]),
            ("/metadata/name", json!("A_b.c-1"), &[]),
            ("/metadata/namespace", json!("Default"), &["metadata.namespace"]),
            ("/metadata/namespace", json!("a--b"), &[]),
            ("/metadata/labels", json!({"a.b/c": "x", "y": ""}), &[]),
            ("/metadata/labels", json!({"a": "x y"}), &["metadata.labels.a"]),
            ("/metadata/annotations", json!({"a/b": "any thing"}), &[]),
            (
                "/metadata/annotations",
                json!({"a/b": 1}),
                &["metadata.annotations.a/b"],
            ),
            (
                "/metadata/annotations",
                json!({"a/b/c": "x"}),
                &["metadata.annotations.a/b/c"],
            ),
            ("/metadata/annotations", json!(null), &[]),
            ("/metadata/labels", json!(null), &["metadata.labels"]),
            ("/metadata/tags", json!(["java", "c++", "a:b"]), &[]),
            ("/metadata/tags", json!(["Java"]), &["metadata.tags"]),
            ("/metadata/links", json!([{"url": "https://a.b"}]), &[]),
            ("/metadata/links", json!([{"url": "nope"}]), &["metadata.links"]),
            (
                "/metadata/links",
                json!([{"url": "https://a.b", "title": " "}]),
                &["metadata.links"],
            ),
            ("/metadata/title", json!(""), &["metadata.title"]),
            ("/metadata/other", json!({"any": 1}), &[]),
            ("/metadata/Title", json!("x"), &[]),
            ("/metadata/Name", json!("x"), &["metadata.Name"]),
            ("/spec", json!({"a": [{"b": 1, "B": 2}]}), &["spec.a.0.B"]),
            ("/relations", json!([]), &["relations"]),
            ("/spec", json!([]), &["spec"]),
            ("/kind", json!("Comp onent"), &["kind"]),
            ("/apiVersion", json!("a_b/v1"), &["apiVersion"]),
            ("/apiVersion", json!("v1"), &[]),
        ];
        for (pointer, value, expected) in table {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let shown = format!("{pointer} = {value}");
            let got = faults(|entity| {
                entity.pointer_mut(parent).unwrap()[key] = value;
            });
            assert_eq!(got, expected, "{shown}");
        }
    }

    #[test]
    fn the_default_namespace_is_filled_in_and_foreign_ids_are_dropped() {
        let mut entity = json!({"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": "demo", "uid": "mine"}});
        assert!(check(&mut entity).is_empty());
        assert_eq!(entity["metadata"], json!({"name": "demo", "namespace": "default"}));
        assert_eq!(check(&mut json!([])).len(), 1);
    }
}
