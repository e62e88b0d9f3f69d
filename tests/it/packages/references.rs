//! What objects say of each other: nothing names what is not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Package, deploy, documents, list, text, title};

/// Secrets that others make, with the keys that they are known to have.
fn from_elsewhere(package: &Package) -> BTreeMap<String, BTreeSet<String>> {
    let mut secrets = BTreeMap::new();
    let mut add = |name: &str, keys: &[&str]| {
        secrets.insert(name.to_owned(), keys.iter().map(|&key| key.to_owned()).collect());
    };
    if package.find("Cluster", "portico-db").is_some() {
        // CloudNativePG: https://cloudnative-pg.io/documentation/current/applications/
        add("portico-db-app", &["username", "password", "dbname", "host", "port"]);
        add("portico-db-ca", &["ca.crt"]);
    }
    if package.name != "idpbuilder" {
        // cert-manager, or whoever makes certificates.
        add("portico-tls", &["tls.crt", "tls.key"]);
        for example in documents(&deploy().join("kubernetes/secrets.example.yaml")) {
            let keys = keys(&example["stringData"]);
            secrets
                .entry(text(&example, "/metadata/name").to_owned())
                .or_insert(keys);
        }
    }
    secrets
}

fn keys(map: &Value) -> BTreeSet<String> {
    map.as_object()
        .map(|map| map.keys().cloned().collect())
        .unwrap_or_default()
}

/// The keys of a Secret that an operator makes of an ExternalSecret.
fn external(secret: &Value) -> BTreeSet<String> {
    let template = keys(&secret["spec"]["target"]["template"]["data"]);
    if !template.is_empty() {
        return template;
    }
    let data = list(secret, "/spec/data").iter().map(|one| text(one, "/secretKey"));
    let generated = list(secret, "/spec/dataFrom")
        .iter()
        .map(|one| text(one, "/rewrite/0/transform/template"));
    data.chain(generated).map(str::to_owned).collect()
}

/// Keys of all Secrets and ConfigMaps of a package, by kind and name.
pub fn sources(package: &Package) -> BTreeMap<(&'static str, String), BTreeSet<String>> {
    let mut sources = BTreeMap::new();
    for map in package.of_kind("ConfigMap") {
        sources.insert(
            ("ConfigMap", text(map, "/metadata/name").to_owned()),
            keys(&map["data"]),
        );
    }
    for secret in package.of_kind("Secret") {
        sources.insert(
            ("Secret", text(secret, "/metadata/name").to_owned()),
            keys(&secret["stringData"]),
        );
    }
    for secret in package.of_kind("ExternalSecret") {
        sources.insert(
            ("Secret", text(secret, "/spec/target/name").to_owned()),
            external(secret),
        );
    }
    for (name, keys) in from_elsewhere(package) {
        sources.insert(("Secret", name), keys);
    }
    sources
}

/// Kind, name and, where one is named, key of everything that a pod takes from Secrets and ConfigMaps.
fn wanted(pod: &Value) -> Vec<(&'static str, String, Option<String>)> {
    let mut wanted = Vec::new();
    for container in list(pod, "/containers") {
        for variable in list(container, "/env") {
            for (kind, pointer) in [
                ("Secret", "/valueFrom/secretKeyRef"),
                ("ConfigMap", "/valueFrom/configMapKeyRef"),
            ] {
                if let Some(from) = variable.pointer(pointer) {
                    wanted.push((
                        kind,
                        text(from, "/name").to_owned(),
                        Some(text(from, "/key").to_owned()),
                    ));
                }
            }
        }
        for all in list(container, "/envFrom") {
            for (kind, pointer) in [("Secret", "/secretRef/name"), ("ConfigMap", "/configMapRef/name")] {
                if let Some(name) = all.pointer(pointer).and_then(Value::as_str) {
                    wanted.push((kind, name.to_owned(), None));
                }
            }
        }
    }
    for volume in list(pod, "/volumes") {
        if let Some(name) = volume.pointer("/secret/secretName").and_then(Value::as_str) {
            wanted.push(("Secret", name.to_owned(), None));
        }
        if let Some(name) = volume.pointer("/configMap/name").and_then(Value::as_str) {
            wanted.push(("ConfigMap", name.to_owned(), None));
        }
        for source in list(volume, "/projected/sources") {
            for (kind, key) in [("Secret", "secret"), ("ConfigMap", "configMap")] {
                if let Some(from) = source.get(key) {
                    let items = list(from, "/items").iter().map(|item| text(item, "/key").to_owned());
                    wanted.extend(items.map(|item| (kind, text(from, "/name").to_owned(), Some(item))));
                    wanted.push((kind, text(from, "/name").to_owned(), None));
                }
            }
        }
    }
    wanted
}

