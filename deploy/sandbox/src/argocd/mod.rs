//! A stand-in for Argo CD's own API (`argocd-server`): sessions and Applications, and a plain page for each.
//!
//! Applications are the objects of the Kubernetes stand-in; the reconciler does the work. Paths, fields and errors are
//! those of Argo CD 3.2's `assets/swagger.json` and `server/application/application.go`.

mod applications;
mod error;
mod pages;
mod session;

use std::{fmt, path::PathBuf, sync::Arc};

use anyhow::Result;
use axum::{
    Json, Router, middleware,
    routing::{delete, get, post},
};
use serde_json::json;

use crate::{Credentials, credentials::random_hex, kubernetes::Cluster, reconciler::Reconciler, store::Store};

/// The version that the API calls itself.
pub const VERSION: &str = "v3.2.1";

/// What the stand-in needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for the key that signs sessions.
    pub data: PathBuf,
    /// Passwords.
    pub credentials: Credentials,
}

/// Argo CD's API. Clones share it.
#[derive(Clone)]
pub struct ArgoCd {
    shared: Arc<Shared>,
}

struct Shared {
    cluster: Cluster,
    reconciler: Reconciler,
    password: String,
    /// Signs sessions.
    key: String,
}

impl fmt::Debug for ArgoCd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ArgoCd(..)")
    }
}

impl ArgoCd {
    /// Opens it; sessions of an earlier start stay valid.
    pub fn open(settings: Settings, cluster: Cluster, reconciler: Reconciler) -> Result<ArgoCd> {
        let key = Store::open(settings.data.join("session-key.json"), || random_hex(32))?.read(String::clone);
        let password = settings.credentials.argocd_password.clone();
        Ok(ArgoCd {
            shared: Arc::new(Shared {
                cluster,
                reconciler,
                password,
                key,
            }),
        })
    }

    /// All its pages and endpoints.
    pub fn routes(&self) -> Router {
        let api = Router::new()
            .route("/api/v1/session/userinfo", get(session::user_info))
            .route("/api/v1/account", get(session::accounts))
            .route(
                "/api/v1/projects",
                get(applications::projects).post(applications::create_project),
            )
            .route("/api/v1/projects/{name}", get(applications::project))
            .route("/api/v1/clusters", get(applications::clusters))
            .route(
                "/api/v1/applications",
                get(applications::list).post(applications::create),
            )
            .route(
                "/api/v1/applications/{name}",
                get(applications::read)
                    .put(applications::update)
                    .patch(applications::patch)
                    .delete(applications::remove),
            )
            .route(
                "/api/v1/applications/{name}/spec",
                axum::routing::put(applications::update_spec),
            )
            .route("/api/v1/applications/{name}/sync", post(applications::sync))
            .route("/api/v1/applications/{name}/operation", delete(applications::terminate))
            .route(
                "/api/v1/applications/{name}/resource-tree",
                get(applications::resource_tree),
            )
            .layer(middleware::from_fn_with_state(self.clone(), session::required))
            .with_state(self.clone());
        Router::new()
            .route("/api/version", get(async || Json(json!({ "Version": VERSION }))))
            .route("/healthz", get(async || "ok"))
            .route(
                "/api/v1/settings",
                get(async || Json(json!({ "appLabelKey": "app.kubernetes.io/instance" }))),
            )
            .route("/api/v1/session", post(session::create).delete(session::end))
            .route("/applications", get(pages::list))
            .route("/applications/{name}", get(pages::by_name))
            .route("/applications/{namespace}/{name}", get(pages::by_namespace))
            .with_state(self.clone())
            .merge(api)
            .fallback(error::no_such_path)
    }
}
