//! OpenAPI 2.0 (Swagger), 3.0 and 3.1.

use serde_json::Value;

use super::outline::{Field, Item, Outline, Part, Section};
use super::schema::{Schemas, followed, name_of};
use crate::language::{Text, text};

/// In the order in which they are shown.
const METHODS: [&str; 9] = [
    "get", "post", "put", "patch", "delete", "head", "options", "trace", "query",
];
/// Letters of an example.
const LONGEST_EXAMPLE: usize = 10_000;

/// Reads a document; `None` where it is none of OpenAPI.
pub fn read(document: &Value) -> Option<Outline> {
    let (name, version) = match (&document["openapi"], &document["swagger"]) {
        (Value::Null, Value::Null) => return None,
        (Value::Null, version) => ("Swagger", version),
        (version, _) => ("OpenAPI", version),
    };
    let version = text_of(version);
    let info = &document["info"];
    let schemas = Schemas::new(document);
    let mut sections = operations(&schemas);
    sections.push(schemas_section(&schemas));
    Some(Outline {
        title: text_of(&info["title"]),
        version: text_of(&info["version"]),
        language: format!("{name} {version}"),
        description: text_of(&info["description"]),
        servers: servers(document),
        sections,
        cut: false,
    })
}

/// A text, or a number as authors write versions.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

fn servers(document: &Value) -> Vec<(String, String)> {
    if let Some(host) = document["host"].as_str() {
        let scheme = document["schemes"][0].as_str().unwrap_or("https");
        let base = document["basePath"].as_str().unwrap_or_default();
        return vec![(format!("{scheme}://{host}{base}"), String::new())];
    }
    let servers = document["servers"].as_array().into_iter().flatten();
    servers
        .take(20)
        .map(|server| (text_of(&server["url"]), text_of(&server["description"])))
        .collect()
}

/// By their first tag, in the order of the tags, then of the paths.
fn operations(schemas: &Schemas<'_>) -> Vec<Section> {
    let document = schemas.document;
    let tags = document["tags"].as_array().into_iter().flatten();
    let mut sections: Vec<(String, Section)> = tags
        .map(|tag| {
            let name = text_of(&tag["name"]);
            let section = Section {
                description: text_of(&tag["description"]),
                ..Section::new(name.clone().into(), Vec::new())
            };
            (name, section)
        })
        .collect();
    let mut untagged = Vec::new();
    for (kind, paths) in [("", "paths"), ("webhook", "webhooks")] {
        for (path, operations) in document[paths].as_object().into_iter().flatten() {
            let operations = followed(document, operations);
            for method in METHODS {
                let operation = &operations[method];
                if !operation.is_object() {
                    continue;
                }
                let item = operation_item(schemas, kind, path, method, operation, &operations["parameters"]);
                let tag = operation["tags"][0].as_str();
                let Some(tag) = tag else {
                    untagged.push(item);
                    continue;
                };
                match sections.iter_mut().find(|(known, _)| known == tag) {
                    Some((_, section)) => section.items.push(item),
                    None => sections.push((tag.to_owned(), Section::new(tag.to_owned().into(), vec![item]))),
                }
            }
        }
    }
    let mut sections: Vec<Section> = sections.into_iter().map(|(_, section)| section).collect();
    sections.push(Section::new(text!("Operations"), untagged));
    sections
}

fn operation_item<'d>(
    schemas: &Schemas<'d>,
    kind: &str,
    path: &str,
    method: &str,
    operation: &'d Value,
    shared: &'d Value,
) -> Item {
    let document = schemas.document;
    let mut parts = Vec::new();
    let description = text_of(&operation["description"]);
    if !description.is_empty() {
        parts.push(Part::Text(description));
    }
    // Those of an operation are before those of all operations of the path.
    let own = operation["parameters"].as_array().into_iter().flatten();
    let mut parameters: Vec<&Value> = own.map(|parameter| followed(document, parameter)).collect();
    for parameter in shared.as_array().into_iter().flatten() {
        let parameter = followed(document, parameter);
        let same = |known: &&Value| known["name"] == parameter["name"] && known["in"] == parameter["in"];
        if !parameters.iter().any(same) {
            parameters.push(parameter);
        }
    }
    let (bodies, parameters): (Vec<&Value>, Vec<&Value>) =
        parameters.into_iter().partition(|parameter| parameter["in"] == "body");
    if !parameters.is_empty() {
        parts.push(Part::Fields {
            title: text!("Parameters"),
            note: String::new(),
            fields: parameters
                .iter()
                .map(|parameter| parameter_field(schemas, parameter))
                .collect(),
        });
    }
    for body in bodies {
        content(
            schemas,
            text!("Request body"),
            &media(document, operation, "consumes"),
            &body["schema"],
            &mut parts,
        );
    }
    let body = followed(document, &operation["requestBody"]);
    contents(schemas, text!("Request body"), body, &mut parts);
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let response = followed(document, response);
        let title = text!("Response {status}", status = status);
        let before = parts.len();
        contents(schemas, title.clone(), response, &mut parts);
        if let Some(schema) = response.get("schema") {
            content(
                schemas,
                title.clone(),
                &media(document, operation, "produces"),
                schema,
                &mut parts,
            );
        }
        let words = text_of(&response["description"]);
        match parts.get_mut(before) {
            Some(Part::Fields { note, .. }) if !words.is_empty() => *note = format!("{words} · {note}"),
            Some(_) => {}
            None => parts.push(Part::Fields {
                title,
                note: words,
                fields: Vec::new(),
            }),
        }
    }
    let security = security(operation.get("security").unwrap_or(&document["security"]));
    if let Some(security) = security {
        parts.push(security);
    }
    let id = operation["operationId"].as_str();
    Item {
        id: id.map_or_else(|| format!("{kind}{method} {path}"), str::to_owned),
        badge: match kind {
            "" => method.to_uppercase(),
            _ => format!("{kind} {}", method.to_uppercase()),
        },
        name: path.to_owned(),
        summary: text_of(&operation["summary"]),
        deprecated: operation["deprecated"] == Value::Bool(true),
        parts,
    }
}

