//! Kinds whose status is settled at once: there is nothing to roll out.

use serde_json::{Value, json};

use crate::kubernetes::{cluster::Cluster, patch::PatchType, writes::Write};

/// Gives every object of these kinds the status of one that works.
pub fn settle(cluster: &Cluster) {
    for (key, object) in cluster.find(|key, object| status_of(&key.group, &key.plural, object).is_some()) {
        let Some(status) = status_of(&key.group, &key.plural, &object) else {
            continue;
        };
        let Some(kind) = cluster.stored_kind(&key) else {
            continue;
        };
        let write = Write::by("kube-controller-manager").status();
        let patch = json!({ "status": status });
        // Equal content is not written again, so this comes to rest.
        if let Err(status) = cluster.patch(&kind, &key.namespace, &key.name, &patch, PatchType::Merge, write) {
            tracing::debug!(?key, error = %status, "the status could not be written");
        }
    }
}

fn status_of(group: &str, plural: &str, object: &Value) -> Option<Value> {
    let (spec, metadata) = (&object["spec"], &object["metadata"]);
    if !metadata["deletionTimestamp"].is_null() {
        return None;
    }
    let generation = metadata["generation"].clone();
    let created = metadata["creationTimestamp"].clone();
    let count = spec["replicas"].as_i64().unwrap_or(1);
    let status = match (group, plural) {
        ("apps", "statefulsets") => json!({
            "observedGeneration": generation, "replicas": count, "readyReplicas": count, "currentReplicas": count,
            "updatedReplicas": count, "availableReplicas": count,
        }),
        ("apps", "daemonsets") => json!({
            "observedGeneration": generation, "desiredNumberScheduled": 1, "currentNumberScheduled": 1,
            "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1, "numberMisscheduled": 0,
        }),
        ("batch", "jobs") if object["status"]["completionTime"].is_null() => json!({
            "succeeded": 1, "startTime": created, "completionTime": created,
            "conditions": [{ "type": "Complete", "status": "True", "lastTransitionTime": created }],
        }),
        ("networking.k8s.io", "ingresses") => json!({ "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } }),
        ("", "services") if spec["type"] == "LoadBalancer" => {
            json!({ "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } })
        }
        ("", "persistentvolumeclaims") => json!({ "phase": "Bound" }),
        _ => return None,
    };
    Some(status)
}
