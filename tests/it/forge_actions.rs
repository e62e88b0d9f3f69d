//! The actions for Forgejo and Gitea, run as steps, twice.

use portico_sandbox::Credentials;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Options, Platform};

const SECRET: &str = "a value that nobody sees";

fn template() -> Value {
    let host = "cnoe.localtest.me:8443";
    let own = format!("{host}/gitea?repo=${{{{ parameters.name }}}}");
    let other = format!("{host}?owner={}&repo=clusters", Credentials::FORGE_ADMIN);
    let step = |id: &str, action: &str, input: Value| json!({"id": id, "action": action, "input": input});
    json!({
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template", "metadata": {"name": "forge"},
        "spec": {
            "type": "service",
            "parameters": {"required": ["name"], "properties": {"name": {"type": "string"}}},
            "steps": [
                step("write", "roadiehq:utils:fs:write", json!({"path": "app/run.sh", "content": "echo ${{ parameters.name }}\n"})),
                step("publish", "publish:gitea", json!({"repoUrl": own, "sourcePath": "app"})),
                step("settings", "gitea:repo:update", json!({"repoUrl": own, "description": "Changed", "hasWiki": false})),
                step("hook", "gitea:webhook", json!({"repoUrl": own, "webhookUrl": "http://127.0.0.1:9/ci",
                    "webhookSecret": "${{ secrets.word }}"})),
                step("secret", "gitea:actions:secret", json!({"repoUrl": own, "name": "TOKEN", "value": "${{ secrets.word }}"})),
                step("variable", "gitea:actions:variable", json!({"repoUrl": own, "name": "STAGE", "value": "test"})),
                step("issue", "gitea:issues:create", json!({"repoUrl": other, "title": "Look at ${{ parameters.name }}"})),
                step("propose", "publish:gitea:pull-request", json!({"repoUrl": other, "title": "Add ${{ parameters.name }}",
                    "branchName": "add-${{ parameters.name }}", "sourcePath": "app", "targetPath": "apps/${{ parameters.name }}",
                    "filesToDelete": ["old.txt"]})),
            ],
            "output": {"pull": "${{ steps.propose.output.remoteUrl }}", "issue": "${{ steps.issue.output.issueNumber }}"},
        },
    })
}

async fn started(platform: &Platform, name: &str) -> (StatusCode, Value) {
    let body = json!({"templateRef": "template:default/forge", "values": {"name": name}, "secrets": {"word": SECRET}});
    platform.api().post("/scaffolder/v2/tasks", &body).await
}

/// Each thing is there once, as it was asked for.
async fn assert_made(platform: &Platform) {
    let forge = platform.forge();
    let admin = Credentials::FORGE_ADMIN;
    let (_, repository) = forge.get(&format!("/repos/{admin}/demo")).await;
    assert_eq!(
        (&repository["description"], &repository["has_wiki"]),
        (&json!("Changed"), &json!(false))
    );
    let (_, hooks) = forge.get(&format!("/repos/{admin}/demo/hooks")).await;
    let hooks = hooks.as_array().expect("a list").iter();
    assert_eq!(
        hooks
            .filter(|hook| hook["config"]["url"] == "http://127.0.0.1:9/ci")
            .count(),
        1
    );
    let (_, variable) = forge.get(&format!("/repos/{admin}/demo/actions/variables/STAGE")).await;
    assert_eq!(variable["data"], "test", "{variable}");
    let (_, issues) = forge
        .get(&format!("/repos/{admin}/clusters/issues?state=all&type=issues"))
        .await;
    assert_eq!(issues.as_array().map(Vec::len), Some(1), "{issues}");
    assert_eq!(issues[0]["title"], "Look at demo");
    let (_, pulls) = forge.get(&format!("/repos/{admin}/clusters/pulls?state=all")).await;
    assert_eq!(pulls.as_array().map(Vec::len), Some(1), "{pulls}");
    assert_eq!(
        (&pulls[0]["title"], &pulls[0]["base"]["ref"]),
        (&json!("Add demo"), &json!("main"))
    );
    let (_, commits) = forge
        .get(&format!("/repos/{admin}/clusters/commits?sha=add-demo"))
        .await;
    assert_eq!(
        commits.as_array().map(Vec::len),
        Some(2),
        "one commit on top of the first: {commits}"
    );
    for (path, status) in [
        ("apps/demo/run.sh", StatusCode::OK),
        ("kept.txt", StatusCode::OK),
        ("old.txt", StatusCode::NOT_FOUND),
    ] {
        let (found, _) = forge
            .get(&format!("/repos/{admin}/clusters/contents/{path}?ref=add-demo"))
            .await;
        assert_eq!(found, status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_makes_on_the_forge_it_makes_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), template().to_string()).expect("a file");
    let platform = Platform::start_with(Options {
        golden_paths: vec![folder.path().to_owned()],
        ..Options::default()
    })
    .await;
    let clusters = tempfile::tempdir().expect("a temporary folder");
    for name in ["kept.txt", "old.txt"] {
        std::fs::write(clusters.path().join(name), name).expect("a file");
    }
    let forge = &platform.sandbox.forge;
    forge
        .put_tree(Credentials::FORGE_ADMIN, "clusters", "main", clusters.path(), "First")
        .await
        .expect("the forge takes it");

    let (status, answer) = started(&platform, "demo").await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let id = answer["id"].as_str().expect("an id").to_owned();
    let task = platform.ended(&id).await;
    let events = platform.events(&id).await;
    assert_eq!(task["status"], "completed", "{events:#?}");
    assert_made(&platform).await;
    let log = json!(events).to_string();
    assert!(
        !log.contains(SECRET) && !platform.portal.log().contains(SECRET),
        "{log}"
    );

    // From the beginning, as after a crash at its very end.
    let retry = json!({"secrets": {"word": SECRET}});
    let (status, answer) = platform
        .api()
        .post(&format!("/scaffolder/v2/tasks/{id}/retry"), &retry)
        .await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let task = platform.ended(&id).await;
    assert_eq!(task["status"], "completed", "{:#?}", platform.events(&id).await);
    assert_made(&platform).await;

    // Somebody else's branch is told of before anything is made.
    let (status, answer) = started(&platform, "demo").await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let text = answer.to_string();
    assert!(
        text.contains("The name is taken") && text.contains("has a branch add-demo already"),
        "{answer}"
    );
}
