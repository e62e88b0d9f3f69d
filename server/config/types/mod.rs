//! What `app-config.yaml` may say. Keys that Backstage knows and the portal does not use are accepted as they are.

mod auth;
mod backend;
mod features;
mod kinds;
mod proxy;
mod systems;

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::ConfigError;
use super::node::Places;
use super::values::{HumanDuration, Size, optional_text, text};

pub use auth::*;
pub use backend::*;
pub use features::*;
pub use kinds::*;
pub use proxy::*;
pub use systems::*;

/// A key that is accepted and not used; `config/advice.rs` says what takes its place.
type Unused = Option<Ignored>;

/// Anything. Its schema tells it from values that are used.
#[derive(Debug, Clone)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for Ignored {
    fn schema_name() -> Cow<'static, str> {
        "Ignored".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ (super::unknown::IGNORED): true })
    }
}

/// The whole configuration. Defaults are in `defaults.yaml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    pub app: App,
    #[serde(default)]
    pub organization: Organization,
    pub backend: Backend,
    #[serde(default)]
    pub integrations: Integrations,
    #[serde(default)]
    pub auth: Auth,
    pub catalog: Catalog,
    pub scaffolder: Scaffolder,
    #[serde(default)]
    pub kubernetes: Kubernetes,
    #[serde(default)]
    pub argocd: ArgoCd,
    #[serde(default)]
    #[schemars(with = "serde_json::Value")]
    pub proxy: Proxy,
    pub portico: Portico,
    #[serde(rename = "argoWorkflows")]
    _argo_workflows: Unused,
    #[serde(rename = "techdocs")]
    _techdocs: Unused,
    #[serde(rename = "homepage")]
    _homepage: Unused,
    #[serde(rename = "permission")]
    _permission: Unused,
    #[serde(rename = "search")]
    _search: Unused,
    #[serde(rename = "events")]
    _events: Unused,
    #[serde(rename = "enabled")]
    _enabled: Unused,
    /// Where each key stands.
    #[serde(skip)]
    pub(super) places: Arc<Places>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct App {
    pub title: String,
    /// Where browsers find the portal.
    pub base_url: Url,
    #[serde(rename = "support")]
    _support: Unused,
    #[serde(rename = "analytics")]
    _analytics: Unused,
    #[serde(rename = "extensions")]
    _extensions: Unused,
    #[serde(rename = "packages")]
    _packages: Unused,
    #[serde(rename = "routes")]
    _routes: Unused,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    #[serde(default, deserialize_with = "optional_text")]
    pub name: Option<String>,
}

/// Keys that Backstage does not have.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Portico {
    /// Groups whose members may do everything.
    pub admin_groups: Vec<String>,
    /// Where forges find the portal; `backend.baseUrl` where it is not given.
    pub webhook_base_url: Option<Url>,
    pub argocd: PorticoArgoCd,
    /// Largest workspace of a task, in bytes.
    pub workspace_limit: Size,
    /// How long the workspace of a task that did not complete is kept, for a retry and to be looked at.
    pub workspace_retention: HumanDuration,
    /// How long an entity stays in the catalog, marked, after its source has disappeared.
    pub orphan_grace_period: HumanDuration,
    #[serde(default)]
    pub catalog: PorticoCatalog,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct PorticoArgoCd {
    /// Namespace of Argo CD's Applications.
    #[serde(deserialize_with = "text")]
    pub namespace: String,
}

impl Config {
    /// The error that a key cannot be used, with its place.
    pub fn wrong(&self, key: &str, reason: String) -> ConfigError {
        self.places.wrong(key, reason)
    }

    /// `backend.baseUrl`, or `app.baseUrl`; without a slash at the end.
    pub fn base_url(&self) -> String {
        let url = self.backend.base_url.as_ref().unwrap_or(&self.app.base_url);
        url.as_str().trim_end_matches('/').to_owned()
    }

    /// Where forges report pushes to; without a slash at the end.
    pub fn webhook_base_url(&self) -> String {
        match &self.portico.webhook_base_url {
            Some(url) => url.as_str().trim_end_matches('/').to_owned(),
            None => self.base_url(),
        }
    }
}
