//! One run of a task: from the claim to its end, or to the loss of its lease.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::journal::is_temporary;
use super::rendering::{self, Rules};
use super::worker::{BEAT_EVERY, LEASE_SECONDS};
use super::{Journal, Redactor, Workspace, WorkspaceError, step};
use crate::scaffolder::Scaffolder;
use crate::scaffolder::actions::Surroundings;
use crate::scaffolder::model::{EventKind, StepRecord, StepStatus, TaskSpec, TaskStatus};
use crate::scaffolder::queries::{self, Claimed, End, NewEvent, StepWrite, Write, WriteError};
use crate::telemetry;

/// When news of a task are looked into: somebody may have cancelled it.
const LOOK_AFTER: Duration = Duration::from_millis(50);

/// A task in the hands of this process.
pub(super) struct Run {
    pub scaffolder: Scaffolder,
    pub claimed: Claimed,
    pub journal: Arc<Journal>,
    pub workspace: Arc<Workspace>,
    pub secrets: Value,
    /// What the workspace was when it was stored last.
    pub stored: Option<[u8; 32]>,
    /// `{<step id>: {output}}` of the finished steps.
    pub outputs: Map<String, Value>,
    /// Why the task fails, once a step has failed.
    pub failure: Option<Failure>,
    /// What the running step's action was given so far, redacted.
    pub inputs: Vec<Value>,
    /// Set in a dry run: the files beside the template. Nothing is changed or stored then.
    pub rehearsal: Option<Arc<Surroundings>>,
    /// A dry run without a portal around it.
    pub alone: bool,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Ended,
    /// Nobody has the task now; it is taken up again when its time has come.
    Paused,
}

#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub name: &'static str,
    pub message: String,
}

/// Runs a claimed task. Errors end up in the task; a lost lease just ends the run.
pub async fn run_task(scaffolder: Scaffolder, claimed: Claimed, stop: CancellationToken) {
    let (id, owner) = (claimed.id, claimed.owner);
    let secrets = scaffolder.vault().open(&claimed);
    let environment = &scaffolder.settings().environment_secrets;
    let redactor = Redactor::new(&json!([secrets.as_ref().ok(), environment]));
    let journal = Arc::new(Journal::new(
        scaffolder.db().clone(),
        scaffolder.clock().clone(),
        id,
        owner,
        redactor,
    ));
    let done = CancellationToken::new();
    let _companions = Companions::start(&scaffolder, &journal, owner, id, &done);
    let run = telemetry::metered(go(scaffolder.clone(), claimed, journal.clone(), secrets));
    tokio::select! {
        (result, spent) = run => match result {
            Ok(Progress::Ended) => {
                let (milliseconds, own) = spent.milliseconds();
                scaffolder.vault().forget(id);
                tracing::info!(task = %id, milliseconds, own, "task ended");
            }
            Ok(Progress::Paused) => tracing::debug!(task = %id, "the task waits"),
            Err(WriteError::LeaseLost) => tracing::info!(task = %id, "the task is not ours any more"),
            Err(error) => {
                // The database refuses what we write: without an end the task would be tried for ever.
                tracing::error!(task = %id, error = &error as &dyn std::error::Error, "the task cannot be stored");
                let failure = Failure { name: "Error", message: format!("the portal could not store the task's progress: {error}") };
                let _ = journal.write(end_failed(&journal, &failure)).await;
            }
        },
        () = journal.lost.cancelled() => tracing::info!(task = %id, "the task was cancelled or taken over"),
        () = stop.cancelled() => {
            tracing::info!(task = %id, "stopping; another worker goes on with the task");
            if let Err(error) = queries::release(scaffolder.db(), id, owner).await {
                tracing::warn!(%error, "the task's lease runs out by itself");
            }
        }
    }
}

