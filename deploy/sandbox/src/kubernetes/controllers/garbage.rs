//! Dependents without owners, deletions that wait for dependents, namespaces that are being emptied.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::kubernetes::{
    cluster::Cluster,
    deletion::{FOREGROUND, Propagation},
    objects::Key,
    patch::PatchType,
    writes::Write,
};

/// One pass over all objects. It makes changes that call for another pass until nothing is left to do.
pub fn collect(cluster: &Cluster) {
    let all = cluster.find(|_, _| true);
    let uids = all
        .iter()
        .filter_map(|(_, object)| object["metadata"]["uid"].as_str())
        .collect::<HashSet<_>>();
    for (key, object) in &all {
        let metadata = &object["metadata"];
        let owners = metadata["ownerReferences"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let orphaned = !owners.is_empty()
            && !owners
                .iter()
                .any(|owner| owner["uid"].as_str().is_some_and(|uid| uids.contains(uid)));
        let dying = !metadata["deletionTimestamp"].is_null();
        if orphaned && !dying {
            cluster.delete_key(key, Propagation::Background);
        }
        if dying && has_finalizer(object, FOREGROUND) {
            finish_foreground(cluster, key, object);
        }
        if dying && key.group.is_empty() && key.plural == "namespaces" {
            empty_namespace(cluster, key);
        }
    }
}

fn has_finalizer(object: &Value, finalizer: &str) -> bool {
    object["metadata"]["finalizers"]
        .as_array()
        .is_some_and(|list| list.iter().any(|one| one == finalizer))
}

fn finish_foreground(cluster: &Cluster, key: &Key, object: &Value) {
    let dependents = cluster.dependents(object["metadata"]["uid"].as_str().unwrap_or_default());
    for (dependent, object) in &dependents {
        if object["metadata"]["deletionTimestamp"].is_null() {
            cluster.delete_key(dependent, Propagation::Foreground);
        }
    }
    if !dependents.is_empty() {
        return;
    }
    let Some(kind) = cluster.stored_kind(key) else { return };
    let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten();
    let left = finalizers.filter(|one| *one != FOREGROUND).collect::<Vec<_>>();
    let version = &object["metadata"]["resourceVersion"];
    let patch = json!({ "metadata": { "finalizers": left, "resourceVersion": version } });
    let write = Write::by("kube-controller-manager");
    if let Err(status) = cluster.patch(&kind, &key.namespace, &key.name, &patch, PatchType::Merge, write) {
        // Somebody else changed it; that change brings the next pass.
        tracing::debug!(?key, error = %status, "foreground deletion waits");
    }
}

fn empty_namespace(cluster: &Cluster, namespace: &Key) {
    let content = cluster.find(|key, _| key.namespace == namespace.name);
    for (key, object) in &content {
        if object["metadata"]["deletionTimestamp"].is_null() {
            cluster.delete_key(key, Propagation::Background);
        }
    }
    if content.is_empty()
        && let Err(status) = cluster.remove(namespace)
    {
        tracing::warn!(namespace = namespace.name, error = %status, "cannot remove a namespace");
    }
}
