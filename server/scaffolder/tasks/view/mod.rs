//! What a task's page says, as plain values: no IO here.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

mod answers;
mod result;
mod step;

pub use answers::answers;
pub use result::is_safe;
use result::{Link, Making, Text, links, makes, texts};
pub use step::{Decidable, Line, StepView, log_text};

use crate::catalog::EntityRef;
use crate::language::{self, duration, text};
use crate::scaffolder::create::form_path;
use crate::scaffolder::model::{Effect, Event, Removed, StepRecord, StepStatus, Task, TaskStatus};
use crate::scaffolder::queries::Approval;

pub struct TaskView {
    pub id: Uuid,
    /// The first two groups of the id, enough to tell tasks apart by eye.
    pub short_id: String,
    pub title: String,
    pub template_title: String,
    pub template_path: Option<String>,
    pub status: TaskStatus,
    /// Word of its badge.
    pub standing: &'static str,
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
    /// Filled in by whoever knows which of them are passwords.
    pub answers: Vec<(String, String)>,
    /// Where the template can be filled in with the same answers.
    pub again: Option<String>,
    /// It has made something that can be removed again.
    pub may_remove: bool,
    /// A retry needs secrets, which are asked on a page of their own.
    pub needs_secrets: bool,
    /// The task whose results this one removes.
    pub undoes: Option<Uuid>,
    /// Until when the files of a task that did not complete can be downloaded.
    pub files_until: Option<DateTime<Utc>>,
    /// Number of the last event that is in here.
    pub last_event: i64,
    pub now: DateTime<Utc>,
}

impl TaskView {
    pub fn new(
        task: Task,
        records: &[StepRecord],
        events: &[Event],
        effects: &[Effect],
        asked: &[(Approval, Decidable)],
        now: DateTime<Utc>,
        application_url: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let steps: Vec<StepView> = records
            .iter()
            .map(|record| StepView::new(record, events, asked, now))
            .collect();
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
            again: template
                .as_ref()
                .filter(|_| task.status.is_final() && task.undoes.is_none())
                .map(|template| format!("{}?task={}", form_path(template), task.id)),
            may_remove: task.status.is_final() && effects.iter().any(|effect| effect.removed != Some(Removed::Deleted)),
            needs_secrets: task.has_secrets,
            undoes: task.undoes,
            files_until: None,
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
            answers: Vec::new(),
            last_event: events.last().map_or(0, |event| event.id),
            standing: task.standing(),
            title: task.title,
            status: task.status,
            steps,
            now,
        }
    }

    pub fn is_running(&self) -> bool {
        !self.status.is_final()
    }

    /// Seconds after which a page without scripts loads itself anew; never where somebody may be typing into it.
    pub fn refresh_after(&self) -> Option<u32> {
        let mut standing = self.steps.iter().filter_map(|step| step.standing.as_ref());
        match standing.next() {
            _ if !self.is_running() => None,
            Some(standing) => standing.decide.is_empty().then_some(20),
            None => Some(2),
        }
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
