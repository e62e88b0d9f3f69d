//! Rollouts of deployments, one visible step at a time.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Pace,
    pods::{is_ready, is_stuck, owner, pod_of, started_status},
};
use crate::kubernetes::{
    cluster::Cluster,
    deletion::{DeleteOptions, Propagation},
    kinds::Kind,
    patch::PatchType,
    selectors::Selector,
    status::Status,
    writes::{Write, now},
};

const HASH_LABEL: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is known of rollouts that are under way.
pub struct Rollouts {
    pace: Pace,
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
            started: HashMap::new(),
        }
    }

    /// One step of every rollout; true when there is nothing more to do until something changes.
    pub fn step(&mut self, cluster: &Cluster) -> bool {
        match self.try_step(cluster) {
            Ok(settled) => settled,
            Err(status) => {
                // Something changed between reading and writing: the next step sees it.
                tracing::debug!(error = %status, "a rollout step could not be written");
                false
            }
        }
    }

    fn try_step(&mut self, cluster: &Cluster) -> Result<bool, Status> {
        let kinds = Kinds {
            deployment: cluster.kind("apps", "Deployment")?,
            replica_set: cluster.kind("apps", "ReplicaSet")?,
            pod: cluster.kind("", "Pod")?,
        };
        let everything = Selector::default();
        let deployments = cluster.list(&kinds.deployment, "", &everything).items;
        let replica_sets = cluster.list(&kinds.replica_set, "", &everything).items;
        let pods = cluster.list(&kinds.pod, "", &everything).items;
        let mut settled = true;
        self.started
            .retain(|uid, _| deployments.iter().any(|one| one["metadata"]["uid"] == uid.as_str()));
        for deployment in deployments {
            if !deployment["metadata"]["deletionTimestamp"].is_null() {
                continue;
            }
            let replica_sets = owned(&replica_sets, std::slice::from_ref(&deployment));
            let pods = owned(&pods, &replica_sets);
            let view = View {
                deployment,
                replica_sets,
                pods,
            };
            settled &= self.advance(cluster, &kinds, &view)?;
        }
        Ok(settled)
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
            write_replica_set(cluster, kinds, set, wanted, total, ready)?;
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
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

fn template_hash(template: &Value) -> String {
    hex::encode(&Sha256::digest(template.to_string())[..5])
}

fn next_revision(replica_sets: &[Arc<Value>]) -> u64 {
    let revisions = replica_sets
        .iter()
        .filter_map(|set| set["metadata"]["annotations"][REVISION].as_str()?.parse().ok());
    revisions.max().unwrap_or(0_u64) + 1
}

fn replica_set_of(deployment: &Value, hash: &str, revision: u64) -> Value {
    let spec = &deployment["spec"];
    let mut template = spec["template"].clone();
    template["metadata"]["labels"][HASH_LABEL] = json!(hash);
    let mut selector = spec["selector"].clone();
    selector["matchLabels"][HASH_LABEL] = json!(hash);
    let mut annotations = deployment["metadata"]["annotations"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    annotations.insert(REVISION.into(), json!(revision.to_string()));
    json!({
        "metadata": {
            "name": format!("{}-{hash}", text(&deployment["metadata"]["name"])),
            "labels": template["metadata"]["labels"],
            "annotations": annotations,
            "ownerReferences": [owner("Deployment", deployment)],
        },
        "spec": { "replicas": spec["replicas"], "selector": selector, "template": template },
    })
}

fn write_replica_set(
    cluster: &Cluster,
    kinds: &Kinds,
    set: &Value,
    wanted: usize,
    total: usize,
    ready: usize,
) -> Result<(), Status> {
    let (namespace, name) = (text(&set["metadata"]["namespace"]), text(&set["metadata"]["name"]));
    let write = Write::by("kube-controller-manager");
    let spec = json!({ "spec": { "replicas": wanted } });
    let set = cluster.patch(&kinds.replica_set, namespace, name, &spec, PatchType::Merge, write)?;
    let status = json!({ "status": {
        "replicas": total, "fullyLabeledReplicas": total, "readyReplicas": ready, "availableReplicas": ready,
        "observedGeneration": set["metadata"]["generation"],
    } });
    cluster.patch(
        &kinds.replica_set,
        namespace,
        name,
        &status,
        PatchType::Merge,
        write.status(),
    )?;
    Ok(())
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
