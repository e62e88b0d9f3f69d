//! Backstage's `app-config.yaml` is our configuration: several files, merged in order, with variables and
//! includes (as `@backstage/config-loader` 1.11 reads them). Only `app` uses what is here.

mod advice;
mod explain;
mod node;
mod secrets;
mod substitute;
mod types;
mod unknown;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use node::{Node, NodeValue, Place};

pub use advice::Standing;
pub use explain::{ExplainError, Explained, explain, explain_with};
pub use node::Places;
pub use types::*;
pub use values::{HumanDuration, Secret, Size};

const DEFAULTS: &str = include_str!("defaults.yaml");
/// Where defaults stand, for people.
const BUILT_IN: &str = "built-in defaults";
const PREFIX: &str = "APP_CONFIG_";

/// Tells an environment variable.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a configuration cannot be used. Each says where.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration {path} cannot be read: {reason}", path = path.display())]
    Read { path: PathBuf, reason: String },
    #[error("{place}: {}{reason}", if key.is_empty() { String::new() } else { format!("{key}: ") })]
    Wrong {
        /// File and line, or the variable.
        place: String,
        key: String,
        reason: String,
    },
}

/// A configuration, and what its author should know of it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// One sentence each: unknown keys, settings that are not obeyed.
    pub warnings: Vec<String>,
}

/// Reads the files in order, later ones over earlier ones, then the variables `APP_CONFIG_…`.
pub fn load(files: &[PathBuf]) -> Result<Loaded, ConfigError> {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    load_with(files, &variables)
}

/// As [`load`], with the environment given.
pub fn load_with(files: &[PathBuf], variables: &[(String, String)]) -> Result<Loaded, ConfigError> {
    let environment = environment(variables);
    let (json, places) = read(files, variables)?;
    let mut warnings = unknown_warnings(&json, &places);
    let mut config: Config = serde_path_to_error::deserialize(json).map_err(|error| wrong("", &error, &places))?;
    check(&config, &places)?;
    warnings.extend(tls_warnings(&config, &environment));
    warnings.extend(
        config
            .backend
            .auth
            .external_access
            .iter()
            .filter(|access| access.kind != "static")
            .map(|access| {
                format!(
                    "backend.auth.externalAccess: type {} is not served, only static",
                    access.kind
                )
            }),
    );
    config.places = Arc::new(places);
    Ok(Loaded { config, warnings })
}

/// A part of a configuration, for what needs no other.
#[derive(Debug)]
pub struct Part<T> {
    /// `None` where the files do not say it.
    pub value: Option<T>,
    pub places: Places,
}

/// Reads what files, as those of [`load`], say below one key (`a.b.c`); nothing else has to stand in them.
pub fn load_part<T: serde::de::DeserializeOwned>(files: &[PathBuf], key: &str) -> Result<Part<T>, ConfigError> {
    let variables: Vec<(String, String)> = std::env::vars().collect();
    let (mut json, places) = read(files, &variables)?;
    let pointer = format!("/{}", key.replace('.', "/"));
    let value = json.pointer_mut(&pointer).map(serde_json::Value::take);
    let value = value.filter(|value| !value.is_null());
    let value = value
        .map(serde_path_to_error::deserialize)
        .transpose()
        .map_err(|error| wrong(key, &error, &places))?;
    Ok(Part { value, places })
}

fn environment(variables: &[(String, String)]) -> impl Fn(&str) -> Option<String> {
    |name| {
        let found = variables.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }
}

/// Files over the defaults, and variables over files: as JSON, and where each value stands.
fn read(files: &[PathBuf], variables: &[(String, String)]) -> Result<(serde_json::Value, Places), ConfigError> {
    let mut places = Places::default();
    let json = merged(files, variables)?.into_json("", &mut places).unwrap_or_default();
    Ok((json, places))
}

/// Files over the defaults, and variables over files.
fn merged(files: &[PathBuf], variables: &[(String, String)]) -> Result<Node, ConfigError> {
    let environment = environment(variables);
    let defaults: Arc<str> = BUILT_IN.into();
    let mut tree = Node::parse(DEFAULTS, &defaults).map_err(|(place, reason)| ConfigError::Wrong {
        place: place.to_string(),
        key: String::new(),
        reason,
    })?;
    for file in files {
        let node = substitute::read(file, &environment)?;
        if !matches!(node.value, NodeValue::Map(_)) {
            return Err(ConfigError::Wrong {
                place: node.place.to_string(),
                key: String::new(),
                reason: "a configuration is a map of keys".into(),
            });
        }
        tree.merge(node);
    }
    for (name, value) in variables {
        if let Some(over) = from_variable(name, value) {
            tree.merge(over);
        }
    }
    Ok(tree)
}

