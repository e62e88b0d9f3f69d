//! All objects in memory, with the journal on disk that makes them survive, and the recent events that watches read.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Events that are kept for watches; who is further behind gets 410 and lists again.
const KEPT_EVENTS: usize = 8192;
/// Journal lines after which it is written anew with only what is current.
const COMPACT_AFTER: usize = 20_000;

/// What identifies an object. The order groups objects of a kind, then of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// API group, empty for the core group.
    pub group: String,
    /// The kind's name in URLs.
    pub plural: String,
    /// Empty for objects of the whole cluster.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

/// One change, as watches see it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The version that the change made.
    pub version: u64,
    /// Which object.
    pub key: Key,
    /// The object before; none when it was created.
    pub old: Option<Arc<Value>>,
    /// The object after; none when it was removed.
    pub new: Option<Arc<Value>>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    version: u64,
    key: Key,
    object: Option<Value>,
}

/// Everything the API server knows.
#[derive(Debug)]
pub struct Objects {
    current: BTreeMap<Key, Arc<Value>>,
    version: u64,
    /// Events up to this version are no longer known.
    forgotten: u64,
    events: VecDeque<Event>,
    path: PathBuf,
    journal: File,
    lines: usize,
}

impl Objects {
    /// Reads the journal at `path`, or starts an empty one. A last line that a crash cut off is dropped.
    pub fn open(path: &Path) -> Result<Objects> {
        let mut current = BTreeMap::new();
        let mut version = 0;
        if path.exists() {
            let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut lines = BufReader::new(file).split(b'\n').enumerate().peekable();
            while let Some((number, line)) = lines.next() {
                let line = line.with_context(|| format!("cannot read {}", path.display()))?;
                match serde_json::from_slice::<Line>(&line) {
                    Ok(line) => {
                        version = version.max(line.version);
                        match line.object {
                            Some(object) => current.insert(line.key, Arc::new(object)),
                            None => current.remove(&line.key),
                        };
                    }
                    Err(_) if line.is_empty() || lines.peek().is_none() => {}
                    Err(error) => {
                        let place = format!("{}, line {}", path.display(), number + 1);
                        return Err(error)
                            .context(format!("{place}: not a journal line; move the file away to start anew"));
                    }
                }
            }
        }
        let journal = write_compact(path, version, &current)?;
        let lines = current.len();
        let events = VecDeque::new();
        Ok(Objects {
            current,
            version,
            forgotten: version,
            events,
            path: path.to_owned(),
            journal,
            lines,
        })
    }

    /// The newest version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Watches that ask for a version before this one must list again.
    pub fn oldest(&self) -> u64 {
        self.forgotten
    }

    /// Forgets how everything came to be as it is now.
    pub fn forget(&mut self) {
        self.events.clear();
        self.forgotten = self.version;
    }

    /// One object.
    pub fn get(&self, key: &Key) -> Option<&Arc<Value>> {
        self.current.get(key)
    }

    /// All objects, in the order of their keys.
    pub fn all(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.current.iter()
    }

