//! JSON pointers and the references that hold them.

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::web::encode_uri_component;

/// References that a pointer leads through, at most.
const MAX_STEPS: usize = 100;

/// The text of a `$ref` that counts as one: a path to somewhere, but no named anchor.
pub fn reference(value: &Value) -> Option<&str> {
    let text = value.get("$ref")?.as_str()?;
    (!text.is_empty() && (!text.starts_with('#') || text == "#" || text.starts_with("#/"))).then_some(text)
}

/// File and pointer of a reference.
pub fn split(reference: &str) -> (&str, &str) {
    reference.split_once('#').unwrap_or((reference, ""))
}

/// Keys of a pointer, without its `#`.
pub fn keys_of(pointer: &str) -> Vec<String> {
    let key = |part: &str| {
        let part = part.replace("~1", "/").replace("~0", "~");
        let decoded = percent_decode_str(&part).decode_utf8().map(|text| text.into_owned());
        decoded.unwrap_or(part)
    };
    pointer.split('/').skip(1).map(key).collect()
}

/// The pointer, with `#` in front.
pub fn pointer_of(keys: &[String]) -> String {
    keys.iter().fold("#".to_owned(), |mut pointer, key| {
        let key = key.replace('~', "~0").replace('/', "~1");
        pointer.push('/');
        pointer.extend(encode_uri_component(&key));
        pointer
    })
}

/// Pointers that lead through other references, which readers of pointers do not follow, lead past them.
pub fn shorten(value: &mut Value, whole: &Value) {
    if let Some(to) = reference(value).and_then(|to| direct(to, whole)) {
        value["$ref"] = Value::String(to);
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| shorten(value, whole)),
        Value::Array(items) => items.iter_mut().for_each(|value| shorten(value, whole)),
        _ => {}
    }
}

/// Where a pointer leads if it follows the references on its way; `None` where there are none, or too many.
fn direct(pointer: &str, whole: &Value) -> Option<String> {
    let mut keys = keys_of(pointer.strip_prefix('#')?);
    let mut changed = false;
    for _ in 0..MAX_STEPS {
        let mut value = whole;
        let mut through = None;
        for (index, key) in keys.iter().enumerate() {
            if let Some(to) = reference(value).and_then(|to| to.strip_prefix('#'))
                && value.get(key).is_none()
            {
                through = Some([keys_of(to), keys[index..].to_vec()].concat());
                break;
            }
            value = match value {
                Value::Object(map) => map.get(key)?,
                Value::Array(items) => items.get(key.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        match through {
            Some(further) => (keys, changed) = (further, true),
            None => return changed.then(|| pointer_of(&keys)),
        }
    }
    None
}
