//! CNOE's own template, unmodified, where its files lie beside the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Access, AnyPlatform, Options, eventually};

/// The folder with real input, two levels up for worktrees.
fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    ["../shared", "../../shared"]
        .iter()
        .map(|up| root.join(up))
        .find(|folder| folder.is_dir())
}

#[tokio::test(flavor = "multi_thread")]
async fn its_basic_template_makes_what_it_makes_there() {
    let Some(shared) = shared() else {
        println!("skipped: ../shared is not here");
        return;
    };
    let entities = shared.join("cnoe/backstage-templates/entities");
    let platform = AnyPlatform::start_with(Options {
        golden_paths: vec![entities],
        ..Options::default()
    })
    .await;
    if let AnyPlatform::Running(running, _) = &platform {
        // The digests are of what this name gives.
        remove(running, "demo").await;
    }
    let body = json!({"templateRef": "template:default/basic", "values": {"name": "demo"}});
    let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let task = answer["id"].as_str().expect("an id").to_owned();
    assert_eq!(
        platform.ended(&task).await["status"],
        "completed",
        "{:#?}",
        platform.events(&task).await
    );

    let checkout = platform.checkout("demo");
    assert_eq!(checkout.commits().len(), 1);
    let digest = |file: &String| {
        let content = std::fs::read(checkout.path().join(file)).expect("a file");
        (file.clone(), hex::encode(Sha256::digest(content)))
    };
    let found: BTreeMap<String, String> = checkout.files().iter().map(digest).collect();
    let golden = std::fs::read_to_string(shared.join("contract/golden-basic.sha256")).expect("digests");
    let golden: BTreeMap<String, String> = golden
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(digest, file)| (file.to_owned(), digest.to_owned()))
        .collect();
    assert!(golden.len() > 1);
    assert_eq!(found, golden);

    for entity in ["component/default/demo", "system/default/demo"] {
        let (status, entity) = platform.api().get(&format!("/catalog/entities/by-name/{entity}")).await;
        assert_eq!(status, StatusCode::OK, "{entity}");
    }
    // Its repository is named by the alias host, for Argo CD too.
    let application = platform.in_order("demo", None).await;
    let repository = application["spec"]["source"]["repoURL"].as_str().expect("a URL");
    assert!(
        repository.starts_with("https://cnoe.localtest.me:8443/gitea/"),
        "{repository}"
    );

    // Two of its four templates are missing in that folder: they are reported, the others load.
    let browser = platform.user("user1").await;
    let locations = browser.open("/catalog/locations").await;
    let text = browser.open(&locations.link("catalog-info.yaml")).await.text();
    for missing in ["app-with-bucket", "ray-serve"] {
        assert!(text.contains(missing), "{missing} is not reported: {text}");
    }
    let gallery = browser.open("/create").await.text();
    for loaded in ["Create a Basic Deployment", "Basic Argo Workflow with a Spark Job"] {
        assert!(gallery.contains(loaded), "{loaded} is missing: {gallery}");
    }
}

/// Deletes what an earlier run on the same platform created.
async fn remove(platform: &Access, name: &str) {
    let (_, locations) = platform.api().get("/catalog/locations").await;
    let locations = locations.as_array().expect("a list");
    for location in locations.iter().map(|location| &location["data"]) {
        if location["target"]
            .as_str()
            .is_some_and(|target| target.contains(&format!("/{name}/")))
        {
            let id = location["id"].as_str().expect("an id");
            platform.api().delete(&format!("/catalog/locations/{id}")).await;
        }
    }
    let argocd = platform.systems.argocd_api().await;
    argocd.delete(&format!("/applications/{name}?cascade=true")).await;
    eventually("the Application is gone", || async {
        platform.application(name).await.is_none().then_some(())
    })
    .await;
    let owner = &platform.systems.forge.username;
    platform.forge().delete(&format!("/repos/{owner}/{name}")).await;
}
