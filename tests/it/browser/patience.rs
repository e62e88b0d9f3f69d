//! A task that waits for somebody's word: the page says so, the word is given by clicking, and the page goes on by itself.

use serde_json::json;

use super::states::look_at;
use super::{Chromium, Look, log_in};
use crate::support::{Options, Platform};
use crate::waiting::template;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn an_approval_is_given_by_clicking() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), template().to_string()).expect("a file");
    let platform = Platform::start_with(Options {
        golden_paths: vec![folder.path().to_owned()],
        ..Options::default()
    })
    .await;
    let body = json!({"templateRef": "template:default/patient", "values": {}});
    let (_, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    let task = answer["id"].as_str().expect("an id").to_owned();
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    log_in(&platform, window, "user1", "/").await;
    window
        .open_page(&format!("{}/create/tasks/{task}", platform.portal.url))
        .await;
    window.reads("Waits for an approval by group:default/base-user").await;
    look_at(window, "task-waiting").await;

    let approver = &mut chromium.person(Look::DESK).await;
    log_in(&platform, approver, "user2", "/").await;
    approver
        .open_page(&format!("{}/create/approvals", platform.portal.url))
        .await;
    look_at(approver, "approvals").await;
    approver.follow("main button", "Approve").await;
    approver.reads("Nothing waits for you").await;
    look_at(approver, "approvals-empty").await;

    // Nobody has touched this page since.
    window.reads("Waits until the pull request").await;
    look_at(window, "task-waiting-for-merge").await;
    let (status, _) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{task}/cancel"), &json!({}))
        .await;
    assert!(status.is_success());
    window.reads("Remove what it created").await;
    window.follow("main a", "Remove what it created").await;
    window.reads("I am sure").await;
    look_at(window, "removal").await;
}
