//! Scheduler and kubelet of the one node: pods are bound to it, run and are ready at once, and end when they are deleted.

use anyhow::{Context, Result};
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};

/// As in `manifests/node.yaml`.
const NODE: &str = "platform";

/// Looks after all pods until it is dropped. A watch that is lost is begun again.
pub async fn look_after(client: kube::Client) {
    let pods: Api<Pod> = Api::all(client.clone());
    let watch = watcher(pods, watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let mut watch = std::pin::pin!(watch);
    while let Some(event) = watch.next().await {
        let outcome = match event {
            Ok(pod) => look_at(&client, &pod).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = outcome {
            // A lost watch comes again, a pod is looked at again when it changes, and one that is gone is no trouble.
            tracing::debug!(%error, "pods are not looked after");
        }
    }
}

async fn look_at(client: &kube::Client, pod: &Pod) -> Result<()> {
    let name = pod.metadata.name.as_deref().context("a pod without a name")?;
    let namespace = pod.metadata.namespace.as_deref().context("a pod without a namespace")?;
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    if pod.metadata.deletion_timestamp.is_some() {
        pods.delete(name, &DeleteParams::default().grace_period(0)).await?;
        return Ok(());
    }
    if pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
        let binding = Binding {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            target: ObjectReference {
                kind: Some("Node".into()),
                name: Some(NODE.into()),
                ..ObjectReference::default()
            },
        };
        let _: Value = pods
            .create_subresource("binding", name, &PostParams::default(), &binding)
            .await?;
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if matches!(phase, None | Some("Pending")) {
        let status = Patch::Merge(running(pod));
        pods.patch_status(name, &PatchParams::default(), &status).await?;
    }
    Ok(())
}

/// The status of a pod whose containers all run.
fn running(pod: &Pod) -> Value {
    let now = k8s_openapi::jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let conditions: Vec<Value> = ["PodScheduled", "Initialized", "ContainersReady", "Ready"]
        .iter()
        .map(|condition| json!({ "type": condition, "status": "True", "lastTransitionTime": now }))
        .collect();
    let containers: Vec<Value> = pod
        .spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .map(|container| {
            json!({
                "name": container.name,
                "image": container.image,
                "imageID": "",
                "ready": true,
                "started": true,
                "restartCount": 0,
                "state": { "running": { "startedAt": now } },
            })
        })
        .collect();
    json!({ "status": {
        "phase": "Running",
        "startTime": now,
        "podIP": "10.244.0.1",
        "podIPs": [{ "ip": "10.244.0.1" }],
        "conditions": conditions,
        "containerStatuses": containers,
    } })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, PodSpec};

    use super::*;

    #[test]
    fn every_container_runs_and_is_ready() {
        let container = |name: &str| Container {
            name: name.into(),
            ..Container::default()
        };
        let pod = Pod {
            spec: Some(PodSpec {
                containers: vec![container("web"), container("proxy")],
                ..PodSpec::default()
            }),
            ..Pod::default()
        };
        let status = running(&pod);
        let containers = status["status"]["containerStatuses"].as_array().expect("a list");
        assert_eq!(containers.len(), 2);
        assert!(containers.iter().all(|container| container["ready"] == true));
        let conditions = status["status"]["conditions"].as_array().expect("a list");
        assert!(conditions.iter().any(|condition| condition["type"] == "Ready"));
    }
}
