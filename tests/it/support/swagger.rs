//! A description of an API in the form Swagger 2.0, and whether an exchange is as it says.

use serde_json::{Map, Value, json};

use super::Exchange;

/// A whole document.
pub struct Swagger {
    document: Value,
}

impl Swagger {
    pub fn new(document: Value) -> Self {
        Self { document }
    }

    /// The operation that a request calls, for example `GET /repos/{owner}/{repo}`, or what differs.
    pub fn check(&self, exchange: &Exchange) -> Result<String, String> {
        let base = self.document["basePath"].as_str().unwrap_or_default();
        let below = exchange.path.strip_prefix(base).ok_or("it is outside of the API")?;
        let paths = self.document["paths"].as_object().ok_or("the document has no paths")?;
        let method = exchange.method.as_str().to_lowercase();
        let fitting = paths
            .iter()
            .filter(|(template, methods)| methods.get(&method).is_some() && fits(template, below));
        // The more of it is literal, the better it fits.
        let (template, methods) = fitting
            .min_by_key(|(template, _)| template.matches('{').count())
            .ok_or("there is no such path with this method")?;
        let operation = &methods[&method];
        self.check_query(operation, &exchange.query)?;
        self.check_body(operation, &exchange.body)?;
        self.check_answer(operation, exchange)?;
        Ok(format!("{} {template}", exchange.method))
    }

    fn check_query(&self, operation: &Value, query: &str) -> Result<(), String> {
        let known = parameters(operation, "query");
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let parameter = known
                .iter()
                .find(|parameter| parameter["name"] == *name)
                .ok_or_else(|| format!("it knows no parameter {name}"))?;
            let fits = match parameter["type"].as_str() {
                Some("integer") => value.parse::<i64>().is_ok(),
                Some("boolean") => matches!(&*value, "true" | "false"),
                _ => true,
            };
            if !fits {
                return Err(format!("parameter {name} is no {}: {value}", parameter["type"]));
            }
        }
        Ok(())
    }

    fn check_body(&self, operation: &Value, body: &[u8]) -> Result<(), String> {
        let wanted = parameters(operation, "body")
            .first()
            .map(|parameter| &parameter["schema"]);
        match (wanted, body.is_empty()) {
            (None, true) => Ok(()),
            (None, false) => Err("it takes no body".to_owned()),
            (Some(schema), false) => self.check_value("body", schema, Keys::Described, body),
            (Some(_), true) => Err("there is no body".to_owned()),
        }
    }

    fn check_answer(&self, operation: &Value, exchange: &Exchange) -> Result<(), String> {
        let status = exchange.status.as_str();
        let mut described = operation["responses"]
            .get(status)
            .ok_or_else(|| format!("an answer {status} is not described"))?;
        if let Some(reference) = described["$ref"].as_str() {
            described = self.pointed_to(reference)?;
        }
        match described.get("schema") {
            Some(schema) if schema["type"] == "file" => Ok(()),
            Some(schema) => self.check_value(&format!("answer {status}"), schema, Keys::Any, &exchange.answer),
            None if exchange.status.is_success() && exchange.content_type.contains("json") => {
                Err(format!("an answer {status} has no content"))
            }
            None => Ok(()),
        }
    }

    fn pointed_to(&self, reference: &str) -> Result<&Value, String> {
        let pointer = reference.trim_start_matches('#');
        self.document
            .pointer(pointer)
            .ok_or_else(|| format!("{reference} is not in the document"))
    }

    fn check_value(&self, what: &str, schema: &Value, keys: Keys, value: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(value).map_err(|error| format!("{what} is no JSON: {error}"))?;
        let mut schema = strict(schema, keys);
        schema["definitions"] = self.document["definitions"]
            .as_object()
            .map(|all| {
                all.iter()
                    .map(|(name, schema)| (name.clone(), strict(schema, keys)))
                    .collect()
            })
            .unwrap_or_default();
        let validator = jsonschema::draft4::options()
            // What is empty has no form: an organisation's e-mail, for example.
            .should_validate_formats(false)
            .build(&schema)
            .map_err(|error| format!("{what}: {error}"))?;
        let wrong: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| format!("{what}{}: {error}", error.instance_path()))
            .collect();
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; "))
        }
    }
}

/// Which keys an object may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// Nobody reads others.
    Described,
    /// Forges answer more than their documents tell, each other things.
    Any,
}

/// The schema with what the form takes for granted: which keys there may be, and that Go writes what is not there as
/// null.
fn strict(schema: &Value, keys: Keys) -> Value {
    let Some(fields) = schema.as_object() else {
        return schema.clone();
    };
    let mut fields = fields.clone();
    if let Some(items) = fields.get("items") {
        let items = strict(items, keys);
        fields.insert("items".to_owned(), items);
    }
    let required: Vec<Value> = fields
        .get("required")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if let Some(Value::Object(properties)) = fields.get("properties") {
        let nullable = |(name, schema): (&String, &Value)| {
            let schema = strict(schema, keys);
            let schema = if required.contains(&json!(name)) {
                schema
            } else {
                json!({"anyOf": [{"type": "null"}, schema]})
            };
            (name.clone(), schema)
        };
        let properties: Map<String, Value> = properties.iter().map(nullable).collect();
        fields.insert("properties".to_owned(), Value::Object(properties));
        if keys == Keys::Described {
            fields.entry("additionalProperties").or_insert(Value::Bool(false));
        }
    }
    Value::Object(fields)
}

fn parameters<'a>(operation: &'a Value, place: &str) -> Vec<&'a Value> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    all.filter(|parameter| parameter["in"] == place).collect()
}

/// Whether a path is one of the template's. These two stand for paths of their own.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let last = template.last().copied().unwrap_or_default();
    let open_ended = matches!(last, "{filepath}" | "{archive}") && path.len() > template.len();
    (open_ended || template.len() == path.len())
        && template
            .iter()
            .zip(&path)
            .all(|(wanted, found)| wanted == found || wanted.starts_with('{') && !found.is_empty())
}
