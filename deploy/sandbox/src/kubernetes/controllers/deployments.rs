//! Rollouts of deployments, one visible step at a time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    Pace,
    pods::{is_ready, is_stuck, pod_of, started_status},
    replica_sets::{HASH_LABEL, next_revision, replica_set_of, template_hash, write_replica_set},
};
use crate::kubernetes::{
    cluster::Cluster,
    deletion::{DeleteOptions, Propagation},
    kinds::Kind,
    objects::{Event, Key},
    patch::PatchType,
    selectors::Selector,
    status::Status,
    writes::{Write, now},
};

/// What is known of rollouts that are under way.
pub struct Rollouts {
    pace: Pace,
    /// The version up to which changes were looked at; none before the first look.
    seen: Option<u64>,
    /// Namespace and name of the deployments that are not known to be settled. The others are left alone: a cluster
    /// has many, and few of them move.
    open: BTreeSet<(String, String)>,
    /// By uid: the generation that is rolled out and since when.
    started: HashMap<String, (i64, Instant)>,
}

struct Kinds {
    deployment: Arc<Kind>,
    replica_set: Arc<Kind>,
    pod: Arc<Kind>,
}

/// A deployment with what belongs to it.
struct View {
    deployment: Arc<Value>,
    replica_sets: Vec<Arc<Value>>,
    pods: Vec<Arc<Value>>,
}

impl Rollouts {
    pub fn new(pace: Pace) -> Rollouts {
        Rollouts {
            pace,
            seen: None,
            open: BTreeSet::new(),
            started: HashMap::new(),
        }
    }

    /// One step of every rollout; true when there is nothing more to do until something changes.
    pub fn step(&mut self, cluster: &Cluster) -> bool {
        match self.try_step(cluster) {
            Ok(()) => self.open.is_empty(),
            Err(status) => {
                // Something changed between reading and writing: the next step sees it.
                tracing::debug!(error = %status, "a rollout step could not be written");
                false
            }
        }
    }

    fn try_step(&mut self, cluster: &Cluster) -> Result<(), Status> {
        let kinds = Kinds {
            deployment: cluster.kind("apps", "Deployment")?,
            replica_set: cluster.kind("apps", "ReplicaSet")?,
            pod: cluster.kind("", "Pod")?,
        };
        self.notice_changes(cluster, &kinds);
        if self.open.is_empty() {
            return Ok(());
        }
        let everything = Selector::default();
        let replica_sets = cluster.list(&kinds.replica_set, "", &everything).items;
        let pods = cluster.list(&kinds.pod, "", &everything).items;
        for (namespace, name) in self.open.clone() {
            let deployment = cluster.get(&kinds.deployment, &namespace, &name);
            let living = deployment
                .ok()
                .filter(|one| one["metadata"]["deletionTimestamp"].is_null());
            let settled = match living {
                None => true,
                Some(deployment) => {
                    let replica_sets = owned(&replica_sets, std::slice::from_ref(&deployment));
                    let pods = owned(&pods, &replica_sets);
                    let view = View {
                        deployment,
                        replica_sets,
                        pods,
                    };
                    self.advance(cluster, &kinds, &view)?
                }
            };
            if settled {
                self.open.remove(&(namespace, name));
            }
        }
        Ok(())
    }

    /// Opens the deployments that changes since the last look concern; all of them at the first look, and when too
    /// much has changed to know.
    fn notice_changes(&mut self, cluster: &Cluster, kinds: &Kinds) {
        let concerned = |key: &Key| {
            [&kinds.deployment, &kinds.replica_set, &kinds.pod]
                .iter()
                .any(|kind| key.group == kind.group && key.plural == kind.plural)
        };
        let events = self.seen.map(|seen| cluster.since(seen, concerned));
        if let Some(Ok((events, newest))) = events {
            self.seen = Some(newest);
            for event in &events {
                self.notice(cluster, kinds, event);
            }
            return;
        }
        let all = cluster.list(&kinds.deployment, "", &Selector::default());
        self.seen = Some(all.version);
        self.open = all
            .items
            .iter()
            .map(|one| place(one, text(&one["metadata"]["name"])))
            .collect();
        self.started
            .retain(|uid, _| all.items.iter().any(|one| one["metadata"]["uid"] == uid.as_str()));
    }

