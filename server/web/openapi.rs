//! An API as one list of operations: its routes, the checks of its parameters and its OpenAPI document are made of
//! it, so that none of them can say what the others do not.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::MethodRouter;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::Error;

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    pub name: &'static str,
    pub about: &'static str,
    pub form: Form,
}

/// What a parameter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    /// May be given several times.
    Texts,
    /// One text with commas between its parts.
    CommaList,
    /// A whole number, zero or more.
    Number,
    OneOf(&'static [&'static str]),
}

impl Parameter {
    pub const fn new(name: &'static str, form: Form, about: &'static str) -> Self {
        Self { name, about, form }
    }

    fn document(&self) -> Value {
        let schema = match self.form {
            Form::Text => json!({"type": "string", "minLength": 1}),
            Form::Texts | Form::CommaList => json!({"type": "array", "items": {"type": "string"}}),
            Form::Number => json!({"type": "integer", "minimum": 0}),
            Form::OneOf(words) => json!({"type": "string", "enum": words}),
        };
        let mut document = json!({"name": self.name, "in": "query", "description": self.about, "schema": schema});
        if self.form == Form::CommaList {
            document["style"] = json!("form");
            document["explode"] = json!(false);
        }
        document
    }
}

/// The query of a request that has been checked against the parameters of its operation.
#[derive(Debug, Clone)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Refuses unknown and empty parameters, and values of the wrong form.
    pub fn read(query: Option<&str>, known: &[Parameter]) -> Result<Self, Error> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            // Some clients write `filter[]` or `filter[0]` for lists.
            .map(|(name, value)| (name.split('[').next().unwrap_or_default().to_owned(), value))
            .collect();
        for (name, value) in &pairs {
            let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
                return Err(Error::invalid(name, format!("Unknown query parameter '{name}'")));
            };
            let lists = matches!(parameter.form, Form::Texts | Form::CommaList);
            let times = pairs.iter().filter(|(other, _)| other == name).count();
            // Of several values some may be empty: they say nothing.
            if value.is_empty() && (!lists || times == 1) {
                let text = format!("Empty value found for query parameter '{name}'");
                return Err(Error::invalid(name, text));
            }
            if !lists && times > 1 {
                return Err(Error::invalid(
                    name,
                    format!("Query parameter '{name}' is given more than once"),
                ));
            }
            let wrong = match parameter.form {
                Form::Number => {
                    (!value.parse::<i64>().is_ok_and(|number| number >= 0)).then(|| "a whole number".to_owned())
                }
                Form::OneOf(words) => (!words.contains(&value.as_str())).then(|| words.join(" or ")),
                Form::Text | Form::Texts | Form::CommaList => None,
            };
            if let Some(expected) = wrong {
                let text = format!("Invalid {name}, must be {expected}, not \"{value}\"");
                return Err(Error::invalid(name, text));
            }
        }
        Ok(Self(pairs))
    }

    /// Every value of a parameter.
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self
            .0
            .iter()
            .filter(|(given, value)| given == name && !value.is_empty());
        named.map(|(_, value)| value.clone()).collect()
    }

    /// Every part of a comma list.
    pub fn parts(&self, name: &str) -> Vec<String> {
        let values = self.all(name);
        values
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::to_owned)
            .collect()
    }

    /// The first value of a parameter.
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(given, _)| given == name);
        named.next().map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        // The form was checked.
        self.one(name)?.parse().ok()
    }

    /// All of them, in the order of the request.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One operation of an API.
pub struct Operation<S> {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    parameters: &'static [Parameter],
    body: Option<SchemaOf>,
    answer: (u16, Option<SchemaOf>),
    refusal: Option<(u16, SchemaOf)>,
    handler: MethodRouter<S>,
}

impl<S> Operation<S> {
    /// `handler` answers `method` (in upper case) at `path`.
    pub fn new(method: &'static str, path: &'static str, summary: &'static str, handler: MethodRouter<S>) -> Self {
        Self {
            method,
            path,
            summary,
            parameters: &[],
            body: None,
            answer: (200, None),
            refusal: None,
            handler,
        }
    }

    pub fn parameters(mut self, parameters: &'static [Parameter]) -> Self {
        self.parameters = parameters;
        self
    }

