//! AsyncAPI 2 and 3.

use serde_json::Value;

use super::openapi::{schema_item, text_of};
use super::outline::{Item, Outline, Part, Section};
use super::schema::{Schemas, followed, name_of};
use crate::language::text;

/// Reads a document; `None` where it is none of AsyncAPI.
pub fn read(document: &Value) -> Option<Outline> {
    let version = text_of(document.get("asyncapi")?);
    let info = &document["info"];
    let schemas = Schemas::new(document);
    let operations = match document["operations"].as_object() {
        Some(operations) => operations
            .iter()
            .map(|(name, operation)| since_3(&schemas, name, operation))
            .collect(),
        None => until_2(&schemas),
    };
    let components = &document["components"];
    let named = |key: &str| components[key].as_object().into_iter().flatten();
    let messages = named("messages").map(|(name, message)| Item {
        id: format!("message-{name}"),
        badge: "message".to_owned(),
        name: name.clone(),
        summary: text_of(&message["summary"]),
        deprecated: false,
        parts: message_parts(&schemas, message),
    });
    Some(Outline {
        title: text_of(&info["title"]),
        version: text_of(&info["version"]),
        language: format!("AsyncAPI {version}"),
        description: text_of(&info["description"]),
        servers: servers(&document["servers"]),
        sections: vec![
            Section::new(text!("Operations"), operations),
            Section::new(text!("Messages"), messages.collect()),
            Section::new(
                text!("Schemas"),
                named("schemas")
                    .map(|(name, schema)| schema_item(&schemas, name, schema))
                    .collect(),
            ),
        ],
        cut: false,
    })
}

fn servers(servers: &Value) -> Vec<(String, String)> {
    let servers = servers.as_object().into_iter().flatten();
    servers
        .take(20)
        .map(|(name, server)| {
            let host = match server["url"].as_str() {
                Some(url) => url.to_owned(),
                None => format!("{}{}", text_of(&server["host"]), text_of(&server["pathname"])),
            };
            let words = [
                name.as_str(),
                server["protocol"].as_str().unwrap_or_default(),
                server["description"].as_str().unwrap_or_default(),
            ];
            (
                host,
                words
                    .into_iter()
                    .filter(|word| !word.is_empty())
                    .collect::<Vec<_>>()
                    .join(" · "),
            )
        })
        .collect()
}

/// Version 2 names operations by channel, from the side of who talks to the application.
fn until_2(schemas: &Schemas<'_>) -> Vec<Item> {
    let channels = schemas.document["channels"].as_object().into_iter().flatten();
    let mut items = Vec::new();
    for (name, channel) in channels {
        let channel = followed(schemas.document, channel);
        for action in ["publish", "subscribe"] {
            let operation = &channel[action];
            if operation.is_object() {
                let mut parts = texts(&[&channel["description"], &operation["description"]]);
                let message = &operation["message"];
                let several = message["oneOf"].as_array();
                match several {
                    Some(messages) => messages
                        .iter()
                        .for_each(|message| parts.extend(message_parts(schemas, message))),
                    None => parts.extend(message_parts(schemas, message)),
                }
                let id = operation["operationId"].as_str();
                items.push(Item {
                    id: id.map_or_else(|| format!("{action} {name}"), str::to_owned),
                    badge: action.to_owned(),
                    name: name.clone(),
                    summary: text_of(&operation["summary"]),
                    deprecated: false,
                    parts,
                });
            }
        }
    }
    items
}

fn since_3<'d>(schemas: &Schemas<'d>, name: &str, operation: &'d Value) -> Item {
    let document = schemas.document;
    let operation = followed(document, operation);
    let channel = followed(document, &operation["channel"]);
    let mut parts = texts(&[&operation["description"], &channel["description"]]);
    let own = operation["messages"]
        .as_array()
        .map(|messages| messages.iter().collect::<Vec<_>>());
    let messages = own.unwrap_or_else(|| {
        channel["messages"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(_, message)| message)
            .collect()
    });
    for message in messages {
        parts.extend(message_parts(schemas, message));
    }
    let address = channel["address"].as_str().map_or_else(
        || name_of(operation["channel"]["$ref"].as_str().unwrap_or(name)).to_owned(),
        str::to_owned,
    );
    Item {
        id: name.to_owned(),
        badge: text_of(&operation["action"]),
        name: address,
        summary: match text_of(&operation["summary"]) {
            summary if summary.is_empty() => name.to_owned(),
            summary => summary,
        },
        deprecated: false,
        parts,
    }
}

fn texts(texts: &[&Value]) -> Vec<Part> {
    let texts = texts.iter().filter_map(|text| text.as_str());
    texts
        .filter(|text| !text.is_empty())
        .map(|text| Part::Text(text.to_owned()))
        .collect()
}

fn message_parts<'d>(schemas: &Schemas<'d>, message: &'d Value) -> Vec<Part> {
    let reference = message["$ref"].as_str().map(name_of).unwrap_or_default();
    let message = followed(schemas.document, message);
    if !message.is_object() {
        return Vec::new();
    }
    let name = [&message["name"], &message["title"]]
        .into_iter()
        .find_map(|name| name.as_str())
        .unwrap_or(reference);
    let mut parts = texts(&[&message["description"]]);
    for (key, title) in [("headers", text!("Headers")), ("payload", text!("Message"))] {
        let Some(schema) = message.get(key) else { continue };
        // A schema of another language stands inside.
        let schema = schema.get("schema").unwrap_or(schema);
        let note = [name, message["contentType"].as_str().unwrap_or_default()];
        parts.push(Part::Fields {
            title,
            note: note
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" · "),
            fields: schemas.fields(schema),
        });
    }
    parts
}
