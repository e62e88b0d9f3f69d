//! The systems around a portal: the stand-ins, or the real ones of the platform that `PORTICO_PLATFORM` names.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portico::gitops::InstanceSettings;
use portico::kubernetes::{Cluster, ClusterSettings};
use portico::outbound::{Allowed, Outbound};
use portico_sandbox::{Credentials, Sandbox};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use url::Url;

use super::{Api, Part};

/// Name of the Argo CD instance, as CNOE's templates have it.
pub const ARGOCD_INSTANCE: &str = "in-cluster";
/// The data folder of a running platform; where it is not set, the stand-ins are meant.
const PLATFORM: &str = "PORTICO_PLATFORM";

/// Addresses and accounts of one of each.
#[derive(Clone)]
pub struct Systems {
    pub forge: Forge,
    pub identity: Identity,
    pub cluster: ClusterSettings,
    pub argocd: InstanceSettings,
    /// The authority that signed the certificates of the addresses above, where the machine does not know it.
    pub authority: Option<PathBuf>,
}

/// A forge and its administrator.
#[derive(Clone)]
pub struct Forge {
    pub url: String,
    pub username: String,
    pub password: String,
}

/// An identity provider, its client for the portal, and the password of all people.
#[derive(Clone)]
pub struct Identity {
    pub issuer: String,
    pub client_secret: String,
    /// Where it sends browsers back to: below the portal's address.
    pub callback: String,
    pub user_password: String,
}

impl Systems {
    /// The stand-ins, around a portal at this address.
    pub fn of(sandbox: &Sandbox, portal: &str) -> Self {
        let credentials = &sandbox.credentials;
        Self {
            forge: Forge {
                url: sandbox.urls.forge.clone(),
                username: Credentials::FORGE_ADMIN.to_owned(),
                password: credentials.forge_password.clone(),
            },
            identity: Identity {
                issuer: sandbox.urls.issuer.clone(),
                client_secret: credentials.client_secret.clone(),
                callback: callback(portal),
                user_password: credentials.user_password.clone(),
            },
            cluster: cluster(&sandbox.kubeconfig()),
            argocd: argocd(sandbox.urls.argocd.clone(), credentials.argocd_password.clone()),
            authority: None,
        }
    }

    /// Those of the running platform.
    pub async fn of_platform(platform: &RunningPlatform) -> Self {
        let endpoints = &platform.endpoints;
        let portal = text(endpoints, "/portal");
        let cluster = cluster(Path::new(&text(endpoints, "/kubeconfig")));
        let password = argocd_password(&cluster, &text(endpoints, "/argocdNamespace")).await;
        Self {
            forge: Forge {
                url: text(endpoints, "/forge/url"),
                username: text(endpoints, "/forge/username"),
                password: text(endpoints, "/forge/password"),
            },
            identity: Identity {
                issuer: text(endpoints, "/issuer"),
                // Not for scripts, so not among the endpoints.
                client_secret: text(&json(&platform.data.join("platform.json")), "/clientSecret"),
                callback: callback(&portal),
                user_password: text(endpoints, "/users/0/password"),
            },
            cluster,
            argocd: argocd(format!("{portal}/argocd"), password),
            authority: Some(text(endpoints, "/caFile").into()),
        }
    }

    /// A client of the running platform's cluster, as its administrator. Nothing else of the platform is asked for.
    pub fn cluster_of(platform: &RunningPlatform) -> kube::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let settings = cluster(Path::new(&text(&platform.endpoints, "/kubeconfig")));
        Cluster::new(&settings).expect("settings that work").client
    }

    /// The product's HTTP clients for one address.
    pub fn outbound(&self, url: &str) -> Outbound {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authority: Vec<PathBuf> = self.authority.iter().cloned().collect();
        Outbound::new(vec![Allowed::Origin(url.parse().expect("a URL"))], &authority).expect("a client")
    }

    /// A client of the tests' own.
    pub fn http(&self) -> reqwest::ClientBuilder {
        let client = super::http();
        let Some(authority) = &self.authority else {
            return client;
        };
        let pem = std::fs::read(authority).expect("the authority's certificate");
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).expect("certificates");
        client.tls_certs_merge(certificates)
    }

    /// The forge's API, as its administrator.
    pub fn forge_api(&self) -> Api {
        let credentials = STANDARD.encode(format!("{}:{}", self.forge.username, self.forge.password));
        Api::new(
            self.http(),
            format!("{}/api/v1", self.forge.url),
            format!("Basic {credentials}"),
        )
    }

    /// Argo CD's own API, with a session of its administrator.
    pub async fn argocd_api(&self) -> Api {
        let base = format!("{}/api/v1", self.argocd.url.as_deref().expect("an address"));
        let login = serde_json::json!({"username": self.argocd.username, "password": self.argocd.password});
        let (status, session) = Api::new(self.http(), base.clone(), String::new())
            .post("/session", &login)
            .await;
        assert!(status.is_success(), "{session}");
        Api::new(self.http(), base, format!("Bearer {}", text(&session, "/token")))
    }

    /// A client of the cluster, as its administrator.
    pub fn kubernetes(&self) -> kube::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Cluster::new(&self.cluster).expect("settings that work").client
    }
}

