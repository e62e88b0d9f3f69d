//! One step: its `if`, its `each`, its input, its action, its checkpoint.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::Journal;
use super::redaction::stand_ins;
use super::rehearsal;
use super::rendering::{self, Rules};
use super::run::{Failure, Run, is_final};
use crate::scaffolder::actions::{ActionError, Context};
use crate::scaffolder::expressions::ExpressionError;
use crate::scaffolder::model::{Step, StepRecord, StepStatus};
use crate::scaffolder::queries::{StepWrite, Write, WriteError};

/// Between two tries of a step that needs the database while it is away.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);

/// How an iteration, or a step without `each`, went.
enum Outcome {
    /// Its `if` says no.
    Unwanted,
    Done {
        output: Value,
        digest: String,
    },
    /// In a dry run: its action would change something elsewhere. The output is an example.
    Rehearsed {
        output: Value,
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
    let settings = run.scaffolder.settings().clone();
    let rules = Rules::new(run.spec(), run.failure.is_some(), &settings.integrations);
    if rules.failed && !wanted(run, &step, rules).unwrap_or(false) {
        let message = format!("Skipping step {} because a previous step failed", step.id);
        return skip(run, &step, position, &message).await;
    }
    if step.each.is_none() {
        // A step that is not wanted never begins.
        if let Ok(false) = wanted(run, &step, rules) {
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
        None => run_once(run, &step, None, rules).await,
        Some(each) => run_each(run, &step, each, record, rules).await,
    };
    let now = run.scaffolder.clock().now();
    let write = match result {
        Ok(Outcome::Unwanted) => {
            let message = format!("Skipping step {} because its if condition was false", step.id);
            return skip(run, &step, position, &message).await;
        }
        Ok(Outcome::Rehearsed { output }) => {
            run.outputs.insert(step.id.clone(), json!({"output": output}));
            let message = format!("Skipping because {} does not support dry-run", step.action);
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

fn wanted(run: &Run, step: &Step, rules: Rules<'_>) -> Result<bool, ExpressionError> {
    rendering::condition(step.condition.as_ref(), &secret_context(run, None), rules)
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
    rules: Rules<'_>,
) -> Result<Outcome, ActionError> {
    let rendered = rendering::render(each, &secret_context(run, None), rules)
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
        match run_once(run, step, Some(iteration), rules).await? {
            Outcome::Unwanted => done.push(Value::Null),
            Outcome::Rehearsed { output } => done.push(output),
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
        if let (false, Some(failure)) = (rules.failed, &run.failure) {
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

async fn run_once(run: &mut Run, step: &Step, each: Option<&Value>, rules: Rules<'_>) -> Result<Outcome, ActionError> {
    let context = secret_context(run, each);
    let key = each.and_then(|each| each["key"].as_str());
    let wanted = rendering::condition(step.condition.as_ref(), &context, rules)
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
    let input = render_input(run, step, each, &context, rules)?;
    if let Some(key) = key {
        run.journal
            .log(Some(&step.id), &format!("Running {}[{key}]", step.action));
    }
    if run.rehearsal.is_some() && !action.supports_dry_run() {
        let (_, output) = action.schemas();
        return Ok(Outcome::Rehearsed {
            output: rehearsal::example(&output),
        });
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
        dry_run: run.rehearsal.is_some(),
        strict: rules.strict,
        beside: run.rehearsal.clone(),
        workspace: run.workspace.clone(),
        outside: run.scaffolder.outside().clone(),
        settings: run.scaffolder.settings().clone(),
        journal: run.journal.clone(),
    };
    // Actions find their own work again, so that one which missed the database is just run once more.
    let output = loop {
        match action.run(&cx, input.clone()).await {
            Err(error) if error.database_is_away() => {
                tracing::warn!(task = %cx.task_id, step = %cx.step_id, %error, "the database is away; the step waits for it");
                tokio::time::sleep(DATABASE_PAUSE).await;
            }
            result => break result?,
        }
    };
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
    rules: Rules<'_>,
) -> Result<Value, ActionError> {
    let Some(template) = &step.input else {
        return Ok(json!({}));
    };
    let mut warnings = Vec::new();
    let input = rendering::render_and_warn(template, context, rules, &mut warnings)
        .map_err(|error| ActionError::Input(format!("input of step {}: {error}", step.id)))?
        .unwrap_or_default();
    for warning in warnings {
        let text = format!(
            "The input {} stays as it is written: {}",
            warning.pointer, warning.error
        );
        run.journal.log(Some(&step.id), &text);
    }
    if template.to_string().contains("secrets") {
        let environment = &run.scaffolder.settings().environment_secrets;
        let otherwise = run.context(each, Some((&stand_ins(&run.secrets), &stand_ins(environment))));
        hide_derived(run, template, context, &otherwise, rules);
    }
    Ok(if input.is_null() { json!({}) } else { input })
}

/// Hides each expression of the template that comes out differently in another context. A text that has more than
/// expressions in it, or one that cannot be taken apart, is hidden as a whole.
fn hide_derived(run: &Run, template: &Value, context: &Value, otherwise: &Value, rules: Rules<'_>) {
    match template {
        Value::String(text) => {
            let whole = text.contains("{%");
            let parts = rendering::expressions(text)
                .map(Value::from)
                .chain(whole.then(|| template.clone()));
            for part in parts {
                let rendered = rendering::render(&part, context, rules);
                let other = rendering::render(&part, otherwise, rules);
                let rendered = rendered.or_else(|_| rendering::render(template, context, rules));
                if let Ok(Some(rendered)) = rendered {
                    let other = other.ok().flatten().unwrap_or_default();
                    run.journal.redactor.hide_differences(&rendered, &other);
                }
            }
        }
        Value::Array(items) => {
            items
                .iter()
                .for_each(|item| hide_derived(run, item, context, otherwise, rules));
        }
        Value::Object(fields) => {
            fields
                .values()
                .for_each(|value| hide_derived(run, value, context, otherwise, rules));
        }
        _ => {}
    }
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
