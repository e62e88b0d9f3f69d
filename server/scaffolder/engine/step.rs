//! One step: its `if`, its `each`, its input, its action, its checkpoint.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Journal;
use super::redaction::stand_ins;
use super::rendering::{self, Standing};
use super::run::{Failure, Run, is_final};
use crate::scaffolder::actions::{ActionError, Context};
use crate::scaffolder::model::{Step, StepRecord, StepStatus};
use crate::scaffolder::queries::{StepWrite, Write, WriteError};

/// How an iteration, or a step without `each`, went.
enum Outcome {
    /// Its `if` says no.
    Unwanted,
    Done {
        output: Value,
        digest: String,
    },
}

pub(super) async fn run_step(run: &mut Run, record: &StepRecord) -> Result<(), WriteError> {
    let position = record.position;
    let Some(step) = usize::try_from(position)
        .ok()
        .and_then(|index| run.spec().steps.get(index))
        .cloned()
    else {
        return Ok(());
    };
    let standing = run.standing();
    if standing == Standing::Failed && !wanted_after_failure(run, &step) {
        let message = format!("Skipping step {} because a previous step failed", step.id);
        return skip(run, &step, position, &message).await;
    }
    if step.each.is_none() {
        // A step that is not wanted never begins.
        if let Ok(false) = rendering::condition(step.condition.as_ref(), &secret_context(run, None), standing) {
            let message = format!("Skipping step {} because its if condition was false", step.id);
            return skip(run, &step, position, &message).await;
        }
    }
    let now = run.scaffolder.clock().now();
    let begin = Write {
        events: vec![run.journal.event(
            Some(&step.id),
            Some(StepStatus::Processing),
            &format!("Beginning step {}", step.name),
        )],
        step: Some(StepWrite::Begin { position, at: now }),
        ..Write::default()
    };
    run.journal.write(begin).await?;
    let result = match &step.each {
        None => run_once(run, &step, None, standing).await,
        Some(each) => run_each(run, &step, each, record, standing).await,
    };
    let now = run.scaffolder.clock().now();
    let write = match result {
        Ok(Outcome::Unwanted) => {
            let message = format!("Skipping step {} because its if condition was false", step.id);
            return skip(run, &step, position, &message).await;
        }
        Ok(Outcome::Done { output, digest }) => {
            run.outputs.insert(step.id.clone(), json!({"output": output}));
            Write {
                events: vec![run.journal.event(
                    Some(&step.id),
                    Some(StepStatus::Completed),
                    &format!("Finished step {}", step.name),
                )],
                step: Some(StepWrite::End {
                    position,
                    status: StepStatus::Completed,
                    input_digest: Some(digest),
                    output: Some(output),
                    reason: None,
                    at: now,
                }),
                ..Write::default()
            }
        }
        Err(ActionError::Write(error)) if is_final(&error) => return Err(error),
        Err(error) => {
            let message = run.journal.clean(&error.to_string());
            run.failure.get_or_insert(Failure {
                name: error.name(),
                message: message.clone(),
            });
            failed(&run.journal, &step.id, position, Some(error.name()), &message, now)
        }
    };
    run.end_step(write).await
}

/// The checkpoint of a step that has failed.
pub(super) fn failed(
    journal: &Journal,
    step_id: &str,
    position: i32,
    name: Option<&str>,
    message: &str,
    now: DateTime<Utc>,
) -> Write {
    let text = format!("{}: {message}", name.unwrap_or("Error"));
    Write {
        events: vec![journal.event(Some(step_id), Some(StepStatus::Failed), &text)],
        step: Some(StepWrite::End {
            position,
            status: StepStatus::Failed,
            input_digest: None,
            output: None,
            reason: Some(journal.clean(message)),
            at: now,
        }),
        ..Write::default()
    }
}

async fn skip(run: &mut Run, step: &Step, position: i32, message: &str) -> Result<(), WriteError> {
    let write = Write {
        events: vec![run.journal.event(Some(&step.id), Some(StepStatus::Skipped), message)],
        step: Some(StepWrite::End {
            position,
            status: StepStatus::Skipped,
            input_digest: None,
            output: None,
            reason: Some(message.to_owned()),
            at: run.scaffolder.clock().now(),
        }),
        ..Write::default()
    };
    run.journal.write(write).await
}

fn wanted_after_failure(run: &Run, step: &Step) -> bool {
    rendering::condition(step.condition.as_ref(), &secret_context(run, None), Standing::Failed).unwrap_or(false)
}

/// What a step's `if`, `each` and `input` see: everything, secrets too.
fn secret_context(run: &Run, each: Option<&Value>) -> Value {
    run.context(
        each,
        Some((&run.secrets, &run.scaffolder.settings().environment_secrets)),
    )
}