fn parameter_field(schemas: &Schemas<'_>, parameter: &Value) -> Field {
    let name = text_of(&parameter["name"]);
    // Until 2.0 a parameter was its own schema.
    let schema = parameter.get("schema").unwrap_or(parameter);
    let mut field = schemas.field(0, &name, schema);
    let place = text_of(&parameter["in"]);
    field.facts.insert(0, format!("in: {place}"));
    field.required = parameter["required"] == Value::Bool(true);
    field.deprecated |= parameter["deprecated"] == Value::Bool(true);
    let description = text_of(&parameter["description"]);
    if !description.is_empty() {
        field.description = description;
    }
    field
}

/// Media types of 2.0.
fn media(document: &Value, operation: &Value, key: &str) -> String {
    let list = operation.get(key).unwrap_or(&document[key]);
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// A body of each media type, since 3.0.
fn contents<'d>(schemas: &Schemas<'d>, title: Text, body: &'d Value, parts: &mut Vec<Part>) {
    for (media, content_of) in body["content"].as_object().into_iter().flatten() {
        let required = body["required"] == Value::Bool(true);
        let note = if required {
            format!("{media}, required")
        } else {
            media.clone()
        };
        content(schemas, title.clone(), &note, &content_of["schema"], parts);
        let examples = content_of["examples"].as_object().into_iter().flatten();
        let named = examples.map(|(_, example)| &followed(schemas.document, example)["value"]);
        if let Some(example) = content_of
            .get("example")
            .into_iter()
            .chain(named)
            .find(|value| !value.is_null())
        {
            let text = match example {
                Value::String(text) => text.clone(),
                other => serde_json::to_string_pretty(other).unwrap_or_default(),
            };
            parts.push(Part::Code {
                title: text!("Example"),
                language: if media.contains("json") { "json" } else { "" },
                text: super::outline::shortened(&text, LONGEST_EXAMPLE),
            });
        }
    }
}

fn content<'d>(schemas: &Schemas<'d>, title: Text, note: &str, schema: &'d Value, parts: &mut Vec<Part>) {
    let reference = schema["$ref"].as_str().map(name_of);
    let note = [note, reference.unwrap_or_default()]
        .iter()
        .filter(|text| !text.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(" · ");
    parts.push(Part::Fields {
        title,
        note,
        fields: if schema.is_null() {
            Vec::new()
        } else {
            schemas.fields(schema)
        },
    });
}

fn security(security: &Value) -> Option<Part> {
    let alternatives: Vec<String> = security
        .as_array()?
        .iter()
        .filter_map(Value::as_object)
        .map(|all| {
            let one = |(name, scopes): (&String, &Value)| {
                let scopes: Vec<&str> = scopes
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                match scopes.is_empty() {
                    true => name.clone(),
                    false => format!("{name} ({})", scopes.join(", ")),
                }
            };
            match all.is_empty() {
                true => "none".to_owned(),
                false => all.iter().map(one).collect::<Vec<_>>().join(" and "),
            }
        })
        .collect();
    (!alternatives.is_empty()).then(|| Part::Fields {
        title: text!("Security"),
        note: alternatives.join(", or "),
        fields: Vec::new(),
    })
}

fn schemas_section(schemas: &Schemas<'_>) -> Section {
    let document = schemas.document;
    let (new, old) = (&document["components"]["schemas"], &document["definitions"]);
    let all = [new, old].into_iter().filter_map(Value::as_object).flatten();
    Section::new(
        text!("Schemas"),
        all.map(|(name, schema)| schema_item(schemas, name, schema)).collect(),
    )
}

/// An item for a schema with a name.
pub fn schema_item<'d>(schemas: &Schemas<'d>, name: &str, schema: &'d Value) -> Item {
    let mut parts = Vec::new();
    let description = text_of(&schema["description"]);
    if !description.is_empty() {
        parts.push(Part::Text(description));
    }
    parts.push(Part::fields(schemas.fields(schema)));
    Item {
        id: format!("schema-{name}"),
        badge: "schema".to_owned(),
        name: name.to_owned(),
        summary: text_of(&schema["title"]),
        deprecated: schema["deprecated"] == Value::Bool(true),
        parts,
    }
}