    fn notice(&mut self, cluster: &Cluster, kinds: &Kinds, event: &Event) {
        let Some(object) = event.new.as_ref().or(event.old.as_ref()) else {
            return;
        };
        if event.key.plural == kinds.deployment.plural {
            if event.new.is_none() {
                self.started.remove(text(&object["metadata"]["uid"]));
            }
            self.open.insert(place(object, &event.key.name));
            return;
        }
        let replica_set = if event.key.plural == kinds.pod.plural {
            let name = owner_name(object, "ReplicaSet");
            name.and_then(|name| cluster.get(&kinds.replica_set, &event.key.namespace, name).ok())
        } else {
            Some(object.clone())
        };
        if let Some(deployment) = replica_set.as_ref().and_then(|set| owner_name(set, "Deployment")) {
            self.open.insert(place(object, deployment));
        }
    }

    /// One step of one rollout; true when it is complete or has failed.
    fn advance(&mut self, cluster: &Cluster, kinds: &Kinds, view: &View) -> Result<bool, Status> {
        let deployment = &*view.deployment;
        let namespace = text(&deployment["metadata"]["namespace"]);
        let desired = usize::try_from(deployment["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or_default();
        let hash = template_hash(&deployment["spec"]["template"]);
        let Some(current) = view
            .replica_sets
            .iter()
            .find(|set| set["metadata"]["labels"][HASH_LABEL] == hash.as_str())
        else {
            let replica_set = replica_set_of(deployment, &hash, next_revision(&view.replica_sets));
            let write = Write::by("kube-controller-manager");
            cluster.create(&kinds.replica_set, namespace, replica_set, write)?;
            self.write_status(cluster, kinds, view, None, desired)?;
            return Ok(false);
        };
        let (new, old) = view.pods.iter().partition::<Vec<_>, _>(|pod| owns(current, pod));
        for _ in new.len()..desired {
            cluster.create(
                &kinds.pod,
                namespace,
                pod_of(current),
                Write::by("kube-controller-manager"),
            )?;
        }
        for pod in new.iter().skip(desired) {
            remove(cluster, &kinds.pod, pod)?;
        }
        // A third at a time, so that people see it grow.
        let waiting = new
            .iter()
            .take(desired)
            .filter(|pod| pod["status"]["phase"].as_str() != Some("Running"));
        let waiting = waiting
            .filter(|pod| pod["status"]["containerStatuses"].is_null())
            .collect::<Vec<_>>();
        for pod in waiting.iter().take(desired.div_ceil(3)) {
            let patch = json!({ "status": started_status(pod) });
            let write = Write::by("kubelet").status();
            cluster.patch(
                &kinds.pod,
                namespace,
                text(&pod["metadata"]["name"]),
                &patch,
                PatchType::Merge,
                write,
            )?;
        }
        let all_ready = new.len() == desired && new.iter().all(|pod| is_ready(pod));
        if all_ready {
            for pod in &old {
                remove(cluster, &kinds.pod, pod)?;
            }
        }
        for set in &view.replica_sets {
            let ready = view.pods.iter().filter(|pod| owns(set, pod) && is_ready(pod)).count();
            let total = view.pods.iter().filter(|pod| owns(set, pod)).count();
            let wanted = if Arc::ptr_eq(set, current) {
                desired
            } else if all_ready {
                0
            } else {
                total
            };
            write_replica_set(cluster, &kinds.replica_set, set, wanted, total, ready)?;
        }
        let complete = all_ready && old.is_empty() && waiting.is_empty();
        let failed = self.write_status(cluster, kinds, view, Some((current, complete)), desired)?;
        Ok(complete || failed && new.len() == desired)
    }

    /// Writes what the pods amount to; true when the rollout has failed for good.
    fn write_status(
        &mut self,
        cluster: &Cluster,
        kinds: &Kinds,
        view: &View,
        current: Option<(&Value, bool)>,
        desired: usize,
    ) -> Result<bool, Status> {
        let metadata = &view.deployment["metadata"];
        let generation = metadata["generation"].as_i64().unwrap_or_default();
        let entry = self
            .started
            .entry(text(&metadata["uid"]).to_owned())
            .or_insert((generation, Instant::now()));
        if entry.0 != generation {
            *entry = (generation, Instant::now());
        }
        let own = view.deployment["spec"]["progressDeadlineSeconds"]
            .as_u64()
            .map(Duration::from_secs);
        let deadline = own.unwrap_or(self.pace.deadline).min(self.pace.deadline);
        let complete = current.is_some_and(|(_, complete)| complete);
        let failed = !complete && entry.1.elapsed() > deadline && view.pods.iter().any(|pod| is_stuck(pod));

        let updated = match current {
            Some((set, _)) => view.pods.iter().filter(|pod| owns(set, pod)).count(),
            None => 0,
        };
        let total = view.pods.len();
        let ready = view.pods.iter().filter(|pod| is_ready(pod)).count();
        let set_name = current
            .map(|(set, _)| text(&set["metadata"]["name"]).to_owned())
            .unwrap_or_default();
        // Kubernetes tolerates a quarter of missing pods, rounded down, before it calls a deployment unavailable.
        let available = ready + desired / 4 >= desired;
        let conditions = json!([
            condition(
                &view.deployment,
                "Available",
                available,
                if available {
                    "MinimumReplicasAvailable"
                } else {
                    "MinimumReplicasUnavailable"
                },
                if available {
                    "Deployment has minimum availability."
                } else {
                    "Deployment does not have minimum availability."
                },
            ),
            match (complete, failed) {
                (true, _) => condition(
                    &view.deployment,
                    "Progressing",
                    true,
                    "NewReplicaSetAvailable",
                    &format!("ReplicaSet \"{set_name}\" has successfully progressed.")
                ),
                (false, true) => condition(
                    &view.deployment,
                    "Progressing",
                    false,
                    "ProgressDeadlineExceeded",
                    &format!("ReplicaSet \"{set_name}\" has timed out progressing.")
                ),
                (false, false) => condition(
                    &view.deployment,
                    "Progressing",
                    true,
                    "ReplicaSetUpdated",
                    &format!("ReplicaSet \"{set_name}\" is progressing.")
                ),
            },
        ]);
        let count = |number: usize| if number == 0 { Value::Null } else { json!(number) };
        let status = json!({
            "observedGeneration": generation,
            "replicas": count(total),
            "updatedReplicas": count(updated),
            "readyReplicas": count(ready),
            "availableReplicas": count(ready),
            "unavailableReplicas": count(desired.saturating_sub(ready)),
            "conditions": conditions,
        });
        let write = Write::by("kube-controller-manager").status();
        let patch = json!({ "status": status });
        let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
        cluster.patch(&kinds.deployment, namespace, name, &patch, PatchType::Merge, write)?;
        Ok(failed)
    }
}

/// A text, empty where there is none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Where a deployment is: in the namespace of `object`, under this name.
fn place(object: &Value, name: &str) -> (String, String) {
    (text(&object["metadata"]["namespace"]).to_owned(), name.to_owned())
}

fn owner_name<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners.into_iter().find(|owner| owner["kind"] == kind)?["name"].as_str()
}

fn owns(owner: &Value, object: &Value) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
    owners
        .into_iter()
        .any(|reference| reference["uid"] == owner["metadata"]["uid"])
}

