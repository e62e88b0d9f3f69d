//! The portal with everything around it: the stand-ins, a database, golden paths in the forge.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portico_sandbox::{Credentials, Sandbox};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Browser, Cable, Database, Portal, eventually};

const ADMIN: &str = Credentials::FORGE_ADMIN;
const TOKEN: &str = "a-token-for-the-tests-of-this-folder";

/// How a platform is started.
pub struct Options {
    /// Folders that become repositories of the forge and locations of the catalog.
    pub golden_paths: Vec<PathBuf>,
    /// Merged over the configuration.
    pub config: Value,
    /// Lay a cable to the database that the test can pull.
    pub cable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            golden_paths: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("golden-paths")],
            config: json!({}),
            cable: false,
        }
    }
}

/// Everything that is running. Dropping it ends it all.
pub struct Platform {
    pub portal: Portal,
    pub sandbox: Sandbox,
    pub database: Database,
    pub cable: Option<Cable>,
    pub folder: TempDir,
}

impl Platform {
    pub async fn start() -> Self {
        Self::start_with(Options::default()).await
    }

    pub async fn start_with(options: Options) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("http://localhost:{}", Portal::free_port());
        let mut sandbox_options = portico_sandbox::Options::new(folder.path().join("sandbox"), &url);
        sandbox_options.forge_aliases = vec!["cnoe.localtest.me:8443".into(), "cnoe.localtest.me".into()];
        let sandbox = Sandbox::start(sandbox_options).await.expect("the sandbox starts");
        let database = Database::create().await;
        let mut locations = Vec::new();
        for (index, golden_paths) in options.golden_paths.iter().enumerate() {
            let name = if index == 0 {
                "golden-paths".to_owned()
            } else {
                format!("golden-paths-{index}")
            };
            sandbox
                .forge
                .put_tree(ADMIN, &name, "main", golden_paths, "Golden paths")
                .await
                .expect("the forge takes it");
            locations.push(format!(
                "{}/{ADMIN}/{name}/raw/branch/main/catalog-info.yaml",
                sandbox.urls.forge
            ));
        }
        let cable = if options.cable {
            Some(Cable::to(&database.url()).await)
        } else {
            None
        };
        let connection = cable
            .as_ref()
            .map_or_else(|| database.url(), |cable| cable.url(database.name()));
        let mut config = config(&url, &sandbox, &connection, &locations);
        merge(&mut config, &options.config);
        let file = folder.path().join("app-config.yaml");
        // JSON is YAML.
        std::fs::write(&file, config.to_string()).expect("the configuration can be written");
        let portal = Portal::start(&url, &file).await;
        Self {
            portal,
            sandbox,
            database,
            cable,
            folder,
        }
    }

    /// SIGKILL to the portal.
    pub fn kill_portal(&mut self) {
        self.portal.kill();
    }

    /// Starts the portal again, on the same address.
    pub async fn restart_portal(&mut self) {
        self.portal.kill();
        let url = self.portal.url.clone();
        self.portal = Portal::start(&url, &self.folder.path().join("app-config.yaml")).await;
    }

    /// A browser without JavaScript, logged in.
    pub async fn user(&self, username: &str) -> Browser {
        let browser = Browser::new(&self.portal.url);
        let page = browser.log_in(username, &self.sandbox.credentials.user_password).await;
        assert_eq!(page.status, StatusCode::OK, "{username} cannot log in: {}", page.html);
        assert!(
            page.url.as_str().starts_with(&self.portal.url),
            "{username} ended on {}",
            page.url
        );
        browser
    }

    /// A browser that nobody has logged in with.
    pub fn stranger(&self) -> Browser {
        Browser::new(&self.portal.url)
    }

    /// The portal's API, with the static token.
    pub fn api(&self) -> Api {
        Api {
            base: format!("{}/api", self.portal.url),
            authorization: format!("Bearer {TOKEN}"),
        }
    }

    /// The forge's API, as its administrator.
    pub fn forge(&self) -> Api {
        use base64::Engine;
        let credentials = format!("{ADMIN}:{}", self.sandbox.credentials.forge_password);
        let credentials = base64::engine::general_purpose::STANDARD.encode(credentials);
        Api {
            base: format!("{}/api/v1", self.sandbox.urls.forge),
            authorization: format!("Basic {credentials}"),
        }
    }

    /// Argo CD's own API, with a session of its administrator.
    pub async fn argocd(&self) -> Api {
        let base = format!("{}/api/v1", self.sandbox.urls.argocd);
        let stranger = Api {
            base: base.clone(),
            authorization: String::new(),
        };
        let login =
            json!({"username": Credentials::ARGOCD_ADMIN, "password": self.sandbox.credentials.argocd_password});
        let (status, session) = stranger.post("/session", &login).await;
        assert_eq!(status, StatusCode::OK, "{session}");
        Api {
            base,
            authorization: format!("Bearer {}", session["token"].as_str().expect("a token")),
        }
    }

    /// Starts the golden path "Basic Deployment" and answers the id of the task.
    pub async fn create(&self, name: &str) -> String {
        let values = json!({"name": name, "owner": "admin", "description": "Says hello", "replicas": 2});
        let body = json!({"templateRef": "template:default/basic-deployment", "values": values});
        let (status, answer) = self.api().post("/scaffolder/v2/tasks", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Waits for the end of a task, whatever it is, and answers the task.
    pub async fn ended(&self, task: &str) -> Value {
        let api = self.api();
        eventually(&format!("task {task} ends"), || async {
            let (_, answer) = api.try_get(&format!("/scaffolder/v2/tasks/{task}")).await?;
            matches!(answer["status"].as_str(), Some("completed" | "failed" | "cancelled")).then_some(answer)
        })
        .await
    }

    /// All events of a task, in order.
    pub async fn events(&self, task: &str) -> Vec<Value> {
        let (status, events) = self.api().get(&format!("/scaffolder/v2/tasks/{task}/events")).await;
        assert_eq!(status, StatusCode::OK, "{events}");
        events.as_array().expect("a list").clone()
    }
}

/// A JSON API with its credentials.
pub struct Api {
    base: String,
    authorization: String,
}

impl Api {
    /// Status and body; `Null` for a body that is not JSON. `None` where nobody answers.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Option<(StatusCode, Value)> {
        let client = super::http()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        let mut request = client
            .request(method, format!("{}{path}", self.base))
            .header("authorization", &self.authorization)
            .header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        Some((status, answer.json().await.unwrap_or(Value::Null)))
    }

    pub async fn try_get(&self, path: &str) -> Option<(StatusCode, Value)> {
        self.send(Method::GET, path, None).await
    }

    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.try_get(path).await.expect("an answer")
    }

    pub async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.send(Method::POST, path, Some(body)).await.expect("an answer")
    }
}

