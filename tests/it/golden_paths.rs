//! The golden paths that come with Portico: complete, well-formed, with the checks that their form promises.

use std::path::{Path, PathBuf};

use portico::scaffolder::expressions::{FileOptions, Options, render_template, render_value};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Access, AnyPlatform, eventually, fresh};

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

/// As their authors check them.
#[test]
fn they_are_linted_and_their_tests_pass() {
    for arguments in [&["lint", "--strict"][..], &["test"]] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_portico"))
            .arg("template")
            .args(arguments)
            .arg(folder())
            .output()
            .expect("the program runs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
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
    let form = |name: &str| json!({ "name": name, "owner": "group:default/admin" });
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
    let schema = &pages[0];
    let page = jsonschema::validator_for(schema).expect("the page is a schema");
    let default = |key: &str| schema["properties"][key]["default"].clone();
    let form = |image: Value| json!({ "name": "demo", "image": image, "replicas": default("replicas") });
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

#[test]
fn a_script_may_give_a_name_alone() {
    let input = template()
        .pointer("/spec/steps/0/input/values")
        .expect("the first step has values")
        .clone();
    let context = json!({ "parameters": { "name": "demo" } });
    let options = Options {
        strict: true,
        ..Options::default()
    };
    let values = render_value(&input, &context, &options)
        .expect("rendered")
        .expect("an object");
    assert_eq!(values["replicas"], 2);
    assert_eq!(values["port"], 8080);
    assert_eq!(values["owner"], "group:default/base-user");
}

#[test]
fn the_application_gets_the_repository_without_its_page() {
    let template = template();
    let input = template
        .pointer("/spec/steps/2/input/repoUrl")
        .expect("the Application has a repository");
    let context = json!({
        "parameters": { "name": "demo" },
        "steps": { "publish": { "output": {
            "repoContentsUrl": "https://cnoe.localtest.me:8443/gitea/giteaAdmin/demo/src/branch/main/",
        } } },
    });
    let url = render_value(input, &context, &Options::default()).expect("rendered");
    assert_eq!(url, Some(json!("https://cnoe.localtest.me:8443/gitea/giteaAdmin/demo")));
}

/// Whatever somebody writes into the form, the files say that and nothing else.
#[test]
fn hostile_values_stay_values() {
    for description in [
        "It says \"no\": #1 {{ x }} 'quoted' \\ ü",
        "- a\n- b: c",
        "*alias &anchor !tag %",
        "${{ values.name }} {% raw %}",
        "",
    ] {
        let values = json!({
            "name": "demo",
            "owner": "group:default/admin",
            "system": "system:default/services",
            "description": description,
            "image": "ghcr.io/a/b:1",
            "port": 8080,
            "replicas": 3,
        });
        let component = rendered("catalog-info.yaml", &values);
        assert_eq!(component["metadata"]["description"], description);
        assert_eq!(component["metadata"]["name"], "demo");
        assert_eq!(component["metadata"]["annotations"]["argocd/app-name"], "demo");
        assert_eq!(component["spec"]["owner"], "group:default/admin");
        rendered("mkdocs.yml", &values);
    }
}

#[test]
fn manifests_are_safe_and_belong_together() {
    let values = json!({ "name": "demo", "image": "ghcr.io/a/b:1", "port": 9000, "replicas": 3 });
    let deployment = rendered("manifests/deployment.yaml", &values);
    let service = rendered("manifests/service.yaml", &values);
    assert_eq!(deployment["spec"]["replicas"], 3);
    assert_eq!(
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"]
    );
    let pod = &deployment["spec"]["template"];
    for (label, value) in service["spec"]["selector"].as_object().expect("a selector") {
        assert_eq!(&pod["metadata"]["labels"][label], value);
    }
    assert_eq!(pod["spec"]["securityContext"]["runAsNonRoot"], true);
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["ports"][0]["containerPort"], 9000);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    for part in ["startupProbe", "readinessProbe", "livenessProbe", "resources"] {
        assert!(container[part].is_object(), "{part}");
    }
}

/// Each golden path, taken on a platform: what its task leaves in the forge, in Argo CD and in the catalog.
#[tokio::test(flavor = "multi_thread")]
async fn each_path_leads_to_what_it_promises() {
    let platform = AnyPlatform::start().await;
    let [service, site, job, shop, path] = ["greet", "pages", "nightly", "shop", "path"].map(fresh);
    let taken = [
        ("web-service", json!({"name": service})),
        ("documentation-site", json!({"name": site, "title": "Pages"})),
        ("scheduled-job", json!({"name": job})),
        ("composed-application", json!({"name": shop})),
        ("golden-path", json!({"name": path, "title": "A Path"})),
    ];
    for (template, values) in &taken {
        complete(&platform, template, values).await;
    }

    assert_left(&platform, &service, &["component", "api"], true).await;
    assert_left(&platform, &site, &["component"], false).await;
    assert_left(&platform, &job, &["component"], true).await;
    for (part, kinds) in [
        ("database", &["resource"][..]),
        ("api", &["component", "api"]),
        ("worker", &["component"]),
        ("web", &["component"]),
    ] {
        assert_left(&platform, &format!("{shop}-{part}"), kinds, true).await;
    }
    entity(&platform, "system", &shop).await;

    // The golden path that a golden path made leads somewhere, too.
    entity(&platform, "template", &path).await;
    let made = fresh("made");
    complete(&platform, &path, &json!({"name": made})).await;
    assert_left(&platform, &made, &["component"], false).await;
}

async fn complete(platform: &Access, template: &str, values: &Value) {
    let task = platform.take(template, values).await;
    let ended = platform.ended(&task).await;
    let events = platform.events(&task).await;
    assert_eq!(ended["status"], "completed", "{template}: {events:#?}");
}

/// A repository with what the portal needs of it, an Application that is in sync, and entities of this name.
async fn assert_left(platform: &Access, name: &str, kinds: &[&str], runs: bool) {
    let files = platform.checkout(name).files();
    assert!(
        files.iter().any(|file| file == "catalog-info.yaml"),
        "{name}: {files:?}"
    );
    for kind in kinds {
        entity(platform, kind, name).await;
    }
    if runs {
        eventually(&format!("Application {name} is in sync"), || async {
            let application = platform.application(name).await?;
            (application["status"]["sync"]["status"] == "Synced").then_some(())
        })
        .await;
    } else {
        assert_eq!(platform.application(name).await, None, "{name} runs nowhere");
    }
}

async fn entity(platform: &Access, kind: &str, name: &str) {
    let path = format!("/catalog/entities/by-name/{kind}/default/{name}");
    let (status, entity) = platform.api().get(&path).await;
    assert_eq!(status, StatusCode::OK, "{kind} {name}: {entity}");
}

fn rendered(file: &str, values: &Value) -> Value {
    let path = folder().join("basic-deployment/skeleton").join(file);
    let text = std::fs::read_to_string(&path).expect("the skeleton is readable");
    let text = render_template(&text, &json!({ "values": values }), &FileOptions::default()).expect("rendered");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}\n{text}"))
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
