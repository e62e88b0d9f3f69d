//! CNOE's own template, unmodified, where its files lie beside the repository.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reqwest::StatusCode;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::story::application;
use crate::support::{Checkout, Options, Platform, eventually};

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
    let platform = Platform::start_with(Options {
        golden_paths: vec![entities],
        ..Options::default()
    })
    .await;
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

    let password = &platform.sandbox.credentials.forge_password;
    let url = format!("{}/giteaAdmin/demo.git", platform.sandbox.urls.forge);
    let checkout = Checkout::clone(&url, "giteaAdmin", password);
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
    let application = eventually("the Application is Synced and Healthy", || async {
        let application = application(&platform, "demo").await?;
        let status = &application["status"];
        (status["sync"]["status"] == "Synced" && status["health"]["status"] == "Healthy").then_some(application)
    })
    .await;
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
