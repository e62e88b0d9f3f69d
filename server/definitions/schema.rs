//! JSON Schema, as OpenAPI and AsyncAPI have it, as lines of fields: references followed inside of the document, never
//! round in a circle, and no deeper than somebody reads.

use std::cell::Cell;

use serde_json::Value;

use super::outline::{Field, shortened, slug};

/// Fields inside of fields.
const DEEPEST: u8 = 6;
/// Fields of one schema.
const MOST: usize = 300;
/// Values of an `enum` that are named.
const VALUES: usize = 30;
/// References that are followed one after the other.
const HOPS: usize = 20;
/// Schemas of a document that are looked into, one that is referred to twice twice.
const MOST_LOOKS: usize = 500_000;
/// Letters of a description, of a value.
const LONGEST: usize = 1_000;
const LONGEST_VALUE: usize = 80;

/// What is at a reference inside of the document; `None` for what is elsewhere or nowhere.
pub fn resolve<'d>(document: &'d Value, reference: &str) -> Option<&'d Value> {
    document.pointer(
        &percent_encoding::percent_decode_str(reference.strip_prefix('#')?)
            .decode_utf8()
            .ok()?,
    )
}

/// Follows `$ref` as far as it leads inside of the document.
pub fn followed<'d>(document: &'d Value, mut value: &'d Value) -> &'d Value {
    for _ in 0..HOPS {
        let Some(next) = value["$ref"]
            .as_str()
            .and_then(|reference| resolve(document, reference))
        else {
            return value;
        };
        value = next;
    }
    value
}

/// The last part of a reference: what it names.
pub fn name_of(reference: &str) -> &str {
    reference.rsplit(['/', '#']).next().unwrap_or(reference)
}

/// The schemas of a document.
pub struct Schemas<'d> {
    pub document: &'d Value,
    /// Schemas that are still looked at: what refers to much many times over ends here.
    left: Cell<usize>,
}

impl<'d> Schemas<'d> {
    pub fn new(document: &'d Value) -> Self {
        Self {
            document,
            left: Cell::new(MOST_LOOKS),
        }
    }

    /// The fields of a schema; of one that is no object, a line for itself.
    pub fn fields(&self, schema: &'d Value) -> Vec<Field> {
        let mut walk = Walk {
            schemas: self,
            open: Vec::new(),
            fields: Vec::new(),
        };
        walk.top(schema);
        walk.fields
    }

    /// A field for a schema that stands by itself, without what is inside of it.
    pub fn field(&self, depth: u8, name: &str, schema: &Value) -> Field {
        let mut field = Field::new(depth, name, kind(schema, 0));
        field.target = target_of(schema);
        describe(&mut field, followed(self.document, schema));
        field
    }

    fn may_look(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }
}

struct Walk<'s, 'd> {
    schemas: &'s Schemas<'d>,
    /// References that are being followed.
    open: Vec<&'d str>,
    fields: Vec<Field>,
}

impl<'d> Walk<'_, 'd> {
    fn top(&mut self, schema: &'d Value) {
        let itself = self.schemas.field(0, "", schema);
        self.inside(schema, 0);
        // What is an object anyhow needs no line of its own.
        let target = followed(self.schemas.document, schema);
        let is_object = target.get("properties").is_some() || target.get("allOf").is_some();
        if !self.fields.is_empty() && is_object && itself.facts.is_empty() {
            return;
        }
        for inner in &mut self.fields {
            inner.depth += 1;
        }
        self.fields.insert(0, itself);
    }

    /// What is inside of a schema, following its reference.
    fn inside(&mut self, schema: &'d Value, depth: u8) {
        if depth > DEEPEST || self.fields.len() >= MOST || !self.schemas.may_look() {
            return;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            if self.open.contains(&reference) || self.open.len() >= HOPS {
                return;
            }
            if let Some(target) = resolve(self.schemas.document, reference) {
                self.open.push(reference);
                self.inside(target, depth);
                self.open.pop();
            }
            return;
        }
        for part in list(schema, "allOf") {
            self.inside(part, depth);
        }
        let required: Vec<&str> = list(schema, "required").iter().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if self.fields.len() >= MOST {
                self.fields.push(Field::new(depth, "…", ""));
                return;
            }
            self.line(depth, name, property, required.contains(&name.as_str()));
        }
        // Lists show what they are lists of.
        if let Some(items) = schema.get("items") {
            self.inside(items, depth);
        }
        if let Some(values) = schema.get("additionalProperties").filter(|values| values.is_object()) {
            self.line(depth, "*", values, false);
        }
        for word in ["oneOf", "anyOf"] {
            for (number, choice) in list(schema, word).iter().enumerate() {
                if self.fields.len() >= MOST {
                    return;
                }
                self.line(depth, &format!("{word} {}", number + 1), choice, false);
            }
        }
    }

    fn line(&mut self, depth: u8, name: &str, schema: &'d Value, required: bool) {
        let field = self.schemas.field(depth, name, schema);
        self.fields.push(Field { required, ..field });
        self.inside(schema, depth + 1);
    }
}

/// Id of the item for the schema that is referred to, by itself or as what a list holds.
fn target_of(schema: &Value) -> Option<String> {
    let reference = [&schema["$ref"], &schema["items"]["$ref"]]
        .into_iter()
        .find_map(Value::as_str)?;
    let named = ["#/components/schemas/", "#/definitions/"]
        .iter()
        .find_map(|place| reference.strip_prefix(place))?;
    Some(slug(&format!("schema-{named}")))
}

