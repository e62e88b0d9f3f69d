//! A real API server takes all objects: it knows every field, warns of nothing, and lets the pods into a namespace under the
//! strictest rules. Only where `PORTICO_PLATFORM` names a platform.

use axum::http::Request;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::client::Body;
use kube::core::GroupVersionKind;
use kube::discovery::{Scope, pinned_kind};
use serde_json::{Value, json};

use super::{Package, deploy, documents, text, title};
use crate::support::{RunningPlatform, Systems, eventually, fresh};

const MANAGER: &str = "packages";
/// Namespaces of the packages' own; on the platform, one that the test makes stands for them.
const OWN: [&str; 2] = ["portico", "backstage"];

/// Our descriptions of kinds whose operators are not on the platform, as far as the packages use them, and closed: a field that
/// they lack is an error.
fn stubs() -> Vec<Value> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/packages/stubs.yaml");
    documents(&file)
        .into_iter()
        .flat_map(|list| list.as_array().cloned().unwrap_or_default())
        .map(definition)
        .collect()
}

/// A CustomResourceDefinition out of a short description.
fn definition(stub: Value) -> Value {
    let (group, kind, plural) = (text(&stub, "/group"), text(&stub, "/kind"), text(&stub, "/plural"));
    let scope = if stub["scope"].is_null() {
        json!("Namespaced")
    } else {
        stub["scope"].clone()
    };
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"), "labels": {"portico-test": "packages"}},
        "spec": {
            "group": group,
            "names": {"kind": kind, "plural": plural},
            "scope": scope,
            "versions": [{
                "name": stub["version"], "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": schema(&stub["spec"])}}},
            }],
        },
    })
}

/// `{name: type}` is an object with these fields and no others; `[…]` a list; `map` an object with texts.
fn schema(short: &Value) -> Value {
    match short {
        Value::Array(items) => json!({"type": "array", "items": schema(&items[0])}),
        Value::Object(fields) => {
            let properties: serde_json::Map<String, Value> = fields
                .iter()
                .map(|(name, field)| (name.clone(), schema(field)))
                .collect();
            json!({"type": "object", "properties": properties})
        }
        Value::String(name) if name == "map" => {
            json!({"type": "object", "additionalProperties": {"type": "string"}})
        }
        other => json!({"type": other}),
    }
}

/// The same object in the test's namespace.
fn moved(object: &Value, namespace: &str) -> Value {
    let mut moved = object.clone();
    let place = if moved["kind"] == "Namespace" {
        "/metadata/name"
    } else {
        "/metadata/namespace"
    };
    if OWN.contains(&text(&moved, place))
        && let Some(place) = moved.pointer_mut(place)
    {
        *place = namespace.into();
    }
    moved
}

