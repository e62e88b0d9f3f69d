//! `/catalog/api`: the API's OpenAPI document, to read.

use askama::Template;
use axum::response::Response;
use serde_json::Value;

use crate::catalog::api;
use crate::language::filters;
use crate::web::{Error, Shell, SignedIn, page};

#[derive(Template)]
#[template(path = "catalog/reference.html")]
struct ReferencePage {
    shell: Shell,
    description: String,
    operations: Vec<Shown>,
    schemas: Vec<(String, String)>,
}

struct Shown {
    method: String,
    path: String,
    summary: String,
    parameters: Vec<(String, String)>,
    takes: Option<String>,
    /// Status, and what is in the body.
    answers: (String, Option<String>),
}

pub async fn show(SignedIn(_): SignedIn, shell: Shell) -> Result<Response, Error> {
    let document = api::document();
    let operations = entries(&document["paths"])
        .flat_map(|(path, methods)| entries(methods).map(move |(method, operation)| shown(method, path, operation)))
        .collect();
    let schemas = entries(&document["components"]["schemas"])
        .map(|(name, schema)| (name.clone(), serde_json::to_string_pretty(schema).unwrap_or_default()))
        .collect();
    page(
        shell.locale,
        &ReferencePage {
            shell,
            description: text(&document["info"]["description"]),
            operations,
            schemas,
        },
    )
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn shown(method: &str, path: &str, operation: &Value) -> Shown {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let success = entries(&operation["responses"]).find(|(status, _)| *status != "default");
    Shown {
        method: method.to_uppercase(),
        path: path.to_owned(),
        summary: text(&operation["summary"]),
        parameters: parameters
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| (text(&parameter["name"]), text(&parameter["description"])))
            .collect(),
        takes: schema_name(&operation["requestBody"]),
        answers: success.map_or_else(Default::default, |(status, answer)| {
            (status.clone(), schema_name(answer))
        }),
    }
}

/// Name of the schema of a body: `Entity`, `list of Entity`.
fn schema_name(body: &Value) -> Option<String> {
    let schema = body.pointer("/content/application~1json/schema")?;
    let name = |schema: &Value| Some(schema["$ref"].as_str()?.rsplit('/').next()?.to_owned());
    match name(schema) {
        Some(name) => Some(name),
        None => Some(format!("list of {}", name(&schema["items"])?)),
    }
}