/// A site with a certificate that no authority of the machine has signed.
pub struct Trusted {
    pub origin: Url,
    /// Digest of its public key, as Chromium takes it.
    pub key: String,
}

/// A platform that somebody started and that outlives the test.
pub struct RunningPlatform {
    pub data: PathBuf,
    /// Content of its `endpoints.json`.
    pub endpoints: Value,
}

impl RunningPlatform {
    /// The one that the environment names.
    pub fn named() -> Option<Self> {
        let data = PathBuf::from(std::env::var_os(PLATFORM)?);
        let endpoints = json(&data.join("endpoints.json"));
        Some(Self { data, endpoints })
    }

    /// What browsers are told to trust: its front.
    pub fn trusted(&self) -> Trusted {
        let key = std::fs::read_to_string(self.data.join("certificates/front.key")).expect("the front's key");
        let key = rcgen::KeyPair::from_pem(&key).expect("a key");
        Trusted {
            origin: text(&self.endpoints, "/portal").parse().expect("a URL"),
            key: STANDARD.encode(Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key))),
        }
    }

    /// Has its supervisor `stop` or `start` one system, over the socket that its own commands use.
    pub async fn order(&self, order: &str, part: Part) -> Result<(), String> {
        let mut supervisor = UnixStream::connect(self.data.join("control.sock"))
            .await
            .expect("the platform's supervisor answers");
        let line = format!("{order} {}\n", format!("{part:?}").to_lowercase());
        supervisor.write_all(line.as_bytes()).await.expect("it reads");
        let mut answer = String::new();
        supervisor.read_to_string(&mut answer).await.expect("it answers");
        if answer == "done" { Ok(()) } else { Err(answer) }
    }
}

/// Systems for tests of ports, without a portal: the named platform's, else stand-ins of the test's own.
pub struct Bench {
    pub systems: Systems,
    _sandbox: Option<(Sandbox, TempDir)>,
}

impl Bench {
    pub async fn start() -> Self {
        if let Some(platform) = RunningPlatform::named() {
            return Self {
                systems: Systems::of_platform(&platform).await,
                _sandbox: None,
            };
        }
        // Nobody listens there: what is sent back to the portal is looked at by the test.
        let portal = "http://localhost:9";
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = portico_sandbox::Options::new(folder.path(), portal);
        let sandbox = Sandbox::start(options).await.expect("the sandbox starts");
        Self {
            systems: Systems::of(&sandbox, portal),
            _sandbox: Some((sandbox, folder)),
        }
    }
}

impl std::ops::Deref for Bench {
    type Target = Systems;

    fn deref(&self) -> &Systems {
        &self.systems
    }
}

fn callback(portal: &str) -> String {
    format!("{portal}/api/auth/keycloak-oidc/handler/frame")
}

fn argocd(url: String, password: String) -> InstanceSettings {
    InstanceSettings {
        name: ARGOCD_INSTANCE.to_owned(),
        url: Some(url),
        username: Some(Credentials::ARGOCD_ADMIN.to_owned()),
        password: Some(password),
        token: None,
    }
}

fn cluster(kubeconfig: &Path) -> ClusterSettings {
    let file = json(kubeconfig);
    let cluster = &file["clusters"][0]["cluster"];
    let known = |key: &str| cluster[key].as_str().map(str::to_owned);
    ClusterSettings {
        name: "local".to_owned(),
        url: text(cluster, "/server"),
        service_account_token: Some(text(&file, "/users/0/user/token")),
        ca_data: known("certificate-authority-data"),
        ca_file: known("certificate-authority").map(PathBuf::from),
        ..ClusterSettings::default()
    }
}

/// Argo CD makes its administrator's password at its first start and keeps it in the cluster.
async fn argocd_password(cluster: &ClusterSettings, namespace: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Cluster::new(cluster).expect("settings that work").client;
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> = kube::Api::namespaced(client, namespace);
    let secret = secrets
        .get("argocd-initial-admin-secret")
        .await
        .expect("Argo CD has a password");
    let password = secret.data.and_then(|mut data| data.remove("password"));
    String::from_utf8(password.expect("a password").0).expect("text")
}

fn json(file: &Path) -> Value {
    let content =
        std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()));
    // JSON is YAML.
    serde_saphyr::from_str(&content).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("there is no {pointer}")).to_owned()
}