fn owned(objects: &[Arc<Value>], owners: &[Arc<Value>]) -> Vec<Arc<Value>> {
    let living = objects
        .iter()
        .filter(|object| object["metadata"]["deletionTimestamp"].is_null());
    living
        .filter(|object| owners.iter().any(|owner| owns(owner, object)))
        .cloned()
        .collect()
}

fn remove(cluster: &Cluster, kind: &Kind, object: &Value) -> Result<(), Status> {
    let metadata = &object["metadata"];
    let options = DeleteOptions {
        propagation: Propagation::Background,
        ..DeleteOptions::default()
    };
    match cluster.delete(kind, text(&metadata["namespace"]), text(&metadata["name"]), &options) {
        Err(status) if status.code != 404 => Err(status),
        _ => Ok(()),
    }
}

/// A condition whose times change only when it does.
fn condition(deployment: &Value, name: &str, holds: bool, reason: &str, message: &str) -> Value {
    let status = if holds { "True" } else { "False" };
    let conditions = deployment["status"]["conditions"].as_array().into_iter().flatten();
    let before = conditions.into_iter().find(|condition| condition["type"] == name);
    let same = before.filter(|before| before["status"] == status);
    if let Some(same) = same.filter(|same| same["reason"] == reason && same["message"] == message) {
        return same.clone();
    }
    let time = json!(now());
    let transition = same
        .map(|same| same["lastTransitionTime"].clone())
        .unwrap_or_else(|| time.clone());
    json!({
        "type": name, "status": status, "reason": reason, "message": message,
        "lastUpdateTime": time, "lastTransitionTime": transition,
    })
}
