//! The package for idpbuilder: what it must be called so that idpbuilder, the stack's other packages and its templates find it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Package, deploy, documents, list, text};

fn package() -> Package {
    Package::load("idpbuilder", "idpbuilder/package/backstage/manifests")
}

#[test]
fn it_takes_the_place_of_the_application_backstage() {
    let folder = deploy().join("idpbuilder/package");
    // idpbuilder reads files of the folder itself, and of each the first document.
    let files: Vec<_> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml")
        })
        .collect();
    assert_eq!(files, [folder.join("backstage.yaml")]);
    let application = documents(&files[0]).remove(0);
    assert_eq!(application["kind"], "Application");
    assert_eq!(text(&application, "/metadata/name"), "backstage");
    assert_eq!(text(&application, "/metadata/namespace"), "argocd");
    assert_eq!(text(&application, "/spec/destination/namespace"), "backstage");
    assert_eq!(application["spec"]["syncPolicy"]["automated"]["selfHeal"], true);
    let source = &application["spec"]["source"];
    let path = text(source, "/repoURL")
        .strip_prefix("cnoe://")
        .expect("a path beside the file");
    let manifests = folder.join(path).join(text(source, "/path"));
    assert!(
        manifests.join("kustomization.yaml").is_file(),
        "{}",
        manifests.display()
    );
}

#[test]
fn it_keeps_the_names_that_others_use() {
    let package = package();
    for (kind, name) in [
        ("Namespace", "backstage"),
        ("ServiceAccount", "backstage"),
        ("Service", "backstage"),
        ("Deployment", "backstage"),
        ("Ingress", "backstage"),
        ("ConfigMap", "backstage-config"),
        ("Secret", "k8s-config"),
        ("ExternalSecret", "argocd-credentials"),
        ("ExternalSecret", "gitea-credentials"),
        ("ClusterSecretStore", "argocd"),
    ] {
        assert!(package.find(kind, name).is_some(), "{kind} {name}");
    }
    let targets: Vec<&str> = package
        .of_kind("ExternalSecret")
        .map(|one| text(one, "/spec/target/name"))
        .collect();
    assert!(targets.contains(&"backstage-env-vars"), "{targets:?}");
    let service = package.find("Service", "backstage").expect("the service");
    assert_eq!(
        (
            text(service, "/spec/ports/0/name"),
            &service["spec"]["ports"][0]["port"]
        ),
        ("http", &7007.into())
    );
    // Labels of a Deployment's pods cannot be changed in place.
    let labels = &package.portal()["spec"]["selector"]["matchLabels"];
    assert_eq!(*labels, serde_json::json!({"app": "backstage"}));
    let ingress = package.find("Ingress", "backstage").expect("the Ingress");
    assert_eq!(text(ingress, "/spec/ingressClassName"), "nginx");
    let rules: Vec<(&str, &str)> = list(ingress, "/spec/rules")
        .iter()
        .map(|rule| (text(rule, "/host"), text(rule, "/http/paths/0/path")))
        .collect();
    assert_eq!(rules, [("localhost", "/"), ("cnoe.localtest.me", "/")]);
}

#[test]
fn the_database_comes_before_the_portal_and_secrets_before_both() {
    let package = package();
    let wave = |object: &Value| -> i64 {
        let text = text(object, "/metadata/annotations/argocd.argoproj.io~1sync-wave");
        if text.is_empty() {
            0
        } else {
            text.parse().expect("a number")
        }
    };
    for object in &package.objects {
        let wanted = match text(object, "/kind") {
            "StatefulSet" => 10,
            "Deployment" => 20,
            _ => 0,
        };
        assert_eq!(wave(object), wanted, "{}", super::title(object));
    }
}

#[test]
fn a_secret_is_shown_by_idpbuilder() {
    let package = package();
    let shown = package.of_kind("ExternalSecret").filter(|secret| {
        secret.pointer("/spec/target/template/metadata/labels/cnoe.io~1cli-secret") == Some(&Value::from("true"))
    });
    let shown: Vec<&Value> = shown.collect();
    assert_eq!(shown.len(), 1, "what nobody needs to know is not shown");
    assert_eq!(
        text(shown[0], "/spec/target/template/metadata/labels/cnoe.io~1package-name"),
        "portico"
    );
}

#[test]
fn host_port_and_cluster_stand_in_one_file() {
    let folder = deploy().join("idpbuilder/package");
    let mut open = vec![folder.clone()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a text");
            let found = ["localtest.me", "8443", "localdev"]
                .iter()
                .any(|value| text.contains(value));
            assert_eq!(found, path.ends_with("platform.yaml"), "{}", path.display());
        }
    }
}

/// Relative paths and contents.
fn files(folder: &Path, root: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, root, found);
        } else {
            let name = path.strip_prefix(root).expect("below").display().to_string();
            found.insert(name, std::fs::read(&path).expect("a file"));
        }
    }
}

#[test]
fn the_variant_is_the_stack_with_this_portal() {
    let folder = tempfile::tempdir().expect("a folder");
    let stack = folder.path().join("ref-implementation");
    for (file, content) in [
        ("backstage.yaml", "theirs"),
        ("backstage/manifests/install.yaml", "theirs"),
        ("keycloak.yaml", "keycloak"),
        ("keycloak/manifests/install.yaml", "keycloak"),
    ] {
        let path = stack.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, content).expect("written");
    }
    let run = |from: &Path, to: &Path| {
        Command::new(deploy().join("idpbuilder/variant"))
            .args([from, to])
            .output()
            .expect("it runs")
    };
    let out = folder.path().join("out");
    let made = run(&stack, &out);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));

    let (mut found, mut ours) = (BTreeMap::new(), BTreeMap::new());
    files(&out, &out, &mut found);
    let package = deploy().join("idpbuilder/package");
    files(&package, &package, &mut ours);
    ours.insert("keycloak.yaml".to_owned(), b"keycloak".to_vec());
    ours.insert("keycloak/manifests/install.yaml".to_owned(), b"keycloak".to_vec());
    assert!(found == ours, "{:?}", found.keys());

    for (from, to, wanted) in [
        (&stack, &out, "is there already"),
        (&out.join("keycloak"), &folder.path().join("b"), "is not the folder"),
    ] {
        let refused = run(from, to);
        let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && reason.contains(wanted), "{reason}");
    }
}
