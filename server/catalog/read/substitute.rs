//! `$text`, `$yaml`, `$json`, `$openapi`, `$asyncapi`: the content of a file beside the description, put in its place.

use serde_json::Value;

use super::super::yaml;
use super::bundle;
use super::source::Reading;

/// How the content is put in.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Yaml,
    Json,
    /// With all that it refers to, as text.
    Bundle,
}

impl Form {
    fn of(key: &str) -> Option<Self> {
        match key {
            "$text" => Some(Self::Text),
            "$openapi" | "$asyncapi" => Some(Self::Bundle),
            "$yaml" => Some(Self::Yaml),
            "$json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// A substitution: where it stands, as what it is read, what it names.
struct Found {
    path: Vec<String>,
    key: String,
    form: Form,
    target: Value,
}

/// Path of the field, message, whether it may pass by itself.
pub type Fault = (Vec<String>, String, bool);

/// Replaces every substitution of a document that stands in the file `kind:file`.
pub async fn apply(reading: &mut Reading<'_>, kind: &str, file: &str, document: &mut Value) -> Result<(), Fault> {
    let mut found = Vec::new();
    collect(document, &mut Vec::new(), &mut found);
    for Found {
        path,
        key,
        form,
        target,
    } in found
    {
        let Value::String(target) = target else {
            return Err((path, format!("{key} must be a relative path or an address"), false));
        };
        let text = reading.beside(kind, file, &target).await.map_err(|failure| {
            (
                path.clone(),
                format!("{key}: {}", failure.message()),
                failure.is_temporary(),
            )
        })?;
        let value = match form {
            Form::Text => Value::String(text),
            Form::Bundle => {
                let told = |(message, temporary)| (path.clone(), format!("{key}: {message}"), temporary);
                let name = reading
                    .resolve(kind, file, kind, &target)
                    .map_err(|message| told((message, false)))?;
                Value::String(bundle::bundle(reading, kind, &name, &text).await.map_err(told)?)
            }
            Form::Json => serde_json::from_str(&text)
                .map_err(|error| (path.clone(), format!("{key}: {target} is not JSON: {error}"), false))?,
            Form::Yaml => {
                one_document(&text, &target).map_err(|message| (path.clone(), format!("{key}: {message}"), false))?
            }
        };
        if let Some(place) = place(document, &path) {
            *place = value;
        }
    }
    Ok(())
}

fn one_document(text: &str, target: &str) -> Result<Value, String> {
    let mut documents = yaml::documents(text);
    match documents.len() {
        1 => documents
            .remove(0)
            .value
            .map_err(|fault| format!("{target}, line {}: {}", fault.line.unwrap_or(1), fault.message)),
        many => Err(format!("{target} holds {many} documents; exactly one is needed")),
    }
}

fn collect(value: &Value, path: &mut Vec<String>, found: &mut Vec<Found>) {
    match value {
        Value::Object(map) => {
            if map.len() == 1
                && let Some((key, target)) = map.iter().next()
                && let Some(form) = Form::of(key)
            {
                found.push(Found {
                    path: path.clone(),
                    key: key.clone(),
                    form,
                    target: target.clone(),
                });
                return;
            }
            for (key, value) in map {
                path.push(key.clone());
                collect(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                path.push(index.to_string());
                collect(value, path, found);
                path.pop();
            }
        }
        _ => {}
    }
}

fn place<'a>(document: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(document, |value, key| match value {
        Value::Object(map) => map.get_mut(key),
        Value::Array(items) => items.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}
