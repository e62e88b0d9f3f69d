//! A stand-in for the Kubernetes API server and the controllers behind it.
//!
//! It speaks the real protocol (get, list, watch, create, update, patch, server-side apply, delete, discovery, `Status`
//! errors) for any kind of object, over TLS, for one bearer token. Deployments get replica sets, pods and a status, as
//! if nodes ran them; nothing is really run.
//!
//! - [`cluster`] the objects behind one lock, [`objects`] with journal and events, [`kinds`] what there is
//! - [`writes`], [`apply`], [`patch`], [`deletion`], [`validation`], [`defaults`] what a write goes through
//! - [`api`] the HTTP layer, [`watching`] its streams, [`selectors`], [`status`]
//! - [`controllers`] what makes objects come to life

pub mod api;
pub mod apply;
pub mod certificates;
pub mod cluster;
pub mod controllers;
pub mod defaults;
pub mod deletion;
pub mod fields;
pub mod kinds;
pub mod objects;
pub mod patch;
mod paths;
pub mod schema;
pub mod selectors;
pub mod status;
pub mod validation;
mod verbs;
pub mod watching;
pub mod writes;

use std::{fmt, path::PathBuf, sync::Arc};

use anyhow::Result;
use axum::Router;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    credentials::random_hex,
    store::{Store, write_atomically},
};
pub use cluster::Cluster;

/// The version that the API server calls itself.
pub const VERSION: &str = "v1.33.1";

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for objects, certificates and the kubeconfig.
    pub data: PathBuf,
    /// Its own URL, `https://127.0.0.1:<port>`, for the kubeconfig.
    pub url: String,
    /// How quickly workloads come up.
    pub pace: controllers::Pace,
}

/// The API server. Clones share it.
#[derive(Clone)]
pub struct Kubernetes {
    cluster: Cluster,
    token: Arc<str>,
    tls: TlsAcceptor,
    pace: controllers::Pace,
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Kubernetes")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Opens the cluster in its folder, makes certificates and a token when there are none, and writes `ca.crt` and
    /// `kubeconfig.yaml` (readable by the owner only) for the present URL.
    pub fn open(settings: Settings) -> Result<Kubernetes> {
        let cluster = Cluster::open(&settings.data)?;
        let certificates = certificates::open(&settings.data)?;
        let token = Store::open(settings.data.join("token.json"), || random_hex(24))?.read(String::clone);
        let kubeconfig = kubeconfig(&settings.url, &certificates.authority, &token);
        // JSON is YAML, and every value is quoted as it must be.
        write_atomically(
            &settings.data.join("kubeconfig.yaml"),
            &serde_json::to_vec_pretty(&kubeconfig)?,
        )?;
        Ok(Kubernetes {
            cluster,
            token: token.into(),
            tls: certificates.acceptor,
            pace: settings.pace,
        })
    }

    /// All its endpoints.
    pub fn routes(&self) -> Router {
        api::routes(self.cluster.clone(), self.token.clone())
    }

    /// The server's side of TLS.
    pub fn tls(&self) -> TlsAcceptor {
        self.tls.clone()
    }

    /// The objects, for stand-ins of other systems that live in the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The token that may do everything.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Starts the controllers; they run until `end` is cancelled.
    pub fn start_controllers(&self, end: &CancellationToken) -> Vec<JoinHandle<()>> {
        controllers::start(&self.cluster, self.pace, end)
    }
}

fn kubeconfig(url: &str, authority: &str, token: &str) -> serde_json::Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{
            "name": "sandbox",
            "cluster": { "server": url, "certificate-authority-data": STANDARD.encode(authority) },
        }],
        "users": [{ "name": "sandbox-admin", "user": { "token": token } }],
        "contexts": [{
            "name": "sandbox",
            "context": { "cluster": "sandbox", "user": "sandbox-admin", "namespace": "default" },
        }],
    })
}
