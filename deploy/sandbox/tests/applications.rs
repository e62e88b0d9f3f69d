//! Applications from the repository in the forge to running pods, through Argo CD's API and through Kubernetes.

mod support;

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams, WatchEvent, WatchParams},
};
use portico_sandbox::{Credentials, Sandbox};
use serde_json::{Value, json};
use support::{client, eventually, sandbox};

const OWNER: &str = Credentials::FORGE_ADMIN;

/// A repository's manifests as one commit on `main`.
async fn push(sandbox: &Sandbox, name: &str, files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, content) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }
    sandbox
        .forge
        .put_tree(OWNER, name, "main", folder.path(), "change")
        .await
        .expect("a commit");
}

fn deployment(name: &str, namespace: &str, replicas: u32, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n{namespace}spec:\n  replicas: {replicas}\n  \
         selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n        app: {name}\n    \
         spec:\n      containers:\n        - name: web\n          image: {image}\n"
    )
}

/// What CNOE's action `cnoe:create-argocd-app` sends.
fn application(name: &str, repository: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"backstage-name": name}, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
        "spec": {
            "destination": {"namespace": name, "server": "https://kubernetes.default.svc"},
            "project": "default", "revisionHistoryLimit": 10,
            "source": {"path": "manifests", "repoURL": repository},
            "syncPolicy": {
                "automated": {"allowEmpty": true, "prune": true, "selfHeal": true},
                "retry": {"limit": 1, "backoff": {"duration": "1s", "factor": 1, "maxDuration": "1s"}},
                "syncOptions": ["CreateNamespace=false", "FailOnSharedResource=true"],
            },
        },
    })
}

fn applications(client: &Client) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Application"));
    Api::namespaced_with(client.clone(), "argocd", &resource)
}

fn deployments(client: &Client) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    Api::namespaced_with(client.clone(), "default", &resource)
}

struct ArgoCd {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl ArgoCd {
    async fn login(sandbox: &Sandbox) -> ArgoCd {
        let http = reqwest::Client::new();
        let url = sandbox.urls.argocd.clone();
        let login = json!({"username": "admin", "password": sandbox.credentials.argocd_password});
        let answer = http
            .post(format!("{url}/api/v1/session"))
            .json(&login)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.expect("JSON");
        ArgoCd {
            http,
            url,
            token: body["token"].as_str().expect("a token").to_owned(),
        }
    }

    async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let method = method.parse().expect("a method");
        let mut request = self
            .http
            .request(method, format!("{}/api/v1/{path}", self.url))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }
}

async fn reaches(api: &Api<DynamicObject>, name: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(|| async { api.get(name).await.is_ok_and(|one| holds(&one.data["status"])) }).await;
    api.get(name).await.expect("it is there").data
}

fn is(status: &Value, sync: &str, health: &str) -> bool {
    status["sync"]["status"] == sync && status["health"]["status"] == health
}

