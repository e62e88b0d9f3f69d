//! What a task is: its specification, its states, its events. Pure types and rules, no IO.
//! The names on the wire are those of `@backstage/plugin-scaffolder-backend` 4.2.0.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// A closed list of words that are the same in the database, on the wire and in code.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$note])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire and in the database.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value of a word; `None` for any other word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// State of a task: open → processing → completed, failed or cancelled.
    TaskStatus { Open = "open", Processing = "processing", Completed = "completed", Failed = "failed", Cancelled = "cancelled" }
}

words! {
    /// State of a step. Events never say `waiting`: a step that has not begun has none.
    StepStatus {
        Waiting = "waiting", Processing = "processing", Completed = "completed", Failed = "failed",
        Skipped = "skipped", Cancelled = "cancelled",
    }
}

words! {
    EventKind { Log = "log", Completion = "completion", Cancelled = "cancelled", Recovered = "recovered" }
}

words! {
    /// What has become of something that a task has made.
    Removed { Deleted = "deleted", Archived = "archived" }
}

words! {
    /// What is to become of something that a task has made.
    Fate {
        Keep = "keep",
        Delete = "delete",
        Archive = "archive",
        /// An Application with what it has rolled out.
        WithResources = "with-resources",
        /// The Application, and not what it has rolled out.
        WithoutResources = "without-resources",
    }
}

words! {
    /// Kinds of things that a task makes outside of the portal.
    EffectKind {
        Repository = "repository", Application = "application", Project = "project", Location = "location",
        Object = "object", PullRequest = "pull-request", Issue = "issue",
    }
}

impl TaskStatus {
    /// Nothing happens to the task any more unless somebody retries it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Open | Self::Processing)
    }
}

/// A step as the template has it, with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `step-<n>`, counted from 1, where the template names none.
    pub id: String,
    /// The action's id where the template names none.
    pub name: String,
    pub action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<Value>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<Value>,
    /// Keys that we do not read are kept for those who do.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Who started a task, as templates see it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SpecUser {
    /// The whole User entity, where the catalog has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Value>,
    /// Absent for programs.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub entity_ref: Option<String>,
}

/// The template that a task was made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateInfo {
    pub entity_ref: String,
    /// What relative URLs in steps are relative to; absent where the template has no source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// `{metadata}` of the template.
    pub entity: Value,
}

/// Everything that a task was started with, except its secrets: what the API answers as `spec`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskSpec {
    pub api_version: String,
    pub steps: Vec<Step>,
    pub parameters: Value,
    #[serde(default)]
    pub output: Value,
    pub user: SpecUser,
    pub template_info: TemplateInfo,
    #[serde(default, rename = "EXPERIMENTAL_recovery", skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Value>,
}

impl TaskSpec {
    /// `none` (the default) or `startOver`: what a retry does with finished steps.
    pub fn recover_strategy(&self) -> &str {
        self.recovery
            .as_ref()
            .and_then(|recovery| recovery.get("EXPERIMENTAL_strategy")?.as_str())
            .unwrap_or("none")
    }

    /// The template's title, else its name.
    pub fn template_title(&self) -> &str {
        let metadata = &self.template_info.entity["metadata"];
        metadata["title"]
            .as_str()
            .or(metadata["name"].as_str())
            .unwrap_or(&self.template_info.entity_ref)
    }
}

/// A task as it is stored.
#[derive(Debug, Clone)]
pub struct Task {
    pub id: Uuid,
    pub title: String,
    pub template_ref: String,
    pub spec: TaskSpec,
    pub status: TaskStatus,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub last_heartbeat_at: Option<DateTime<Utc>>,
    pub output: Option<Value>,
    pub error: Option<Value>,
    /// The task whose results this one removes.
    pub undoes: Option<Uuid>,
    /// It was started with secrets.
    pub has_secrets: bool,
    /// It stands still: a step waits for people, for another system or for its next try.
    pub waits: bool,
}

impl Task {
    /// The word that its badge is chosen by: a task that stands still is not said to run.
    pub fn standing(&self) -> &'static str {
        match self.status {
            TaskStatus::Processing if self.waits => TaskStatus::Open.as_str(),
            status => status.as_str(),
        }
    }

    /// Name of who started it, without kind and namespace.
    pub fn creator(&self) -> &str {
        self.created_by.rsplit(['/', ':']).next().unwrap_or(&self.created_by)
    }

    /// The task as the API answers it.
    pub fn to_wire(&self) -> Value {
        let mut wire = json!({
            "id": self.id,
            "spec": self.spec,
            "status": self.status,
            "createdAt": iso(self.created_at),
            "createdBy": self.created_by,
        });
        if let Some(at) = self.last_heartbeat_at {
            wire["lastHeartbeatAt"] = json!(iso(at));
        }
        wire
    }
}

