//! What a task's page says, as plain values: no IO here.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::catalog::EntityRef;
use crate::language::{self, duration, text};
use crate::scaffolder::model::{Effect, EffectKind, Event, StepRecord, StepStatus, Task, TaskStatus};

/// A finished log of at most this many lines is shown in a low box.
const FEW_LINES: usize = 6;

pub struct TaskView {
    pub id: Uuid,
    /// The first two groups of the id, enough to tell tasks apart by eye.
    pub short_id: String,
    pub title: String,
    pub template_title: String,
    pub template_path: Option<String>,
    pub status: TaskStatus,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub elapsed: Option<language::Text>,
    pub error: Option<String>,
    pub steps: Vec<StepView>,
    pub summary: language::Text,
    /// `3 of 4`.
    pub progress: language::Text,
    pub makes: Vec<Making>,
    pub links: Vec<Link>,
    pub texts: Vec<Text>,
    pub answers: Vec<(String, String)>,
    /// Number of the last event that is in here.
    pub last_event: i64,
    pub now: DateTime<Utc>,
}

pub struct StepView {
    pub position: i32,
    pub name: String,
    pub action: String,
    pub state: StepStatus,
    /// How long it took, or how it stands.
    pub time: language::Text,
    pub reason: Option<String>,
    pub lines: Vec<Line>,
}

pub struct Line {
    pub at: DateTime<Utc>,
    pub message: String,
}

/// Something that the task makes, or made.
pub struct Making {
    pub icon: &'static str,
    pub label: language::Text,
    pub made: bool,
    pub name: String,
    pub url: Option<String>,
    /// Where there is nothing yet: when there will be.
    pub outlook: language::Text,
}

pub struct Link {
    pub title: String,
    pub url: String,
    pub icon: &'static str,
}

pub struct Text {
    pub title: String,
    pub content: String,
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
    fn new(record: &StepRecord, events: &[Event]) -> Self {
        let ours = events
            .iter()
            .filter(|event| event.step_id() == Some(record.id.as_str()));
        let time = match (record.status, record.started_at, record.finished_at) {
            (StepStatus::Waiting, ..) => text!("waiting"),
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
            lines: ours.map(Line::new).collect(),
        }
    }

    /// Word beside the shape.
    pub fn word(&self) -> language::Text {
        match self.state {
            StepStatus::Waiting => text!("Waiting"),
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
        self.is_running() || !self.lines.is_empty()
    }

    pub fn is_short(&self) -> bool {
        !self.is_running() && self.lines.len() <= FEW_LINES
    }
}

impl TaskView {
    pub fn new(
        task: Task,
        records: &[StepRecord],
        events: &[Event],
        effects: &[Effect],
        now: DateTime<Utc>,
        application_url: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let steps: Vec<StepView> = records.iter().map(|record| StepView::new(record, events)).collect();
        let template = EntityRef::parse(&task.template_ref, Some("template"), None).ok();
        let started = task.started_at.unwrap_or(task.created_at);
        let ended = task
            .finished_at
            .or_else(|| (task.status == TaskStatus::Processing).then_some(now));
        let output = task.output.clone().unwrap_or_default();
        let id = task.id.to_string();
        Self {
            id: task.id,
            short_id: id.get(..13).unwrap_or(&id).to_owned(),
            template_title: task.spec.template_title().to_owned(),
            template_path: template.map(|template| template.path()),
            created_by: task.creator().to_owned(),
            created_at: task.created_at,
            elapsed: ended.map(|ended| duration((ended - started).max(Duration::zero()))),
            error: task
                .error
                .as_ref()
                .and_then(|error| error["message"].as_str())
                .map(str::to_owned),
            summary: summary(&steps),
            progress: progress(&steps),
            makes: makes(records, effects, task.status, application_url),
            links: links(&output),
            texts: texts(&output),
            answers: answers(&task.spec.parameters),
            last_event: events.last().map_or(0, |event| event.id),
            title: task.title,
            status: task.status,
            steps,
            now,
        }
    }

    pub fn is_running(&self) -> bool {
        !self.status.is_final()
    }

    /// There is no result, and none is to come.
    pub fn shows_nothing(&self) -> bool {
        let some = self.error.is_some() || !self.makes.is_empty() || !self.links.is_empty() || !self.texts.is_empty();
        !some && !self.is_running()
    }

