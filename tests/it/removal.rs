//! "Remove what this created": everything goes, once, whatever fails or dies meanwhile, and nothing of anybody else.

use std::time::Duration;

use portico_sandbox::{Breakage, Fault, System};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Access, Platform, eventually};

async fn create(platform: &Platform, name: &str) -> String {
    let task = platform.create(name).await;
    assert_eq!(
        platform.ended(&task).await["status"],
        "completed",
        "{:#?}",
        platform.events(&task).await
    );
    platform.in_order(name, None).await;
    task
}

async fn plan(platform: &Access, task: &str) -> Value {
    let (status, plan) = platform
        .api()
        .get(&format!("/scaffolder/v2/tasks/{task}/removal"))
        .await;
    assert_eq!(status, StatusCode::OK, "{plan}");
    plan
}

/// Every first proposal, or the given fate where it is possible.
fn fates(plan: &Value, wanted: &str) -> Value {
    let items = plan["items"].as_array().expect("a list").iter();
    let fates = items.filter_map(|item| {
        let possible = item["fates"].as_array().expect("a list");
        let fate = possible.iter().find(|fate| **fate == wanted).or(possible.first())?;
        Some((item["key"].as_str().expect("a key").to_owned(), fate.clone()))
    });
    json!({"fates": fates.collect::<serde_json::Map<_, _>>()})
}

async fn start(platform: &Access, task: &str, fates: &Value) -> String {
    let (status, answer) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{task}/removal"), fates)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    answer["id"].as_str().expect("an id").to_owned()
}

async fn assert_gone(platform: &Platform, name: &str) {
    let (status, _) = platform.forge().get(&format!("/repos/giteaAdmin/{name}")).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "the repository");
    assert_eq!(platform.application(name).await, None);
    let path = format!("/catalog/entities/by-name/component/default/{name}");
    assert_eq!(platform.api().get(&path).await.0, StatusCode::NOT_FOUND, "the entity");
    let (_, locations) = platform.api().get("/catalog/locations").await;
    assert!(!locations.to_string().contains(&format!("/{name}/")), "{locations}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_task_created_is_removed_by_plain_forms() {
    let platform = Platform::start().await;
    let task = create(&platform, "torn-down").await;
    let browser = platform.user("user1").await;
    let entity = browser.open("/catalog/default/component/torn-down").await;
    assert!(entity.text().contains("Remove what it created"), "{}", entity.text());
    let page = browser.open(&format!("/create/tasks/{task}/remove")).await;
    for text in ["torn-down", "Synced", "The catalog forgets", "Archive it"] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    let unsure = browser.submit(&page, "main form[action$='/remove']", &[]).await;
    assert_eq!(unsure.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unsure.text());
    let removal = browser
        .submit(
            &unsure,
            "main form[action$='/remove']",
            &[("sure", "yes"), ("repository:giteaAdmin/torn-down", "delete")],
        )
        .await;
    let id = removal.url.path().trim_start_matches("/create/tasks/").to_owned();
    assert_eq!(
        platform.ended(&id).await["status"],
        "completed",
        "{:#?}",
        platform.events(&id).await
    );
    assert_gone(&platform, "torn-down").await;
    // The name is free, and there is nothing left to remove.
    let again = plan(&platform, &task).await;
    let left = again["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|item| item["fates"] != json!([]));
    assert_eq!(left.count(), 0, "{again}");
    let page = browser.open(&format!("/create/tasks/{task}")).await;
    assert!(page.text().contains("removed"), "{}", page.text());
    create(&platform, "torn-down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archived_repository_can_be_read_and_what_is_kept_stays() {
    let platform = Platform::start().await;
    let task = create(&platform, "archived").await;
    let proposal = fates(&plan(&platform, &task).await, "nothing");
    let (first, second) = tokio::join!(start(&platform, &task, &proposal), start(&platform, &task, &proposal));
    assert_eq!(first, second, "pressed twice, it is one removal");
    assert_eq!(
        platform.ended(&first).await["status"],
        "completed",
        "{:#?}",
        platform.events(&first).await
    );
    let (_, repository) = platform.forge().get("/repos/giteaAdmin/archived").await;
    assert_eq!(repository["archived"], true, "{repository}");
    assert_eq!(platform.application("archived").await, None);

    let task = create(&platform, "half").await;
    let keep = json!({"fates": {"repository:giteaAdmin/half": "keep", "application:half": "without-resources"}});
    let removal = start(&platform, &task, &keep).await;
    assert_eq!(
        platform.ended(&removal).await["status"],
        "completed",
        "{:#?}",
        platform.events(&removal).await
    );
    assert_eq!(platform.application("half").await, None);
    platform.entity("half").await;
    let nothing = json!({"fates": {"repository:giteaAdmin/half": "keep", "application:half": "delete"}});
    let (status, _) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{task}/removal"), &nothing)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removal_survives_lost_answers_and_a_killed_portal() {
    let mut platform = Platform::start().await;
    let task = create(&platform, "survivor").await;
    let all = fates(&plan(&platform, &task).await, "delete");
    let lost = |system, path: &str| {
        Fault::broken(system, Breakage::LoseAnswer)
            .method("DELETE")
            .path_prefix(path)
    };
    platform
        .sandbox
        .faults
        .order(lost(System::Argocd, "/api/v1/applications/survivor"));
    let held = Fault::broken(System::Forge, Breakage::HoldAnswer).after(Duration::from_secs(600));
    let held = held.method("DELETE").path_prefix("/api/v1/repos/giteaAdmin/survivor");
    platform.sandbox.faults.order(held);
    let removal = start(&platform, &task, &all).await;
    eventually("the forge is asked to delete", || async {
        platform.sandbox.faults.open().is_empty().then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    platform.restart_portal().await;
    assert_eq!(
        platform.ended(&removal).await["status"],
        "completed",
        "{:#?}",
        platform.events(&removal).await
    );
    assert_gone(&platform, "survivor").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_made_anew_stays() {
    let platform = Platform::start().await;
    let task = create(&platform, "reborn").await;
    let all = fates(&plan(&platform, &task).await, "delete");
    // Two people: what the plan was made for is gone, and something else has the name now.
    let removal = start(&platform, &task, &all).await;
    assert_eq!(platform.ended(&removal).await["status"], "completed");
    let second = create(&platform, "reborn").await;
    assert_ne!(second, task);
    let again = plan(&platform, &task).await;
    assert!(
        again["items"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|item| item["fates"] == json!([])),
        "{again}"
    );
    let (status, _) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{task}/removal"), &all)
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    platform.entity("reborn").await;
}
