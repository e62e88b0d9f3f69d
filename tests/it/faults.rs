//! Other systems that fail in the middle of a task: the step says so, a retry goes on from there, nothing is made twice.

use std::time::Duration;

use portico_sandbox::{Breakage, Fault, System};
use reqwest::StatusCode;
use serde_json::json;

use crate::story::assert_created_once;
use crate::support::{Options, Platform};

/// More requests than any client that retries makes.
const ALWAYS: u32 = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_system_fails_the_step_and_a_retry_goes_on_from_there() {
    let platform = Platform::start().await;
    let bad = |system, method: &str, path: &str| {
        Fault::status(system, StatusCode::INTERNAL_SERVER_ERROR)
            .method(method)
            .path_prefix(path)
            .times(ALWAYS)
    };
    let table = [
        ("forge-500", bad(System::Forge, "POST", "/api/v1/user/repos"), "publish"),
        (
            "push-500",
            bad(System::Forge, "POST", "/giteaAdmin/push-500.git/git-receive-pack"),
            "publish",
        ),
        (
            "lost-answer",
            Fault::broken(System::Forge, Breakage::LoseAnswer)
                .method("POST")
                .path_prefix("/api/v1/user/repos"),
            "publish",
        ),
        (
            "forge-down",
            Fault::broken(System::Forge, Breakage::Refuse).times(ALWAYS),
            "template",
        ),
        (
            "argocd-500",
            bad(System::Argocd, "POST", "/api/v1/applications"),
            "create-argocd-app",
        ),
        (
            "argocd-down",
            Fault::broken(System::Argocd, Breakage::Refuse).times(ALWAYS),
            "create-argocd-app",
        ),
    ];
    for (name, fault, step) in table {
        platform.sandbox.faults.order(fault);
        let body = json!({"templateRef": "template:default/basic-deployment", "values": {"name": name}});
        let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
        if status != StatusCode::CREATED {
            // A system that is away may also be noticed before anything is begun.
            assert!(
                status.is_server_error() || status == StatusCode::BAD_REQUEST,
                "{name}: {status} {answer}"
            );
            platform.sandbox.faults.clear(None);
            continue;
        }
        let task = answer["id"].as_str().expect("an id").to_owned();
        let ended = platform.ended(&task).await;
        if ended["status"] != "completed" {
            assert_eq!(ended["status"], "failed", "{name}");
            let events = platform.events(&task).await;
            let failed = events
                .iter()
                .find(|event| event["body"]["status"] == "failed" && event["body"]["stepId"] == step);
            let failed = failed.unwrap_or_else(|| panic!("{name}: {step} says that it failed: {events:#?}"));
            let reason = failed["body"]["message"].as_str().expect("a text").to_owned();
            let named = reason.contains("localhost") || reason.contains("Argo CD");
            assert!(named, "{name}: the reason names the system: {reason}");
            platform.sandbox.faults.clear(None);
            let (status, answer) = platform
                .api()
                .post(&format!("/scaffolder/v2/tasks/{task}/retry"), &json!({}))
                .await;
            assert_eq!(status, StatusCode::CREATED, "{name}: {answer}");
            assert_eq!(
                platform.ended(&task).await["status"],
                "completed",
                "{name}: {:#?}",
                platform.events(&task).await
            );
        }
        platform.sandbox.faults.clear(None);
        if step != "template" {
            let events = platform.events(&task).await;
            let rendered = events
                .iter()
                .filter(|event| event["body"]["message"] == "Beginning step Generating files");
            assert_eq!(rendered.count(), 1, "{name}: a finished step is not run again");
        }
        assert_created_once(&platform, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_forge_is_waited_for() {
    let platform = Platform::start().await;
    let slow = Fault::delay(System::Forge, Duration::from_millis(700));
    platform.sandbox.faults.order(slow.times(ALWAYS));
    let task = platform.create("patience").await;
    let ended = platform.ended(&task).await;
    platform.sandbox.faults.clear(None);
    assert_eq!(ended["status"], "completed", "{:#?}", platform.events(&task).await);
    assert_created_once(&platform, "patience").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_stops_inside_its_step() {
    let platform = Platform::start().await;
    let stuck = Fault::delay(System::Forge, Duration::from_secs(600))
        .method("POST")
        .path_prefix("/api/v1/user/repos");
    platform.sandbox.faults.order(stuck);
    let task = platform.create("stopped").await;
    crate::support::eventually("the forge is asked", || async {
        platform.sandbox.faults.open().is_empty().then_some(())
    })
    .await;
    let (status, answer) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{task}/cancel"), &json!({}))
        .await;
    assert_eq!(
        (status, &answer["status"]),
        (StatusCode::OK, &json!("cancelled")),
        "{answer}"
    );
    assert_eq!(platform.ended(&task).await["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_survives_a_database_that_is_away() {
    let platform = Platform::start_with(Options {
        cable: true,
        ..Options::default()
    })
    .await;
    let cable = platform.cable.as_ref().expect("a cable");
    let browser = platform.user("user1").await;
    // The task is in the middle of a step while the database goes away.
    let slow = Fault::delay(System::Forge, Duration::from_secs(3))
        .method("POST")
        .path_prefix("/api/v1/user/repos");
    platform.sandbox.faults.order(slow);
    let task = platform.create("blackout").await;
    crate::support::eventually("the forge is asked", || async {
        platform.sandbox.faults.open().is_empty().then_some(())
    })
    .await;
    cable.pull();
    let page = browser.open("/catalog").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{}", page.html);
    assert!(page.text().contains("database"), "the page says so: {}", page.text());
    let (status, _) = platform.api().get("/catalog/entities").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    // Longer than a lease lasts.
    tokio::time::sleep(Duration::from_secs(12)).await;
    cable.plug_in();
    crate::support::eventually("pages work again", || async {
        (browser.open("/catalog").await.status == StatusCode::OK).then_some(())
    })
    .await;
    assert_eq!(
        platform.ended(&task).await["status"],
        "completed",
        "{:#?}",
        platform.events(&task).await
    );
    assert_created_once(&platform, "blackout").await;
}
