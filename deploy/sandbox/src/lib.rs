//! Stand-ins for Keycloak, Forgejo, the Kubernetes API and Argo CD on this machine, speaking their real protocols.
//!
//! [`Sandbox::start`] brings all of them up on 127.0.0.1; what they know (repositories, tokens, webhooks, keys, sessions,
//! objects) lives in one data folder and survives a restart, also after SIGKILL. They are for trying and testing a
//! portal, never for a network: passwords are simple and everything is in clear text but the Kubernetes API.
//!
//! - [`identity`]: a realm with users and groups, OpenID Connect as Keycloak answers it
//! - [`forge`]: repositories over git's smart HTTP protocol, the REST API of Forgejo and Gitea, webhooks, plain pages
//! - [`kubernetes`]: the API server for any kind of object, over TLS, and the controllers behind it
//! - [`argocd`]: Argo CD's own API for sessions and Applications
//! - [`reconciler`]: what Argo CD's controller does: read repositories, compare, sync, tell health
//! - [`faults`]: statuses, delays and broken connections on order
//! - [`store`]: state on disk
//! - [`server`]: listening sockets

pub mod argocd;
pub mod credentials;
pub mod faults;
pub mod forge;
pub mod html;
pub mod identity;
pub mod kubernetes;
pub mod reconciler;
pub mod server;
pub mod store;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use credentials::{Credentials, GivenCredentials};
pub use faults::{Breakage, Fault, Faults, System};

/// Ports of 127.0.0.1 that the stand-ins listen on; 0 stands for any free one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ports {
    /// The forge: API, git and pages, plain HTTP.
    pub forge: u16,
    /// The Kubernetes API, TLS.
    pub kubernetes: u16,
    /// The identity provider, plain HTTP.
    pub identity: u16,
    /// Argo CD's own API, plain HTTP.
    pub argocd: u16,
}

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder for all state; made when missing. One sandbox at a time may use it.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: Ports,
    /// Base URL of the portal, without a slash at the end. Logins return to
    /// `<portal_url>/api/auth/keycloak-oidc/handler/frame`; log-outs to any page under it.
    pub portal_url: String,
    /// Further `host:port` names of the forge, for instance `cnoe.localtest.me:8443`: an Application whose repository is
    /// `https://<alias>/gitea/<owner>/<name>` is read from the forge of the sandbox.
    pub forge_aliases: Vec<String>,
    /// Passwords and secrets to use; those not given are made once and kept in the data folder.
    pub credentials: GivenCredentials,
}

impl Options {
    /// Ephemeral ports, no aliases, generated passwords.
    pub fn new(data: impl Into<PathBuf>, portal_url: impl Into<String>) -> Self {
        Self {
            data: data.into(),
            listen: Ports::default(),
            portal_url: portal_url.into(),
            forge_aliases: Vec::new(),
            credentials: GivenCredentials::default(),
        }
    }
}

/// Where the stand-ins are reached, without a slash at the end.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Urls {
    /// Root of the forge, `http://localhost:<port>`; its API is under `/api/v1`.
    pub forge: String,
    /// The Kubernetes API, `https://127.0.0.1:<port>`.
    pub kubernetes: String,
    /// The issuer, `http://localhost:<port>/realms/cnoe`.
    pub issuer: String,
    /// Root of Argo CD, `http://localhost:<port>`; its API is under `/api/v1`.
    pub argocd: String,
}

/// All stand-ins, running. Dropping it ends them as [`Sandbox::shutdown`] does, without waiting.
#[derive(Debug)]
pub struct Sandbox {
    /// Addresses.
    pub urls: Urls,
    /// Users, passwords and secrets.
    pub credentials: Credentials,
    /// Orders of faults for all of them.
    pub faults: Faults,
    /// The forge, for putting repositories into it.
    pub forge: forge::Forge,
    data: PathBuf,
    ports: Ports,
    end: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts everything; when it returns, all servers answer.
    ///
    /// Fails when a port is taken (naming the system and the port), when the data folder cannot be used or is from an
    /// incompatible version, or when the `git` program is missing.
    pub async fn start(options: Options) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        std::fs::create_dir_all(&options.data)
            .with_context(|| format!("cannot make the sandbox's data folder {}", options.data.display()))?;
        let data = options
            .data
            .canonicalize()
            .with_context(|| format!("cannot use the sandbox's data folder {}", options.data.display()))?;
        let credentials = Credentials::open(&data, options.credentials)?;

