//! `fields`: what is left of an entity when only some paths are asked for.

use serde_json::{Map, Value};

use crate::web::Error;

/// Paths to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Vec<Vec<String>>);

impl Fields {
    /// Reads comma lists of dotted paths; `None` where they name nothing, which leaves entities whole.
    pub fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>, Error> {
        let mut fields = Vec::new();
        for list in lists {
            for field in list.split(',').map(str::trim).filter(|field| !field.is_empty()) {
                if field.contains('[') {
                    let text = format!("Invalid field \"{field}\", array type fields are not supported");
                    return Err(Error::invalid("fields", text));
                }
                fields.push(field.split('.').map(str::to_owned).collect());
            }
        }
        Ok((!fields.is_empty()).then_some(Self(fields)))
    }

    /// The entity with only the fields asked for. Keys that hold dots themselves (annotations) are found.
    pub fn pick(&self, entity: &Value) -> Value {
        let mut picked = Value::Object(Map::new());
        for path in &self.0 {
            if let Some((keys, value)) = find(entity, path) {
                insert(&mut picked, entity, &keys, value);
            }
        }
        picked
    }
}

/// The keys that lead to a value, and the value.
fn find<'a>(entity: &'a Value, path: &[String]) -> Option<(Vec<String>, &'a Value)> {
    let mut keys = Vec::new();
    let mut value = entity;
    // The shortest key that is there counts; what is not there is the beginning of a key with dots.
    let mut key = String::new();
    for part in path {
        key.push_str(part);
        let below = match value {
            Value::Object(map) => map.get(&key),
            Value::Array(items) => key.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        match below {
            Some(below) => {
                value = below;
                keys.push(std::mem::take(&mut key));
            }
            None => key.push('.'),
        }
    }
    key.is_empty().then_some((keys, value))
}

/// Writes a value at the place that it has in the entity.
fn insert(into: &mut Value, entity: &Value, keys: &[String], value: &Value) {
    let Some((key, rest)) = keys.split_first() else {
        *into = value.clone();
        return;
    };
    let (place, below) = match entity {
        Value::Array(items) => {
            let index: usize = key.parse().unwrap_or_default();
            if !into.is_array() {
                *into = Value::Array(Vec::new());
            }
            let Value::Array(picked) = into else { return };
            if picked.len() <= index {
                picked.resize(index + 1, Value::Null);
            }
            (&mut picked[index], &items[index])
        }
        _ => {
            if !into.is_object() {
                *into = Value::Object(Map::new());
            }
            let Value::Object(picked) = into else { return };
            (picked.entry(key.clone()).or_insert(Value::Null), &entity[key.as_str()])
        }
    };
    insert(place, below, rest, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_asked_for_is_left() {
        let entity = json!({"kind": "A", "metadata": {"name": "n", "annotations": {"a.b/c": "x", "d": "y"}}, "spec": {"t": [1]}});
        let pick = |list: &str| Fields::parse([list]).unwrap().unwrap().pick(&entity);
        assert_eq!(
            pick("kind,metadata.name"),
            json!({"kind": "A", "metadata": {"name": "n"}})
        );
        assert_eq!(
            pick("metadata.annotations.a.b/c"),
            json!({"metadata": {"annotations": {"a.b/c": "x"}}})
        );
        assert_eq!(pick("spec"), json!({"spec": {"t": [1]}}));
        assert_eq!(pick("gone.x,spec.gone,metadata.annotations.a.b"), json!({}));
        assert_eq!(pick("spec.t.0"), json!({"spec": {"t": [1]}}));
        assert!(Fields::parse(["a[0]"]).is_err());
        assert!(Fields::parse([" , "]).unwrap().is_none());
        assert!(Fields::parse([]).unwrap().is_none());
    }
}
