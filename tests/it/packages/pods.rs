//! What runs: under the strictest rules of Kubernetes, with bounds, and asked at addresses that the program has.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use portico::web::{Readiness, health_routes};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Package, list, text, title};

#[test]
fn pods_have_no_rights_and_write_nowhere() {
    for package in Package::all() {
        assert!(package.workloads().count() >= 1, "{}", package.name);
        for workload in package.workloads() {
            let pod = &workload["spec"]["template"]["spec"];
            let what = format!("{}: {}", package.name, title(workload));
            let context = &pod["securityContext"];
            assert_eq!(context["runAsNonRoot"], true, "{what}");
            assert!(context["runAsUser"].as_u64().is_some_and(|user| user > 0), "{what}");
            assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{what}");
            for host in ["hostNetwork", "hostPID", "hostIPC", "hostUsers"] {
                assert!(pod[host].is_null(), "{what}: {host}");
            }
            for container in list(pod, "/containers") {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{what}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{what}");
                assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{what}");
                assert!(
                    !text(container, "/image").ends_with(":latest"),
                    "{what}: the image has no version"
                );
                for (bound, of) in [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")] {
                    assert!(container["resources"][bound][of].is_string(), "{what}: {bound}.{of}");
                }
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    assert!(container[probe].is_object(), "{what}: {probe}");
                }
            }
            for volume in list(pod, "/volumes") {
                assert!(volume["hostPath"].is_null(), "{what}: {volume}");
                let empty = volume["emptyDir"].is_object();
                assert!(
                    !empty || volume["emptyDir"]["sizeLimit"].is_string(),
                    "{what}: {volume} has no limit"
                );
            }
        }
    }
}

#[test]
fn only_the_portal_gets_the_token_of_its_account() {
    for package in Package::all() {
        let portal = title(package.portal());
        for workload in package.workloads() {
            let wanted = &workload["spec"]["template"]["spec"]["automountServiceAccountToken"];
            assert_eq!(
                *wanted,
                title(workload) == portal,
                "{}: {}",
                package.name,
                title(workload)
            );
        }
    }
}

#[test]
fn the_portal_may_write_where_it_writes() {
    for package in Package::all() {
        let mounts = list(package.portal(), "/spec/template/spec/containers/0/volumeMounts");
        // Workspaces of tasks and git's repositories are in the folder for temporary files.
        let writable: Vec<&str> = mounts
            .iter()
            .filter(|mount| mount["readOnly"] != true)
            .map(|mount| text(mount, "/mountPath"))
            .collect();
        assert_eq!(writable, ["/tmp"], "{}", package.name);
    }
}

/// The paths of all probes of a workload.
fn paths(workload: &Value) -> Vec<&str> {
    let container = &workload["spec"]["template"]["spec"]["containers"][0];
    ["startupProbe", "readinessProbe", "livenessProbe"]
        .iter()
        .map(|probe| text(&container[probe], "/httpGet/path"))
        .collect()
}

#[tokio::test]
async fn probes_ask_where_the_portal_answers() {
    let readiness = Readiness::default();
    let gate = readiness.gate("something");
    let router = health_routes(readiness);
    let ask = async |path: &str| {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        router.clone().oneshot(request).await.expect("an answer").status()
    };
    for package in Package::all() {
        let [startup, readiness, liveness] = paths(package.portal())[..] else {
            panic!("{}: three probes", package.name);
        };
        // A pod that waits for another system is alive and not ready.
        assert_eq!(ask(liveness).await, StatusCode::OK, "{}: {liveness}", package.name);
        assert_eq!(ask(startup).await, StatusCode::OK, "{}: {startup}", package.name);
        assert_eq!(
            ask(readiness).await,
            StatusCode::SERVICE_UNAVAILABLE,
            "{}: {readiness}",
            package.name
        );
    }
    gate.open();
    for package in Package::all() {
        assert_eq!(
            ask(paths(package.portal())[1]).await,
            StatusCode::OK,
            "{}",
            package.name
        );
    }
}

#[test]
fn a_pod_has_longer_to_end_than_the_portal_takes() {
    for package in Package::all() {
        let pod = &package.portal()["spec"]["template"]["spec"];
        let pause = pod
            .pointer("/containers/0/lifecycle/preStop/sleep/seconds")
            .and_then(Value::as_u64);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a time");
        // The portal gives requests ten seconds.
        assert!(grace > pause.unwrap_or(0) + 10, "{}: {grace} s", package.name);
    }
}
