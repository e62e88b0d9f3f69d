//! Whether an answer is as an OpenAPI document describes it.

use serde_json::{Value, json};

use super::http::Answer;

/// An OpenAPI document; paths with or without `/api/catalog` in front.
pub struct Described(Value);

impl Described {
    pub fn new(document: Value) -> Self {
        Self(document)
    }

    /// Checks status and body of the answer to a request.
    pub fn check(&self, method: &str, url: &str, answer: &Answer) -> Result<(), String> {
        let path = url.split('?').next().unwrap_or_default();
        let short = path.strip_prefix("/api/catalog").unwrap_or(path);
        let Some(operation) = self.operation(method, path).or_else(|| self.operation(method, short)) else {
            return match answer.status.as_u16() {
                404 | 405 => Ok(()),
                status => Err(format!("there is no such operation, and the answer is {status}")),
            };
        };
        let responses = &operation["responses"];
        let response = responses.get(answer.status.as_str()).or_else(|| {
            let is_failure = answer.status.is_client_error() || answer.status.is_server_error();
            responses.get("default").filter(|_| is_failure)
        });
        let mut response = response.ok_or_else(|| format!("{} is not described", answer.status))?;
        if let Some(pointer) = response["$ref"].as_str() {
            response = self
                .0
                .pointer(pointer.trim_start_matches('#'))
                .ok_or("a reference leads nowhere")?;
        }
        let schema = &response["content"]["application/json"]["schema"];
        if schema.is_null() {
            return match answer.text.as_str() {
                "" => Ok(()),
                text => Err(format!("no body is described, there is {text}")),
            };
        }
        let body: Value = serde_json::from_str(&answer.text).map_err(|error| format!("no JSON: {error}"))?;
        let mut whole = schema.clone();
        whole["components"] = self.0["components"].clone();
        if url.contains("fields=") {
            // What is left of an entity has no form.
            for name in ["Entity", "NullableEntity"] {
                whole["components"]["schemas"][name] = json!({"type": ["object", "null"]});
            }
        }
        let validator = jsonschema::validator_for(&whole).map_err(|error| format!("the schema is none: {error}"))?;
        let wrong: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(wrong.join("; ")),
        }
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let fits = |template: &str| {
            let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            template.len() == path.len()
                && std::iter::zip(&template, &path).all(|(wanted, found)| wanted == found || wanted.starts_with('{'))
        };
        let method = method.to_lowercase();
        let paths = self.0["paths"].as_object()?.iter();
        let fitting = paths.filter(|(template, methods)| fits(template) && methods.get(&method).is_some());
        let nearest = fitting.min_by_key(|(template, _)| template.matches('{').count());
        nearest.map(|(_, methods)| &methods[&method])
    }
}
