//! The Applications as they were last seen, and who wants to know of changes.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use tokio::sync::broadcast;

use super::Application;

/// Changes that a slow subscriber may be behind before it must look at everything anew.
const BEHIND: usize = 1024;

/// Whether the stored status is that of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Every change arrives at once.
    Connected,
    /// What is stored may be old, or nothing has been read yet.
    Disconnected { since: DateTime<Utc>, reason: String },
}

impl Connection {
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected)
    }
}

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The Application of this name is new, different or gone.
    Application(Arc<str>),
    /// [`Connection`] is another.
    Connection,
}

pub(super) struct Store {
    state: RwLock<State>,
    changes: broadcast::Sender<Change>,
}

struct State {
    applications: BTreeMap<String, Arc<Application>>,
    connection: Connection,
    /// Since when a request to compare an Application was not even taken.
    unanswered: BTreeMap<String, DateTime<Utc>>,
}

impl Store {
    pub fn new(now: DateTime<Utc>, reason: &str) -> Self {
        Self {
            state: RwLock::new(State {
                applications: BTreeMap::new(),
                connection: Connection::Disconnected {
                    since: now,
                    reason: reason.to_owned(),
                },
                unanswered: BTreeMap::new(),
            }),
            changes: broadcast::channel(BEHIND).0,
        }
    }

    pub fn get(&self, name: &str) -> Option<Arc<Application>> {
        self.read(|state| state.applications.get(name).cloned())
    }

    pub fn list(&self) -> Vec<Arc<Application>> {
        self.read(|state| state.applications.values().cloned().collect())
    }

    pub fn connection(&self) -> Connection {
        self.read(|state| state.connection.clone())
    }

    pub fn unanswered(&self, name: &str) -> Option<DateTime<Utc>> {
        self.read(|state| state.unanswered.get(name).copied())
    }

    /// Whether the last request to compare was taken. The first one that was not gives the time.
    pub fn asked(&self, name: &str, taken: bool, now: DateTime<Utc>) {
        let changed = self.write(|state| {
            if taken {
                state.unanswered.remove(name).is_some()
            } else {
                let known = state.unanswered.contains_key(name);
                state.unanswered.entry(name.to_owned()).or_insert(now);
                !known
            }
        });
        if changed {
            self.tell(Change::Application(name.into()));
        }
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Stores one; tells if it differs from what was known.
    pub fn put(&self, application: Application) {
        let name: Arc<str> = application.name.as_str().into();
        let changed = self.write(|state| match state.applications.get(&*name) {
            Some(known) if **known == application => false,
            _ => {
                state.applications.insert(name.to_string(), Arc::new(application));
                true
            }
        });
        if changed {
            self.tell(Change::Application(name));
        }
    }

    pub fn remove(&self, name: &str) {
        if self.write(|state| state.applications.remove(name)).is_some() {
            self.tell(Change::Application(name.into()));
        }
    }

    /// Stores a whole list: what is not in it is gone. The list is of now, so the connection is there.
    pub fn replace(&self, list: Vec<Application>) {
        let new: BTreeMap<_, _> = list.into_iter().map(|a| (a.name.clone(), Arc::new(a))).collect();
        let changed: Vec<Arc<str>> = self.write(|state| {
            let gone = state.applications.keys().filter(|name| !new.contains_key(*name));
            let differs = new
                .iter()
                .filter(|(name, a)| state.applications.get(*name) != Some(a))
                .map(|(name, _)| name);
            let changed = gone.chain(differs).map(|name| name.as_str().into()).collect();
            state.applications = new;
            changed
        });
        for name in changed {
            self.tell(Change::Application(name));
        }
        self.connected();
    }

    pub fn connected(&self) {
        let before = self.write(|state| std::mem::replace(&mut state.connection, Connection::Connected));
        if before != Connection::Connected {
            tracing::info!("Applications are watched");
            self.tell(Change::Connection);
        }
    }

    /// The reason may change while it stays disconnected; `since` does not.
    pub fn disconnected(&self, now: DateTime<Utc>, reason: &str) {
        let changed = self.write(|state| {
            let since = match &state.connection {
                Connection::Disconnected { reason: known, .. } if known == reason => return false,
                Connection::Disconnected { since, .. } => *since,
                Connection::Connected => now,
            };
            state.connection = Connection::Disconnected {
                since,
                reason: reason.to_owned(),
            };
            true
        });
        if changed {
            tracing::warn!(reason, "Applications cannot be watched; what is shown may be old");
            self.tell(Change::Connection);
        }
    }

    fn tell(&self, change: Change) {
        // Nobody listening is fine.
        let _ = self.changes.send(change);
    }

    fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.write().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn application(name: &str, sync: &str) -> Application {
        let object = json!({"metadata": {"name": name}, "status": {"sync": {"status": sync}}});
        Application::from_json(&object, |_, _| None).unwrap()
    }

    fn told(changes: &mut broadcast::Receiver<Change>) -> Vec<String> {
        std::iter::from_fn(|| changes.try_recv().ok())
            .map(|change| match change {
                Change::Application(name) => name.to_string(),
                Change::Connection => "(connection)".to_owned(),
            })
            .collect()
    }

    #[test]
    fn only_differences_are_told() {
        let store = Store::new(DateTime::UNIX_EPOCH, "not read yet");
        let mut changes = store.subscribe();
        store.replace(vec![application("a", "Synced"), application("b", "Synced")]);
        assert_eq!(told(&mut changes), ["a", "b", "(connection)"]);
        store.replace(vec![application("b", "OutOfSync"), application("c", "Synced")]);
        assert_eq!(told(&mut changes), ["a", "b", "c"]);
        store.put(application("c", "Synced"));
        store.remove("x");
        assert_eq!(told(&mut changes), Vec::<String>::new());
        store.remove("c");
        assert_eq!(told(&mut changes), ["c"]);
        assert!(store.get("c").is_none() && store.get("b").is_some());
    }

    #[test]
    fn a_lost_connection_keeps_its_start() {
        let store = Store::new(DateTime::UNIX_EPOCH, "not read yet");
        let later = DateTime::UNIX_EPOCH + chrono::Duration::hours(1);
        store.replace(vec![application("a", "Synced")]);
        store.disconnected(later, "refused");
        store.disconnected(later + chrono::Duration::hours(1), "timeout");
        let Connection::Disconnected { since, reason } = store.connection() else {
            panic!("it is connected");
        };
        assert_eq!((since, reason.as_str()), (later, "timeout"));
        assert!(store.get("a").is_some(), "the last state stays");
    }
}
