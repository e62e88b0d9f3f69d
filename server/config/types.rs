//! What `app-config.yaml` may say. Keys that Backstage knows and the portal does not use are accepted as they are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::values::{HumanDuration, Secret, Size, optional_port, optional_text, text};

/// A key that is accepted and not used.
type Unused = Option<serde_json::Value>;

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
    pub portico: Portico,
    #[serde(rename = "argoWorkflows")]
    _argo_workflows: Unused,
    #[serde(rename = "techdocs")]
    _techdocs: Unused,
    #[serde(rename = "proxy")]
    _proxy: Unused,
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

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// Where programs and the identity provider find the portal; `app.baseUrl` where it is not given.
    pub base_url: Option<Url>,
    #[serde(deserialize_with = "listen")]
    pub listen: Listen,
    pub database: Database,
    #[serde(default)]
    pub auth: BackendAuth,
    #[serde(default)]
    pub reading: Reading,
    /// Folder for temporary files; the system's where it is not given.
    pub working_directory: Option<PathBuf>,
    #[serde(rename = "csp")]
    _csp: Unused,
    #[serde(rename = "cors")]
    _cors: Unused,
    #[serde(rename = "cache")]
    _cache: Unused,
    #[serde(rename = "https")]
    _https: Unused,
    #[serde(rename = "lifecycle")]
    _lifecycle: Unused,
    #[serde(rename = "packages")]
    _packages: Unused,
    #[serde(rename = "actions")]
    _actions: Unused,
    #[serde(rename = "health")]
    _health: Unused,
    #[serde(rename = "rateLimit")]
    _rate_limit: Unused,
    #[serde(rename = "trustProxy")]
    _trust_proxy: Unused,
}

/// Where to listen: `":7007"`, `"127.0.0.1:7007"` or `{port, host}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct Listen {
    /// All addresses where it is not given.
    #[serde(default, deserialize_with = "optional_text")]
    pub host: Option<String>,
    #[serde(default, deserialize_with = "optional_port")]
    pub port: Option<u16>,
}

impl Listen {
    /// `host:port` to bind.
    pub fn address(&self) -> (String, u16) {
        let host = self.host.clone().unwrap_or_else(|| "0.0.0.0".to_owned());
        (host, self.port.unwrap_or(7007))
    }
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Listen, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(port) => listen_text(&port.to_string()),
        serde_json::Value::String(text) => listen_text(&text),
        other => serde_json::from_value(other).map_err(|error| error.to_string()),
    }
    .map_err(D::Error::custom)
}

fn listen_text(text: &str) -> Result<Listen, String> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = port
        .parse()
        .map_err(|_| format!("must be \":7007\", \"127.0.0.1:7007\" or {{port, host}}, not \"{text}\""))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok(Listen {
        host: (!host.is_empty()).then(|| host.to_owned()),
        port: Some(port),
    })
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Database {
    #[serde(default, deserialize_with = "client")]
    pub client: (),
    #[serde(deserialize_with = "connection")]
    pub connection: Connection,
    /// Make the database where it does not exist.
    pub ensure_exists: bool,
    #[serde(rename = "knexConfig")]
    _knex_config: Unused,
    #[serde(rename = "plugin")]
    _plugin: Unused,
    #[serde(rename = "pluginDivisionMode")]
    _plugin_division_mode: Unused,
    #[serde(rename = "prefix")]
    _prefix: Unused,
    #[serde(rename = "ensureSchemaExists")]
    _ensure_schema_exists: Unused,
}

fn client<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    let client = String::deserialize(deserializer)?;
    if client == "pg" {
        Ok(())
    } else {
        Err(D::Error::custom(format!(
            "must be pg: the portal needs PostgreSQL 15 or newer, not {client}"
        )))
    }
}

/// How to reach PostgreSQL: `postgres://…` or its parts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// The whole address, where it was given as one text (or as `connectionString`).
    #[serde(rename = "connectionString")]
    pub url: Option<Secret>,
    #[serde(default, deserialize_with = "optional_text")]
    pub host: Option<String>,
    #[serde(default, deserialize_with = "optional_port")]
    pub port: Option<u16>,
    #[serde(default, deserialize_with = "optional_text")]
    pub user: Option<String>,
    pub password: Option<Secret>,
    /// The user's name where it is not given.
    #[serde(default, deserialize_with = "optional_text")]
    pub database: Option<String>,
    #[serde(default, deserialize_with = "ssl")]
    #[schemars(with = "Unused")]
    pub ssl: Option<Ssl>,
}

/// TLS to the database; certificates are always checked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ssl {
    /// Certificate authority, PEM; the system's where it is not given.
    pub ca: Option<String>,
    /// Client certificate and key, PEM.
    pub cert: Option<String>,
    pub key: Option<Secret>,
}

fn ssl<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Ssl>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null | serde_json::Value::Bool(false) => Ok(None),
        serde_json::Value::Bool(true) => Ok(Some(Ssl::default())),
        other => serde_json::from_value(other).map(Some).map_err(D::Error::custom),
    }
}

