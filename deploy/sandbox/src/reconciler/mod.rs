//! What Argo CD's controller does for Applications: read the repository, compare, sync, tell health, clean up.
//!
//! It learns of pushes as the real one does: by looking every few minutes, or at once when the annotation
//! `argocd.argoproj.io/refresh` asks for it. Only plain YAML and JSON are read.
//!
//! - [`application`] the object, [`git`] and [`manifests`] what it wants, [`comparison`] and [`health`] how it is
//! - [`refresh`] brings the status up to date, [`sync`] applies, [`deletion`] cleans up

pub mod application;
pub mod comparison;
pub mod deletion;
pub mod git;
pub mod health;
mod inquiry;
pub mod manifests;
pub mod refresh;
mod retry;
pub mod sync;

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::kubernetes::{cluster::Cluster, objects::Event};
use application::{Application, NAMESPACE};
use git::Repositories;

/// What the reconciler needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for fetched repositories.
    pub data: PathBuf,
    /// Base URL of the forge, without a slash at the end.
    pub forge_url: String,
    /// `host` or `host:port` names under which Applications know the forge.
    pub forge_aliases: Vec<String>,
    /// How often repositories are looked at without being asked.
    pub resync: Duration,
    /// How long a step of a sync takes at least, so that it can be watched.
    pub step: Duration,
}

impl Settings {
    /// Argo CD's own three minutes, and steps that people can see.
    pub fn new(data: PathBuf, forge_url: String, forge_aliases: Vec<String>) -> Settings {
        let (resync, step) = (Duration::from_secs(180), Duration::from_millis(500));
        Settings {
            data,
            forge_url,
            forge_aliases,
            resync,
            step,
        }
    }
}

/// How much is looked at anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Live objects against what was read last.
    Live,
    /// The repository too.
    Latest,
}

/// What is remembered of an Application between two looks; all of it can be found out again.
#[derive(Debug, Default, Clone)]
pub(crate) struct Memory {
    /// Repository, path and options, commit, and the manifests there.
    pub(crate) manifests: Option<(Value, String, Arc<Vec<Value>>)>,
    /// Self-healings in a row, for the pauses between them.
    pub(crate) healed: u32,
}

/// The reconciler. Clones share it.
#[derive(Debug, Clone)]
pub struct Reconciler {
    pub(crate) cluster: Cluster,
    pub(crate) repositories: Repositories,
    pub(crate) settings: Arc<Settings>,
    memory: Arc<Mutex<HashMap<String, Memory>>>,
}

/// What a piece of work on an Application led to: when to look again, and how closely.
pub(crate) type Again = Option<(Duration, Level)>;

impl Reconciler {
    /// A reconciler for the Applications of a cluster; nothing happens before [`Reconciler::start`].
    pub fn new(cluster: Cluster, settings: Settings) -> Reconciler {
        let repositories = Repositories {
            cache: settings.data.clone(),
            forge_url: settings.forge_url.clone(),
            aliases: settings.forge_aliases.clone(),
            fetching: Arc::default(),
        };
        Reconciler {
            cluster,
            repositories,
            settings: Arc::new(settings),
            memory: Arc::default(),
        }
    }

    /// Runs until `end` is cancelled.
    pub fn start(self, end: CancellationToken) -> JoinHandle<()> {
        tokio::spawn(self.run(end))
    }

    pub(crate) fn recall(&self, name: &str) -> Memory {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn remember(&self, name: &str, change: impl FnOnce(&mut Memory)) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        change(memory.entry(name.to_owned()).or_default());
    }

