//! Roadie's actions that reach beyond the workspace, run as steps, twice: `http:backstage:request` and
//! `argocd:create-resources`.

use portico_sandbox::Credentials;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Options, Platform};

fn template(repository: &str) -> Value {
    let step = |id: &str, action: &str, input: Value| json!({"id": id, "action": action, "input": input});
    let request = |id: &str, input: Value| step(id, "http:backstage:request", input);
    json!({
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template", "metadata": {"name": "roadie"},
        "spec": {
            "type": "service", "owner": "guests",
            "steps": [
                request("find", json!({"method": "GET", "path": "/catalog/entities/by-name/template/default/roadie"})),
                request("missing", json!({"method": "GET", "path": "/catalog/entities/by-name/template/default/none",
                    "continueOnBadResponse": true})),
                request("refresh", json!({"method": "POST", "path": "/catalog/refresh", "idempotencyKey": "refresh",
                    "headers": {"content-type": "application/json"}, "body": {"entityRef": "template:default/roadie"}})),
                step("deploy", "argocd:create-resources", json!({"appName": "roadie", "argoInstance": "in-cluster",
                    "namespace": "default", "repoUrl": repository, "path": "manifests"})),
                request("stranger", json!({"method": "GET", "path": "/catalog/entities", "continueOnBadResponse": true,
                    "headers": {"authorization": "Bearer somebody-elses"}})),
            ],
            "output": {"kind": "${{ steps.find.output.body.kind }}", "missing": "${{ steps.missing.output.code }}",
                "refresh": "${{ steps.refresh.output.code }}", "stranger": "${{ steps.stranger.output.code }}"},
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_projects_of_a_step_are_made_once() {
    // The forge's address is known only when it runs, and a template by any of its hosts is the same.
    let repository = format!(
        "https://cnoe.localtest.me:8443/gitea/{}/clusters",
        Credentials::FORGE_ADMIN
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(
        folder.path().join("catalog-info.yaml"),
        template(&repository).to_string(),
    )
    .expect("a file");
    let platform = Platform::start_with(Options {
        golden_paths: vec![folder.path().to_owned()],
        ..Options::default()
    })
    .await;
    let clusters = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(clusters.path().join("manifests")).expect("a folder");
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: roadie\n";
    std::fs::write(clusters.path().join("manifests/map.yaml"), manifest).expect("a file");
    let forge = &platform.sandbox.forge;
    let put = forge.put_tree(Credentials::FORGE_ADMIN, "clusters", "main", clusters.path(), "First");
    put.await.expect("the forge takes it");

    let body = json!({"templateRef": "template:default/roadie", "values": {}});
    let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let id = answer["id"].as_str().expect("an id").to_owned();
    for round in 0..2 {
        let task = platform.ended(&id).await;
        let events = platform.events(&id).await;
        assert_eq!(task["status"], "completed", "{events:#?}");
        let output = &events.last().expect("events")["body"]["output"];
        let expected = json!({"kind": "Template", "missing": 404, "refresh": 200, "stranger": 401});
        assert_eq!(*output, expected);
        let argocd = platform.systems.argocd_api().await;
        let (status, project) = argocd.get("/projects/roadie").await;
        assert_eq!(status, StatusCode::OK, "{project}");
        assert_eq!(project["spec"]["sourceRepos"], json!([repository]));
        let application = platform
            .application_of("roadie", "roadie")
            .await
            .expect("the Application is there");
        assert_eq!(application["spec"]["project"], "roadie");
        let options = &application["spec"]["syncPolicy"]["syncOptions"];
        assert_eq!(
            *options,
            json!([
                "CreateNamespace=false",
                "FailOnSharedResource=true",
                "ServerSideApply=true"
            ])
        );
        let log = json!(events).to_string();
        let again = log.contains("An earlier run of this step has had the answer");
        assert_eq!(again, round == 1, "{log}");
        if round == 0 {
            let (status, answer) = platform
                .api()
                .post(&format!("/scaffolder/v2/tasks/{id}/retry"), &json!({}))
                .await;
            assert_eq!(status, StatusCode::CREATED, "{answer}");
        }
    }
}