fn connection<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Connection, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(url) => Ok(Connection {
            url: Some(Secret::new(url)),
            ..Connection::default()
        }),
        other => serde_json::from_value(other).map_err(D::Error::custom),
    }
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackendAuth {
    /// The first one wraps what must survive; the others still open what they wrapped.
    #[serde(default)]
    pub keys: Vec<Key>,
    #[serde(default)]
    pub external_access: Vec<ExternalAccess>,
    #[serde(rename = "dangerouslyDisableDefaultAuthPolicy")]
    _dangerously_disable_default_auth_policy: Unused,
    #[serde(rename = "pluginKeyStore")]
    _plugin_key_store: Unused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Key {
    pub secret: Secret,
}

/// Access for a program.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalAccess {
    /// Only `static` is served.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub options: ExternalAccessOptions,
    #[serde(rename = "accessRestrictions")]
    _access_restrictions: Unused,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalAccessOptions {
    pub token: Option<Secret>,
    #[serde(default, deserialize_with = "optional_text")]
    pub subject: Option<String>,
    #[serde(rename = "secret")]
    _secret: Unused,
    #[serde(rename = "url")]
    _url: Unused,
    #[serde(rename = "issuer")]
    _issuer: Unused,
    #[serde(rename = "audience")]
    _audience: Unused,
    #[serde(rename = "algorithm")]
    _algorithm: Unused,
    #[serde(rename = "subjectPrefix")]
    _subject_prefix: Unused,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Reading {
    /// Hosts besides those of `integrations` that files may be read from.
    #[serde(default)]
    pub allow: Vec<ReadingAllow>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ReadingAllow {
    /// `host` or `host:port`; `*.example.com` for all below.
    pub host: String,
    /// Path prefixes; all where it is not given.
    #[serde(default)]
    pub paths: Option<Vec<String>>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Integrations {
    /// Forgejo and Gitea.
    #[serde(default)]
    pub gitea: Vec<Gitea>,
    #[serde(rename = "github")]
    _github: Unused,
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

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// Which of a provider's environments is used.
    #[serde(default, deserialize_with = "optional_text")]
    pub environment: Option<String>,
    #[serde(default)]
    pub session: AuthSession,
    /// By provider id, then by environment.
    #[serde(default)]
    pub providers: BTreeMap<String, BTreeMap<String, Provider>>,
    #[serde(rename = "autologout")]
    _autologout: Unused,
    #[serde(rename = "experimentalExtraAllowedOrigins")]
    _experimental_extra_allowed_origins: Unused,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct AuthSession {
    /// Accepted and not used: sessions have keys of their own.
    pub secret: Option<Secret>,
}

/// An OpenID Connect provider.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Address of the discovery document; a provider without one is not an OpenID Connect provider.
    pub metadata_url: Option<Url>,
    #[serde(default, deserialize_with = "optional_text")]
    pub client_id: Option<String>,
    pub client_secret: Option<Secret>,
    /// `auto` (the provider decides), `none`, `consent`, `login`.
    #[serde(default, deserialize_with = "optional_text")]
    pub prompt: Option<String>,
    /// One text with spaces, or a list.
    #[serde(default, deserialize_with = "scopes")]
    pub additional_scopes: Vec<String>,
    #[serde(default)]
    pub sign_in: SignIn,
    #[serde(rename = "callbackUrl")]
    _callback_url: Unused,
    #[serde(rename = "tokenEndpointAuthMethod")]
    _token_endpoint_auth_method: Unused,
    #[serde(rename = "tokenSignedResponseAlg")]
    _token_signed_response_alg: Unused,
    #[serde(rename = "sessionDuration")]
    _session_duration: Unused,
    #[serde(rename = "startUrlSearchParams")]
    _start_url_search_params: Unused,
    #[serde(rename = "timeout")]
    _timeout: Unused,
}

fn scopes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => Ok(Vec::new()),
        serde_json::Value::String(text) => Ok(text.split_whitespace().map(str::to_owned).collect()),
        other => serde_json::from_value(other).map_err(D::Error::custom),
    }
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct SignIn {
    /// How a login becomes a user: the first is used.
    #[serde(default)]
    pub resolvers: Vec<Resolver>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resolver {
    /// `preferredUsernameMatchingUserEntityName` (the default) or `displayName`.
    pub resolver: String,
    #[serde(rename = "allowedDomains")]
    _allowed_domains: Unused,
    #[serde(rename = "dangerouslyAllowSignInWithoutUserInCatalog")]
    _without_user: Unused,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    #[serde(default)]
    pub rules: Vec<CatalogRule>,
    #[serde(default)]
    pub locations: Vec<CatalogLocation>,
    /// How often locations are read when nothing reports a change; `false` for never.
    #[serde(deserialize_with = "interval")]
    #[schemars(with = "Unused")]
    pub processing_interval: Option<HumanDuration>,
    /// Who may register locations on pages and by the API: `true` for nobody.
    #[serde(default)]
    pub readonly: bool,
    #[serde(rename = "import")]
    _import: Unused,
    #[serde(rename = "providers")]
    _providers: Unused,
    #[serde(rename = "processors")]
    _processors: Unused,
    #[serde(rename = "orphanStrategy")]
    _orphan_strategy: Unused,
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
pub struct CatalogRule {
    /// Kinds, or `{kind: …, spec.type: …}` objects.
    #[serde(default)]
    #[schemars(with = "Unused")]
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
    /// A task that runs longer has failed.
    pub task_timeout: HumanDuration,
    #[serde(rename = "taskTimeoutJanitorFrequency")]
    _task_timeout_janitor_frequency: Unused,
    #[serde(default)]
    pub default_environment: DefaultEnvironment,
    #[serde(rename = "auditor")]
    _auditor: Unused,
    #[serde(rename = "taskRecovery")]
    _task_recovery: Unused,
    #[serde(rename = "EXPERIMENTAL_recoverTasks")]
    _experimental_recover_tasks: Unused,
    #[serde(rename = "EXPERIMENTAL_recoverTasksTimeout")]
    _experimental_recover_tasks_timeout: Unused,
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
    #[serde(rename = "projectSettings")]
    _project_settings: Unused,
    #[serde(rename = "namespacedApps")]
    _namespaced_apps: Unused,
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
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct PorticoArgoCd {
    /// Namespace of Argo CD's Applications.
    #[serde(deserialize_with = "text")]
    pub namespace: String,
}

impl Config {
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