    fn forget(&self, name: &str) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    async fn run(self, end: CancellationToken) {
        let mut changes = self.cluster.changes();
        let mut seen = self.cluster.version();
        let mut queue = Queue::default();
        for name in self.names() {
            queue.add(name, Level::Latest);
        }
        let (finished, mut finishings) = mpsc::unbounded_channel::<(String, Again)>();
        loop {
            changes.mark_unchanged();
            match self.cluster.since(seen, |_| true) {
                Ok((events, newest)) => {
                    seen = newest;
                    for event in &events {
                        queue.notice(event);
                    }
                }
                Err(_) => {
                    // Too far behind to know what changed: look at all of them.
                    seen = self.cluster.version();
                    for name in self.names() {
                        queue.add(name, Level::Live);
                    }
                }
            }
            for (name, level) in queue.take_ready() {
                let (reconciler, finished) = (self.clone(), finished.clone());
                tokio::spawn(async move {
                    let again = reconciler.look_at(&name, level).await;
                    let _ = finished.send((name, again));
                });
            }
            let pause = queue.next_due().unwrap_or(Duration::from_secs(60));
            tokio::select! {
                _ = changes.changed() => {}
                Some((name, again)) = finishings.recv() => queue.finish(&name, again),
                () = tokio::time::sleep(pause) => {}
                () = end.cancelled() => return,
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let found = self
            .cluster
            .find(|key, _| is_application(&key.group, &key.plural, &key.namespace));
        found.into_iter().map(|(key, _)| key.name).collect()
    }

    /// Does what is due for one Application.
    async fn look_at(&self, name: &str, level: Level) -> Again {
        let Some(application) = Application::read(&self.cluster, name) else {
            self.forget(name);
            return None;
        };
        let result = if let Some(pause) = self.waits(&application) {
            // Between attempts the status is kept up to date, and who asked for a refresh gets it.
            self.refresh(&application, level)
                .await
                .map(|_| Some((pause, Level::Live)))
        } else if application.operation().is_some() {
            // As in Argo CD, a deletion waits for the operation, retries included.
            self.operate(&application).await
        } else if application.is_deleting() {
            self.finalize(&application)
        } else {
            self.refresh(&application, level).await
        };
        result.unwrap_or_else(|status| {
            tracing::warn!(application = name, error = %status, "an Application could not be reconciled");
            Some((Duration::from_secs(2), level))
        })
    }
}

fn is_application(group: &str, plural: &str, namespace: &str) -> bool {
    (group, plural, namespace) == ("argoproj.io", "applications", NAMESPACE)
}

/// Which Applications are to be looked at, and when.
#[derive(Debug, Default)]
struct Queue {
    waiting: HashMap<String, Level>,
    running: HashSet<String>,
    due: HashMap<String, (Instant, Level)>,
}

impl Queue {
    fn add(&mut self, name: String, level: Level) {
        let waiting = self.waiting.entry(name).or_insert(level);
        *waiting = (*waiting).max(level);
    }

    /// Draws the consequences of a change of any object.
    fn notice(&mut self, event: &Event) {
        if is_application(&event.key.group, &event.key.plural, &event.key.namespace) {
            if let Some(level) = concerns(event.old.as_deref(), event.new.as_deref()) {
                self.add(event.key.name.clone(), level);
            }
            return;
        }
        for object in [&event.old, &event.new].into_iter().flatten() {
            if let Some(owner) = comparison::owner_of(&event.key, object) {
                self.add(owner.to_owned(), Level::Live);
            }
        }
    }

    fn take_ready(&mut self) -> Vec<(String, Level)> {
        let now = Instant::now();
        let due = self
            .due
            .iter()
            .filter(|(_, (at, _))| *at <= now)
            .map(|(name, (_, level))| (name.clone(), *level));
        for (name, level) in due.collect::<Vec<_>>() {
            self.due.remove(&name);
            self.add(name, level);
        }
        let free = self
            .waiting
            .keys()
            .filter(|name| !self.running.contains(*name))
            .cloned()
            .collect::<Vec<_>>();
        let ready = free
            .into_iter()
            .filter_map(|name| self.waiting.remove_entry(&name))
            .collect::<Vec<_>>();
        self.running.extend(ready.iter().map(|(name, _)| name.clone()));
        ready
    }

    fn finish(&mut self, name: &str, again: Again) {
        self.running.remove(name);
        match again {
            Some((pause, level)) => {
                let at = Instant::now() + pause;
                // An earlier appointment stays: the later one is made again then.
                match self.due.get_mut(name) {
                    Some(due) if due.0 <= at => due.1 = due.1.max(level),
                    _ => {
                        self.due.insert(name.to_owned(), (at, level));
                    }
                }
            }
            None => {
                self.due.remove(name);
            }
        }
    }

    fn next_due(&self) -> Option<Duration> {
        let at = self
            .due
            .iter()
            .filter(|(name, _)| !self.running.contains(*name))
            .map(|(_, (at, _))| *at)
            .min()?;
        Some(at.saturating_duration_since(Instant::now()))
    }
}

/// Whether a change of an Application calls for a look; changes of its status do not.
fn concerns(old: Option<&Value>, new: Option<&Value>) -> Option<Level> {
    let Some(new) = new else { return Some(Level::Live) };
    let Some(old) = old else { return Some(Level::Latest) };
    let annotation = |object: &Value| object["metadata"]["annotations"][application::REFRESH].clone();
    if !annotation(new).is_null() && annotation(old) != annotation(new) || old["spec"] != new["spec"] {
        return Some(Level::Latest);
    }
    let same = |field: &str| old["metadata"][field] == new["metadata"][field];
    let terminating = new["status"]["operationState"]["phase"] == "Terminating";
    let changed =
        !same("deletionTimestamp") || !same("finalizers") || old["operation"] != new["operation"] || terminating;
    changed.then_some(Level::Live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_matters_is_looked_at() {
        let before = json!({"metadata": {}, "spec": {"a": 1}});
        let refresh = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}, "spec": {"a": 1}});
        for (old, new, expected) in [
            (None, Some(&before), Some(Level::Latest)),
            (Some(&before), None, Some(Level::Live)),
            (Some(&before), Some(&refresh), Some(Level::Latest)),
            (Some(&refresh), Some(&before), None),
            (
                Some(&before),
                Some(&json!({"metadata": {}, "spec": {"a": 2}})),
                Some(Level::Latest),
            ),
            (
                Some(&before),
                Some(&json!({"metadata": {}, "spec": {"a": 1}, "status": {"x": 1}})),
                None,
            ),
            (
                Some(&before),
                Some(&json!({"metadata": {}, "spec": {"a": 1}, "operation": {}})),
                Some(Level::Live),
            ),
        ] {
            assert_eq!(concerns(old, new), expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn one_application_is_worked_on_once_at_a_time() {
        let mut queue = Queue::default();
        queue.add("a".into(), Level::Live);
        queue.add("a".into(), Level::Latest);
        assert_eq!(queue.take_ready(), [("a".to_owned(), Level::Latest)]);
        queue.add("a".into(), Level::Live);
        assert!(queue.take_ready().is_empty());
        queue.finish("a", Some((Duration::ZERO, Level::Latest)));
        assert_eq!(queue.take_ready(), [("a".to_owned(), Level::Latest)]);
        assert!(queue.next_due().is_none());
    }
}
