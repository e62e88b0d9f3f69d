//! Published clients and validators of the field, unmodified, against the portal. `tests/run` fetches the packages
//! and names their folder; without it these tests say that they are left out.

use std::path::{Path, PathBuf};
use std::process::Output;

use portico_sandbox::Credentials;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{Options, Platform, TOKEN};

/// The folder with `node_modules`.
pub fn packages() -> Option<PathBuf> {
    let folder = std::env::var_os("PORTICO_CONFORMANCE").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("left out: PORTICO_CONFORMANCE does not name a folder with the published packages; see tests/run");
    }
    folder
}

pub async fn node(packages: &Path, script: &str, arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    Command::new("node")
        .arg(folder.join(script))
        .arg(packages)
        .args(arguments)
        .env("PORTICO_TOKEN", TOKEN)
        .output()
        .await
        .expect("node runs")
}

#[tokio::test]
async fn the_committed_verdicts_are_those_of_the_published_validators() {
    let Some(packages) = packages() else { return };
    let output = node(&packages, "model.mjs", &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let committed = include_bytes!("../conformance/model.json");
    assert!(
        output.stdout == committed,
        "tests/conformance/model.json is stale; its README says how to make it anew"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_catalog_client_finds_what_it_expects() {
    let Some(packages) = packages() else { return };
    let options = Options {
        config: json!({"catalog": {"rules": [{"allow": ["Component", "Group", "Location"]}]}}),
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let component = |name: &str, kind: &str| {
        json!({"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": name},
            "spec": {"type": kind, "lifecycle": "production", "owner": "conformance"}})
    };
    let group = json!({"apiVersion": "backstage.io/v1alpha1", "kind": "Group", "metadata": {"name": "conformance"},
        "spec": {"type": "team", "children": []}});
    let of_first = [
        component("first", "service"),
        group,
        component("a", "website"),
        component("b", "library"),
        component("c", "service"),
        component("d", "service"),
        component("e", "service"),
    ];
    let write = |name: &str, entities: &[Value]| {
        let documents: Vec<String> = entities.iter().map(Value::to_string).collect();
        std::fs::write(folder.path().join(name), documents.join("\n---\n")).expect("a file");
    };
    write("first.yaml", &of_first);
    write("second.yaml", &[component("second", "service")]);
    let owner = Credentials::FORGE_ADMIN;
    platform
        .sandbox
        .forge
        .put_tree(owner, "conformance", "main", folder.path(), "Entities")
        .await
        .expect("the forge takes it");
    let address = |file| {
        format!(
            "{}/{owner}/conformance/src/branch/main/{file}",
            platform.sandbox.urls.forge
        )
    };
    let (first, second) = (address("first.yaml"), address("second.yaml"));
    let told = drive(
        &packages,
        "catalog_client.mjs",
        &[&platform.portal.url, &first, &second],
    )
    .await;
    assert!(told.contains("21 methods"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_scaffolder_client_finds_what_it_expects() {
    let Some(packages) = packages() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let template = json!({
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template",
        "metadata": {"name": "conformance", "title": "Conformance"},
        "spec": {
            "type": "service",
            "parameters": {"title": "One page", "required": ["name"], "properties": {
                "name": {"type": "string"}, "wait": {"type": "boolean"}, "fail": {"type": "boolean"}}},
            "steps": [
                {"id": "log", "name": "Say hello", "action": "debug:log",
                    "input": {"message": "hello ${{ parameters.name }} ${{ secrets.word }}"}},
                {"id": "wait", "if": "${{ parameters.wait }}", "action": "debug:wait", "input": {"minutes": 5}},
                {"id": "fail", "if": "${{ parameters.fail }}", "action": "fs:rename",
                    "input": {"files": [{"from": "nowhere", "to": "somewhere"}]}},
            ],
            "output": {"greeting": "hello ${{ parameters.name }}"},
        },
    });
    std::fs::write(folder.path().join("catalog-info.yaml"), template.to_string()).expect("a file");
    let options = Options {
        golden_paths: vec![folder.path().to_owned()],
        ..Options::default()
    };
    let platform = Platform::start_with(options).await;
    let owner = Credentials::FORGE_ADMIN;
    platform
        .sandbox
        .forge
        .put_tree(owner, "conformance", "main", folder.path(), "Entities")
        .await
        .expect("the forge takes it");
    let host = platform.sandbox.urls.forge.trim_start_matches("http://");
    let told = drive(&packages, "scaffolder_client.mjs", &[&platform.portal.url, host, owner]).await;
    assert!(told.contains("12 methods"), "{told}");
}

/// Runs a script that has to succeed; what it tells.
async fn drive(packages: &Path, script: &str, arguments: &[&str]) -> String {
    let output = node(packages, script, arguments).await;
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    told
}