/// What a step stands still for. Nobody runs the task meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Waiting {
    /// The next try, number `next` of `of`; the last one failed of `error`.
    Retry { next: u32, of: u32, error: String },
    /// An Application that is not as it shall be; `state` says how it is.
    Application { name: String, state: String },
    /// A pull request that is open.
    PullRequest { name: String, url: String },
    /// An Application that is being removed.
    Gone { name: String, state: String },
    /// Somebody's word.
    Approval {
        /// Refs of the users and groups who may give it.
        by: Vec<String>,
        /// Who started the task may, too.
        own: bool,
        message: String,
    },
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { next, of, .. } => write!(f, "try {next} of {of}"),
            Self::Application { name, state } => write!(f, "the Application {name}, which is {state}"),
            Self::Gone { name, state } => write!(f, "the Application {name} to be gone; {state}"),
            Self::PullRequest { name, .. } => write!(f, "the pull request {name} to be merged"),
            Self::Approval { by, .. } => write!(f, "an approval by {}", by.join(" or ")),
        }
    }
}

/// A step that stands still.
#[derive(Debug, Clone, PartialEq)]
pub struct Standstill {
    pub waiting: Waiting,
    pub since: DateTime<Utc>,
    /// When it goes on, or is given up, at the latest.
    pub until: DateTime<Utc>,
}

/// A step's checkpoint.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// From 0, in the order of the template.
    pub position: i32,
    pub id: String,
    pub name: String,
    pub action: String,
    pub status: StepStatus,
    pub output: Option<Value>,
    /// Outputs of finished iterations, where the step has `each`.
    pub iterations: Vec<Value>,
    pub reason: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Tries that have failed since the step was begun.
    pub tries: u32,
    /// When the running try began.
    pub tried_at: Option<DateTime<Utc>>,
    pub standstill: Option<Standstill>,
    /// What the action was given, redacted: `{input}`, with the iteration as `key` where there are several.
    pub inputs: Vec<Value>,
}

impl StepRecord {
    /// A step that has not begun.
    pub fn new(position: i32, step: &Step) -> Self {
        Self {
            position,
            id: step.id.clone(),
            name: step.name.clone(),
            action: step.action.clone(),
            status: StepStatus::Waiting,
            output: None,
            iterations: Vec::new(),
            reason: None,
            started_at: None,
            finished_at: None,
            tries: 0,
            tried_at: None,
            standstill: None,
            inputs: Vec::new(),
        }
    }

    /// It stands still for something that its action waits for, and not for its next try.
    pub fn is_looking(&self) -> bool {
        self.standstill
            .as_ref()
            .is_some_and(|standstill| !matches!(standstill.waiting, Waiting::Retry { .. }))
    }
}

/// Something that happened to a task. Ids count from 1 within the task and only grow.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub task_id: Uuid,
    pub id: i64,
    pub kind: EventKind,
    pub body: Value,
    pub created_at: DateTime<Utc>,
}

impl Event {
    /// The event as the API answers it.
    pub fn to_wire(&self) -> Value {
        json!({
            "id": self.id,
            "taskId": self.task_id,
            "type": self.kind,
            "createdAt": iso(self.created_at),
            "body": self.body,
        })
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    /// Id of the step that the event is about.
    pub fn step_id(&self) -> Option<&str> {
        self.body["stepId"].as_str()
    }

    pub fn step_status(&self) -> Option<StepStatus> {
        StepStatus::from_word(self.body["status"].as_str()?)
    }
}

/// Something that a task made outside of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    pub step_id: String,
    pub kind: EffectKind,
    /// What it is called there: `owner/name`, `namespace/name`, the location's target.
    pub reference: String,
    pub url: Option<String>,
    pub created_at: DateTime<Utc>,
    /// What has become of it, where a task of this portal has removed it.
    pub removed: Option<Removed>,
}

/// A time as JavaScript writes it: UTC, milliseconds.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What a value is, in words of the errors of templates.
pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for status in TaskStatus::ALL {
            assert_eq!(TaskStatus::from_word(status.as_str()), Some(*status));
        }
        assert_eq!(StepStatus::from_word("Waiting"), None);
    }

    #[test]
    fn steps_keep_keys_that_we_do_not_read() {
        let text = json!({"id": "a", "name": "A", "action": "debug:log", "if": "${{ x }}", "backstage:permissions": {"tags": ["t"]}});
        let step: Step = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(step.condition, Some(json!("${{ x }}")));
        assert_eq!(serde_json::to_value(step).unwrap(), text);
    }
}
