//! What an action may use.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::{ActionError, Pause};
use crate::scaffolder::engine::{Journal, Workspace};
use crate::scaffolder::model::{EffectKind, Removed, Waiting};
use crate::scaffolder::queries::{Decision, NewEffect, NewIntent, RemovedEffect, Write};
use crate::scaffolder::{Outside, Settings};
use crate::scm::{Located, TreeFile};

/// A step's surroundings while its action runs.
#[derive(Clone)]
pub struct Context {
    pub task_id: Uuid,
    pub step_id: String,
    /// Set in an iteration of a step with `each`.
    pub iteration: Option<String>,
    /// Who started the task.
    pub actor: String,
    /// When the task was started: the one time that a repeated run knows, too.
    pub task_created_at: DateTime<Utc>,
    pub now: DateTime<Utc>,
    /// What relative URLs are relative to: the template's file or folder.
    pub base_url: Option<String>,
    /// The template's ref.
    pub template_ref: String,
    /// Nothing outside of the workspace may be changed.
    pub dry_run: bool,
    /// The template's annotation `portico/expressions: strict`: it holds for skeletons, too.
    pub strict: bool,
    /// There is no portal around: a dry run on the command line. Nothing outside may be asked.
    pub alone: bool,
    /// Files beside the template, where they came with it: those of a dry run.
    pub beside: Option<Arc<Surroundings>>,
    pub workspace: Arc<Workspace>,
    pub outside: Outside,
    pub settings: Arc<Settings>,
    pub(in crate::scaffolder) journal: Arc<Journal>,
}

/// Files that came with a template.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// The template's folder among them; empty where all of them lie in it.
    pub folder: String,
    pub files: Vec<TreeFile>,
}

/// What a step has recorded before it acts.
#[derive(Debug, Clone)]
pub struct Intent {
    pub data: Value,
    /// Recorded in this run: nothing has been done on its behalf before.
    pub fresh: bool,
}

impl Context {
    /// Adds a line to the step's log; secrets are masked.
    pub fn log(&self, message: impl AsRef<str>) {
        self.journal.log(Some(&self.step_id), message.as_ref());
    }

    /// Keeps a value out of logs, outputs and errors from now on.
    pub fn hide(&self, secret: &str) {
        self.journal.redactor.hide(secret);
    }

    /// The worker still has the task. Blocking work asks between its parts.
    pub fn is_ours(&self) -> bool {
        !self.journal.lost.is_cancelled()
    }

    /// The step's id, with the iteration where it has several: tells apart what different runs of an action make.
    pub fn step_key(&self) -> String {
        match &self.iteration {
            Some(iteration) => format!("{}[{iteration}]", self.step_id),
            None => self.step_id.clone(),
        }
    }

    fn key(&self, key: &str) -> String {
        match &self.iteration {
            Some(iteration) => format!("{key}#{iteration}"),
            None => key.to_owned(),
        }
    }

    /// An error where there is no portal around to ask for `what`.
    pub fn ask(&self, what: &str) -> Result<(), ActionError> {
        match self.alone {
            true => Err(ActionError::NotRead(what.to_owned())),
            false => Ok(()),
        }
    }

    /// What was recorded under `key` by this step, in this run of it or an earlier one.
    pub async fn find_intent(&self, key: &str) -> Result<Option<Value>, ActionError> {
        self.journal
            .find_intent(&self.step_id, &self.key(key))
            .await
            .map_err(|error| ActionError::Write(error.into()))
    }

    /// Records what the step is about to do, before it does it. The first record stands. With `exclusive`
    /// it fails with `WriteError::Reserved` while another running task has the same key.
    pub async fn intend(&self, key: &str, data: Value, exclusive: bool) -> Result<Intent, ActionError> {
        if let Some(data) = self.find_intent(key).await? {
            return Ok(Intent { data, fresh: false });
        }
        let intent = NewIntent {
            step_id: self.step_id.clone(),
            key: self.key(key),
            data: data.clone(),
            exclusive,
        };
        let write = Write {
            intent: Some(intent),
            ..Write::default()
        };
        self.journal.write(write).await?;
        Ok(Intent { data, fresh: true })
    }

