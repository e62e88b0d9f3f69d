//! A dry run: the steps of a template as a task would run them, while the caller waits. Actions that change
//! nothing but the workspace run; of the others the example of an output goes on. Nothing is stored.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::run::{Failure, Run, open_workspace};
use super::{Journal, Redactor, Workspace, WorkspaceError};
use crate::ids::new_id;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::actions::Surroundings;
use crate::scaffolder::model::{StepRecord, TaskSpec};
use crate::scaffolder::queries::{Claimed, NewEvent, WriteError};

/// Each has a workspace of its own, and its caller waits for it.
pub const REHEARSALS_AT_ONCE: usize = 4;

/// What is rehearsed.
pub struct Rehearsal {
    pub spec: TaskSpec,
    /// An object.
    pub secrets: Value,
    /// The files beside the template.
    pub beside: Surroundings,
    /// Who asks.
    pub actor: String,
    /// There is no portal around: nothing outside is asked.
    pub alone: bool,
}

/// What became of it.
pub struct Rehearsed {
    pub log: Vec<NewEvent>,
    /// The files of the workspace; symbolic links are left out.
    pub files: Vec<RehearsedFile>,
    pub output: Value,
}

pub struct RehearsedFile {
    pub path: String,
    pub executable: bool,
    pub content: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// A step, or the output, failed: what the task would fail with.
    #[error("{message}")]
    Failed { message: String, log: Vec<NewEvent> },
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Goes through the steps. Dropped before it is done it leaves nothing behind.
pub async fn rehearse(scaffolder: &Scaffolder, rehearsal: Rehearsal) -> Result<Rehearsed, RehearsalError> {
    let _turn = scaffolder.rehearsals().acquire().await;
    let clock = scaffolder.clock();
    let environment = &scaffolder.settings().environment_secrets;
    let redactor = Redactor::new(&json!([rehearsal.secrets, environment]));
    let journal = Arc::new(Journal::rehearsal(clock.clone(), redactor));
    let claimed = Claimed {
        id: new_id(clock),
        owner: new_id(clock),
        spec: rehearsal.spec,
        created_by: rehearsal.actor,
        created_at: clock.now(),
        undoes: None,
        has_secrets: false,
        secrets: None,
        workspace: None,
    };
    let workspace = Arc::new(open_workspace(scaffolder, &claimed).await?);
    let records = records(&claimed.spec);
    let mut run = Run {
        scaffolder: scaffolder.clone(),
        claimed,
        journal: journal.clone(),
        workspace: workspace.clone(),
        secrets: rehearsal.secrets,
        stored: None,
        outputs: Map::new(),
        failure: None,
        rehearsal: Some(Arc::new(rehearsal.beside)),
        alone: rehearsal.alone,
        inputs: Vec::new(),
    };
    for record in &records {
        // Nothing is waited for in a dry run.
        run.step(record).await?;
    }
    if let Some(failure) = &run.failure {
        return Err(failed(&journal, failure));
    }
    let output = run.render_output().map_err(|failure| failed(&journal, &failure))?;
    let files = tokio::task::spawn_blocking(move || read(&workspace))
        .await
        .map_err(|error| WorkspaceError::Io(std::io::Error::other(error)))??;
    Ok(Rehearsed {
        log: journal.rehearsed(),
        files,
        output,
    })
}

fn failed(journal: &Journal, failure: &Failure) -> RehearsalError {
    RehearsalError::Failed {
        message: journal.clean(&failure.message),
        log: journal.rehearsed(),
    }
}

fn records(spec: &TaskSpec) -> Vec<StepRecord> {
    (0i32..)
        .zip(&spec.steps)
        .map(|(position, step)| StepRecord::new(position, step))
        .collect()
}

/// Its size is within the workspace's limit: the last step has seen to it.
fn read(workspace: &Workspace) -> Result<Vec<RehearsedFile>, WorkspaceError> {
    let mut files = Vec::new();
    for path in workspace.files()? {
        let place = workspace.path().join(&path);
        let metadata = place.symlink_metadata()?;
        if metadata.is_file() {
            files.push(RehearsedFile {
                executable: metadata.permissions().mode() & 0o111 != 0,
                content: std::fs::read(&place)?,
                path,
            });
        }
    }
    Ok(files)
}

/// A value that a schema allows, recognisable as an example: the output of an action that a dry run leaves out.
pub(super) fn example(schema: &Value) -> Value {
    if let Some(example) = schema["examples"].as_array().and_then(|examples| examples.first()) {
        return example.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| *kind != "null").and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("object") => schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, schema)| (name.clone(), example(schema)))
            .collect(),
        Some("array") => match &schema["items"] {
            Value::Array(items) => items
                .first()
                .map(|first| vec![example(first)])
                .unwrap_or_default()
                .into(),
            Value::Object(_) => json!([example(&schema["items"])]),
            _ => json!([]),
        },
        Some("string") => json!("<example>"),
        Some("number" | "integer") => json!(0),
        Some("boolean") => json!(false),
        _ => json!("<unknown>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_have_the_form_of_the_schema() {
        let schema = json!({"type": "object", "properties": {
            "url": {"type": "string"}, "count": {"type": "integer"}, "perhaps": {"type": ["boolean", "null"]},
            "list": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "number"}}}},
            "any": {}, "given": {"type": "string", "examples": ["this"]},
        }});
        assert_eq!(
            example(&schema),
            json!({"url": "<example>", "count": 0, "perhaps": false, "list": [{"id": 0}], "any": "<unknown>", "given": "this"})
        );
        assert_eq!(example(&json!({"type": "object"})), json!({}));
    }
}
