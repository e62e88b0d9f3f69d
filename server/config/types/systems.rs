//! Outside systems: `integrations`, `kubernetes`, `argocd`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use super::Unused;
use crate::config::values::{Secret, optional_text, text};

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Integrations {
    /// Forgejo and Gitea.
    #[serde(default)]
    pub gitea: Vec<Gitea>,
    /// github.com and GitHub Enterprise Server.
    #[serde(default)]
    pub github: Vec<Github>,
    #[serde(rename = "gitlab")]
    _gitlab: Unused,
    #[serde(rename = "bitbucketCloud")]
    _bitbucket_cloud: Unused,
    #[serde(rename = "bitbucketServer")]
    _bitbucket_server: Unused,
    #[serde(rename = "azure")]
    _azure: Unused,
    #[serde(rename = "gerrit")]
    _gerrit: Unused,
    #[serde(rename = "awsS3")]
    _aws_s3: Unused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gitea {
    /// `host` or `host:port` of the URLs that this entry is for.
    #[serde(deserialize_with = "text")]
    pub host: String,
    /// Where the forge is; `https://<host>` where it is not given.
    pub base_url: Option<Url>,
    #[serde(default, deserialize_with = "optional_text")]
    pub username: Option<String>,
    /// Password or token.
    pub password: Option<Secret>,
}

impl Gitea {
    /// `baseUrl`, or `https://<host>`.
    pub fn address(&self) -> Result<Url, url::ParseError> {
        match &self.base_url {
            Some(url) => Ok(url.clone()),
            None => Url::parse(&format!("https://{}", self.host)),
        }
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Github {
    /// `host` or `host:port` of the URLs that this entry is for.
    #[serde(default = "github_com", deserialize_with = "text")]
    pub host: String,
    /// Where the API is; that of github.com, or `https://<host>/api/v3`, where it is not given.
    pub api_base_url: Option<Url>,
    /// A personal access token; without one only public repositories are read.
    pub token: Option<Secret>,
    /// Warned about and not used.
    pub apps: Option<Vec<serde_json::Value>>,
    #[serde(rename = "rawBaseUrl")]
    _raw_base_url: Unused,
    #[serde(rename = "commitSigning")]
    _commit_signing: Unused,
}

fn github_com() -> String {
    "github.com".to_owned()
}

impl Github {
    /// `apiBaseUrl`, or what stands for it.
    pub fn api(&self) -> Result<Url, url::ParseError> {
        match &self.api_base_url {
            Some(url) => Ok(url.clone()),
            None if self.host == "github.com" => Url::parse("https://api.github.com"),
            None => Url::parse(&format!("https://{}/api/v3", self.host)),
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Kubernetes {
    #[serde(default)]
    pub cluster_locator_methods: Vec<ClusterLocator>,
    #[serde(rename = "serviceLocatorMethod")]
    _service_locator_method: Unused,
    #[serde(rename = "frontend")]
    _frontend: Unused,
    #[serde(rename = "customResources")]
    _custom_resources: Unused,
    #[serde(rename = "objectTypes")]
    _object_types: Unused,
    #[serde(rename = "apiVersionOverrides")]
    _api_version_overrides: Unused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterLocator {
    /// Only `config` names clusters here.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub clusters: Vec<Cluster>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    #[serde(deserialize_with = "text")]
    pub name: String,
    pub url: Url,
    #[serde(default, deserialize_with = "optional_text")]
    pub auth_provider: Option<String>,
    pub service_account_token: Option<Secret>,
    /// Certificate authority: PEM, or base64 of PEM.
    pub ca_data: Option<String>,
    pub ca_file: Option<PathBuf>,
    /// Warned about and not obeyed.
    #[serde(default, rename = "skipTLSVerify")]
    pub skip_tls_verify: bool,
    #[serde(default, rename = "skipMetricsLookup")]
    pub skip_metrics_lookup: bool,
    #[serde(rename = "title")]
    _title: Unused,
    #[serde(rename = "dashboardUrl")]
    _dashboard_url: Unused,
    #[serde(rename = "dashboardApp")]
    _dashboard_app: Unused,
    #[serde(rename = "dashboardParameters")]
    _dashboard_parameters: Unused,
    #[serde(rename = "customResources")]
    _custom_resources: Unused,
    #[serde(rename = "authMetadata")]
    _auth_metadata: Unused,
    #[serde(rename = "oidcTokenProvider")]
    _oidc_token_provider: Unused,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArgoCd {
    #[serde(default, deserialize_with = "optional_text")]
    pub username: Option<String>,
    pub password: Option<Secret>,
    #[serde(default)]
    pub app_locator_methods: Vec<AppLocator>,
    #[serde(rename = "baseUrl")]
    _base_url: Unused,
    #[serde(rename = "revisionsToLoad")]
    _revisions_to_load: Unused,
    #[serde(rename = "waitCycles")]
    _wait_cycles: Unused,
    #[serde(rename = "waitInterval")]
    _wait_interval: Unused,
    /// Parts of the specification of new projects.
    #[serde(default)]
    pub project_settings: ProjectSettings,
    #[serde(rename = "namespacedApps")]
    _namespaced_apps: Unused,
}

/// Lists of kinds, `{group, kind}`.
#[derive(Debug, Clone, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_resource_blacklist: Option<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_resource_whitelist: Option<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_resource_blacklist: Option<Vec<serde_json::Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace_resource_whitelist: Option<Vec<serde_json::Value>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AppLocator {
    /// Only `config` names instances here.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub instances: Vec<ArgoCdInstance>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ArgoCdInstance {
    #[serde(deserialize_with = "text")]
    pub name: String,
    pub url: Url,
    /// `argocd.username` where it is not given.
    #[serde(default, deserialize_with = "optional_text")]
    pub username: Option<String>,
    pub password: Option<Secret>,
    pub token: Option<Secret>,
}
