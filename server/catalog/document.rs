//! What the API answers of an entity, as it is stored: text in four parts, so that relations and etag can change without
//! the rest, and reading needs no parsing. `head etag tail relations }` is the document.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use uuid::Uuid;

/// The parts that change with the entity itself only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Up to the value of `metadata.etag`.
    pub head: String,
    /// From there up to the value of `relations`.
    pub tail: String,
}

impl Parts {
    /// Of a document without relations. `metadata` gets uid and etag at its end.
    pub fn of(body: &Value, uid: Uuid) -> Self {
        let mut head = String::from("{");
        let mut tail = String::from("\"}");
        let mut before = true;
        for (key, value) in body.as_object().into_iter().flatten() {
            let name = Value::from(key.as_str());
            if key == "metadata" {
                head.push_str(&format!("{name}:{{"));
                for (key, value) in value.as_object().into_iter().flatten() {
                    if key != "uid" && key != "etag" {
                        head.push_str(&format!("{}:{value},", Value::from(key.as_str())));
                    }
                }
                head.push_str(&format!("\"uid\":\"{uid}\",\"etag\":\""));
                before = false;
            } else if before {
                head.push_str(&format!("{name}:{value},"));
            } else if key != "relations" {
                tail.push_str(&format!(",{name}:{value}"));
            }
        }
        tail.push_str(",\"relations\":");
        Self { head, tail }
    }
}

/// Relations `(type, target)`, sorted and each once, as the document has them.
pub fn relations<'a>(sorted: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let list = sorted
        .into_iter()
        .map(|(kind, target)| json!({"type": kind, "targetRef": target}));
    Value::Array(list.collect()).to_string()
}

/// Changes whenever the document does.
pub fn etag(digest: &str, relations: &str) -> String {
    let mut etag = Sha1::new();
    etag.update(digest.as_bytes());
    etag.update(relations.as_bytes());
    hex::encode(etag.finalize())
}

/// The document as it was before it was stored: without relations, uid and etag.
pub fn bare(mut document: Value) -> Value {
    if let Some(root) = document.as_object_mut() {
        root.shift_remove("relations");
    }
    if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("uid");
        metadata.shift_remove("etag");
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_make_the_document() {
        let bodies = [
            json!({"apiVersion": "a/b", "kind": "Component", "metadata": {"name": "x\"y", "tags": ["ü"]}, "spec": {"a": [1]}}),
            json!({"metadata": {}, "kind": "Component"}),
            json!({"kind": "A", "spec": {}, "metadata": {"name": "n"}, "status": {"items": []}}),
        ];
        let uid = Uuid::from_u128(7);
        for body in bodies {
            let parts = Parts::of(&body, uid);
            let relations = relations([("ownedBy", "group:default/\u{1}g"), ("partOf", "system:default/s")]);
            let etag = etag("digest", &relations);
            let text = format!("{}{etag}{}{relations}}}", parts.head, parts.tail);
            let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(document["metadata"]["uid"], json!(uid.to_string()));
            assert_eq!(document["metadata"]["etag"], json!(etag));
            assert_eq!(document["relations"][0]["targetRef"], json!("group:default/\u{1}g"));
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            let (stored, bare) = (body, bare(document));
            assert_eq!(bare, stored);
            assert_eq!(keys(&bare), keys(&stored), "the order of keys counts");
        }
    }
}