    /// Objects of one kind, of one namespace or (with an empty one) of all.
    pub fn of_kind<'a>(
        &'a self,
        group: &str,
        plural: &str,
        namespace: &str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        let start = Key {
            group: group.into(),
            plural: plural.into(),
            namespace: namespace.into(),
            name: String::new(),
        };
        let wanted = start.clone();
        self.current.range(start..).take_while(move |(key, _)| {
            key.group == wanted.group
                && key.plural == wanted.plural
                && (wanted.namespace.is_empty() || key.namespace == wanted.namespace)
        })
    }

    /// Events after `version`, oldest first.
    pub fn since(&self, version: u64) -> impl Iterator<Item = &Event> {
        let start = self.events.partition_point(|event| event.version <= version);
        self.events.range(start..)
    }

    /// Stores or removes an object under the next version, which is also written into the object (and into what was
    /// removed, as watches need it). It is in the journal when this returns.
    pub fn commit(&mut self, key: Key, mut new: Option<Value>) -> std::io::Result<Arc<Value>> {
        let version = self.version + 1;
        let old = self.current.get(&key).cloned();
        let stamp = |object: &mut Value| object["metadata"]["resourceVersion"] = Value::String(version.to_string());
        if let Some(object) = &mut new {
            stamp(object);
        }
        let line = Line {
            version,
            key: key.clone(),
            object: new,
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        let end = self.journal.stream_position()?;
        if let Err(error) = self.journal.write_all(&bytes) {
            // Half a line in the middle would make the journal unreadable.
            let _ = self.journal.set_len(end);
            let _ = self.journal.seek(std::io::SeekFrom::Start(end));
            return Err(error);
        }
        self.lines += 1;
        self.version = version;
        let (result, old, new) = match line.object {
            Some(object) => {
                let object = Arc::new(object);
                self.current.insert(key.clone(), object.clone());
                (object.clone(), old, Some(object))
            }
            None => {
                self.current.remove(&key);
                let mut last = old.map(|old| (*old).clone()).unwrap_or_default();
                stamp(&mut last);
                let last = Arc::new(last);
                (last.clone(), Some(last), None)
            }
        };
        self.events.push_back(Event { version, key, old, new });
        if self.events.len() > KEPT_EVENTS
            && let Some(event) = self.events.pop_front()
        {
            self.forgotten = event.version;
        }
        if self.lines > COMPACT_AFTER + 2 * self.current.len() {
            match write_compact(&self.path, self.version, &self.current) {
                Ok(journal) => {
                    self.journal = journal;
                    self.lines = self.current.len();
                }
                // The long journal is still whole; the next change tries again.
                Err(error) => tracing::warn!(error = format!("{error:#}"), "the journal could not be shortened"),
            }
        }
        Ok(result)
    }
}

fn write_compact(path: &Path, version: u64, current: &BTreeMap<Key, Arc<Value>>) -> Result<File> {
    let new = path.with_extension("new");
    let write = || -> Result<File> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        let mut buffer = Vec::new();
        for (key, object) in current {
            serde_json::to_writer(
                &mut buffer,
                &Line {
                    version,
                    key: key.clone(),
                    object: Some((**object).clone()),
                },
            )?;
            buffer.push(b'\n');
        }
        file.write_all(&buffer)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        Ok(file)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn key(name: &str) -> Key {
        Key {
            group: "g".into(),
            plural: "things".into(),
            namespace: "n".into(),
            name: name.into(),
        }
    }

    #[test]
    fn objects_and_versions_survive_even_a_cut_line() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("journal");
        let mut objects = Objects::open(&path).expect("a new journal");
        objects
            .commit(key("a"), Some(json!({"metadata": {}, "n": 1})))
            .expect("written");
        objects
            .commit(key("b"), Some(json!({"metadata": {}})))
            .expect("written");
        objects.commit(key("b"), None).expect("written");
        drop(objects);
        let mut file = OpenOptions::new().append(true).open(&path).expect("the journal");
        file.write_all(b"{\"version\":4,\"key\":{\"gro").expect("half a line");
        let objects = Objects::open(&path).expect("the journal is read");
        assert_eq!(objects.version(), 3);
        assert_eq!(objects.oldest(), 3);
        assert_eq!(
            objects.all().map(|(key, _)| key.name.as_str()).collect::<Vec<_>>(),
            ["a"]
        );
        let stored = objects.get(&key("a")).expect("a is there");
        assert_eq!(stored["metadata"]["resourceVersion"], "1");
    }

    #[test]
    fn a_removal_is_an_event_with_its_own_version() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut objects = Objects::open(&folder.path().join("journal")).expect("a new journal");
        objects
            .commit(key("a"), Some(json!({"metadata": {}})))
            .expect("written");
        objects.commit(key("a"), None).expect("written");
        let events = objects.since(1).collect::<Vec<_>>();
        assert_eq!(events.len(), 1);
        let old = events[0].old.as_ref().expect("the removed object");
        assert_eq!(
            (old["metadata"]["resourceVersion"].as_str(), events[0].new.is_none()),
            (Some("2"), true)
        );
    }
}