/// The outputs of the iterations become lists: `{name: [first, second, …]}`.
async fn run_each(
    run: &mut Run,
    step: &Step,
    each: &Value,
    record: &StepRecord,
    standing: Standing,
) -> Result<Outcome, ActionError> {
    let rendered = rendering::render(each, &secret_context(run, None), standing)
        .map_err(|error| ActionError::Input(format!("each of step {}: {error}", step.id)))?
        .unwrap_or_default();
    let iterations = rendering::iterations(&rendered).ok_or_else(|| {
        ActionError::Input(format!(
            "each of step {} must be a list or an object, it is {}",
            step.id,
            kind(&rendered)
        ))
    })?;
    let mut digests = Sha256::new();
    let mut done = record.iterations.clone();
    for (index, iteration) in iterations.iter().enumerate() {
        if index < done.len() {
            continue;
        }
        match run_once(run, step, Some(iteration), standing).await? {
            Outcome::Unwanted => done.push(Value::Null),
            Outcome::Done { output, digest } => {
                digests.update(digest);
                done.push(output);
            }
        }
        let write = Write {
            step: Some(StepWrite::Iterated {
                position: record.position,
                iterations: json!(done),
            }),
            ..Write::default()
        };
        run.end_step(write).await?;
        if let (Standing::Fine, Some(failure)) = (standing, &run.failure) {
            // Its files could not be kept.
            return Err(ActionError::Failed(failure.message.clone()));
        }
    }
    let mut output = Map::<String, Value>::new();
    for fields in done.iter().filter_map(Value::as_object) {
        for (name, value) in fields {
            if let Value::Array(values) = output.entry(name).or_insert_with(|| json!([])) {
                values.push(value.clone());
            }
        }
    }
    Ok(Outcome::Done {
        output: Value::Object(output),
        digest: hex::encode(digests.finalize()),
    })
}

async fn run_once(
    run: &mut Run,
    step: &Step,
    each: Option<&Value>,
    standing: Standing,
) -> Result<Outcome, ActionError> {
    let context = secret_context(run, each);
    let key = each.and_then(|each| each["key"].as_str());
    let wanted = rendering::condition(step.condition.as_ref(), &context, standing)
        .map_err(|error| ActionError::Input(format!("if of step {}: {error}", step.id)))?;
    if !wanted {
        if let Some(key) = key {
            run.journal.log(
                Some(&step.id),
                &format!("Skipping iteration {key} because its if condition was false"),
            );
        }
        return Ok(Outcome::Unwanted);
    }
    let action = run.scaffolder.actions().find(&step.action).cloned().ok_or_else(|| {
        ActionError::Input(format!(
            "the action {} is not installed; /create/actions lists those that are",
            step.action
        ))
    })?;
    let input = render_input(run, step, each, &context, standing)?;
    if let Some(key) = key {
        run.journal
            .log(Some(&step.id), &format!("Running {}[{key}]", step.action));
    }
    let digest = hex::encode(Sha256::digest(run.journal.clean_value(&input).to_string()));
    let cx = Context {
        task_id: run.claimed.id,
        step_id: step.id.clone(),
        iteration: key.map(str::to_owned),
        actor: run.claimed.created_by.clone(),
        task_created_at: run.claimed.created_at,
        now: run.scaffolder.clock().now(),
        base_url: run.spec().template_info.base_url.clone(),
        template_ref: run.spec().template_info.entity_ref.clone(),
        workspace: run.workspace.clone(),
        outside: run.scaffolder.outside().clone(),
        settings: run.scaffolder.settings().clone(),
        journal: run.journal.clone(),
        db: run.scaffolder.db().clone(),
    };
    let output = action.run(&cx, input).await?;
    Ok(Outcome::Done {
        output: run.journal.clean_value(&output),
        digest,
    })
}

/// The input, and with it every text that was made of a secret: those that come out differently with other secrets.
fn render_input(
    run: &Run,
    step: &Step,
    each: Option<&Value>,
    context: &Value,
    standing: Standing,
) -> Result<Value, ActionError> {
    let Some(template) = &step.input else {
        return Ok(json!({}));
    };
    let render = |context| {
        rendering::render(template, context, standing)
            .map_err(|error| ActionError::Input(format!("input of step {}: {error}", step.id)))
    };
    let input = render(context)?.unwrap_or_default();
    let environment = &run.scaffolder.settings().environment_secrets;
    if template.to_string().contains("secrets") {
        let masked = run.context(each, Some((&stand_ins(&run.secrets), &stand_ins(environment))));
        let otherwise = render(&masked)?.unwrap_or_default();
        run.journal.redactor.hide_differences(&input, &otherwise);
    }
    Ok(if input.is_null() { json!({}) } else { input })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
