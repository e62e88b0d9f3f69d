//! The golden paths that come with Portico: complete, well-formed, with the checks that their form promises.

use std::path::{Path, PathBuf};

use serde_json::Value;

#[test]
fn every_target_of_the_entry_is_there() {
    let entry = documents(&folder().join("catalog-info.yaml"));
    let targets: Vec<&str> = entry
        .iter()
        .filter_map(|location| location.pointer("/spec/targets")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    assert!(!targets.is_empty());
    for target in targets {
        assert!(
            !documents(&folder().join(target)).is_empty(),
            "{target} holds an entity"
        );
    }
}

#[test]
fn names_that_kubernetes_refuses_are_refused_by_the_form() {
    let pages = template()
        .pointer("/spec/parameters")
        .expect("the template asks something")
        .clone();
    let page = jsonschema::validator_for(&pages[0]).expect("the first page is a schema");
    let form = |name: &str| serde_json::json!({ "name": name, "owner": "group:default/admin", "system": "services" });
    for name in ["ab", "payments-api", "a1", &"a".repeat(50)] {
        assert!(page.is_valid(&form(name)), "{name}");
    }
    for name in [
        "",
        "a",
        "1a",
        "-a",
        "a-",
        "Aa",
        "a_b",
        "a.b",
        "a b",
        "ä-b",
        "ab\n",
        &"a".repeat(51),
    ] {
        assert!(!page.is_valid(&form(name)), "{name:?}");
    }
}

#[test]
fn images_are_checked_and_the_defaults_pass() {
    let pages = template()
        .pointer("/spec/parameters")
        .expect("the template asks something")
        .clone();
    let schema = &pages[1];
    let page = jsonschema::validator_for(schema).expect("the second page is a schema");
    let default = |key: &str| schema["properties"][key]["default"].clone();
    let form =
        |image: Value| serde_json::json!({ "image": image, "port": default("port"), "replicas": default("replicas") });
    assert!(page.is_valid(&form(default("image"))));
    let digest = format!("ghcr.io/a/b@sha256:{}", "0".repeat(64));
    for image in ["nginx", "nginx:1.27", "localhost:5000/a/b:V1", &digest] {
        assert!(page.is_valid(&form(image.into())), "{image}");
    }
    for image in ["", "a b", "nginx:", "\"quoted\"", "a\nb", "nginx@sha256:12"] {
        assert!(!page.is_valid(&form(image.into())), "{image:?}");
    }
}

#[test]
fn steps_are_those_of_the_platform_and_have_unique_ids() {
    let template = template();
    let steps = template
        .pointer("/spec/steps")
        .and_then(Value::as_array)
        .expect("the template has steps");
    let actions: Vec<&str> = steps.iter().filter_map(|step| step["action"].as_str()).collect();
    assert_eq!(
        actions,
        [
            "fetch:template",
            "publish:gitea",
            "cnoe:create-argocd-app",
            "catalog:register"
        ]
    );
    let mut ids: Vec<&str> = steps.iter().filter_map(|step| step["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), steps.len());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden-paths")
}

fn template() -> Value {
    documents(&folder().join("basic-deployment/template.yaml")).remove(0)
}

fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
