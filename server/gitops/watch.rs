//! Keeps the store as the cluster is: a list, then a watch, and after any failure the same again.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, pin_mut};
use kube::api::{Api, DynamicObject};
use kube::runtime::watcher::{self, Event, watcher};

use super::error::innermost;
use super::{GitOps, GitOpsError};

/// Between attempts, from the first failure on; doubled each time up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Where only Argo CD's own API is configured, it is asked this often.
const POLL: Duration = Duration::from_secs(10);

impl GitOps {
    /// Watches until it is dropped. Failures are waited out and shown by [`GitOps::connection`].
    pub async fn run(&self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let seen = self.follow().await;
            let reason = match seen {
                Ok(()) => continue,
                Err(Interrupted { reason, had_list }) => {
                    if had_list {
                        pause = FIRST_PAUSE;
                    }
                    reason
                }
            };
            self.inner.store.disconnected(self.inner.clock.now(), &reason);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn follow(&self) -> Result<(), Interrupted> {
        match self.applications_api() {
            Some(api) => self.watch(api).await,
            None => self.poll().await,
        }
    }

    /// One list and the watch that follows it, until something fails.
    async fn watch(&self, api: Api<DynamicObject>) -> Result<(), Interrupted> {
        let stream = watcher(api, watcher::Config::default());
        pin_mut!(stream);
        let mut had_list = false;
        let mut listed = Vec::new();
        loop {
            match stream.try_next().await {
                Ok(Some(Event::Init)) => listed.clear(),
                Ok(Some(Event::InitApply(object))) => listed.extend(self.read(&object)),
                Ok(Some(Event::InitDone)) => {
                    had_list = true;
                    self.inner.store.replace(std::mem::take(&mut listed));
                }
                Ok(Some(Event::Apply(object))) => {
                    if let Some(application) = self.read(&object) {
                        self.inner.store.put(application);
                    }
                }
                Ok(Some(Event::Delete(object))) => {
                    if let Some(name) = &object.metadata.name {
                        self.inner.store.remove(name);
                    }
                }
                // The watcher lists again by itself when its place in the history is forgotten.
                Err(watcher::Error::WatchError(status)) if status.code == 410 => {}
                // A new watcher lists first, so that success is noticed at once and nothing is missed.
                Err(error) => {
                    return Err(Interrupted {
                        reason: words(&error, &self.inner.settings.namespace),
                        had_list,
                    });
                }
                Ok(None) => {
                    return Err(Interrupted {
                        reason: "the watch ended".to_owned(),
                        had_list,
                    });
                }
            }
        }
    }

    /// Asks Argo CD's own API again and again, all instances.
    async fn poll(&self) -> Result<(), Interrupted> {
        let mut had_list = false;
        loop {
            let lists = futures::stream::iter(self.apis())
                .then(|api| api.list(&[]))
                .try_collect::<Vec<_>>()
                .await;
            let list = match lists {
                Ok(lists) => lists.concat(),
                Err(error) => {
                    return Err(Interrupted {
                        reason: error.to_string(),
                        had_list,
                    });
                }
            };
            if !self.inner.instances.iter().any(|instance| instance.api.is_some()) {
                return Err(Interrupted {
                    reason: "neither a cluster nor an Argo CD account is configured".to_owned(),
                    had_list,
                });
            }
            had_list = true;
            self.inner
                .store
                .replace(list.iter().filter_map(|object| self.parse(object)).collect());
            tokio::time::sleep(POLL).await;
        }
    }

    fn read(&self, object: &DynamicObject) -> Option<super::Application> {
        self.parse(&serde_json::to_value(object).ok()?)
    }
}

/// Why following stopped, and whether there was a whole list before.
struct Interrupted {
    reason: String,
    had_list: bool,
}

fn words(error: &watcher::Error, namespace: &str) -> String {
    let what = format!("the Applications in namespace {namespace}");
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => return format!("{} ({})", status.message, status.code),
        other @ watcher::Error::NoResourceVersion => return other.to_string(),
    };
    match GitOpsError::from_kube("the cluster", &what, error) {
        GitOpsError::NotFound { .. } => "the cluster knows no Applications: Argo CD is not installed there".to_owned(),
        GitOpsError::Unavailable { reason, .. } if !matches!(error, kube::Error::Api(_)) => {
            format!("the cluster cannot be reached: {reason}")
        }
        GitOpsError::Unexpected { .. } => innermost(error),
        other => other.to_string(),
    }
}