    /// What somebody has decided on this step's question, once that is so.
    pub async fn decision(&self) -> Result<Option<Decision>, ActionError> {
        self.journal
            .find_decision(&self.step_key())
            .await
            .map_err(|error| ActionError::Write(error.into()))
    }

    /// What an action returns that waits for something: it is run again after `look_after`, or earlier where there is
    /// news, and fails when the step's timeout, or this one where the step has none, is over.
    pub fn pause(&self, waiting: Waiting, look_after: Duration, timeout: Duration) -> ActionError {
        ActionError::Pause(Box::new(Pause {
            waiting,
            step_key: self.step_key(),
            look_after,
            timeout,
        }))
    }

    /// Records what the step has made, so that it can be shown and undone. Twice is once.
    pub async fn effect(&self, kind: EffectKind, reference: &str, url: Option<String>) -> Result<(), ActionError> {
        let effect = NewEffect {
            step_id: self.step_id.clone(),
            kind,
            reference: self.journal.clean(reference),
            url: url.map(|url| self.journal.clean(&url)),
        };
        let write = Write {
            effect: Some(effect),
            ..Write::default()
        };
        Ok(self.journal.write(write).await?)
    }

    /// Records that something is gone that another task had made.
    pub async fn removed(
        &self,
        task_id: Uuid,
        kind: EffectKind,
        reference: &str,
        removed: Removed,
    ) -> Result<(), ActionError> {
        let removed = RemovedEffect {
            task_id,
            kind,
            reference: reference.to_owned(),
            removed,
        };
        let write = Write {
            removed: Some(removed),
            ..Write::default()
        };
        Ok(self.journal.write(write).await?)
    }

    /// The place that a URL of the template names: absolute, or relative to the template.
    pub fn locate(&self, url: &str) -> Result<Located, ActionError> {
        if url.contains("://") {
            return Ok(self.outside.forges.locate(url)?);
        }
        let base = self.base_url.as_deref().ok_or_else(|| {
            ActionError::Input(format!(
                "the url \"{url}\" is relative, and the template {} has neither backstage.io/source-location nor \
                 backstage.io/managed-by-location to resolve it against",
                self.template_ref
            ))
        })?;
        let mut located = self.outside.forges.locate(base)?;
        let folder = match base.ends_with('/') {
            true => located.source.path.as_str(),
            false => located.source.path.rsplit_once('/').map_or("", |(folder, _)| folder),
        };
        located.source.path = join(folder, url)
            .ok_or_else(|| ActionError::Input(format!("the url \"{url}\" leaves the repository of the template")))?;
        Ok(located)
    }

    /// The commit that the place has for this step, once and for all: a repeated run reads the same files.
    pub async fn pin(&self, located: &Located) -> Result<String, ActionError> {
        let source = &located.source;
        let key = format!(
            "pin:{}/{}/{}@{}",
            source.repository.forge,
            source.repository.owner,
            source.repository.name,
            source.reference.as_deref().unwrap_or_default()
        );
        if let Some(Value::String(commit)) = self.find_intent(&key).await? {
            return Ok(commit);
        }
        let reference = match &source.reference {
            Some(reference) => reference.clone(),
            None => located.forge.repository(&source.repository).await?.default_branch,
        };
        let commit = located.forge.commit(&source.repository, &reference).await?.id;
        self.intend(&key, Value::String(commit.clone()), false).await?;
        Ok(commit)
    }
}

/// `path` seen from `folder`, without `.` and `..`; a leading slash means the root. `None` when it goes above the root.
pub fn join(folder: &str, path: &str) -> Option<String> {
    let start = if path.starts_with('/') { "" } else { folder };
    let mut segments: Vec<&str> = Vec::new();
    for segment in start.split('/').chain(path.split('/')) {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            segment => segments.push(segment),
        }
    }
    Some(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_urls_stay_in_the_repository() {
        for (folder, path, joined) in [
            ("basic", "./skeleton", Some("basic/skeleton")),
            ("basic", "../shared", Some("shared")),
            ("basic", "../../etc", None),
            ("", ".", Some("")),
            ("a/b", "/c", Some("c")),
            ("a", "..", Some("")),
        ] {
            assert_eq!(join(folder, path).as_deref(), joined, "{folder} {path}");
        }
    }
}
