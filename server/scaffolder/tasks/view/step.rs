//! A step on a task's page: how it stands, what it waits for, what it was given, its log.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::is_safe;
use crate::catalog::yaml_text as yaml;
use crate::language::{self, duration, text};
use crate::scaffolder::model::{Event, Standstill, StepRecord, StepStatus, Waiting};
use crate::scaffolder::queries::Approval;

/// A finished log of at most this many lines is shown in a low box.
const FEW_LINES: usize = 6;

pub struct StepView {
    pub position: i32,
    pub name: String,
    pub action: String,
    pub state: StepStatus,
    /// How long it took, or how it stands.
    pub time: language::Text,
    pub reason: Option<String>,
    /// What it stands still for.
    pub standing: Option<Standing>,
    /// What its action was given, as YAML.
    pub input: String,
    pub lines: Vec<Line>,
}

/// A step that stands still, in words.
pub struct Standing {
    pub what: language::Text,
    /// In Markdown: what is asked, or the error of the last try.
    pub more: String,
    pub url: Option<String>,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub now: DateTime<Utc>,
    /// The questions that the reader may decide.
    pub decide: Vec<Uuid>,
    /// The reader would be asked if it were not their own task.
    pub is_own: bool,
}

pub struct Line {
    pub at: DateTime<Utc>,
    pub message: String,
}

impl Line {
    pub fn new(event: &Event) -> Self {
        Self {
            at: event.created_at,
            message: event.message().replace('\r', ""),
        }
    }

    /// Time of day with milliseconds.
    pub fn clock(&self) -> String {
        self.at.format("%H:%M:%S%.3f").to_string()
    }
}

impl StepView {
    /// `asked` are the questions that wait, and whether the reader may decide each.
    pub fn new(record: &StepRecord, events: &[Event], asked: &[(Approval, Decidable)], now: DateTime<Utc>) -> Self {
        let ours = events
            .iter()
            .filter(|event| event.step_id() == Some(record.id.as_str()));
        let time = match (record.status, record.started_at, record.finished_at) {
            (StepStatus::Waiting, ..) => text!("waiting"),
            (StepStatus::Processing, ..) if record.standstill.is_some() => text!("stands still"),
            (StepStatus::Processing, ..) => text!("running"),
            (StepStatus::Skipped, ..) => text!("skipped"),
            (_, Some(from), Some(to)) => duration(to - from),
            (StepStatus::Completed, ..) => text!("done"),
            (StepStatus::Failed, ..) => text!("failed"),
            (StepStatus::Cancelled, ..) => text!("cancelled"),
        };
        Self {
            position: record.position,
            name: record.name.clone(),
            action: record.action.clone(),
            state: record.status,
            time,
            reason: record.reason.clone().filter(|_| record.status == StepStatus::Failed),
            standing: record
                .standstill
                .as_ref()
                .map(|standstill| Standing::new(standstill, &record.id, asked, now)),
            input: input(&record.inputs),
            lines: ours.map(Line::new).collect(),
        }
    }

    /// Word beside the shape.
    pub fn word(&self) -> language::Text {
        match self.state {
            StepStatus::Waiting => text!("Waiting"),
            StepStatus::Processing if self.standing.is_some() => text!("Stands still"),
            StepStatus::Processing => text!("Running"),
            StepStatus::Completed => text!("Done"),
            StepStatus::Failed => text!("Failed"),
            StepStatus::Skipped => text!("Skipped"),
            StepStatus::Cancelled => text!("Cancelled"),
        }
    }

    pub fn icon(&self) -> &'static str {
        match self.state {
            StepStatus::Waiting | StepStatus::Skipped => "waiting",
            StepStatus::Processing if self.standing.is_some() => "clock",
            StepStatus::Processing => "progressing",
            StepStatus::Completed => "check",
            StepStatus::Failed | StepStatus::Cancelled => "failed",
        }
    }

    pub fn class(&self) -> &'static str {
        match self.state {
            StepStatus::Waiting | StepStatus::Skipped | StepStatus::Cancelled => "idle",
            StepStatus::Processing => "run",
            StepStatus::Completed => "",
            StepStatus::Failed => "bad",
        }
    }

    pub fn is_running(&self) -> bool {
        self.state == StepStatus::Processing
    }

    pub fn is_done(&self) -> bool {
        self.state == StepStatus::Completed
    }

    /// What is being read stays open: the running step, and the one that failed.
    pub fn is_open(&self) -> bool {
        matches!(self.state, StepStatus::Processing | StepStatus::Failed)
    }

    pub fn has_log(&self) -> bool {
        self.is_running() || !self.lines.is_empty() || !self.input.is_empty()
    }

    pub fn is_short(&self) -> bool {
        (!self.is_running() || self.standing.is_some()) && self.lines.len() <= FEW_LINES
    }
}

/// Whether a reader may decide a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decidable {
    Yes,
    No,
    /// It would be so, but it is the reader's own task.
    Own,
}

impl Standing {
    fn new(standstill: &Standstill, step_id: &str, asked: &[(Approval, Decidable)], now: DateTime<Utc>) -> Self {
        let ours = || asked.iter().filter(|(approval, _)| approval.step_id == step_id);
        let (what, more, url) = match &standstill.waiting {
            Waiting::Retry { next, of, error } => (
                text!(
                    "The last try failed. Try {next} of {all} begins by itself.",
                    next = i64::from(*next),
                    all = i64::from(*of)
                ),
                format!("`{}`", error.replace('`', "'")),
                None,
            ),
            Waiting::Application { name, state } => (
                text!(
                    "Waits until the Application {name} is in order. It is {state}.",
                    name = name.clone(),
                    state = state.clone()
                ),
                String::new(),
                None,
            ),
            Waiting::Gone { name, state } => (
                text!(
                    "Waits until the Application {name} is gone: {state}.",
                    name = name.clone(),
                    state = state.clone()
                ),
                String::new(),
                None,
            ),
            Waiting::PullRequest { name, url } => (
                text!("Waits until the pull request {name} is merged.", name = name.clone()),
                String::new(),
                Some(url.clone()).filter(|url| is_safe(url)),
            ),
            Waiting::Approval { by, message, .. } => (
                text!("Waits for an approval by {names}.", names = by.join(", ")),
                message.clone(),
                None,
            ),
        };
        Self {
            what,
            more,
            url,
            since: standstill.since,
            until: standstill.until,
            now,
            decide: ours()
                .filter(|(_, decidable)| *decidable == Decidable::Yes)
                .map(|(approval, _)| approval.id)
                .collect(),
            is_own: ours().any(|(_, decidable)| *decidable == Decidable::Own),
        }
    }
}

/// What the action was given: the input itself, or a list with the iterations' keys.
fn input(inputs: &[Value]) -> String {
    let shown = match inputs {
        [] => return String::new(),
        [one] if one.get("key").is_none() => one["input"].clone(),
        several => several.to_vec().into(),
    };
    match shown {
        Value::Object(fields) if fields.is_empty() => String::new(),
        // Nested too deep for people: as it is.
        shown => yaml::write(&shown, &yaml::Style::default()).unwrap_or_else(|_| shown.to_string()),
    }
}

/// The whole log as text, a line an event.
pub fn log_text(events: &[Event]) -> String {
    events
        .iter()
        .map(|event| {
            let step = event.step_id().map(|step| format!(" [{step}]")).unwrap_or_default();
            format!(
                "{}{step} {}\n",
                crate::scaffolder::model::iso(event.created_at),
                event.message()
            )
        })
        .collect()
}
