//! `POST /v2/dry-run`: what a template that is not in the catalog would do.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::validation_errors;
use crate::catalog::Entity;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::engine::{RehearsalError, Rehearsed};
use crate::scaffolder::operations::{DryRunError, StartError};
use crate::scm::TreeFile;
use crate::web::{Error, Json, SignedIn};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Body {
    template: Value,
    values: Map<String, Value>,
    #[serde(default)]
    secrets: Option<Map<String, Value>>,
    directory_contents: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    path: String,
    base64_content: String,
}

pub async fn dry_run(
    State(scaffolder): State<Scaffolder>,
    SignedIn(caller): SignedIn,
    Json(body): Json<Body>,
) -> Result<Response, Error> {
    let files = body.directory_contents.into_iter().map(File::read);
    let files = files.collect::<Result<Vec<_>, _>>()?;
    let template = Entity { body: body.template };
    let secrets = body.secrets.unwrap_or_default();
    match scaffolder
        .dry_run(&caller, &template, Value::Object(body.values), secrets, files)
        .await
    {
        Ok((steps, rehearsed)) => Ok(Json(to_wire(&json!(steps), &rehearsed)).into_response()),
        Err(DryRunError::Start(StartError::Invalid(problems))) => Ok(validation_errors(&problems)),
        Err(DryRunError::Start(error)) => Err(error.into()),
        Err(DryRunError::Rehearsal(error @ (RehearsalError::Failed { .. } | RehearsalError::Workspace(_)))) => {
            Err(Error::invalid("", error.to_string()))
        }
        Err(DryRunError::Rehearsal(error)) => Err(Error::internal(error)),
    }
}

impl File {
    fn read(self) -> Result<TreeFile, Error> {
        let refuse = |reason: &str| {
            let text = format!("directoryContents: the file \"{}\" {reason}", self.path);
            Error::invalid("directoryContents", text)
        };
        let fine = !self.path.is_empty()
            && !self.path.contains('\0')
            && self.path.split('/').all(|segment| !matches!(segment, "" | "." | ".."));
        if !fine {
            return Err(refuse("has no path that is relative to the template's folder"));
        }
        let content = STANDARD
            .decode(&self.base64_content)
            .map_err(|_| refuse("has no base64 as its content"))?;
        Ok(TreeFile {
            path: self.path,
            executable: false,
            link: None,
            content: content.into(),
        })
    }
}

fn to_wire(steps: &Value, rehearsed: &Rehearsed) -> Value {
    let log: Vec<Value> = rehearsed.log.iter().map(|event| json!({"body": event.body})).collect();
    let files: Vec<Value> = rehearsed
        .files
        .iter()
        .map(|file| {
            json!({"path": file.path, "executable": file.executable, "base64Content": STANDARD.encode(&file.content)})
        })
        .collect();
    json!({"log": log, "directoryContents": files, "output": rehearsed.output, "steps": steps})
}
