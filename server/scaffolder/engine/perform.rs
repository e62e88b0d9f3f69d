//! What a step does: its input, rendered, and its action, for each iteration.

use std::time::Duration;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::redaction::stand_ins;
use super::rehearsal;
use super::rendering::{self, Rules};
use super::run::Run;
use crate::scaffolder::actions::{ActionError, Context};
use crate::scaffolder::model::{Step, StepRecord, kind_of};
use crate::scaffolder::queries::{StepWrite, Write};

/// Between two tries of a step that needs the database while it is away.
const DATABASE_PAUSE: Duration = Duration::from_secs(1);
/// Longer inputs are not kept to be shown, in characters of JSON.
const INPUT_LIMIT: usize = 64 * 1024;
/// Iterations whose input is kept.
const INPUTS_KEPT: usize = 100;

/// How an iteration, or a step without `each`, went.
pub(super) enum Outcome {
    /// Its `if` says no.
    Unwanted,
    Done {
        output: Value,
        digest: String,
    },
    /// In a dry run: its action would change, or ask for, something elsewhere. The output is an example.
    Rehearsed {
        output: Value,
        reason: String,
    },
}

/// What a step's `if`, `each` and `input` see: everything, secrets too.
pub(super) fn secret_context(run: &Run, each: Option<&Value>) -> Value {
    run.context(
        each,
        Some((&run.secrets, &run.scaffolder.settings().environment_secrets)),
    )
}

pub(super) async fn perform(
    run: &mut Run,
    step: &Step,
    record: &StepRecord,
    rules: Rules<'_>,
) -> Result<Outcome, ActionError> {
    match &step.each {
        None => {
            run.inputs.clear();
            run_once(run, step, None, rules).await
        }
        Some(each) => run_each(run, step, each, record, rules).await,
    }
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
            kind_of(&rendered)
        ))
    })?;
    let mut digests = Sha256::new();
    let mut done = record.iterations.clone();
    for (index, iteration) in iterations.iter().enumerate() {
        if index < done.len() {
            continue;
        }
        run.inputs.truncate(index);
        match run_once(run, step, Some(iteration), rules).await? {
            Outcome::Unwanted => done.push(Value::Null),
            Outcome::Rehearsed { output, .. } => done.push(output),
            Outcome::Done { output, digest } => {
                digests.update(digest);
                done.push(output);
            }
        }
        let write = Write {
            step: Some(StepWrite::Iterated {
                position: record.position,
                iterations: json!(done),
                inputs: json!(run.inputs),
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
    let action = run
        .scaffolder
        .action(&step.action, run.claimed.undoes.is_some())
        .cloned()
        .ok_or_else(|| {
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
    let left_out = |reason: String| {
        let (_, output) = action.schemas();
        Outcome::Rehearsed {
            output: rehearsal::example(&output),
            reason,
        }
    };
    if run.rehearsal.is_some() && !action.supports_dry_run() {
        return Ok(left_out(format!("{} does not support dry-run", step.action)));
    }
    let shown = run.journal.clean_value(&input);
    let digest = hex::encode(Sha256::digest(shown.to_string()));
    keep_input(run, key, shown);
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
        alone: run.alone,
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
            Err(error @ ActionError::NotRead(_)) => return Ok(left_out(error.to_string())),
            result => break result?,
        }
    };
    Ok(Outcome::Done {
        output: run.journal.clean_value(&output),
        digest,
    })
}

/// Keeps what the action gets, for the task's page.
fn keep_input(run: &mut Run, key: Option<&str>, shown: Value) {
    if run.inputs.len() >= INPUTS_KEPT {
        return;
    }
    let length = shown.to_string().len();
    let shown = match length > INPUT_LIMIT {
        true => json!(format!("({length} characters of JSON, too long to be kept)")),
        false => shown,
    };
    run.inputs.push(match key {
        Some(key) => json!({"key": key, "input": shown}),
        None => json!({"input": shown}),
    });
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