#[test]
fn pods_find_their_secrets_files_and_accounts() {
    for package in Package::all() {
        let sources = sources(&package);
        for workload in package.workloads() {
            let pod = &workload["spec"]["template"]["spec"];
            let what = format!("{}: {}", package.name, title(workload));
            for (kind, name, key) in wanted(pod) {
                let found = sources.get(&(kind, name.clone()));
                let found = found.unwrap_or_else(|| panic!("{what}: nobody makes {kind} {name}"));
                if let Some(key) = key {
                    assert!(found.contains(&key), "{what}: {kind} {name} has no key {key}");
                }
            }
            if let Some(account) = pod["serviceAccountName"].as_str() {
                assert!(package.find("ServiceAccount", account).is_some(), "{what}: {account}");
            }
            let volumes: BTreeSet<&str> = list(pod, "/volumes")
                .iter()
                .map(|volume| text(volume, "/name"))
                .chain(
                    list(workload, "/spec/volumeClaimTemplates")
                        .iter()
                        .map(|claim| text(claim, "/metadata/name")),
                )
                .collect();
            for mount in list(pod, "/containers/0/volumeMounts") {
                assert!(volumes.contains(text(mount, "/name")), "{what}: {mount}");
            }
        }
    }
}

/// The workloads that a selector of labels means.
fn selects(workload: &Value, labels: &Value) -> bool {
    let has = &workload["spec"]["template"]["metadata"]["labels"];
    labels
        .as_object()
        .is_some_and(|labels| !labels.is_empty() && labels.iter().all(|(key, value)| has[key] == *value))
}

/// Names of the ports of a workload's first container.
fn ports(workload: &Value) -> Vec<&str> {
    list(workload, "/spec/template/spec/containers/0/ports")
        .iter()
        .map(|port| text(port, "/name"))
        .collect()
}

#[test]
fn services_policies_and_ingresses_lead_to_pods() {
    for package in Package::all() {
        for workload in package.workloads() {
            assert!(
                selects(workload, &workload["spec"]["selector"]["matchLabels"]),
                "{}: {} does not select its own pods",
                package.name,
                title(workload)
            );
        }
        for service in package.of_kind("Service") {
            let what = format!("{}: {}", package.name, title(service));
            let behind = package
                .workloads()
                .find(|one| selects(one, &service["spec"]["selector"]));
            let behind = behind.unwrap_or_else(|| panic!("{what} selects nothing"));
            for port in list(service, "/spec/ports") {
                assert!(ports(behind).contains(&text(port, "/targetPort")), "{what}: {port}");
            }
        }
        for kind in ["PodDisruptionBudget", "NetworkPolicy"] {
            for object in package.of_kind(kind) {
                let what = format!("{}: {}", package.name, title(object));
                let labels = object
                    .pointer("/spec/podSelector/matchLabels")
                    .or(object.pointer("/spec/selector/matchLabels"));
                let Some(labels) = labels else { continue };
                let own = labels.get("cnpg.io/cluster").map(|name| name == "portico-db");
                assert!(
                    own.unwrap_or_else(|| package.workloads().any(|one| selects(one, labels))),
                    "{what} selects nothing"
                );
            }
        }
        for ingress in package.of_kind("Ingress") {
            for path in list(ingress, "/spec/rules")
                .iter()
                .flat_map(|rule| list(rule, "/http/paths"))
            {
                let name = text(path, "/backend/service/name");
                let service = package
                    .find("Service", name)
                    .unwrap_or_else(|| panic!("{}: {name}", package.name));
                let port = text(path, "/backend/service/port/name");
                assert!(
                    list(service, "/spec/ports").iter().any(|one| one["name"] == port),
                    "{}: {port}",
                    package.name
                );
            }
        }
        for scaler in package.of_kind("HorizontalPodAutoscaler") {
            let target = &scaler["spec"]["scaleTargetRef"];
            let workload = package
                .find(text(target, "/kind"), text(target, "/name"))
                .expect("what is scaled");
            assert!(
                workload["spec"]["replicas"].is_null(),
                "{}: both say how many",
                package.name
            );
        }
    }
}

#[test]
fn nothing_is_let_in_or_out_that_is_not_named() {
    for package in Package::all().iter().filter(|package| package.name != "idpbuilder") {
        let all = package
            .find("NetworkPolicy", "default-deny")
            .expect("a rule for all pods");
        assert_eq!(all["spec"]["podSelector"], serde_json::json!({}), "{}", package.name);
        assert_eq!(list(all, "/spec/policyTypes").len(), 2, "{}", package.name);
        assert!(
            all["spec"]["ingress"].is_null() && all["spec"]["egress"].is_null(),
            "{}",
            package.name
        );
        for policy in package.of_kind("NetworkPolicy") {
            for rule in list(policy, "/spec/ingress") {
                assert!(!list(rule, "/from").is_empty(), "{} lets everybody in", title(policy));
            }
            for rule in list(policy, "/spec/egress") {
                assert!(
                    !list(rule, "/ports").is_empty(),
                    "{} lets everything out",
                    title(policy)
                );
            }
        }
    }
}
