//! One run of a template that lies on this machine, without a portal.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::subject::{Subject, collect_texts};
use super::values::Answers;
use crate::scaffolder::engine::{Rehearsal, RehearsalError, RehearsedFile, rehearse};
use crate::scaffolder::model::{SpecUser, StepStatus, TaskSpec};
use crate::scaffolder::queries::NewEvent;
use crate::scaffolder::{Scaffolder, Settings};

/// Who starts the run, as templates see it.
const USER: &str = "user:default/guest";

/// How a run went.
pub struct Course {
    pub steps: Vec<StepTold>,
    /// The files of the workspace and the output, or why the run failed.
    pub result: Result<Made, String>,
}

/// What a run has made.
pub struct Made {
    /// In the order of their paths; symbolic links are left out.
    pub files: Vec<RehearsedFile>,
    pub output: Value,
}

/// What became of a step.
pub struct StepTold {
    pub name: String,
    pub action: String,
    /// `None` where the run did not come so far.
    pub status: Option<StepStatus>,
    /// Its log, but for what the status says already.
    pub log: Vec<String>,
}

/// Goes through the steps. Errors are about this machine; a template that fails is in the course.
pub async fn run(subject: &Subject, answers: Answers) -> anyhow::Result<Course> {
    let settings = Settings {
        integrations: integrations(subject, &answers.values),
        ..Settings::default()
    };
    let scaffolder = Scaffolder::alone(settings)?;
    let template = subject.template.clone();
    let steps = template.steps.clone();
    let rehearsal = Rehearsal {
        spec: TaskSpec {
            api_version: template.api_version,
            steps: template.steps,
            parameters: answers.values,
            output: template.output,
            user: user(),
            template_info: template.info,
            recovery: template.recovery,
        },
        secrets: answers.secrets,
        beside: subject.beside.clone(),
        actor: USER.to_owned(),
        alone: true,
    };
    let (log, result) = match rehearse(&scaffolder, rehearsal).await {
        Ok(rehearsed) => {
            let made = Made {
                files: rehearsed.files,
                output: rehearsed.output,
            };
            (rehearsed.log, Ok(made))
        }
        Err(RehearsalError::Failed { message, log }) => (log, Err(message)),
        Err(error) => return Err(error.into()),
    };
    let steps = steps
        .into_iter()
        .map(|step| told(&step.id, step.name, step.action, &log))
        .collect();
    Ok(Course { steps, result })
}

fn told(id: &str, name: String, action: String, log: &[NewEvent]) -> StepTold {
    let mut told = StepTold {
        name,
        action,
        status: None,
        log: Vec::new(),
    };
    for event in log.iter().filter(|event| event.body["stepId"] == id) {
        let status = event.body["status"].as_str().and_then(StepStatus::from_word);
        told.status = status.or(told.status);
        let message = event.body["message"].as_str().unwrap_or_default();
        if !matches!(status, Some(StepStatus::Processing | StepStatus::Completed)) {
            told.log.extend(message.lines().map(str::to_owned));
        }
    }
    told
}

/// Somebody whom every template can greet.
fn user() -> SpecUser {
    SpecUser {
        entity: Some(json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "User",
            "metadata": {"name": "guest", "namespace": "default"},
            "spec": {"profile": {"displayName": "Guest", "email": "guest@example.com"}, "memberOf": []},
        })),
        entity_ref: Some(USER.to_owned()),
    }
}

/// Forges that addresses of repositories name, in answers and steps: here nobody has configured any, and the filters that
/// read such addresses ask for it.
fn integrations(subject: &Subject, values: &Value) -> Vec<(String, String)> {
    let inputs: Vec<Value> = subject.template.steps.iter().map(|step| json!(step.input)).collect();
    let mut texts = Vec::new();
    inputs
        .iter()
        .chain([values])
        .for_each(|value| collect_texts(value, &mut texts));
    let hosts: BTreeSet<&str> = texts.into_iter().filter_map(host_of).collect();
    let kind = |host: &str| match host {
        host if host.contains("github") => "github",
        host if host.contains("gitlab") => "gitlab",
        host if host.contains("bitbucket") => "bitbucket",
        host if host.contains("azure") => "azure",
        _ => "gitea",
    };
    hosts
        .into_iter()
        .map(|host| (host.to_owned(), kind(host).to_owned()))
        .collect()
}

/// The host of a text such as `host?owner=…&repo=…`.
fn host_of(text: &str) -> Option<&str> {
    let (address, query) = text.split_once('?')?;
    let host = address.split('/').next()?;
    let is_host = !host.is_empty()
        && host
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || ".-:".contains(letter));
    (is_host && query.contains("repo=")).then_some(host)
}
