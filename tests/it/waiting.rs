//! A golden path that waits for a person, for an Application and for a merge. The portal is killed while it waits for each,
//! and nothing is lost or done twice.

use portico_sandbox::Credentials;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Options, Platform, eventually};

const ADMIN: &str = Credentials::FORGE_ADMIN;
const MANIFEST: &str = "\
apiVersion: v1
kind: ConfigMap
metadata:
  name: patient
data:
  stage: first
";

/// The golden path, as a whole file of the catalog.
pub fn template() -> Value {
    let repository = "cnoe.localtest.me:8443/gitea?repo=patient";
    let step = |id: &str, action: &str, input: Value| json!({"id": id, "action": action, "input": input});
    json!({
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template",
        "metadata": {"name": "patient", "title": "A patient path"},
        "spec": {
            "type": "service",
            "steps": [
                step("approval", "portico:wait:approval", json!({"approvers": ["base-user"], "message": "May it?"})),
                step("write", "roadiehq:utils:fs:write", json!({"path": "manifests/map.yaml", "content": MANIFEST})),
                step("publish", "publish:gitea", json!({"repoUrl": repository})),
                step("application", "cnoe:create-argocd-app", json!({"appName": "patient", "appNamespace": "default",
                    "argoInstance": "in-cluster", "projectName": "default", "path": "manifests",
                    "repoUrl": "${{ steps.publish.output.remoteUrl }}"})),
                step("healthy", "portico:wait:application", json!({"appName": "patient",
                    "revision": "${{ steps.publish.output.commitHash }}"})),
                step("change", "roadiehq:utils:fs:write", json!({"path": "manifests/map.yaml",
                    "content": MANIFEST.replace("first", "second")})),
                step("propose", "publish:gitea:pull-request", json!({"repoUrl": format!("cnoe.localtest.me:8443?owner={ADMIN}&repo=patient"),
                    "title": "The second stage", "branchName": "second"})),
                step("merged", "portico:wait:pull-request", json!({"repoUrl": format!("cnoe.localtest.me:8443?owner={ADMIN}&repo=patient"),
                    "pullRequestNumber": "${{ steps.propose.output.pullRequestNumber }}"})),
            ],
            "output": {
                "by": "${{ steps.approval.output.approvedBy }}",
                "health": "${{ steps.healthy.output.health }}",
                "pull": "${{ steps.merged.output.remoteUrl }}",
            },
        },
    })
}

/// Waits until the task says that it waits for something like this.
async fn waits_for(platform: &Platform, task: &str, what: &str) {
    eventually(&format!("it waits for {what}"), || async {
        let events = platform.events(task).await;
        let waits = |event: &Value| {
            let message = event["body"]["message"].as_str().unwrap_or_default();
            message.starts_with("Waiting for") && message.contains(what)
        };
        let (_, state) = platform.api().get(&format!("/scaffolder/v2/tasks/{task}")).await;
        assert_eq!(state["status"], "processing", "{events:#?}");
        events.iter().any(waits).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_waits_for_people_and_systems_across_restarts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), template().to_string()).expect("a file");
    let mut platform = Platform::start_with(Options {
        golden_paths: vec![folder.path().to_owned()],
        // One place: who waits must not take it.
        config: json!({"scaffolder": {"concurrentTasksLimit": 1}}),
        ..Options::default()
    })
    .await;
    let body = json!({"templateRef": "template:default/patient", "values": {}});
    let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let task = answer["id"].as_str().expect("an id").to_owned();

    waits_for(&platform, &task, "an approval by group:default/base-user").await;
    platform.restart_portal().await;
    // Another task is not held up; it waits, too, and is cancelled at once.
    let (_, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    let other = answer["id"].as_str().expect("an id").to_owned();
    waits_for(&platform, &other, "an approval").await;
    let (status, _) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{other}/cancel"), &json!({}))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(platform.ended(&other).await["status"], "cancelled");

    let approver = platform.user("user2").await;
    let page = approver.open("/create/approvals").await;
    assert!(
        page.text().contains("May it?") && page.text().contains("A patient path"),
        "{}",
        page.text()
    );
    let answers = [("decision", "approved"), ("comment", "go on")];
    let decided = approver
        .submit(&page, "form[action^='/create/approvals/']", &answers)
        .await;
    assert_eq!(decided.status, StatusCode::OK, "{}", decided.text());
    assert!(decided.text().contains("Nothing waits for you"), "{}", decided.text());

    waits_for(&platform, &task, "the pull request giteaAdmin/patient#").await;
    let page = platform
        .user("user1")
        .await
        .open(&format!("/create/tasks/{task}"))
        .await;
    let text = page.text();
    assert!(text.contains("is merged") && text.contains("Since"), "{text}");
    platform.restart_portal().await;
    let (status, merged) = platform
        .forge()
        .post(
            &format!("/repos/{ADMIN}/patient/pulls/1/merge"),
            &json!({"Do": "merge"}),
        )
        .await;
    assert!(status.is_success(), "{merged}");
    let ended = platform.ended(&task).await;
    let events = platform.events(&task).await;
    assert_eq!(ended["status"], "completed", "{events:#?}");
    let completion = events.last().expect("events");
    assert_eq!(completion["body"]["output"]["by"], "user:default/user2", "{completion}");
    assert_eq!(completion["body"]["output"]["health"], "Healthy", "{completion}");
    for step in ["approval", "publish", "healthy", "merged"] {
        let begun = events
            .iter()
            .filter(|event| event["body"]["stepId"] == step && event["body"]["status"] == "processing");
        assert_eq!(begun.count(), 1, "{step} began once: {events:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_is_closed_fails_the_step() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut template = template();
    let steps = template["spec"]["steps"].as_array_mut().expect("steps");
    steps.retain(|step| {
        ["write", "publish", "change", "propose", "merged"].contains(&step["id"].as_str().expect("an id"))
    });
    template["spec"]["output"] = json!({});
    std::fs::write(folder.path().join("catalog-info.yaml"), template.to_string()).expect("a file");
    let platform = Platform::start_with(Options {
        golden_paths: vec![folder.path().to_owned()],
        ..Options::default()
    })
    .await;
    let body = json!({"templateRef": "template:default/patient", "values": {}});
    let (_, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    let task = answer["id"].as_str().expect("an id").to_owned();
    waits_for(&platform, &task, "the pull request").await;
    let (status, closed) = platform
        .forge()
        .send(
            reqwest::Method::PATCH,
            &format!("/repos/{ADMIN}/patient/pulls/1"),
            Some(&json!({"state": "closed"})),
        )
        .await
        .expect("an answer");
    assert!(status.is_success(), "{closed}");
    assert_eq!(platform.ended(&task).await["status"], "failed");
    let events = json!(platform.events(&task).await).to_string();
    assert!(events.contains("was closed without being merged"), "{events}");
}
