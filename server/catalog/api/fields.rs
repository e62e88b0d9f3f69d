//! `fields`: what is left of an entity when only some paths are asked for.

use serde_json::{Map, Value};

use crate::web::Error;

/// Paths to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields(Vec<Vec<String>>);

impl Fields {
    /// Reads comma lists of dotted paths; `None` where there is none.
    pub fn parse<'a>(lists: impl IntoIterator<Item = &'a str>) -> Result<Option<Self>, Error> {
        let mut fields = Vec::new();
        let mut given = false;
        for list in lists {
            given = true;
            for field in list.split(',').map(str::trim).filter(|field| !field.is_empty()) {
                if field.contains('[') {
                    return Err(Error::invalid(
                        "fields",
                        "Invalid field, array type fields are not supported",
                    ));
                }
                fields.push(field.split('.').map(str::to_owned).collect());
            }
        }
        if given && fields.is_empty() {
            return Err(Error::invalid(
                "fields",
                "fields names no field; leave it out for all of them",
            ));
        }
        Ok(given.then_some(Self(fields)))
    }

    /// The entity with only the fields asked for. Keys that hold dots themselves (annotations) are found.
    pub fn pick(&self, entity: &Value) -> Value {
        let mut picked = Value::Object(Map::new());
        for path in &self.0 {
            copy(entity, path, &mut picked);
        }
        picked
    }
}

fn copy(from: &Value, path: &[String], to: &mut Value) {
    let (Value::Object(from), Value::Object(to)) = (from, to) else {
        return;
    };
    // The longest key first: `annotations.a.b/c` is more likely one key than three.
    for taken in (1..=path.len()).rev() {
        let key = path[..taken].join(".");
        let Some(value) = from.get(&key) else { continue };
        let rest = &path[taken..];
        if rest.is_empty() {
            to.insert(key, value.clone());
        } else if value.is_object() {
            copy(value, rest, to.entry(key).or_insert_with(|| Value::Object(Map::new())));
        }
        return;
    }
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
        assert_eq!(pick("gone.x"), json!({}));
        assert!(Fields::parse(["a[0]"]).is_err());
        assert!(Fields::parse([""]).is_err());
        assert!(Fields::parse([]).unwrap().is_none());
    }
}
