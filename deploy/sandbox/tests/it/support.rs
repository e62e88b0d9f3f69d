//! A sandbox of one test, and clients for it.

use std::path::Path;
use std::process::Output;

use portico_sandbox::{Credentials, GivenCredentials, Options, Sandbox};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::Value;

pub const PORTAL: &str = "http://localhost:17007";
pub const CALLBACK: &str = "http://localhost:17007/api/auth/keycloak-oidc/handler/frame";

/// A running sandbox in a folder that goes away with it.
pub struct Bench {
    pub sandbox: Sandbox,
    pub folder: tempfile::TempDir,
    pub client: Client,
}

impl Bench {
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        Self {
            sandbox: sandbox_in(&folder.path().join("data")).await,
            folder,
            client: client(),
        }
    }

    /// Ends the sandbox and starts another one on its data, on other ports.
    pub async fn restart(self) -> Self {
        let Self {
            sandbox,
            folder,
            client,
        } = self;
        sandbox.shutdown().await;
        Self {
            sandbox: sandbox_in(&folder.path().join("data")).await,
            folder,
            client,
        }
    }

    /// A request to the forge's API as its administrator.
    pub fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/v1{path}", self.sandbox.urls.forge);
        let password = &self.sandbox.credentials.forge_password;
        self.client
            .request(method, url)
            .basic_auth(Credentials::FORGE_ADMIN, Some(password))
    }

    /// Sends JSON to the forge's API as its administrator; status and body.
    pub async fn send(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.api(method, path).json(&body)).await
    }

    /// Reads from the forge's API as its administrator.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.api(Method::GET, path)).await
    }

    /// Clone URL with the administrator's password in it.
    pub fn clone_url(&self, repository: &str) -> String {
        let password = &self.sandbox.credentials.forge_password;
        let rest = self.sandbox.urls.forge.trim_start_matches("http://");
        format!("http://{}:{password}@{rest}/{repository}", Credentials::FORGE_ADMIN)
    }
}

pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .expect("client")
}

async fn sandbox_in(data: &Path) -> Sandbox {
    let mut options = Options::new(data, PORTAL);
    options.forge_aliases = vec!["cnoe.localtest.me:8443".to_owned()];
    options.credentials = GivenCredentials {
        user_password: Some("opensesame".to_owned()),
        ..Default::default()
    };
    Sandbox::start(options).await.expect("a sandbox")
}

/// Runs git without this machine's configuration.
pub async fn git(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new("git");
    command.args(arguments).current_dir(folder).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (key, value) in [
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Somebody"),
        ("GIT_AUTHOR_EMAIL", "somebody@example.test"),
        ("GIT_COMMITTER_NAME", "Somebody"),
        ("GIT_COMMITTER_EMAIL", "somebody@example.test"),
    ] {
        command.env(key, value);
    }
    command.output().await.expect("git runs")
}

/// As [`git`], and it must succeed; what it wrote.
pub async fn git_ok(folder: &Path, arguments: &[&str]) -> String {
    let output = git(folder, arguments).await;
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
