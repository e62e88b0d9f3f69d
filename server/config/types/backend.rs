//! `backend`: where to listen, the database, programs that call.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::Unused;
use crate::config::values::{Secret, optional_port, optional_text};

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
    pub ssl: Option<Ssl>,
}

/// TLS to the database; certificates are always checked.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ssl {
    /// Certificate authority, PEM; the system's where it is not given.
    pub ca: Option<String>,
    /// Client certificate and key, PEM.
    pub cert: Option<String>,
    pub key: Option<Secret>,
    #[serde(rename = "rejectUnauthorized")]
    _reject_unauthorized: Unused,
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