async fn apply(client: &kube::Client, object: &Value) -> DynamicObject {
    let parts: Vec<&str> = text(object, "/apiVersion").split('/').collect();
    let (group, version) = if parts.len() == 2 {
        (parts[0], parts[1])
    } else {
        ("", parts[0])
    };
    let kind = GroupVersionKind::gvk(group, version, text(object, "/kind"));
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match object.pointer("/metadata/namespace").and_then(Value::as_str) {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let parameters = PatchParams::apply(MANAGER).force();
    api.patch(text(object, "/metadata/name"), &parameters, &Patch::Apply(object))
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", title(object)))
}

/// What the API server says to an object that it is to take as it is, without keeping it: an error, or warnings.
async fn objections(client: &kube::Client, object: &Value) -> Vec<String> {
    let kind = GroupVersionKind::try_from(kube::core::TypeMeta {
        api_version: text(object, "/apiVersion").to_owned(),
        kind: text(object, "/kind").to_owned(),
    });
    let (resource, capabilities) = match pinned_kind(client, &kind.expect("a kind")).await {
        Ok(found) => found,
        Err(error) => return vec![format!("the cluster does not know the kind: {error}")],
    };
    let namespace = match capabilities.scope {
        Scope::Namespaced => Some(text(object, "/metadata/namespace")),
        Scope::Cluster => None,
    };
    let url = Api::<DynamicObject>::all_with(client.clone(), &resource)
        .resource_url()
        .to_owned();
    let url = match namespace {
        Some(namespace) => url.replace(
            &format!("/{}", resource.plural),
            &format!("/namespaces/{namespace}/{}", resource.plural),
        ),
        None => url,
    };
    let name = text(object, "/metadata/name");
    let query = format!("dryRun=All&fieldValidation=Strict&fieldManager={MANAGER}&force=true");
    let request = Request::patch(format!("{url}/{name}?{query}"))
        .header("content-type", "application/apply-patch+yaml")
        .header("accept", "application/json")
        .body(Body::from(serde_json::to_vec(object).expect("JSON")))
        .expect("a request");
    let answer = client.send(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let mut objections: Vec<String> = head
        .headers
        .get_all("warning")
        .iter()
        .map(|warning| String::from_utf8_lossy(warning.as_bytes()).into_owned())
        .collect();
    if !head.status.is_success() {
        let body = body.collect_bytes().await.expect("a body");
        let status: Value = serde_json::from_slice(&body).unwrap_or_default();
        objections.push(format!("{}: {}", head.status, text(&status, "/message")));
    }
    objections
}

/// The pod of a workload, as its controller would make it.
fn pod(workload: &Value, namespace: &str) -> Value {
    let template = &workload["spec"]["template"];
    let mut spec = template["spec"].clone();
    for claim in workload
        .pointer("/spec/volumeClaimTemplates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = text(claim, "/metadata/name");
        let volume = json!({"name": name, "persistentVolumeClaim": {"claimName": name}});
        spec["volumes"].as_array_mut().expect("volumes").push(volume);
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": format!("{}-0", text(workload, "/metadata/name")),
            "namespace": namespace,
            "labels": template["metadata"]["labels"],
        },
        "spec": spec,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_api_server_takes_everything_without_a_warning() {
    let Some(platform) = RunningPlatform::named() else {
        println!("skipped: PORTICO_PLATFORM names no platform, so no API server looks at the packages");
        return;
    };
    let client = Systems::cluster_of(&platform);
    let namespace = fresh("packages");
    let strict = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": namespace, "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        }},
    });
    apply(&client, &strict).await;
    // The cluster makes it for itself, a moment later.
    let account =
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}});
    apply(&client, &account).await;
    for other in ["velero", "argocd"] {
        apply(
            &client,
            &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}}),
        )
        .await;
    }
    let stubs = stubs();
    for stub in &stubs {
        apply(&client, stub).await;
        let (group, version) = (text(stub, "/spec/group"), text(stub, "/spec/versions/0/name"));
        let kind = GroupVersionKind::gvk(group, version, text(stub, "/spec/names/kind"));
        eventually("the kind is known", || async { pinned_kind(&client, &kind).await.ok() }).await;
    }

    let mut wrong = Vec::new();
    let mut looked_at = 0;
    let mut objects: Vec<(String, Value)> = Vec::new();
    for package in Package::all() {
        for account in package.of_kind("ServiceAccount") {
            if OWN.contains(&text(account, "/metadata/namespace")) {
                // Pods are refused without it.
                apply(&client, &moved(account, &namespace)).await;
            }
        }
        for object in &package.objects {
            objects.push((package.name.to_owned(), moved(object, &namespace)));
        }
        for workload in package.workloads() {
            objects.push((package.name.to_owned(), pod(workload, &namespace)));
        }
    }
    for example in documents(&deploy().join("kubernetes/secrets.example.yaml")) {
        objects.push(("example".to_owned(), moved(&example, &namespace)));
    }
    for application in documents(&deploy().join("idpbuilder/package/backstage.yaml")) {
        objects.push(("idpbuilder".to_owned(), application));
    }
    for (package, object) in &objects {
        looked_at += 1;
        for objection in objections(&client, object).await {
            wrong.push(format!("{package}: {}: {objection}", title(object)));
        }
    }

    // The checks can fail: a field that nobody knows, and a pod of root's.
    let misspelt = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "misspelt", "namespace": namespace},
        "spec": {"ports": [{"port": 80, "targetPrt": 80}]},
    });
    let found = objections(&client, &misspelt).await;
    assert!(
        found.iter().any(|objection| objection.contains("targetPrt")),
        "{found:?}"
    );
    let root = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "root", "namespace": namespace},
        "spec": {"containers": [{"name": "root", "image": "root"}]},
    });
    let found = objections(&client, &root).await;
    assert!(
        found.iter().any(|objection| objection.contains("PodSecurity")),
        "{found:?}"
    );
    let stub = json!({
        "apiVersion": "velero.io/v1", "kind": "Schedule",
        "metadata": {"name": "misspelt", "namespace": "velero"},
        "spec": {"schedule": "0 0 * * *", "templat": {}},
    });
    let found = objections(&client, &stub).await;
    assert!(found.iter().any(|objection| objection.contains("templat")), "{found:?}");

    for stub in &stubs {
        let kind = GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
        api.delete(text(stub, "/metadata/name"), &DeleteParams::default())
            .await
            .expect("it goes");
    }
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client);
    namespaces
        .delete(&namespace, &DeleteParams::default())
        .await
        .expect("it goes");
    assert!(wrong.is_empty(), "of {looked_at} objects:\n{}", wrong.join("\n"));
}
