//! `GET /v2/templating-extensions` and `POST /v2/autocomplete/…`: what helps those who write and fill in templates.

use std::collections::HashMap;

use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::scaffolder::Scaffolder;
use crate::scaffolder::expressions::EXTENSIONS;
use crate::scm::ScmError;
use crate::web::{Error, Json, SignedIn};

/// What the scaffolder adds to the expressions of Nunjucks.
pub async fn list_templating_extensions(SignedIn(_): SignedIn) -> Json<Value> {
    let filters: serde_json::Map<String, Value> = EXTENSIONS
        .iter()
        .map(|filter| {
            let examples = json!([{"example": filter.example, "notes": format!("gives {}", filter.result)}]);
            let wire = json!({"description": filter.description, "examples": examples});
            (filter.name.to_owned(), wire)
        })
        .collect();
    Json(json!({"filters": filters, "globals": {"functions": {}, "values": {}}}))
}

#[derive(Deserialize)]
pub struct Body {
    /// The forge's token of a user. The portal asks with its own account, as its tasks do.
    #[serde(rename = "token")]
    _token: String,
    context: HashMap<String, String>,
}

/// Names that a field of a form may want. There is the provider `gitea` with the resource `repositories`, whose context
/// has a `host` as under `integrations.gitea`, and an `owner`.
pub async fn autocomplete(
    State(scaffolder): State<Scaffolder>,
    SignedIn(_): SignedIn,
    Path((provider, resource)): Path<(String, String)>,
    Json(body): Json<Body>,
) -> Result<Json<Value>, Error> {
    if provider != "gitea" {
        return Err(Error::invalid("", format!("Unsupported provider: {provider}")));
    }
    if resource != "repositories" {
        return Err(Error::invalid("", format!("Unsupported resource: {resource}")));
    }
    let given = |key: &str| {
        let value = body.context.get(key).filter(|value| !value.is_empty());
        value.ok_or_else(|| Error::invalid(key, format!("the context of {resource} needs {key}")))
    };
    let (host, owner) = (given("host")?, given("owner")?);
    let forge = scaffolder.outside().forges.forge_by_host(host).map_err(upstream)?;
    let found = forge.list_repositories(owner).await.map_err(upstream)?;
    let mut names: Vec<String> = found.into_iter().map(|found| found.repository.name).collect();
    names.sort();
    let results: Vec<Value> = names.into_iter().map(|name| json!({"id": name})).collect();
    Ok(Json(json!({"results": results})))
}

fn upstream(error: ScmError) -> Error {
    match &error {
        ScmError::NotFound { .. } => Error::NotFound(error.to_string().into()),
        ScmError::UnknownHost { .. } => Error::invalid("host", error.to_string()),
        _ => Error::Upstream {
            system: "The forge".to_owned(),
            reason: error.to_string(),
            hint: error.hint().into(),
        },
    }
}