    pub fn may_retry(&self) -> bool {
        matches!(self.status, TaskStatus::Failed | TaskStatus::Cancelled)
    }
}

/// `2 done, 1 running, 1 waiting`.
fn summary(steps: &[StepView]) -> language::Text {
    let count = |state: StepStatus| steps.iter().filter(|step| step.state == state).count();
    let states = [
        (StepStatus::Completed, text!("{count} done")),
        (StepStatus::Failed, text!("{count} failed")),
        (StepStatus::Cancelled, text!("{count} cancelled")),
        (StepStatus::Processing, text!("{count} running")),
        (StepStatus::Waiting, text!("{count} waiting")),
        (StepStatus::Skipped, text!("{count} skipped")),
    ];
    let some = states.into_iter().filter(|(state, _)| count(*state) > 0);
    language::Text::list(some.map(|(state, words)| words.with("count", count(state))).collect())
}

fn progress(steps: &[StepView]) -> language::Text {
    let at = steps
        .iter()
        .position(|step| {
            matches!(
                step.state,
                StepStatus::Processing | StepStatus::Failed | StepStatus::Cancelled
            )
        })
        .map_or_else(
            || steps.iter().filter(|step| step.state != StepStatus::Waiting).count(),
            |index| index + 1,
        );
    text!("{part} of {all}", part = at, all = steps.len())
}

/// What kind of thing a step's action makes.
fn made_by(action: &str) -> Option<EffectKind> {
    match action {
        "catalog:register" => Some(EffectKind::Location),
        "cnoe:create-argocd-app" | "argocd:create-resources" => Some(EffectKind::Application),
        _ if action.starts_with("publish:") => Some(EffectKind::Repository),
        _ => None,
    }
}

fn makes(
    records: &[StepRecord],
    effects: &[Effect],
    status: TaskStatus,
    application_url: impl Fn(&str) -> Option<String>,
) -> Vec<Making> {
    let mut makes = Vec::new();
    for record in records {
        let Some(kind) = made_by(&record.action) else { continue };
        let (icon, label) = match kind {
            EffectKind::Repository => ("repo", text!("Repository")),
            EffectKind::Application => ("deploy", text!("Argo CD application")),
            EffectKind::Location => ("component", text!("Catalog entry")),
            EffectKind::Object => ("deploy", text!("Kubernetes object")),
            EffectKind::PullRequest => ("repo", text!("Pull request")),
            EffectKind::Issue => ("repo", text!("Issue")),
        };
        let outlook = match record.status {
            StepStatus::Processing => text!("being created"),
            StepStatus::Waiting if !status.is_final() => text!("after step {number}", number = record.position + 1),
            StepStatus::Completed => text!("made"),
            _ => text!("not created"),
        };
        let own: Vec<&Effect> = effects
            .iter()
            .filter(|effect| effect.kind == kind && effect.step_id == record.id)
            .collect();
        if own.is_empty() {
            makes.push(Making {
                icon,
                label,
                made: false,
                name: String::new(),
                url: None,
                outlook,
            });
            continue;
        }
        for effect in own {
            let entity = record.output.as_ref().and_then(|output| output["entityRef"].as_str());
            let entity_ref = entity.and_then(|text| EntityRef::parse(text, None, None).ok());
            let url = match kind {
                EffectKind::Location => entity_ref.map(|entity_ref| entity_ref.path()),
                EffectKind::Application => application_url(&effect.reference),
                EffectKind::Repository | EffectKind::Object | EffectKind::PullRequest | EffectKind::Issue => {
                    effect.url.clone()
                }
            };
            let name = match (kind, entity) {
                (EffectKind::Location, Some(entity)) => entity.to_owned(),
                _ => effect.reference.clone(),
            };
            makes.push(Making {
                icon,
                label: label.clone(),
                made: true,
                name,
                url: url.filter(|url| is_safe(url)),
                outlook: outlook.clone(),
            });
        }
    }
    makes
}

/// A path of ours, or http.
fn is_safe(url: &str) -> bool {
    (url.starts_with('/') && !url.starts_with("//")) || url.starts_with("https://") || url.starts_with("http://")
}

fn links(output: &Value) -> Vec<Link> {
    let items = output["links"].as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let url = match item["entityRef"].as_str() {
                Some(entity) => EntityRef::parse(entity, Some("component"), None).ok()?.path(),
                None => item["url"].as_str()?.to_owned(),
            };
            is_safe(&url).then(|| Link {
                title: item["title"].as_str().unwrap_or(&url).to_owned(),
                icon: match item["icon"].as_str() {
                    Some("catalog" | "kind:component") => "component",
                    Some("github" | "gitlab" | "git") => "repo",
                    Some("docs" | "techdocs") => "docs",
                    _ => "ext",
                },
                url,
            })
        })
        .collect()
}

fn texts(output: &Value) -> Vec<Text> {
    let items = output["text"].as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            Some(Text {
                title: item["title"].as_str().unwrap_or_default().to_owned(),
                content: item["content"].as_str()?.to_owned(),
            })
        })
        .collect()
}

/// The parameters with their names as words.
fn answers(parameters: &Value) -> Vec<(String, String)> {
    let Some(fields) = parameters.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (words(name), value)
        })
        .collect()
}

/// `appName` and `app_name` as `App name`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        match character {
            '_' | '-' => words.push(' '),
            c if c.is_uppercase() && !words.is_empty() && !words.ends_with(' ') => {
                words.push(' ');
                words.extend(c.to_lowercase());
            }
            c if words.is_empty() => words.extend(c.to_uppercase()),
            c => words.push(c),
        }
    }
    words
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_safe_links_are_shown() {
        let output = json!({"links": [
            {"title": "Catalog", "icon": "catalog", "entityRef": "component:default/demo"},
            {"title": "Repo", "url": "https://f/o/n"},
            {"title": "Bad", "url": "javascript:alert(1)"},
            {"title": "Bad", "url": "//evil.example"},
            {"title": "Empty"},
        ]});
        let urls: Vec<String> = links(&output).into_iter().map(|link| link.url).collect();
        assert_eq!(urls, ["/catalog/default/component/demo", "https://f/o/n"]);
    }

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("name", "Name"),
            ("appName", "App name"),
            ("app_name", "App name"),
            ("repo-url", "Repo url"),
        ] {
            assert_eq!(words(name), expected);
        }
    }
}
