//! What filters, sorting and counts look at: each leaf of an entity as `key` and `key=value`
//! (`buildEntitySearch` of `@backstage/plugin-catalog-backend` 4.0.0).

use serde_json::Value;

/// Keys and values longer than this are not searched for.
const LONGEST: usize = 200;

/// Keys whose values are counted while entities are written: those that pages offer for filtering.
pub const COUNTED: [&str; 5] = ["kind", "spec.type", "spec.lifecycle", "spec.owner", "metadata.tags"];

/// The searchable form of one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets {
    /// `key` and `key=value`, lower case, sorted.
    pub elements: Vec<String>,
    /// `key=value` with the key in lower case and the value as written, sorted.
    pub originals: Vec<String>,
    /// Those of `originals` with a key of [`COUNTED`].
    pub counted: Vec<String>,
    /// The same in lower case, each once.
    pub counted_lower: Vec<String>,
}

/// Flattens an entity (without relations). `uid` is its `metadata.uid`.
pub fn of(entity: &Value, uid: &str) -> Facets {
    let mut facets = Facets::default();
    if let Some(root) = entity.as_object() {
        for (key, value) in root {
            if !["relations", "status", "attachments"].contains(&key.as_str()) {
                facets.visit(&key.to_lowercase(), value);
            }
        }
    }
    facets.leaf("metadata.uid", uid);
    facets.elements.sort();
    facets.elements.dedup();
    facets.originals.sort();
    facets.originals.dedup();
    facets.counted = counted(&facets.originals);
    facets.counted_lower = counted(&facets.elements);
    facets
}

fn counted(elements: &[String]) -> Vec<String> {
    let is_counted = |element: &&String| element.split_once('=').is_some_and(|(key, _)| COUNTED.contains(&key));
    elements.iter().filter(is_counted).cloned().collect()
}

impl Facets {
    /// Values of a key in lower case, one a line; nearly always it is one.
    pub fn text(&self, key: &str) -> Option<String> {
        let start = self.elements.partition_point(|element| element.as_str() < key);
        let own = self.elements[start..]
            .iter()
            .take_while(|element| element.starts_with(key));
        let values: Vec<&str> = own
            .filter_map(|element| element[key.len()..].strip_prefix('='))
            .collect();
        (!values.is_empty()).then(|| values.join("\n"))
    }

    fn visit(&mut self, path: &str, value: &Value) {
        match value {
            Value::Null => self.key(path),
            Value::Bool(flag) => self.leaf(path, if *flag { "true" } else { "false" }),
            Value::Number(number) => self.leaf(path, &number.to_string()),
            Value::String(text) => self.leaf(path, text),
            Value::Array(items) => {
                for item in items {
                    self.visit(path, item);
                    if let Value::String(text) = item {
                        self.leaf(&format!("{path}.{}", text.to_lowercase()), "true");
                    }
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    let path = format!("{path}.{}", key.to_lowercase());
                    if path != "metadata.etag" && path != "metadata.uid" {
                        self.visit(&path, value);
                    }
                }
            }
        }
    }

    fn key(&mut self, key: &str) {
        // Postgres takes no NUL in text.
        if key.chars().count() <= LONGEST && !key.contains('\0') {
            self.elements.push(key.to_owned());
        }
    }

    fn leaf(&mut self, key: &str, value: &str) {
        self.key(key);
        if key.chars().count() <= LONGEST
            && value.chars().count() <= LONGEST
            && !key.contains('\0')
            && !value.contains('\0')
        {
            self.elements.push(format!("{key}={}", value.to_lowercase()));
            self.originals.push(format!("{key}={value}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leaves_become_elements() {
        let entity = json!({"kind": "Component", "metadata": {"name": "Demo", "tags": ["Java"], "etag": "x",
            "annotations": {"A/b.c": "V"}}, "spec": {"a": [{"b": 1}, null], "long": "x".repeat(201)}, "relations": [1]});
        let facets = of(&entity, "u");
        assert_eq!(
            facets.elements,
            [
                "kind",
                "kind=component",
                "metadata.annotations.a/b.c",
                "metadata.annotations.a/b.c=v",
                "metadata.name",
                "metadata.name=demo",
                "metadata.tags",
                "metadata.tags.java",
                "metadata.tags.java=true",
                "metadata.tags=java",
                "metadata.uid",
                "metadata.uid=u",
                "spec.a",
                "spec.a.b",
                "spec.a.b=1",
                "spec.long",
            ]
        );
        assert!(facets.originals.contains(&"metadata.tags=Java".to_owned()));
        assert_eq!(facets.counted, ["kind=Component", "metadata.tags=Java"]);
        assert_eq!(facets.counted_lower, ["kind=component", "metadata.tags=java"]);
        assert_eq!(facets.text("metadata.name").as_deref(), Some("demo"));
        assert_eq!(facets.text("metadata.nam"), None);
        assert_eq!(facets.text("metadata.title"), None);
    }
}
