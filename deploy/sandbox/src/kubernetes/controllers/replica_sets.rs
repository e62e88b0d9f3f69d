//! Replica sets: one for each template that a deployment has had.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{deployments::text, pods::owner};
use crate::kubernetes::{cluster::Cluster, kinds::Kind, patch::PatchType, status::Status, writes::Write};

/// Carries the hash of the template.
pub const HASH_LABEL: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What distinguishes the replica sets of one deployment.
pub fn template_hash(template: &Value) -> String {
    hex::encode(&Sha256::digest(template.to_string())[..5])
}

/// The number of the next rollout, counted from one.
pub fn next_revision(replica_sets: &[Arc<Value>]) -> u64 {
    let revisions = replica_sets
        .iter()
        .filter_map(|set| set["metadata"]["annotations"][REVISION].as_str()?.parse().ok());
    revisions.max().unwrap_or(0_u64) + 1
}

/// The replica set of a deployment for its present template.
pub fn replica_set_of(deployment: &Value, hash: &str, revision: u64) -> Value {
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

/// Writes how many pods a replica set wants, has and has ready.
pub fn write_replica_set(
    cluster: &Cluster,
    kind: &Kind,
    set: &Value,
    wanted: usize,
    total: usize,
    ready: usize,
) -> Result<(), Status> {
    let (namespace, name) = (text(&set["metadata"]["namespace"]), text(&set["metadata"]["name"]));
    let write = Write::by("kube-controller-manager");
    let spec = json!({ "spec": { "replicas": wanted } });
    let set = cluster.patch(kind, namespace, name, &spec, PatchType::Merge, write)?;
    let status = json!({ "status": {
        "replicas": total, "fullyLabeledReplicas": total, "readyReplicas": ready, "availableReplicas": ready,
        "observedGeneration": set["metadata"]["generation"],
    } });
    cluster.patch(kind, namespace, name, &status, PatchType::Merge, write.status())?;
    Ok(())
}