    /// The JSON that it takes.
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(|generator| generator.subschema_for::<T>());
        self
    }

    /// The JSON that it answers, and with which status.
    pub fn answers<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answer = (status, Some(|generator| generator.subschema_for::<T>()));
        self
    }

    /// It answers this status without a body.
    pub fn answers_nothing(mut self, status: u16) -> Self {
        self.answer = (status, None);
        self
    }

    /// A failure with a body of its own.
    pub fn refuses<T: JsonSchema>(mut self, status: u16) -> Self {
        self.refusal = Some((status, |generator| generator.subschema_for::<T>()));
        self
    }

    fn document(&self, generator: &mut SchemaGenerator) -> Value {
        let in_path = self.path.split('/').filter_map(|part| {
            let name = part.strip_prefix('{')?.strip_suffix('}')?;
            Some(json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        });
        let parameters: Vec<Value> = in_path.chain(self.parameters.iter().map(Parameter::document)).collect();
        let content = |schema: Schema| json!({"application/json": {"schema": schema}});
        let (status, answer) = self.answer;
        let mut success = json!({"description": self.summary});
        if let Some(schema) = answer {
            success["content"] = content(schema(generator));
        }
        let failure = json!({"description": "What is wrong", "content": content(generator.subschema_for::<Failure>())});
        let mut document = json!({
            "summary": self.summary,
            "parameters": parameters,
            "responses": {status.to_string(): success, "default": failure},
        });
        if let Some((status, schema)) = self.refusal {
            let described = json!({"description": "What is wrong", "content": content(schema(generator))});
            document["responses"][status.to_string()] = described;
        }
        if let Some(schema) = self.body {
            document["requestBody"] = json!({"required": true, "content": content(schema(generator))});
        }
        document
    }
}

/// Body of an error.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the frame writes it; this is its schema")]
pub struct Failure {
    error: FailureName,
    request: FailedRequest,
    response: FailedResponse,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "see Failure")]
struct FailureName {
    /// InputError, AuthenticationError, NotAllowedError, NotFoundError, ConflictError, ServiceUnavailableError, …
    name: String,
    message: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "see Failure")]
struct FailedRequest {
    method: String,
    url: String,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "see Failure")]
#[serde(rename_all = "camelCase")]
struct FailedResponse {
    status_code: u16,
}

/// The routes of an API; they refuse parameters that their operations do not have.
pub fn routes<S: Clone + Send + Sync + 'static>(operations: Vec<Operation<S>>) -> Router<S> {
    operations.into_iter().fold(Router::new(), |router, operation| {
        let parameters = operation.parameters;
        let check = middleware::from_fn(async move |request: Request, next: Next| {
            Parameters::read(request.uri().query(), parameters)?;
            Ok::<Response, Error>(next.run(request).await)
        });
        router.route(operation.path, operation.handler.layer(check))
    })
}

/// The OpenAPI 3.1 document of an API.
pub fn document<S>(title: &str, description: &str, operations: &[Operation<S>]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let methods = paths.entry(operation.path).or_insert_with(|| json!({}));
        methods[operation.method.to_lowercase()] = operation.document(&mut generator);
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": title, "version": env!("CARGO_PKG_VERSION"), "description": description},
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"bearer": []}],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter::new("filter", Form::Texts, ""),
        Parameter::new("fields", Form::CommaList, ""),
        Parameter::new("limit", Form::Number, ""),
        Parameter::new("mode", Form::OneOf(&["a", "b"]), ""),
    ];

    #[test]
    fn parameters_are_checked() {
        let read = Parameters::read(Some("filter=a%3Db&filter[]=c&fields=x,y&limit=0&mode=b"), KNOWN).expect("right");
        assert_eq!(read.all("filter"), ["a=b", "c"]);
        assert_eq!(read.parts("fields"), ["x", "y"]);
        assert_eq!((read.number("limit"), read.one("mode")), (Some(0), Some("b")));
        for wrong in [
            "limit=1&limit=2",
            "other=1",
            "filter=",
            "limit=-1",
            "limit=1.5",
            "limit=x",
            "mode=c",
        ] {
            assert!(Parameters::read(Some(wrong), KNOWN).is_err(), "{wrong}");
        }
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Thing {
        name: String,
    }

    #[test]
    fn the_document_tells_each_operation() {
        let operations: Vec<Operation<()>> = vec![
            Operation::new("GET", "/things/{id}", "One thing", axum::routing::get(|| async {})).answers::<Thing>(200),
            Operation::new("POST", "/things/{id}", "Write it", axum::routing::post(|| async {}))
                .parameters(KNOWN)
                .takes::<Thing>()
                .answers_nothing(204),
        ];
        let document = document("Things", "", &operations);
        let get = &document["paths"]["/things/{id}"]["get"];
        let schema = &get["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(schema, &json!({"$ref": "#/components/schemas/Thing"}));
        assert_eq!(get["parameters"][0]["name"], "id");
        assert_eq!(
            document["paths"]["/things/{id}"]["post"]["parameters"][2]["explode"],
            false
        );
        assert_eq!(document["components"]["schemas"]["Thing"]["required"], json!(["name"]));
        assert!(document["components"]["schemas"]["Failure"].is_object());
    }
}
