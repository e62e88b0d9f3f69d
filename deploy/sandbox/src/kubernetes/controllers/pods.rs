//! Pods as a node would report them.

use serde_json::{Value, json};

use crate::kubernetes::writes::{now, random_suffix};

/// Whether no registry would have the image: names with `does-not-exist` or `invalid` in them.
pub fn is_broken_image(image: &str) -> bool {
    image.contains("does-not-exist") || image.contains("invalid")
}

/// A new pod of a replica set, not yet started.
pub fn pod_of(replica_set: &Value) -> Value {
    let template = &replica_set["spec"]["template"];
    let name = replica_set["metadata"]["name"].as_str().unwrap_or_default();
    let mut pod = json!({
        "metadata": {
            "name": format!("{name}-{}", random_suffix()),
            "labels": template["metadata"]["labels"],
            "ownerReferences": [owner("ReplicaSet", replica_set)],
        },
        "spec": template["spec"],
    });
    if template["metadata"]["annotations"].is_object() {
        pod["metadata"]["annotations"] = template["metadata"]["annotations"].clone();
    }
    pod["spec"]["nodeName"] = json!("sandbox");
    pod
}

/// The reference with which a workload owns what it makes.
pub fn owner(kind: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": object["metadata"]["name"],
        "uid": object["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// Whether the pod counts as ready.
pub fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .into_iter()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

/// Whether one of the pod's images cannot be pulled.
pub fn is_stuck(pod: &Value) -> bool {
    containers(pod).any(|container| is_broken_image(container["image"].as_str().unwrap_or_default()))
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    pod["spec"]["containers"].as_array().into_iter().flatten()
}

/// The status of a pod that was started: ready, or waiting for an image that is nowhere.
pub fn started_status(pod: &Value) -> Value {
    let time = now();
    let stuck = is_stuck(pod);
    let statuses = containers(pod).map(|container| {
        let image = container["image"].as_str().unwrap_or_default();
        let broken = is_broken_image(image);
        let state = if broken {
            let message = format!("Back-off pulling image \"{image}\": ErrImagePull: {image}: not found");
            json!({ "waiting": { "reason": "ImagePullBackOff", "message": message } })
        } else {
            json!({ "running": { "startedAt": time } })
        };
        json!({
            "name": container["name"], "image": image, "imageID": "", "ready": !broken, "started": !broken,
            "restartCount": 0, "state": state,
        })
    });
    let statuses = statuses.collect::<Vec<_>>();
    let condition = |name: &str, holds: bool| {
        let mut condition = json!({
            "type": name, "status": if holds { "True" } else { "False" }, "lastTransitionTime": time,
        });
        if !holds {
            condition["reason"] = json!("ContainersNotReady");
        }
        condition
    };
    json!({
        "phase": if stuck { "Pending" } else { "Running" },
        "startTime": time,
        "hostIP": "127.0.0.1",
        "podIP": "10.244.0.2",
        "qosClass": "BestEffort",
        "conditions": [
            condition("PodScheduled", true), condition("Initialized", true),
            condition("ContainersReady", !stuck), condition("Ready", !stuck),
        ],
        "containerStatuses": statuses,
    })
}