#[tokio::test]
async fn a_push_reaches_the_pods() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let (api, argocd) = (applications(&client), ArgoCd::login(&sandbox).await);
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: default\ndata:\n  a: b\n";
    let web = |replicas| deployment("demo", "  namespace: default\n", replicas, "nginx:1.14.2");
    push(
        &sandbox,
        "demo",
        &[
            ("manifests/deployment.yaml", &web(1)),
            ("manifests/config.yaml", config),
        ],
    )
    .await;

    // By the name that CNOE's templates know, which is an alias of the forge.
    let sent = application("demo", &format!("https://cnoe.localtest.me:8443/gitea/{OWNER}/demo"));
    let (code, made) = argocd.call("POST", "applications", Some(&sent)).await;
    assert_eq!(
        (code, &made["metadata"]["namespace"]),
        (200, &json!("argocd")),
        "{made}"
    );
    let done = reaches(&api, "demo", |status| is(status, "Synced", "Healthy")).await;
    let status = &done["status"];
    assert_eq!(status["summary"]["images"], json!(["nginx:1.14.2"]));
    assert_eq!(status["resources"].as_array().map(Vec::len), Some(2));
    assert_eq!(status["operationState"]["phase"], "Succeeded");
    assert_eq!(
        status["operationState"]["message"],
        "successfully synced (all tasks run)"
    );
    assert_eq!(status["history"][0]["revision"], status["sync"]["revision"]);
    assert!(status.get("conditions").is_none(), "{}", status["conditions"]);
    assert!(done.get("operation").is_none());

    let listed = api
        .list(&Default::default())
        .await
        .expect("listed")
        .metadata
        .resource_version
        .expect("a version");
    push(&sandbox, "demo", &[("manifests/deployment.yaml", &web(2))]).await;
    let refresh = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}});
    api.patch("demo", &PatchParams::default(), &Patch::Merge(refresh))
        .await
        .expect("patched");
    let stream = api.watch(&WatchParams::default(), &listed).await.expect("a watch");
    pin_mut!(stream);
    let mut seen: Vec<(String, String)> = Vec::new();
    while let Some(Ok(event)) = stream.next().await {
        let WatchEvent::Modified(one) = event else { continue };
        let text = |pointer: &str| {
            one.data
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let state = (text("/status/sync/status"), text("/status/health/status"));
        if seen.last() != Some(&state) {
            seen.push(state);
        }
        let annotations = one.metadata.annotations.unwrap_or_default();
        let finished = text("/status/operationState/finishedAt");
        if seen.len() > 2 && is(&one.data["status"], "Synced", "Healthy") && !finished.is_empty() {
            assert!(annotations.is_empty(), "the annotation is removed");
            break;
        }
    }
    let position = |sync: &str| seen.iter().position(|(found, _)| found == sync);
    assert!(seen.iter().any(|(sync, _)| sync == "OutOfSync"), "{seen:?}");
    assert!(
        position("OutOfSync") < seen.iter().rposition(|(sync, _)| sync == "Synced"),
        "{seen:?}"
    );
    assert!(seen.iter().any(|(_, health)| health == "Progressing"), "{seen:?}");
    let found = deployments(&client).get("demo").await.expect("a deployment");
    assert_eq!(found.data["spec"]["replicas"], 2);
    let maps: Api<k8s_openapi::api::core::v1::ConfigMap> = Api::default_namespaced(client.clone());
    eventually(|| async { maps.get_opt("settings").await.expect("asked").is_none() }).await;

    // Somebody scales by hand; the Application puts it back.
    let scale = Patch::Merge(json!({"spec": {"replicas": 5}}));
    deployments(&client)
        .patch("demo", &PatchParams::default(), &scale)
        .await
        .expect("scaled");
    eventually(|| async {
        deployments(&client)
            .get("demo")
            .await
            .is_ok_and(|one| one.data["spec"]["replicas"] == 2)
    })
    .await;

    assert_eq!(argocd.call("DELETE", "applications/demo", None).await.0, 200);
    eventually(|| async {
        api.get_opt("demo").await.expect("asked").is_none()
            && deployments(&client).get_opt("demo").await.expect("asked").is_none()
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_is_told_in_conditions() {
    let (_folder, sandbox) = sandbox().await;
    let client = client(&sandbox).await;
    let api = applications(&client);
    let forge = &sandbox.urls.forge;
    push(&sandbox, "broken", &[("manifests/bad.yaml", "a: b: c\n")]).await;
    push(
        &sandbox,
        "homeless",
        &[("manifests/deployment.yaml", &deployment("homeless", "", 1, "nginx:1"))],
    )
    .await;
    push(
        &sandbox,
        "sick",
        &[(
            "manifests/deployment.yaml",
            &deployment("sick", "  namespace: default\n", 1, "nginx:does-not-exist"),
        )],
    )
    .await;
    push(
        &sandbox,
        "kustomized",
        &[("manifests/kustomization.yaml", "resources: []\n")],
    )
    .await;
    let create = async |name: &str, repository: &str| {
        let mut object = application(name, &format!("{forge}/{OWNER}/{repository}"));
        object["apiVersion"] = json!("argoproj.io/v1alpha1");
        object["kind"] = json!("Application");
        let apply = PatchParams::apply("test").force();
        api.patch(name, &apply, &Patch::Apply(object)).await.expect("applied");
    };
    for (name, repository, told) in [
        ("missing", "nothing-here", "repository not found"),
        ("broken", "broken", "manifests/bad.yaml"),
        ("kustomized", "kustomized", "not supported by this sandbox"),
    ] {
        create(name, repository).await;
        let found = reaches(&api, name, |status| {
            status["conditions"][0]["type"] == "ComparisonError"
        })
        .await;
        let message = found["status"]["conditions"][0]["message"].as_str().expect("a message");
        assert!(
            message.contains(told) || message.contains("authentication required"),
            "{name}: {message}"
        );
        assert!(is(&found["status"], "Unknown", "Healthy"), "{}", found["status"]);
    }
    create("homeless", "homeless").await;
    let running = reaches(&api, "homeless", |status| status["operationState"]["retryCount"] == 1).await;
    assert_eq!(running["status"]["operationState"]["phase"], "Running");
    let refresh = json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "hard"}}});
    api.patch("homeless", &PatchParams::default(), &Patch::Merge(refresh))
        .await
        .expect("patched");
    eventually(|| async {
        api.get("homeless")
            .await
            .is_ok_and(|one| one.metadata.annotations.is_none())
    })
    .await;
    let failed = reaches(&api, "homeless", |status| status["operationState"]["phase"] == "Failed").await;
    let message = failed["status"]["operationState"]["message"]
        .as_str()
        .expect("a message");
    assert!(message.contains("namespaces \"homeless\" not found"), "{message}");
    reaches(&api, "homeless", |status| {
        status["conditions"][0]["type"] == "SyncError"
    })
    .await;
    create("sick", "sick").await;
    reaches(&api, "sick", |status| is(status, "Synced", "Degraded")).await;
    // A second Application must not take over the first one's deployment.
    create("thief", "sick").await;
    let thief = reaches(&api, "thief", |status| status["operationState"]["phase"] == "Failed").await;
    let message = thief["status"]["operationState"]["message"]
        .as_str()
        .expect("a message");
    assert!(message.contains("Shared resource found"), "{message}");
    // Without the finalizer what was deployed stays.
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    api.patch("sick", &PatchParams::default(), &release)
        .await
        .expect("patched");
    api.delete("sick", &DeleteParams::default()).await.expect("deleted");
    assert!(deployments(&client).get("sick").await.is_ok());
}