/// Heartbeat and log, beside the run; they end with it.
struct Companions(#[expect(dead_code, reason = "dropping it ends them")] DropGuard);

impl Companions {
    fn start(
        scaffolder: &Scaffolder,
        journal: &Arc<Journal>,
        owner: uuid::Uuid,
        id: uuid::Uuid,
        done: &CancellationToken,
    ) -> Self {
        tokio::spawn({
            let (journal, done) = (journal.clone(), done.clone());
            async move { journal.keep_flushing(done).await }
        });
        tokio::spawn(keep_lease(scaffolder.clone(), journal.clone(), owner, id, done.clone()));
        Self(done.clone().drop_guard())
    }
}

async fn keep_lease(
    scaffolder: Scaffolder,
    journal: Arc<Journal>,
    owner: uuid::Uuid,
    id: uuid::Uuid,
    done: CancellationToken,
) {
    let mut changes = scaffolder.changes();
    let mut beat = tokio::time::interval(BEAT_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let held = tokio::select! {
            () = done.cancelled() => return,
            _ = beat.tick() => queries::beat(scaffolder.db(), id, owner, LEASE_SECONDS).await,
            changed = changes.recv() => {
                if changed.is_ok_and(|changed| changed != id) {
                    continue;
                }
                // A cancelled task is told; but our own writes are, too, many of them in a row.
                tokio::select! {
                    () = done.cancelled() => return,
                    () = tokio::time::sleep(LOOK_AFTER) => {}
                }
                changes = changes.resubscribe();
                queries::holds(scaffolder.db(), id, owner).await
            }
        };
        match held {
            Ok(true) => {}
            Ok(false) => return journal.lose(),
            Err(error) => tracing::debug!(task = %id, %error, "no heartbeat"),
        }
    }
}

async fn go(
    scaffolder: Scaffolder,
    mut claimed: Claimed,
    journal: Arc<Journal>,
    secrets: Result<Value, String>,
) -> Result<Progress, WriteError> {
    let stored = claimed.workspace.take();
    let kept = secrets.and_then(|secrets| Ok((secrets, scaffolder.vault().open_files(claimed.id, stored)?)));
    let secrets = match kept {
        Ok((secrets, files)) => {
            claimed.workspace = files;
            secrets
        }
        Err(message) => {
            let failure = Failure { name: "Error", message };
            return fail(&journal, &failure).await;
        }
    };
    let workspace = match open_workspace(&scaffolder, &claimed).await {
        Ok(workspace) => Arc::new(workspace),
        Err(error) => {
            let failure = Failure {
                name: "Error",
                message: error.to_string(),
            };
            return fail(&journal, &failure).await;
        }
    };
    let stored = match claimed.workspace {
        Some(_) => workspace.fingerprint().ok(),
        None => None,
    };
    let records = journal.list_steps().await?;
    let mut run = Run {
        scaffolder,
        claimed,
        journal,
        workspace,
        secrets,
        stored,
        outputs: Map::new(),
        failure: None,
        inputs: Vec::new(),
        rehearsal: None,
        alone: false,
    };
    for record in &records {
        if run.step(record).await? == Progress::Paused {
            return Ok(Progress::Paused);
        }
    }
    run.end().await?;
    Ok(Progress::Ended)
}

async fn fail(journal: &Journal, failure: &Failure) -> Result<Progress, WriteError> {
    journal.write(end_failed(journal, failure)).await?;
    Ok(Progress::Ended)
}

pub(super) async fn open_workspace(scaffolder: &Scaffolder, claimed: &Claimed) -> Result<Workspace, WorkspaceError> {
    let settings = scaffolder.settings().clone();
    let archive = claimed.workspace.clone();
    tokio::task::spawn_blocking(move || {
        Workspace::open(&settings.workspace_root, settings.workspace_limit, archive.as_deref())
    })
    .await
    .map_err(|error| WorkspaceError::Io(std::io::Error::other(error)))?
}

impl Run {
    pub fn spec(&self) -> &TaskSpec {
        &self.claimed.spec
    }

    /// One step: skipped where it is finished already.
    pub async fn step(&mut self, record: &StepRecord) -> Result<Progress, WriteError> {
        match record.status {
            StepStatus::Completed => {
                let output = record.output.clone().unwrap_or_else(|| json!({}));
                self.outputs.insert(record.id.clone(), json!({"output": output}));
                Ok(Progress::Ended)
            }
            StepStatus::Skipped => Ok(Progress::Ended),
            StepStatus::Failed | StepStatus::Cancelled => {
                let message = record
                    .reason
                    .clone()
                    .unwrap_or_else(|| format!("Step {} failed", record.id));
                self.failure.get_or_insert(Failure { name: "Error", message });
                Ok(Progress::Ended)
            }
            StepStatus::Waiting | StepStatus::Processing => {
                let (result, spent) = telemetry::metered(step::run_step(self, record)).await;
                let (milliseconds, own) = spent.milliseconds();
                let (task, step, action) = (self.claimed.id, &record.id, &record.action);
                tracing::info!(%task, %step, %action, milliseconds, own, "step ended");
                result
            }
        }
    }

    /// What expressions see; secrets only where `secrets` is given, which is never so for the output.
    pub fn context(&self, each: Option<&Value>, secrets: Option<(&Value, &Value)>) -> Value {
        let spec = self.spec();
        let mut context = json!({
            "parameters": spec.parameters,
            "steps": self.outputs,
            "user": spec.user,
            "context": {"task": {"id": self.claimed.id}},
            "environment": {"parameters": self.scaffolder.settings().environment_parameters},
        });
        if let Some(each) = each {
            context["each"] = each.clone();
        }
        if let Some((secrets, environment)) = secrets {
            context["secrets"] = secrets.clone();
            context["environment"]["secrets"] = environment.clone();
        }
        context
    }

    /// Writes a step's end, with the workspace where it changed.
    pub async fn end_step(&mut self, mut write: Write) -> Result<(), WriteError> {
        let succeeded = matches!(
            &write.step,
            Some(
                StepWrite::Iterated { .. }
                    | StepWrite::End {
                        status: StepStatus::Completed,
                        ..
                    }
            )
        );
        let mut fingerprint = self.stored;
        if succeeded {
            match self.pack().await {
                Ok(Some((now, archive))) => {
                    fingerprint = Some(now);
                    write.workspace = self.scaffolder.vault().keep_files(self.claimed.id, archive);
                }
                Ok(None) => {}
                Err(error) => return self.fail_instead(write, &error).await,
            }
        }
        self.journal.write(write).await?;
        self.stored = fingerprint;
        Ok(())
    }

    /// The step's files cannot be kept: the step has failed after all.
    async fn fail_instead(&mut self, write: Write, error: &WorkspaceError) -> Result<(), WriteError> {
        let position = match write.step {
            Some(StepWrite::End { position, .. }) => position,
            // The step is still running and will fail of it.
            _ => {
                self.failure.get_or_insert(Failure {
                    name: "InputError",
                    message: error.to_string(),
                });
                return Ok(());
            }
        };
        let index = usize::try_from(position).unwrap_or_default();
        let step_id = self.spec().steps[index].id.clone();
        let message = error.to_string();
        let write = step::failed(
            &self.journal,
            &step_id,
            position,
            None,
            &message,
            self.scaffolder.clock().now(),
        );
        self.failure.get_or_insert(Failure {
            name: "InputError",
            message,
        });
        self.outputs.remove(&step_id);
        self.journal.write(write).await
    }

    /// The archive of the workspace, where it is not the one that is stored.
    async fn pack(&self) -> Result<Option<([u8; 32], Vec<u8>)>, WorkspaceError> {
        let (workspace, stored, kept) = (self.workspace.clone(), self.stored, self.rehearsal.is_none());
        tokio::task::spawn_blocking(move || {
            // Also tells of a workspace that is too large.
            let now = workspace.fingerprint()?;
            if stored == Some(now) || !kept {
                Ok(None)
            } else {
                Ok(Some((now, workspace.archive()?)))
            }
        })
        .await
        .map_err(|error| WorkspaceError::Io(std::io::Error::other(error)))?
    }

    async fn end(self) -> Result<(), WriteError> {
        if let Some(failure) = &self.failure {
            return self.journal.write(end_failed(&self.journal, failure)).await;
        }
        let output = match self.render_output() {
            Ok(output) => output,
            Err(failure) => return self.journal.write(end_failed(&self.journal, &failure)).await,
        };
        let event = NewEvent {
            kind: EventKind::Completion,
            body: json!({"message": "Run completed with status: completed", "output": output}),
            at: self.scaffolder.clock().now(),
        };
        let write = Write {
            events: vec![event],
            end: Some(End {
                status: TaskStatus::Completed,
                output: Some(output),
                error: None,
            }),
            ..Write::default()
        };
        self.journal.write(write).await
    }
}

impl Run {
    /// The task's output, without secrets and without the links and texts that nobody wants.
    pub fn render_output(&self) -> Result<Value, Failure> {
        let rules = Rules::new(self.spec(), false, &self.scaffolder.settings().integrations);
        let rendered =
            rendering::render(&self.spec().output, &self.context(None, None), rules).map_err(|error| Failure {
                name: "InputError",
                message: format!("the template's output: {error}"),
            })?;
        let output = rendering::drop_unwanted(rendered.unwrap_or(json!({})));
        Ok(match self.journal.clean_value(&output) {
            Value::Null => json!({}),
            output => output,
        })
    }
}

/// The end of a task that has failed.
fn end_failed(journal: &Journal, failure: &Failure) -> Write {
    let error = json!({"name": failure.name, "message": journal.clean(&failure.message)});
    let mut event = journal.event(None, None, "Run completed with status: failed");
    event.kind = EventKind::Completion;
    event.body["error"] = error.clone();
    Write {
        events: vec![event],
        end: Some(End {
            status: TaskStatus::Failed,
            output: None,
            error: Some(error),
        }),
        ..Write::default()
    }
}

/// A write that failed for good, as against one that was lost with the lease.
pub(super) fn is_final(error: &WriteError) -> bool {
    match error {
        WriteError::LeaseLost => true,
        WriteError::Reserved { .. } => false,
        WriteError::Database(error) => !is_temporary(error),
    }
}