fn list<'d>(value: &'d Value, key: &str) -> &'d [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// What a value of the schema is, in words.
fn kind(schema: &Value, depth: u8) -> String {
    if depth > DEEPEST {
        return "…".to_owned();
    }
    if let Some(reference) = schema["$ref"].as_str() {
        return name_of(reference).to_owned();
    }
    if let Some(items) = schema.get("items") {
        return format!("array of {}", kind(items, depth + 1));
    }
    let mut words: Vec<String> = match &schema["type"] {
        Value::String(word) => vec![word.clone()],
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    if words.is_empty() {
        for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
            let kinds: Vec<String> = list(schema, key)
                .iter()
                .take(5)
                .map(|part| kind(part, depth + 1))
                .collect();
            if !kinds.is_empty() {
                return kinds.join(between);
            }
        }
        words.push(
            if schema.get("properties").is_some() {
                "object"
            } else {
                "any"
            }
            .to_owned(),
        );
    }
    let mut text = words.join(" or ");
    if let Some(format) = schema["format"].as_str() {
        text = format!("{text} ({format})");
    }
    if schema["nullable"] == Value::Bool(true) {
        text.push_str(" or null");
    }
    text
}

fn describe(field: &mut Field, schema: &Value) {
    let value = |value: &Value| match value {
        Value::String(text) => shortened(text, LONGEST_VALUE),
        other => shortened(&other.to_string(), LONGEST_VALUE),
    };
    let mut values: Vec<String> = list(schema, "enum").iter().take(VALUES).map(value).collect();
    if list(schema, "enum").len() > VALUES {
        values.push("…".to_owned());
    }
    if !values.is_empty() {
        field.facts.push(format!("enum: {}", values.join(", ")));
    }
    for key in [
        "const",
        "default",
        "pattern",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "multipleOf",
        "example",
    ] {
        if let Some(found) = schema.get(key).filter(|found| !found.is_object() && !found.is_array()) {
            field.facts.push(format!("{key}: {}", value(found)));
        }
    }
    for key in ["readOnly", "writeOnly", "uniqueItems"] {
        if schema[key] == Value::Bool(true) {
            field.facts.push(key.to_owned());
        }
    }
    field.deprecated |= schema["deprecated"] == Value::Bool(true);
    if let Some(text) = schema["description"].as_str() {
        field.description = shortened(text, LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(document: &Value, schema: &Value) -> Vec<String> {
        let fields = Schemas::new(document).fields(schema);
        let line = |field: Field| {
            let required = if field.required { " !" } else { "" };
            let facts = field.facts.iter().map(|fact| format!(" [{fact}]")).collect::<String>();
            format!(
                "{}{}: {}{required}{facts}",
                "-".repeat(field.depth.into()),
                field.name,
                field.kind
            )
        };
        fields.into_iter().map(line).collect()
    }

    #[test]
    fn schemas_are_told_as_lines() {
        let document = json!({"components": {"schemas": {
            "Pet": {
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "minLength": 1},
                    "kind": {"enum": ["cat", "dog"], "type": "string", "default": "cat"},
                    "friends": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
                    "owner": {"$ref": "#/components/schemas/Owner"},
                    "labels": {"type": "object", "additionalProperties": {"type": "integer", "format": "int64"}},
                },
            },
            "Owner": {"allOf": [{"$ref": "#/components/schemas/Named"}, {"properties": {"mail": {"type": ["string", "null"]}}}]},
            "Named": {"properties": {"title": {"type": "string"}}},
        }}});
        let pet = json!({"$ref": "#/components/schemas/Pet"});
        let expected = [
            "name: string ! [minLength: 1]",
            "kind: string [enum: cat, dog] [default: cat]",
            "friends: array of Pet",
            "owner: Owner",
            "-title: string",
            "-mail: string or null",
            "labels: object",
            "-*: integer (int64)",
        ];
        assert_eq!(told(&document, &pet), expected);
        assert_eq!(
            told(&document, &json!({"type": "array", "items": pet}))[0],
            ": array of Pet"
        );
        assert_eq!(
            told(&document, &json!({"type": "string", "format": "uuid"})),
            [": string (uuid)"]
        );
        let choice = json!({"oneOf": [{"$ref": "#/components/schemas/Named"}, {"type": "string"}]});
        assert_eq!(
            told(&document, &choice),
            [
                ": Named or string",
                "-oneOf 1: Named",
                "--title: string",
                "-oneOf 2: string"
            ]
        );
    }

    #[test]
    fn circles_and_what_multiplies_end() {
        let mut schemas = serde_json::Map::new();
        for number in 0..30 {
            let next = json!({"$ref": format!("#/s/{}", (number + 1) % 30)});
            schemas.insert(number.to_string(), json!({"allOf": vec![next; 50]}));
        }
        let document =
            json!({"s": schemas, "self": {"$ref": "#/self"}, "deep": {"properties": {"a": {"$ref": "#/deep"}}}});
        for reference in ["#/s/0", "#/self", "#/deep", "#/nowhere", "other.yaml#/a", "#", ""] {
            let fields = told(&document, &json!({"$ref": reference}));
            assert!(!fields.is_empty() && fields.len() < 20, "{reference}: {fields:?}");
        }
    }
}
