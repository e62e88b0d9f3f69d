//! The cluster's state behind one lock, as the HTTP layer, the controllers and Argo CD's stand-ins use it.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    kinds::{Kind, Kinds, guess_plural, split_api_version},
    objects::{Event, Key, Objects},
    selectors::Selector,
    status::Status,
    writes::Write,
};

/// Namespaces that a cluster with Argo CD has from the beginning.
const NAMESPACES: [&str; 5] = ["default", "kube-system", "kube-public", "kube-node-lease", "argocd"];

/// A cluster's objects. Clones share them.
#[derive(Debug, Clone)]
pub struct Cluster {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

/// What the lock protects.
#[derive(Debug)]
pub(super) struct State {
    pub(super) objects: Objects,
    pub(super) kinds: Kinds,
}

/// A consistent list.
#[derive(Debug)]
pub struct List {
    /// The objects, by namespace and name.
    pub items: Vec<Arc<Value>>,
    /// The version it shows.
    pub version: u64,
}

impl Cluster {
    /// Reads the cluster from the folder `data`, or makes a new one with the usual namespaces and Argo CD's default
    /// project.
    pub fn open(data: &Path) -> Result<Cluster> {
        std::fs::create_dir_all(data)?;
        let objects = Objects::open(&data.join("objects.jsonl"))?;
        let mut kinds = Kinds::default();
        for (key, object) in objects.all() {
            if key.plural == "customresourcedefinitions" {
                kinds.learn_definition(object);
            }
        }
        for (key, object) in objects.all() {
            let (group, version) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());
            let kind = object["kind"].as_str().unwrap_or_default();
            kinds.learn(group, version, kind, &key.plural, !key.namespace.is_empty());
        }
        let (changed, _) = watch::channel(objects.version());
        let cluster = Cluster {
            shared: Arc::new(Shared {
                state: Mutex::new(State { objects, kinds }),
                changed,
            }),
        };
        cluster.prepare()?;
        // As the real server, which knows nothing of what happened before it first listed.
        cluster.lock().objects.forget();
        Ok(cluster)
    }

    fn prepare(&self) -> Result<(), Status> {
        let write = Write::by("kube-apiserver");
        for name in NAMESPACES {
            self.ensure("", "Namespace", "", json!({ "metadata": { "name": name } }), write)?;
        }
        self.ensure(
            "",
            "ConfigMap",
            "kube-public",
            json!({ "metadata": { "name": "cluster-info" } }),
            write,
        )?;
        let node = json!({
            "metadata": { "name": "sandbox", "labels": { "kubernetes.io/hostname": "sandbox" } },
            "spec": {},
        });
        self.ensure("", "Node", "", node, write)?;
        let status = json!({ "status": {
            "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady" }],
            "nodeInfo": { "kubeletVersion": super::VERSION, "operatingSystem": "linux" },
        } });
        let node = self.kind("", "Node")?;
        self.patch(
            &node,
            "",
            "sandbox",
            &status,
            super::patch::PatchType::Merge,
            write.status(),
        )?;
        let project = json!({
            "metadata": { "name": "default" },
            "spec": {
                "sourceRepos": ["*"],
                "destinations": [{ "namespace": "*", "server": "*" }],
                "clusterResourceWhitelist": [{ "group": "*", "kind": "*" }],
            },
        });
        self.ensure(
            "argoproj.io",
            "AppProject",
            "argocd",
            project,
            Write::by("argocd-server"),
        )
    }

    fn ensure(&self, group: &str, kind: &str, namespace: &str, body: Value, write: Write) -> Result<(), Status> {
        let kind = self.kind(group, kind)?;
        match self.create(&kind, namespace, body, write) {
            Err(status) if status.reason != "AlreadyExists" => Err(status),
            _ => Ok(()),
        }
    }

    /// A kind by the group and name of manifests; an error when it is not known.
    pub fn kind(&self, group: &str, kind: &str) -> Result<Arc<Kind>, Status> {
        self.lock()
            .kinds
            .by_kind(group, kind)
            .ok_or_else(Status::no_such_resource)
    }

    /// The kind of a manifest, learned if need be: an unknown kind lives in namespaces and has the usual plural.
    pub fn kind_of_manifest(&self, manifest: &Value) -> Result<Arc<Kind>, Status> {
        let (group, version) = split_api_version(manifest["apiVersion"].as_str().unwrap_or_default());
        let kind = manifest["kind"].as_str().unwrap_or_default();
        if version.is_empty() || kind.is_empty() {
            return Err(Status::bad_request("a manifest needs apiVersion and kind"));
        }
        let mut state = self.lock();
        if let Some(known) = state.kinds.by_kind(group, kind) {
            return Ok(known);
        }
        Ok(state.kinds.learn(group, version, kind, &guess_plural(kind), true))
    }

    /// One object.
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Result<Arc<Value>, Status> {
        let key = key(kind, namespace, name);
        self.lock()
            .objects
            .get(&key)
            .cloned()
            .ok_or_else(|| Status::not_found(kind, name))
    }

    /// All objects of a kind, of one namespace or (with an empty one) of all.
    pub fn list(&self, kind: &Kind, namespace: &str, selector: &Selector) -> List {
        let state = self.lock();
        let items = state
            .objects
            .of_kind(&kind.group, &kind.plural, namespace)
            .map(|(_, object)| object);
        let items = items.filter(|object| selector.matches(object)).cloned().collect();
        List {
            items,
            version: state.objects.version(),
        }
    }

    /// All objects of all kinds that a condition holds for.
    pub fn find(&self, wanted: impl Fn(&Key, &Value) -> bool) -> Vec<(Key, Arc<Value>)> {
        let state = self.lock();
        let found = state.objects.all().filter(|(key, object)| wanted(key, object));
        found.map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// The newest version.
    pub fn version(&self) -> u64 {
        self.lock().objects.version()
    }

    /// Events after `version`, oldest first, and the version they lead to. An error when some of them are forgotten or
    /// the version is of the future.
    pub fn since(&self, version: u64, wanted: impl Fn(&Key) -> bool) -> Result<(Vec<Event>, u64), Status> {
        let state = self.lock();
        let (oldest, newest) = (state.objects.oldest(), state.objects.version());
        if version < oldest {
            return Err(Status::expired(version, oldest));
        }
        if version > newest {
            return Err(Status::too_large_version(version, newest));
        }
        let events = state
            .objects
            .since(version)
            .filter(|event| wanted(&event.key))
            .cloned()
            .collect();
        Ok((events, newest))
    }

    /// Tells the newest version whenever it changes.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// The kind under which objects with this key are stored.
    pub fn stored_kind(&self, key: &Key) -> Option<Arc<Kind>> {
        self.lock().kinds.stored(&key.group, &key.plural)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in a request must not take the cluster down; a change is one journal line, so none is half done.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn announce(&self, version: u64) {
        self.shared.changed.send_if_modified(|newest| {
            let newer = version > *newest;
            *newest = version.max(*newest);
            newer
        });
    }
}

/// The key under which an object of a kind is stored.
pub fn key(kind: &Kind, namespace: &str, name: &str) -> Key {
    let namespace = if kind.namespaced { namespace } else { "" };
    Key {
        group: kind.group.clone(),
        plural: kind.plural.clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}