/// `APP_CONFIG_a_b_c=value` is `{a: {b: {c: value}}}`; the value is JSON, or else text.
fn from_variable(name: &str, value: &str) -> Option<Node> {
    let path = name.strip_prefix(PREFIX)?;
    let keys: Vec<&str> = path.split('_').collect();
    let valid = |key: &&str| key.starts_with(|c: char| c.is_ascii_alphabetic());
    if !keys.iter().all(valid) {
        return None;
    }
    let place = Place {
        source: format!("environment variable {name}").into(),
        line: 0,
        column: 0,
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    let leaf = Node::from_json(value, &place);
    Some(keys.into_iter().rev().fold(leaf, |below, key| {
        Node::new(place.clone(), NodeValue::Map(vec![(key.to_owned(), below)]))
    }))
}

fn unknown_warnings(json: &serde_json::Value, places: &Places) -> Vec<String> {
    unknown::unknown_keys(json)
        .into_iter()
        .map(|(path, nearest)| {
            let place = place_of(&path, places);
            match nearest {
                Some(nearest) => format!("{place}: nothing uses the key {path}; is {nearest} meant?"),
                None => format!("{place}: nothing uses the key {path}"),
            }
        })
        .collect()
}

/// Certificates are always checked: who asks otherwise is told how to do it right.
fn tls_warnings(config: &Config, environment: Environment<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if environment("NODE_TLS_REJECT_UNAUTHORIZED").is_some_and(|value| value == "0") {
        warnings.push(
            "NODE_TLS_REJECT_UNAUTHORIZED=0 is not obeyed: certificates are always checked; name your certificate \
             authority in NODE_EXTRA_CA_CERTS or SSL_CERT_FILE"
                .to_owned(),
        );
    }
    for cluster in config
        .kubernetes
        .cluster_locator_methods
        .iter()
        .flat_map(|locator| &locator.clusters)
    {
        if cluster.skip_tls_verify {
            warnings.push(format!(
                "kubernetes: skipTLSVerify of cluster {} is not obeyed: certificates are always checked; give its \
                 certificate authority in caData or caFile",
                cluster.name
            ));
        }
    }
    warnings
}

/// `below` is the key of what was deserialized.
fn wrong(below: &str, error: &serde_path_to_error::Error<serde_json::Error>, places: &Places) -> ConfigError {
    let mut key = match error.path().to_string() {
        path if path == "." => below.to_owned(),
        path if path.starts_with('[') => format!("{below}{path}"),
        path => node::join(below, &path),
    };
    let mut reason = error.inner().to_string();
    if let Some(missing) = reason
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next())
    {
        let path = node::join(&key, missing);
        reason = match places.undefined.get(&path) {
            Some(text) => format!("is missing, because {text} names an environment variable that is not set"),
            None => "is missing".to_owned(),
        };
        key = path;
    }
    places.wrong(&key, reason)
}

impl Places {
    /// The error that a key cannot be used, with its place.
    pub fn wrong(&self, key: &str, reason: String) -> ConfigError {
        ConfigError::Wrong {
            place: place_of(key, self),
            key: key.to_owned(),
            reason,
        }
    }
}

/// Where the key stands, or the nearest thing above it.
fn place_of(path: &str, places: &Places) -> String {
    let mut path = path;
    loop {
        if let Some(place) = places.at.get(path) {
            return place.to_string();
        }
        path = match path.rfind(['.', '[']) {
            Some(end) => &path[..end],
            None => return "configuration".to_owned(),
        };
    }
}

/// What types alone cannot say.
fn check(config: &Config, places: &Places) -> Result<(), ConfigError> {
    let refuse = |key: &str, reason: String| Err(places.wrong(key, reason));
    let mut web_urls = vec![("app.baseUrl".to_owned(), config.app.base_url.clone())];
    web_urls.extend(
        config
            .backend
            .base_url
            .clone()
            .map(|url| ("backend.baseUrl".to_owned(), url)),
    );
    for (index, gitea) in config.integrations.gitea.iter().enumerate() {
        let key = format!("integrations.gitea[{index}].baseUrl");
        match gitea.address() {
            Ok(url) => web_urls.push((key, url)),
            Err(error) => return refuse(&key, format!("is not an address: {error}")),
        }
    }
    for (index, github) in config.integrations.github.iter().enumerate() {
        let key = format!("integrations.github[{index}].apiBaseUrl");
        match github.api() {
            Ok(url) => web_urls.push((key, url)),
            Err(error) => return refuse(&key, format!("is not an address: {error}")),
        }
    }
    for (key, url) in web_urls {
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return refuse(&key, format!("must start with http:// or https://, not {url}"));
        }
    }
    let connection = &config.backend.database.connection;
    if connection.url.is_none() && connection.host.is_none() {
        let key = "backend.database.connection.host";
        let reason = match places.undefined.get(key) {
            Some(text) => format!("is missing, because {text} names an environment variable that is not set"),
            None => "is missing".to_owned(),
        };
        return refuse(key, reason);
    }
    for (index, access) in config.backend.auth.external_access.iter().enumerate() {
        if access.kind == "static" && (access.options.token.is_none() || access.options.subject.is_none()) {
            let key = format!("backend.auth.externalAccess[{index}].options");
            return refuse(&key, "needs token and subject".into());
        }
        let short = access
            .options
            .token
            .as_ref()
            .is_some_and(|token| token.expose().len() < 8);
        if short {
            let key = format!("backend.auth.externalAccess[{index}].options.token");
            return refuse(&key, "must have at least 8 characters".into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