fn config(url: &str, sandbox: &Sandbox, connection: &str, locations: &[String]) -> Value {
    let credentials = &sandbox.credentials;
    let port = url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let integration = |host: &str| json!({"baseUrl": sandbox.urls.forge, "host": host, "username": ADMIN, "password": credentials.forge_password});
    let kubeconfig = std::fs::read_to_string(sandbox.kubeconfig()).expect("a kubeconfig");
    let kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).expect("YAML");
    let allow = [
        "Component",
        "System",
        "API",
        "Resource",
        "Location",
        "Template",
        "User",
        "Group",
    ];
    let locations: Vec<_> = locations
        .iter()
        .map(|target| json!({"type": "url", "target": target, "rules": [{"allow": allow}]}))
        .collect();
    json!({
        "app": {"title": "Portico", "baseUrl": url},
        "backend": {
            "baseUrl": url,
            "listen": {"host": "127.0.0.1", "port": port},
            "database": {"client": "pg", "connection": connection},
            "auth": {
                "keys": [{"secret": "a key of the tests, as long as one should be"}],
                "externalAccess": [{"type": "static", "options": {"token": TOKEN, "subject": "tests"}}],
            },
        },
        "integrations": {"gitea": [
            integration(sandbox.urls.forge.trim_start_matches("http://")),
            integration("cnoe.localtest.me:8443"),
            integration("cnoe.localtest.me"),
        ]},
        "auth": {"environment": "development", "providers": {"keycloak-oidc": {"development": {
            "metadataUrl": format!("{}/.well-known/openid-configuration", sandbox.urls.issuer),
            "clientId": Credentials::CLIENT_ID,
            "clientSecret": credentials.client_secret,
        }}}},
        "scaffolder": {
            "defaultAuthor": {"name": "backstage-scaffolder", "email": "noreply"},
            "defaultCommitMessage": "backstage scaffolder",
        },
        "catalog": {"rules": [{"allow": &allow[..6]}], "locations": locations},
        "kubernetes": {"clusterLocatorMethods": [{"type": "config", "clusters": [{
            "name": "local",
            "url": sandbox.urls.kubernetes,
            "authProvider": "serviceAccount",
            "serviceAccountToken": kubeconfig["users"][0]["user"]["token"],
            "caFile": sandbox.ca_certificate(),
        }]}]},
        "argocd": {
            "username": Credentials::ARGOCD_ADMIN,
            "password": credentials.argocd_password,
            "appLocatorMethods": [{"type": "config", "instances": [{"name": "in-cluster", "url": sandbox.urls.argocd}]}],
        },
    })
}

/// Objects are merged, anything else is replaced.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
