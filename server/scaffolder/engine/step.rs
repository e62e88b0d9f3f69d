//! One step from its beginning to its checkpoint: done, failed, skipped, or standing still for something.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Journal;
use super::control::Control;
use super::perform::{Outcome, perform, secret_context};
use super::rendering::{self, Rules};
use super::run::{Failure, Progress, Run, is_final};
use crate::ids::new_id;
use crate::language::duration;
use crate::scaffolder::actions::{ActionError, Pause as Wanted};
use crate::scaffolder::expressions::ExpressionError;
use crate::scaffolder::model::{Standstill, Step, StepRecord, StepStatus, Waiting};
use crate::scaffolder::queries::{NewApproval, Pause, StepWrite, Write, WriteError};

/// Time for a last look at what a step waits for, when its timeout is over.
const LAST_LOOK: Duration = Duration::from_secs(30);
/// Until another look at a system that is away.
const LOOK_LATER: Duration = Duration::from_secs(20);

pub(super) async fn run_step(run: &mut Run, record: &StepRecord) -> Result<Progress, WriteError> {
    let position = record.position;
    let Some(step) = usize::try_from(position)
        .ok()
        .and_then(|index| run.spec().steps.get(index))
        .cloned()
    else {
        return Ok(Progress::Ended);
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
    let control = Control::read(&step, &secret_context(run, None), rules);
    let begun = begin(run, &step, record, control.as_ref().ok()).await?;
    run.inputs.clone_from(&record.inputs);
    let result = match &control {
        Err(error) => Err(ActionError::Input(error.clone())),
        Ok(control) => in_time(run, &step, record, rules, control, begun).await,
    };
    let control = control.unwrap_or_default();
    let now = run.scaffolder.clock().now();
    let result = match result {
        Err(ActionError::Pause(wanted)) if run.rehearsal.is_none() => {
            match stand_still(run, &step, record, &control, begun, *wanted) {
                Ok(pause) => return pause_with(run, record, pause).await,
                Err(error) => Err(error),
            }
        }
        result => result,
    };
    let write = match result {
        Ok(Outcome::Unwanted) => {
            let message = format!("Skipping step {} because its if condition was false", step.id);
            return skip(run, &step, position, &message).await;
        }
        Ok(Outcome::Rehearsed { output, reason }) => {
            run.outputs.insert(step.id.clone(), json!({"output": output}));
            let message = format!("Skipping because {reason}");
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
                    inputs: Some(json!(run.inputs)),
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
            if let Some(pause) = look_later(record, now).filter(|_| error.is_temporary()) {
                run.journal.log(Some(&step.id), &format!("Nobody knows now: {error}"));
                return pause_with(run, record, pause).await;
            }
            if let Some(pause) = again(run, &step, record, &control, &error) {
                return pause_with(run, record, pause).await;
            }
            let mut message = run.journal.clean(&error.to_string());
            if record.tries > 0 {
                message = format!("{message} (after {} tries)", record.tries + 1);
            }
            run.failure.get_or_insert(Failure {
                name: error.name(),
                message: message.clone(),
            });
            let mut write = failed(&run.journal, &step.id, position, Some(error.name()), &message, now);
            if let Some(StepWrite::End { inputs, .. }) = &mut write.step {
                *inputs = Some(json!(run.inputs));
            }
            write
        }
    };
    run.end_step(write).await?;
    Ok(Progress::Ended)
}

/// Tells that the step begins; gives the time from which its timeout counts. A step that only looks again at what it
/// waits for has begun before.
async fn begin(
    run: &Run,
    step: &Step,
    record: &StepRecord,
    control: Option<&Control>,
) -> Result<DateTime<Utc>, WriteError> {
    let now = run.scaffolder.clock().now();
    if let (true, Some(tried_at)) = (record.is_looking(), record.tried_at) {
        return Ok(tried_at);
    }
    let mut message = format!("Beginning step {}", step.name);
    if record.tries > 0 {
        let next = record.tries + 1;
        let of = match &record.standstill {
            Some(Standstill {
                waiting: Waiting::Retry { of, .. },
                ..
            }) => *of,
            _ => control
                .and_then(|control| control.retry)
                .map_or(next, |retry| retry.limit + 1),
        };
        message = format!("{message}, try {next} of {of}");
    }
    let begin = Write {
        events: vec![
            run.journal
                .event(Some(&step.id), Some(StepStatus::Processing), &message),
        ],
        step: Some(StepWrite::Begin {
            position: record.position,
            at: now,
        }),
        ..Write::default()
    };
    run.journal.write(begin).await?;
    Ok(now)
}

/// Runs the action within the step's timeout, counted from `begun`.
async fn in_time(
    run: &mut Run,
    step: &Step,
    record: &StepRecord,
    rules: Rules<'_>,
    control: &Control,
    begun: DateTime<Utc>,
) -> Result<Outcome, ActionError> {
    let limit = control.timeout.unwrap_or(run.scaffolder.settings().step_timeout);
    let spent = (run.scaffolder.clock().now() - begun).to_std().unwrap_or_default();
    let mut left = limit.saturating_sub(spent);
    if record.is_looking() {
        left = left.max(LAST_LOOK);
    }
    tokio::time::timeout(left, perform(run, step, record, rules))
        .await
        .unwrap_or_else(|_| {
            Err(ActionError::TimedOut {
                limit,
                by_author: control.timeout.is_some(),
                waiting: None,
            })
        })
}

/// What is stored when an action waits for something; an error where it has waited long enough.
fn stand_still(
    run: &Run,
    step: &Step,
    record: &StepRecord,
    control: &Control,
    begun: DateTime<Utc>,
    wanted: Wanted,
) -> Result<Pause, ActionError> {
    let now = run.scaffolder.clock().now();
    let limit = control.timeout.unwrap_or(wanted.timeout);
    let until = begun + chrono::Duration::from_std(limit).unwrap_or(chrono::Duration::days(36_500));
    let waiting = clean(&run.journal, wanted.waiting);
    if now >= until {
        return Err(ActionError::TimedOut {
            limit,
            by_author: control.timeout.is_some(),
            waiting: Some(waiting.to_string()),
        });
    }
    let approval = match &waiting {
        Waiting::Approval { by, own, message } => Some(NewApproval {
            id: new_id(run.scaffolder.clock()),
            step_id: step.id.clone(),
            step_key: wanted.step_key,
            approvers: by.clone(),
            own: *own,
            message: message.clone(),
        }),
        _ => None,
    };
    let left = (until - now).to_std().unwrap_or_default();
    Ok(Pause {
        position: record.position,
        tries: record.tries,
        since: record
            .standstill
            .as_ref()
            .filter(|_| record.is_looking())
            .map_or(now, |standstill| standstill.since),
        waiting,
        until,
        wake_after: wanted.look_after.min(left),
        inputs: json!(run.inputs),
        approval,
    })
}

/// The same pause once more, where a step waits and may wait longer: what it waits for cannot be looked at now.
fn look_later(record: &StepRecord, now: DateTime<Utc>) -> Option<Pause> {
    let standstill = record.standstill.as_ref().filter(|_| record.is_looking())?;
    (now < standstill.until).then(|| Pause {
        position: record.position,
        tries: record.tries,
        waiting: standstill.waiting.clone(),
        since: standstill.since,
        until: standstill.until,
        wake_after: LOOK_LATER,
        inputs: json!(record.inputs),
        approval: None,
    })
}

/// The pause before the next try, where there is one.
fn again(run: &Run, step: &Step, record: &StepRecord, control: &Control, error: &ActionError) -> Option<Pause> {
    if run.rehearsal.is_some() {
        return None;
    }
    let retry = control.retry_of(error)?;
    let tries = record.tries + 1;
    let pause = retry.pause(tries, error.retry_after())?;
    let now = run.scaffolder.clock().now();
    let error = run.journal.clean(&format!("{}: {error}", error.name()));
    let after = chrono::Duration::from_std(pause).ok()?;
    run.journal.log(Some(&step.id), &error);
    Some(Pause {
        position: record.position,
        tries,
        waiting: Waiting::Retry {
            next: tries + 1,
            of: retry.limit + 1,
            error,
        },
        since: now,
        until: now + after,
        wake_after: pause,
        inputs: json!(run.inputs),
        approval: None,
    })
}

/// Stores the pause, and with it gives the task out of hand. What it waits for is told when it is something new.
async fn pause_with(run: &mut Run, record: &StepRecord, pause: Pause) -> Result<Progress, WriteError> {
    let known = record.standstill.as_ref().map(|standstill| &standstill.waiting);
    let mut events = Vec::new();
    if known != Some(&pause.waiting) {
        let message = match &pause.waiting {
            Waiting::Retry { next, of, .. } => {
                let length = duration(pause.until - pause.since);
                format!("Trying again in {length}: try {next} of {of}")
            }
            waiting => format!("Waiting for {waiting}"),
        };
        let mut event = run.journal.event(Some(&record.id), None, &message);
        // Tells pages that the step itself has changed, and not only its log.
        event.body["waits"] = json!(true);
        events.push(event);
    }
    let write = Write {
        events,
        step: Some(StepWrite::Pause(pause)),
        ..Write::default()
    };
    run.journal.write(write).await?;
    Ok(Progress::Paused)
}

/// What is waited for, without secrets.
fn clean(journal: &Journal, waiting: Waiting) -> Waiting {
    let cleaned = serde_json::to_value(&waiting)
        .ok()
        .and_then(|value| serde_json::from_value(journal.clean_value(&value)).ok());
    cleaned.unwrap_or(waiting)
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
            inputs: None,
            input_digest: None,
            output: None,
            reason: Some(journal.clean(message)),
            at: now,
        }),
        ..Write::default()
    }
}

async fn skip(run: &mut Run, step: &Step, position: i32, message: &str) -> Result<Progress, WriteError> {
    let write = Write {
        events: vec![run.journal.event(Some(&step.id), Some(StepStatus::Skipped), message)],
        step: Some(StepWrite::End {
            position,
            status: StepStatus::Skipped,
            inputs: None,
            input_digest: None,
            output: None,
            reason: Some(message.to_owned()),
            at: run.scaffolder.clock().now(),
        }),
        ..Write::default()
    };
    run.journal.write(write).await?;
    Ok(Progress::Ended)
}

fn wanted(run: &Run, step: &Step, rules: Rules<'_>) -> Result<bool, ExpressionError> {
    rendering::condition(step.condition.as_ref(), &secret_context(run, None), rules)
}