        // Every port is bound before anything is served, so that a taken one stops the start without half a sandbox.
        let forge_listener = server::bind(System::Forge, options.listen.forge).await?;
        let identity_listener = server::bind(System::Identity, options.listen.identity).await?;
        let kubernetes_listener = server::bind(System::Kubernetes, options.listen.kubernetes).await?;
        let argocd_listener = server::bind(System::Argocd, options.listen.argocd).await?;
        let ports = Ports {
            forge: forge_listener.local_addr()?.port(),
            identity: identity_listener.local_addr()?.port(),
            kubernetes: kubernetes_listener.local_addr()?.port(),
            argocd: argocd_listener.local_addr()?.port(),
        };
        let urls = Urls {
            forge: format!("http://localhost:{}", ports.forge),
            kubernetes: format!("https://127.0.0.1:{}", ports.kubernetes),
            issuer: format!("http://localhost:{}/realms/{}", ports.identity, identity::REALM),
            argocd: format!("http://localhost:{}", ports.argocd),
        };
        let faults = Faults::default();
        let end = CancellationToken::new();
        let ending = EndOnDrop(Some(end.clone()));
        let mut tasks = Vec::new();

        let identity = identity::Identity::open(identity::Settings {
            data: data.join("identity"),
            issuer: urls.issuer.clone(),
            portal_url: options.portal_url.trim_end_matches('/').to_owned(),
            credentials: credentials.clone(),
        })?;
        tasks.push(server::serve(
            System::Identity,
            identity_listener,
            None,
            identity.routes(),
            &faults,
            &end,
        ));

        let forge = forge::Forge::open(forge::Settings {
            data: data.join("forge"),
            root_url: urls.forge.clone(),
            aliases: options.forge_aliases.clone(),
            credentials: credentials.clone(),
        })
        .await?;
        tasks.push(server::serve(
            System::Forge,
            forge_listener,
            None,
            forge.routes(),
            &faults,
            &end,
        ));
        let deliveries = forge.deliver()?.abort_handle();
        let ended = end.clone();
        tasks.push(tokio::spawn(async move {
            ended.cancelled().await;
            deliveries.abort();
        }));

        let kubernetes = kubernetes::Kubernetes::open(kubernetes::Settings {
            data: data.join("kubernetes"),
            url: urls.kubernetes.clone(),
            pace: kubernetes::controllers::Pace::default(),
        })?;
        tasks.extend(kubernetes.start_controllers(&end));
        tasks.push(server::serve(
            System::Kubernetes,
            kubernetes_listener,
            Some(kubernetes.tls()),
            kubernetes.routes(),
            &faults,
            &end,
        ));

        let cluster = kubernetes.cluster().clone();
        let reconciler = reconciler::Reconciler::new(
            cluster.clone(),
            reconciler::Settings::new(data.join("reconciler"), urls.forge.clone(), options.forge_aliases),
        );
        tasks.push(reconciler.clone().start(end.clone()));

        let argocd = argocd::ArgoCd::open(
            argocd::Settings {
                data: data.join("argocd"),
                credentials: credentials.clone(),
            },
            cluster,
            reconciler,
        )?;
        tasks.push(server::serve(
            System::Argocd,
            argocd_listener,
            None,
            argocd.routes(),
            &faults,
            &end,
        ));

        ending.keep();
        Ok(Self {
            urls,
            credentials,
            faults,
            forge,
            data,
            ports,
            end,
            tasks,
        })
    }

    /// The ports in use, also those that were chosen.
    pub fn ports(&self) -> Ports {
        self.ports
    }

    /// The data folder, absolute.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A kubeconfig file with a context, a cluster and a user that may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.data.join("kubernetes/kubeconfig.yaml")
    }

    /// The certificate (PEM) that signed the one of the Kubernetes API.
    pub fn ca_certificate(&self) -> PathBuf {
        self.data.join("kubernetes/ca.crt")
    }

    /// Address that a system listens on.
    pub fn address(&self, system: System) -> SocketAddr {
        let port = match system {
            System::Forge => self.ports.forge,
            System::Kubernetes => self.ports.kubernetes,
            System::Identity => self.ports.identity,
            System::Argocd => self.ports.argocd,
        };
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// Ends all servers and waits for it, two seconds at most. State is on disk already.
    pub async fn shutdown(mut self) {
        self.end.cancel();
        for task in std::mem::take(&mut self.tasks) {
            let _ = tokio::time::timeout(std::time::Duration::from_secs(2), task).await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

/// Ends what was started already when a later part of the start fails.
struct EndOnDrop(Option<CancellationToken>);

impl EndOnDrop {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end.cancel();
        }
    }
}
