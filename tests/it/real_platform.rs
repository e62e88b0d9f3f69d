//! Against real systems, which `tests/platform/up` starts: `PORTICO_PLATFORM` is its data folder. `tests/run platform` runs
//! these.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::api::{Api, DynamicObject};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::ApiResource;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::http;

/// How long real systems may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

struct RealPlatform {
    endpoints: Value,
    client: reqwest::Client,
}

impl RealPlatform {
    fn of_this_run() -> Self {
        let data =
            std::env::var_os("PORTICO_PLATFORM").expect("PORTICO_PLATFORM names the data folder of tests/platform/up");
        let file = Path::new(&data).join("endpoints.json");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let endpoints: Value = serde_json::from_str(&text).expect("JSON");
        let authority = std::fs::read(endpoints["caFile"].as_str().expect("a file")).expect("readable");
        let authority = reqwest::Certificate::from_pem(&authority).expect("a certificate");
        let client = http().tls_certs_merge([authority]).build().expect("a client");
        Self { endpoints, client }
    }

    fn text(&self, pointer: &str) -> &str {
        self.endpoints
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("endpoints.json has no {pointer}"))
    }

    async fn portal(&self, method: Method, path: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.text("/portal")))
            .bearer_auth(self.text("/apiToken"));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.expect("the portal answers");
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn applications(&self) -> Api<DynamicObject> {
        let kubeconfig = Kubeconfig::read_from(self.text("/kubeconfig")).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .expect("a usable kubeconfig");
        let resource = ApiResource {
            group: "argoproj.io".into(),
            version: "v1alpha1".into(),
            api_version: "argoproj.io/v1alpha1".into(),
            kind: "Application".into(),
            plural: "applications".into(),
        };
        let client = kube::Client::try_from(config).expect("a client");
        Api::namespaced_with(client, self.text("/argocdNamespace"), &resource)
    }
}

async fn until(what: &str, mut reached: impl AsyncFnMut() -> Result<(), String>) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while let Err(last) = reached().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: {last}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Synced and Healthy, at `revision` if one is given.
async fn settled(applications: &Api<DynamicObject>, name: &str, revision: Option<&str>) -> Result<(), String> {
    let application = applications.get(name).await.map_err(|error| error.to_string())?;
    let status = &application.data["status"];
    let is = status["sync"]["status"] == "Synced"
        && status["health"]["status"] == "Healthy"
        && revision.is_none_or(|revision| status["sync"]["revision"] == revision);
    if is { Ok(()) } else { Err(status.to_string()) }
}

async fn git(folder: &Path, authority: &str, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Test", "-c", "user.email=test@localhost"])
        .args(arguments)
        .env("GIT_SSL_CAINFO", authority)
        .output()
        .await
        .expect("git runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
#[ignore = "needs real systems: tests/run platform"]
async fn a_created_service_runs_and_follows_a_push() {
    let platform = RealPlatform::of_this_run();
    // Another one in each run: a platform may be used more than once.
    let name = format!("story-{}", std::process::id());
    let task = json!({ "templateRef": "template:default/basic-deployment", "values": { "name": name } });
    let (status, task) = platform
        .portal(Method::POST, "/api/scaffolder/v2/tasks", Some(&task))
        .await;
    assert_eq!(status, StatusCode::CREATED, "{task}");
    let path = format!("/api/scaffolder/v2/tasks/{}", task["id"].as_str().expect("an id"));
    until("the task ends", async || {
        let (_, task) = platform.portal(Method::GET, &path, None).await;
        match task["status"].as_str() {
            Some("open" | "processing") => Err(task.to_string()),
            _ => Ok(()),
        }
    })
    .await;
    let (_, task) = platform.portal(Method::GET, &path, None).await;
    let (_, events) = platform.portal(Method::GET, &format!("{path}/events"), None).await;
    assert_eq!(task["status"], "completed", "{events:#}");

    let entity = format!("/api/catalog/entities/by-name/component/default/{name}");
    assert_eq!(platform.portal(Method::GET, &entity, None).await.0, StatusCode::OK);
    let applications = platform.applications().await;
    until("Argo CD deploys it", async || settled(&applications, &name, None).await).await;

    let folder = tempfile::tempdir().expect("a temporary folder");
    let authority = platform.text("/caFile");
    let repository = format!(
        "{}/{}/{name}",
        platform.text("/forge/url"),
        platform.text("/forge/username")
    );
    let with_login = repository.replace(
        "https://",
        &format!(
            "https://{}:{}@",
            platform.text("/forge/username"),
            platform.text("/forge/password")
        ),
    );
    git(folder.path(), authority, &["clone", "--quiet", &with_login, "clone"]).await;
    let clone: PathBuf = folder.path().join("clone");
    let manifest = clone.join("manifests/deployment.yaml");
    let before = std::fs::read_to_string(&manifest).expect("a manifest");
    let after = before.replace("replicas: 2", "replicas: 3");
    assert_ne!(after, before, "the manifest says nothing of two replicas");
    std::fs::write(&manifest, after).expect("written");
    git(
        &clone,
        authority,
        &["commit", "--quiet", "--all", "--message", "Three copies"],
    )
    .await;
    git(&clone, authority, &["push", "--quiet"]).await;
    let pushed = git(&clone, authority, &["rev-parse", "HEAD"]).await;
    until("the push is deployed", async || {
        settled(&applications, &name, Some(&pushed)).await
    })
    .await;
}