#[tokio::test]
async fn the_api_answers_as_argo_cd_does() {
    let (_folder, sandbox) = sandbox().await;
    let argocd = ArgoCd::login(&sandbox).await;
    let wrong = json!({"username": "admin", "password": "wrong"});
    let answer = argocd
        .http
        .post(format!("{}/api/v1/session", argocd.url))
        .json(&wrong)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 401);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(
        body,
        json!({"error": "Invalid username or password", "code": 16, "message": "Invalid username or password"})
    );
    let bare = argocd
        .http
        .get(format!("{}/api/v1/applications", argocd.url))
        .send()
        .await
        .expect("an answer");
    assert_eq!(bare.status(), 401);
    assert_eq!(
        argocd.call("GET", "session/userinfo", None).await.1["username"],
        "admin"
    );

    push(
        &sandbox,
        "demo",
        &[(
            "manifests/a.yaml",
            &deployment("demo", "  namespace: default\n", 1, "nginx:1"),
        )],
    )
    .await;
    let sent = application("demo", &format!("{}/{OWNER}/demo", sandbox.urls.forge));
    assert_eq!(argocd.call("POST", "applications", Some(&sent)).await.0, 200);
    assert_eq!(
        argocd.call("POST", "applications", Some(&sent)).await.0,
        200,
        "an identical one is no error"
    );
    let mut other = sent.clone();
    other["spec"]["source"]["path"] = json!(".");
    let (code, refused) = argocd.call("POST", "applications", Some(&other)).await;
    assert_eq!((code, &refused["code"]), (400, &json!(3)));
    assert_eq!(
        refused["message"],
        "existing application spec is different, use upsert flag to force update"
    );
    assert_eq!(
        argocd.call("POST", "applications?upsert=true", Some(&other)).await.0,
        200
    );
    assert_eq!(
        argocd.call("POST", "applications?upsert=true", Some(&sent)).await.0,
        200
    );

    for (change, told) in [
        (json!({"metadata": {"name": "Not_Good"}}), "RFC 1123"),
        (
            json!({"metadata": {"name": "x"}, "spec": {"project": "nope"}}),
            "project nope which does not exist",
        ),
        (
            json!({"metadata": {"name": "x"}, "spec": {"source": {"repoURL": format!("{}/{OWNER}/none", sandbox.urls.forge)}}}),
            "not accessible",
        ),
        (
            json!({"metadata": {"name": "x"}, "spec": {"source": {"path": "nowhere"}}}),
            "app path does not exist",
        ),
        (
            json!({"metadata": {"name": "x"}, "spec": {"destination": {"server": "https://other"}}}),
            "https://other",
        ),
    ] {
        let mut bad = sent.clone();
        merge(&mut bad, &change);
        let (code, refused) = argocd.call("POST", "applications", Some(&bad)).await;
        assert_eq!(code, 400, "{refused}");
        assert!(
            refused["message"]
                .as_str()
                .is_some_and(|message| message.contains(told)),
            "{told}: {refused}"
        );
    }
    let (code, refused) = argocd.call("GET", "applications/nobody", None).await;
    assert_eq!((code, &refused["message"]), (403, &json!("permission denied")));
    assert_eq!(
        argocd.call("GET", "applications/nobody?project=default", None).await.0,
        404
    );

    push(
        &sandbox,
        "demo",
        &[(
            "manifests/a.yaml",
            &deployment("demo", "  namespace: default\n", 3, "nginx:1"),
        )],
    )
    .await;
    let before = argocd.call("GET", "applications/demo", None).await.1["status"]["sync"]["revision"].clone();
    let (code, fresh) = argocd.call("GET", "applications/demo?refresh=normal", None).await;
    assert_eq!(code, 200);
    assert!(
        fresh["metadata"]["annotations"].is_null(),
        "the refresh is done: {}",
        fresh["metadata"]
    );
    assert_ne!(fresh["status"]["sync"]["revision"], before);
    eventually(|| async {
        let (_, one) = argocd.call("GET", "applications/demo", None).await;
        is(&one["status"], "Synced", "Healthy") && one["operation"].is_null()
    })
    .await;
    let (code, synced) = argocd
        .call("POST", "applications/demo/sync", Some(&json!({"prune": true})))
        .await;
    assert_eq!(
        (code, &synced["operation"]["initiatedBy"]["username"]),
        (200, &json!("admin")),
        "{synced}"
    );
    let page = argocd
        .http
        .get(format!("{}/applications/argocd/demo", argocd.url))
        .send()
        .await
        .expect("a page");
    assert!(page.text().await.expect("text").contains("Deployment demo"));
    let tree = argocd.call("GET", "applications/demo/resource-tree", None).await.1;
    assert!(
        tree["nodes"]
            .as_array()
            .is_some_and(|nodes| nodes.iter().any(|node| node["kind"] == "Pod")),
        "{tree}"
    );
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}
