//! `catalog` and `scaffolder`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::Unused;
use crate::config::values::{HumanDuration, Secret, optional_text, text};

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    #[serde(default)]
    pub rules: Vec<CatalogRule>,
    #[serde(default)]
    pub locations: Vec<CatalogLocation>,
    /// How often locations are read when nothing reports a change; `false` for never.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "serde_json::Value")]
    pub processing_interval: Option<HumanDuration>,
    /// Who may register locations on pages and by the API: `true` for nobody.
    #[serde(default)]
    pub readonly: bool,
    /// What is proposed to repositories that have no description file.
    #[serde(default)]
    pub import: CatalogImport,
    #[serde(default)]
    pub providers: CatalogProviders,
    #[serde(rename = "processors")]
    _processors: Unused,
    /// What becomes of an entity whose source has disappeared: `delete` after `portico.orphanGracePeriod`, or `keep`.
    #[serde(default)]
    pub orphan_strategy: OrphanStrategy,
    #[serde(rename = "orphanProviderStrategy")]
    _orphan_provider_strategy: Unused,
    #[serde(rename = "stitchingStrategy")]
    _stitching_strategy: Unused,
    #[serde(rename = "useUrlReadersSearch")]
    _use_url_readers_search: Unused,
    #[serde(rename = "disableRelationsCompatibility")]
    _disable_relations_compatibility: Unused,
    #[serde(rename = "enableRelationsCompatibility")]
    _enable_relations_compatibility: Unused,
    #[serde(rename = "processorOptions")]
    _processor_options: Unused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CatalogImport {
    /// Name of description files.
    #[serde(deserialize_with = "text")]
    pub entity_filename: String,
    /// Branch of pull requests that propose one.
    #[serde(deserialize_with = "text")]
    pub pull_request_branch_name: String,
}

impl Default for CatalogImport {
    fn default() -> Self {
        Self {
            entity_filename: "catalog-info.yaml".to_owned(),
            pull_request_branch_name: "portico-integration".to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrphanStrategy {
    #[default]
    Delete,
    Keep,
}

/// What finds locations by itself.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct CatalogProviders {
    /// By an id of one's choice.
    #[serde(default)]
    pub gitea: BTreeMap<String, GiteaProvider>,
}

/// Every repository of an organisation or user that has the file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GiteaProvider {
    /// Host of an integration, with its port.
    #[serde(deserialize_with = "text")]
    pub host: String,
    #[serde(deserialize_with = "text")]
    pub organization: String,
    /// The default branch of each repository where it is not given.
    #[serde(default, deserialize_with = "optional_text")]
    pub branch: Option<String>,
    /// `catalog-info.yaml` where it is not given.
    #[serde(default, deserialize_with = "optional_text")]
    pub catalog_path: Option<String>,
    #[serde(default)]
    pub schedule: Schedule,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Schedule {
    /// A length of time; half an hour where it is not given.
    pub frequency: Option<HumanDuration>,
    #[serde(rename = "timeout")]
    _timeout: Unused,
    #[serde(rename = "initialDelay")]
    _initial_delay: Unused,
    #[serde(rename = "scope")]
    _scope: Unused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct CatalogRule {
    /// Kinds, or `{kind: …, spec.type: …}` objects.
    #[serde(default)]
    #[schemars(with = "serde_json::Value")]
    pub allow: Vec<AllowedKind>,
    #[serde(rename = "locations")]
    pub locations: Option<Vec<RuleLocation>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct RuleLocation {
    #[serde(rename = "type")]
    pub kind: String,
    pub exact: Option<String>,
    pub pattern: Option<String>,
}

/// `Component`, or `{kind: Component, spec.type: website}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedKind {
    pub kind: String,
    pub spec_type: Option<String>,
}

impl<'de> Deserialize<'de> for AllowedKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let item = serde_json::Value::deserialize(deserializer)?;
        let text = |key: &str| item.get(key).and_then(serde_json::Value::as_str).map(ToOwned::to_owned);
        match &item {
            serde_json::Value::String(kind) => Some(Self {
                kind: kind.clone(),
                spec_type: None,
            }),
            _ => text("kind").map(|kind| Self {
                kind,
                spec_type: text("spec.type"),
            }),
        }
        .ok_or_else(|| D::Error::custom("must be a list of kinds, or of {kind, spec.type}"))
    }
}

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<HumanDuration>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Bool(false) => Ok(None),
        other => serde_json::from_value(other).map(Some).map_err(D::Error::custom),
    }
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct CatalogLocation {
    /// `url` or `file`.
    #[serde(rename = "type")]
    pub kind: String,
    pub target: String,
    /// What this location may define beside what `catalog.rules` allow.
    #[serde(default)]
    pub rules: Option<Vec<CatalogRule>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scaffolder {
    pub default_author: Author,
    /// Message of first commits; wins over a template's.
    #[serde(default, deserialize_with = "optional_text")]
    pub default_commit_message: Option<String>,
    /// Tasks that this process runs at once.
    pub concurrent_tasks_limit: u32,
    /// A step without a `timeout` of its own that runs longer has failed.
    pub task_timeout: HumanDuration,
    #[serde(rename = "taskTimeoutJanitorFrequency")]
    _task_timeout_janitor_frequency: Unused,
    #[serde(default)]
    pub default_environment: DefaultEnvironment,
    #[serde(default)]
    pub http: ScaffolderHttp,
    #[serde(rename = "auditor")]
    _auditor: Unused,
    #[serde(rename = "taskRecovery")]
    _task_recovery: Unused,
    #[serde(rename = "EXPERIMENTAL_recoverTasks")]
    _experimental_recover_tasks: Unused,
    #[serde(rename = "EXPERIMENTAL_recoverTasksTimeout")]
    _experimental_recover_tasks_timeout: Unused,
}

/// What the action `http:backstage:request` may do.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScaffolderHttp {
    /// Methods; all where none is given.
    #[serde(default)]
    pub allowed_methods: Vec<String>,
    /// Hosts, with those below them, that a whole address may name; without one only paths are taken.
    #[serde(default)]
    pub allowed_hosts: Vec<String>,
}

/// What steps see as `environment`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct DefaultEnvironment {
    #[serde(default)]
    pub parameters: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    pub secrets: BTreeMap<String, Secret>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Author {
    #[serde(deserialize_with = "text")]
    pub name: String,
    #[serde(deserialize_with = "text")]
    pub email: String,
}
