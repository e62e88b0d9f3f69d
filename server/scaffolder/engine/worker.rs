//! The worker of this process: finds tasks that wait or were left behind, and runs some of them at once.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::run::run_task;
use crate::gitops::Change;
use crate::ids::new_id;
use crate::scaffolder::Scaffolder;
use crate::scaffolder::queries::{self, CHANNEL};
use crate::scm::Repository;

/// A worker that says nothing for this long has lost its tasks.
pub(super) const LEASE_SECONDS: f64 = 5.0;
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);
/// Notifications may get lost; this finds what they would have told.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// After the database was away, workers that are alive prolong their leases before anybody takes them.
const GRACE: Duration = Duration::from_secs(3);
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// Runs tasks until `stop`; then gives its leases back. Also tells this process's pages of changed tasks,
/// so it runs even where `scaffolder.concurrentTasksLimit` is 0.
pub async fn run_worker(scaffolder: Scaffolder, stop: CancellationToken) {
    let mut running = Running::default();
    let mut listener: Option<PgListener> = None;
    let mut purge = tokio::time::interval(PURGE_EVERY);
    let _waker = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(wake_for_applications(scaffolder.clone())));
    loop {
        if listener.is_none() {
            listener = listen(&scaffolder).await;
        }
        let mut pause = POLL_EVERY;
        if let Err(error) = start_due(&scaffolder, &mut running, &stop).await {
            tracing::warn!(%error, "tasks cannot be claimed; trying again");
            pause = GRACE;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = notified(&scaffolder, &mut listener), if pause == POLL_EVERY => {}
            Some(ended) = running.tasks.join_next_with_id() => running.forget(ended),
            _ = purge.tick() => {
                let kept = chrono::Duration::from_std(scaffolder.settings().workspace_retention).unwrap_or_default();
                let before = scaffolder.clock().now() - kept;
                if let Err(error) = queries::purge_workspaces(scaffolder.db(), before).await {
                    tracing::warn!(%error, "old workspaces cannot be removed");
                }
            }
            () = tokio::time::sleep(pause) => {}
        }
    }
    while let Some(ended) = running.tasks.join_next_with_id().await {
        running.forget(ended);
    }
}

/// Tasks that this process runs.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    ids: HashMap<tokio::task::Id, Uuid>,
}

impl Running {
    fn forget(&mut self, ended: Result<(tokio::task::Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                // Its lease runs out, and the task is taken up again.
                tracing::error!(%error, "a task's run broke off");
                error.id()
            }
        };
        self.ids.remove(&id);
    }
}

async fn start_due(
    scaffolder: &Scaffolder,
    running: &mut Running,
    stop: &CancellationToken,
) -> Result<(), sqlx::Error> {
    while running.ids.len() < scaffolder.settings().concurrent_tasks {
        let ids: Vec<Uuid> = running.ids.values().copied().collect();
        let owner = new_id(scaffolder.clock());
        let Some(claimed) = queries::claim(scaffolder.db(), owner, LEASE_SECONDS, &ids).await? else {
            return Ok(());
        };
        let id = claimed.id;
        let handle = running.tasks.spawn(run_task(scaffolder.clone(), claimed, stop.clone()));
        running.ids.insert(handle.id(), id);
    }
    Ok(())
}

impl Scaffolder {
    /// Wakes tasks that wait for a pull request when its repository is pushed to, as long as pushes are told.
    pub async fn wake_for_pushes(&self, mut pushes: Receiver<Repository>) {
        loop {
            match pushes.recv().await {
                Ok(repository) => {
                    let name = format!("{}/{}", repository.owner, repository.name);
                    if let Err(error) = queries::wake_for_push(self.db(), &name).await {
                        tracing::debug!(%error, "who waits for a pull request looks at it later");
                    }
                }
                // Who waits looks by itself, only later.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    }
}

/// Wakes tasks that wait for an Application when it has changed.
async fn wake_for_applications(scaffolder: Scaffolder) {
    let mut changes = scaffolder.outside().gitops.subscribe();
    loop {
        match changes.recv().await {
            Ok(Change::Application(name)) => {
                if let Err(error) = queries::wake_waiting(scaffolder.db(), &name).await {
                    tracing::debug!(%error, "who waits for an Application looks at it later");
                }
            }
            // Who waits looks by itself, only later.
            Ok(Change::Connection) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

async fn listen(scaffolder: &Scaffolder) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(scaffolder.db()).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}

/// Waits for a notification and passes it on to the pages; without a connection it waits for ever.
async fn notified(scaffolder: &Scaffolder, listener: &mut Option<PgListener>) {
    let Some(connection) = listener else {
        return std::future::pending().await;
    };
    match connection.recv().await {
        Ok(notification) => {
            if let Ok(id) = notification.payload().parse() {
                scaffolder.announce(id);
            }
        }
        Err(error) => {
            tracing::debug!(%error, "the connection for notifications broke; polling until it is back");
            *listener = None;
        }
    }
}
