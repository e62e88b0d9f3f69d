//! What the parts of the portal need to know, out of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use crate::auth::{MachineToken, MachineTokens, Resolver, SessionsSettings, UserTokens};
use crate::catalog::{Allow, CatalogConfig, ConfiguredLocation, Discovery, Kinds, LocationMatch, Rule};
use crate::clock::Clock;
use crate::config::{
    CatalogRule, Config, GiteaProvider, OrphanStrategy, Provider as ProviderConfig, ProxyEndpoint, Secret,
};
use crate::gitops::{GitOpsSettings, InstanceSettings};
use crate::identity::{Provider, ProviderSettings};
use crate::keys::Keys;
use crate::kubernetes::ClusterSettings;
use crate::login;
use crate::outbound::{Allowed, Outbound};
use crate::scaffolder::{self, Author, Git, ProxyRoute, RequestSettings, SecretsKey};
use crate::scm::{ForgejoConfig, GithubConfig};

/// `auth.environment` where it is not given, as Backstage has it.
const ENVIRONMENT: &str = "development";
/// Locations are not polled more often, whatever the configuration says.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);
/// Time between two scans of a provider that has no schedule.
const SCAN_EVERY: Duration = Duration::from_secs(30 * 60);
const FOR_EVER: chrono::TimeDelta = chrono::TimeDelta::days(365 * 1000);

/// `backend.auth.keys`.
pub(super) fn key_secrets(config: &Config) -> Vec<Secret> {
    config.backend.auth.keys.iter().map(|key| key.secret.clone()).collect()
}

/// Every system that the configuration names.
pub(super) fn allowed(config: &Config) -> Vec<Allowed> {
    let mut urls: Vec<Url> = Vec::new();
    urls.extend(
        config
            .integrations
            .gitea
            .iter()
            .filter_map(|gitea| gitea.address().ok()),
    );
    for github in &config.integrations.github {
        let Ok(api) = github.api() else { continue };
        let scheme = api.scheme().to_owned();
        urls.push(api);
        // Archives of repositories come from a host of their own.
        let hosts = [github.host.clone(), format!("codeload.{}", github.host)];
        urls.extend(
            hosts
                .iter()
                .filter_map(|host| Url::parse(&format!("{scheme}://{host}")).ok()),
        );
    }
    urls.extend(providers(config).filter_map(|(_, provider)| provider.metadata_url.clone()));
    let clusters = config.kubernetes.cluster_locator_methods.iter();
    urls.extend(
        clusters
            .flat_map(|locator| &locator.clusters)
            .map(|cluster| cluster.url.clone()),
    );
    let instances = config.argocd.app_locator_methods.iter();
    urls.extend(
        instances
            .flat_map(|locator| &locator.instances)
            .map(|instance| instance.url.clone()),
    );
    urls.extend(config.proxy.endpoints.values().map(|endpoint| endpoint.target.clone()));
    let hosts = config.scaffolder.http.allowed_hosts.iter();
    let hosts = hosts.flat_map(|host| [host.clone(), format!("*.{host}")]);
    let hosts = hosts.map(|host| Allowed::Reading { host, paths: None });
    let reading = config.backend.reading.allow.iter().map(|allow| Allowed::Reading {
        host: allow.host.clone(),
        paths: allow.paths.clone(),
    });
    urls.into_iter()
        .map(Allowed::Origin)
        .chain(hosts)
        .chain(reading)
        .collect()
}

/// Sessions, machine tokens and providers.
pub(super) fn sessions(
    config: &Config,
    outbound: &Outbound,
    clock: &Clock,
    user_tokens: UserTokens,
    secure: bool,
) -> SessionsSettings {
    let tokens: Vec<MachineToken> = config
        .backend
        .auth
        .external_access
        .iter()
        .filter(|access| access.kind == "static")
        .filter_map(|access| {
            Some(MachineToken {
                token: access.options.token.clone()?,
                subject: access.options.subject.clone()?,
            })
        })
        .collect();
    let providers = providers(config)
        .filter_map(|(id, provider)| {
            let settings = provider_settings(config, id, provider)?;
            Some((
                Provider::new(settings, outbound.direct_client(), clock.clone()),
                resolver(provider),
            ))
        })
        .collect();
    SessionsSettings {
        admin_groups: config.portico.admin_groups.clone(),
        machine_tokens: MachineTokens::new(&tokens),
        user_tokens,
        providers,
        secure,
    }
}

/// The providers of the chosen environment, with their ids; `None` for one that does not speak OpenID Connect.
pub(super) fn identity_providers(
    config: &Config,
    outbound: &Outbound,
    clock: &Clock,
) -> Vec<(String, Option<(Url, Provider)>)> {
    providers(config)
        .map(|(id, provider)| {
            let settings = provider_settings(config, id, provider);
            let made = settings.map(|settings| {
                let url = settings.metadata_url.clone();
                (url, Provider::new(settings, outbound.direct_client(), clock.clone()))
            });
            (id.to_owned(), made)
        })
        .collect()
}

/// The providers of the chosen environment, with their ids.
fn providers(config: &Config) -> impl Iterator<Item = (&str, &ProviderConfig)> {
    let environment = config.auth.environment.as_deref().unwrap_or(ENVIRONMENT);
    config
        .auth
        .providers
        .iter()
        .filter_map(move |(id, environments)| Some((id.as_str(), environments.get(environment)?)))
}

/// `None` for a provider that does not speak OpenID Connect.
fn provider_settings(config: &Config, id: &str, provider: &ProviderConfig) -> Option<ProviderSettings> {
    let (Some(metadata_url), Some(client_id)) = (&provider.metadata_url, &provider.client_id) else {
        tracing::warn!(provider = id, "not used: it has no metadataUrl or no clientId");
        return None;
    };
    let redirect_url = format!("{}{}", config.base_url(), login::callback_path(id));
    Some(ProviderSettings {
        id: id.to_owned(),
        metadata_url: metadata_url.clone(),
        client_id: client_id.clone(),
        client_secret: provider.client_secret.clone(),
        prompt: provider.prompt.clone(),
        additional_scopes: provider.additional_scopes.clone(),
        redirect_url: Url::parse(&redirect_url).ok()?,
    })
}

fn resolver(provider: &ProviderConfig) -> Resolver {
    match provider.sign_in.resolvers.first().map(|first| first.resolver.as_str()) {
        Some("displayName") => Resolver::DisplayName,
        None | Some("preferredUsernameMatchingUserEntityName") => Resolver::Username,
        Some(other) => {
            tracing::warn!(resolver = other, "not known; users are named by preferred_username");
            Resolver::Username
        }
    }
}

/// Origins of the identity providers.
pub(super) fn issuer_origins(config: &Config) -> Vec<String> {
    let urls = providers(config).filter_map(|(_, provider)| provider.metadata_url.as_ref());
    urls.map(|url| url.origin().ascii_serialization()).collect()
}

/// Origins under which browsers know this portal.
pub(super) fn own_origins(config: &Config) -> Vec<String> {
    let urls = [Some(&config.app.base_url), config.backend.base_url.as_ref()];
    urls.into_iter()
        .flatten()
        .map(|url| url.origin().ascii_serialization())
        .collect()
}

/// `integrations.gitea`.
pub(super) fn forges(config: &Config) -> Vec<ForgejoConfig> {
    let entries = config.integrations.gitea.iter();
    entries
        .map(|gitea| ForgejoConfig {
            base_url: gitea.address().map_or_else(|_| gitea.host.clone(), Into::into),
            host: gitea.host.clone(),
            username: gitea.username.clone(),
            password: exposed(gitea.password.as_ref()),
        })
        .collect()
}

/// `integrations.github`.
pub(super) fn github(config: &Config) -> Vec<GithubConfig> {
    let entries = config.integrations.github.iter();
    entries
        .map(|github| {
            if github.apps.as_ref().is_some_and(|apps| !apps.is_empty()) {
                tracing::warn!(
                    host = github.host,
                    "integrations.github: apps are not used; give it a token"
                );
            }
            GithubConfig {
                host: github.host.clone(),
                api_base_url: github.api().map(Into::into).unwrap_or_default(),
                token: exposed(github.token.as_ref()),
            }
        })
        .collect()
}

/// `kubernetes.clusterLocatorMethods`, those that name clusters.
pub(super) fn clusters(config: &Config) -> Vec<ClusterSettings> {
    let methods = config.kubernetes.cluster_locator_methods.iter();
    methods
        .flat_map(|method| &method.clusters)
        .map(|cluster| ClusterSettings {
            name: cluster.name.clone(),
            url: cluster.url.to_string(),
            auth_provider: cluster.auth_provider.clone(),
            service_account_token: exposed(cluster.service_account_token.as_ref()),
            service_account_token_file: None,
            ca_data: cluster.ca_data.clone(),
            ca_file: cluster.ca_file.clone(),
        })
        .collect()
}

/// `argocd`, and `portico.argocd`.
pub(super) fn gitops(config: &Config) -> GitOpsSettings {
    let methods = config.argocd.app_locator_methods.iter();
    let instances = methods.flat_map(|method| &method.instances);
    let project_settings = serde_json::to_value(&config.argocd.project_settings).unwrap_or_default();
    GitOpsSettings {
        project_settings: project_settings.as_object().cloned().unwrap_or_default(),
        namespace: config.portico.argocd.namespace.clone(),
        instances: instances
            .map(|instance| InstanceSettings {
                name: instance.name.clone(),
                url: Some(instance.url.to_string()),
                username: instance.username.clone().or_else(|| config.argocd.username.clone()),
                password: exposed(instance.password.as_ref().or(config.argocd.password.as_ref())),
                token: exposed(instance.token.as_ref()),
            })
            .collect(),
    }
}

/// `catalog`.
pub(super) fn catalog(config: &Config, kinds: Kinds) -> CatalogConfig {
    let rules = |rules: &[CatalogRule]| -> Vec<Rule> { rules.iter().map(rule).collect() };
    let locations = config.catalog.locations.iter();
    CatalogConfig {
        locations: locations
            .map(|location| ConfiguredLocation {
                kind: location.kind.clone(),
                target: location.target.clone(),
                rules: location.rules.as_deref().map(rules).unwrap_or_default(),
            })
            .collect(),
        rules: (!config.catalog.rules.is_empty()).then(|| rules(&config.catalog.rules)),
        interval: config
            .catalog
            .processing_interval
            .map(|interval| interval.0.max(SHORTEST_INTERVAL)),
        readonly: config.catalog.readonly,
        entity_filename: config.catalog.import.entity_filename.trim_matches('/').to_owned(),
        proposal_branch: config.catalog.import.pull_request_branch_name.clone(),
        discoveries: config.catalog.providers.gitea.iter().map(discovery).collect(),
        orphan_grace: match config.catalog.orphan_strategy {
            OrphanStrategy::Keep => FOR_EVER,
            OrphanStrategy::Delete => {
                chrono::TimeDelta::from_std(config.portico.orphan_grace_period.0).unwrap_or(FOR_EVER)
            }
        },
        kinds,
        base_url: config.app.base_url.as_str().trim_end_matches('/').to_owned(),
    }
}

fn discovery((id, provider): (&String, &GiteaProvider)) -> Discovery {
    Discovery {
        id: id.clone(),
        host: provider.host.clone(),
        organization: provider.organization.clone(),
        branch: provider.branch.clone(),
        catalog_path: provider
            .catalog_path
            .as_deref()
            .unwrap_or("catalog-info.yaml")
            .trim_matches('/')
            .to_owned(),
        frequency: provider
            .schedule
            .frequency
            .map_or(SCAN_EVERY, |every| every.0.max(SHORTEST_INTERVAL)),
    }
}

fn rule(rule: &CatalogRule) -> Rule {
    Rule {
        allow: rule
            .allow
            .iter()
            .map(|allow| Allow {
                kind: allow.kind.clone(),
                spec_type: allow.spec_type.clone(),
            })
            .collect(),
        locations: rule.locations.as_ref().map(|locations| {
            locations
                .iter()
                .map(|location| LocationMatch {
                    kind: Some(location.kind.clone()),
                    exact: location.exact.clone(),
                    pattern: location.pattern.clone(),
                })
                .collect()
        }),
    }
}

/// `scaffolder`, and what `portico` says of workspaces.
pub(super) fn scaffolder(config: &Config, keys: &Keys) -> scaffolder::Settings {
    let settings = &config.scaffolder;
    let secrets: BTreeMap<&str, &str> = settings
        .default_environment
        .secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.expose()))
        .collect();
    let working_directory = config
        .backend
        .working_directory
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    scaffolder::Settings {
        concurrent_tasks: usize::try_from(settings.concurrent_tasks_limit).unwrap_or(usize::MAX),
        default_author: Author {
            name: settings.default_author.name.clone(),
            email: settings.default_author.email.clone(),
        },
        default_commit_message: settings.default_commit_message.clone(),
        environment_parameters: Value::from_iter(settings.default_environment.parameters.clone()),
        environment_secrets: Value::from_iter(secrets),
        workspace_limit: config.portico.workspace_limit.0,
        workspace_retention: config.portico.workspace_retention.0,
        step_timeout: settings.task_timeout.0,
        // One portal process a folder: two on one machine must not meet.
        workspace_root: working_directory.join(format!("portico-workspaces-{}", std::process::id())),
        git: Git {
            ca_file: super::extra_certificates().into_iter().next(),
            ..Git::default()
        },
        integrations: integrations(config),
        secrets_key: keys
            .has_configured_key()
            .then(|| SecretsKey(keys.derive("scaffolder", b"secrets"))),
        ..scaffolder::Settings::default()
    }
}

/// `proxy`, and `scaffolder.http`.
pub(super) fn requests(config: &Config) -> RequestSettings {
    let endpoints = config.proxy.endpoints.iter();
    RequestSettings {
        proxies: endpoints.map(|(path, endpoint)| proxy_route(path, endpoint)).collect(),
        allowed_hosts: config.scaffolder.http.allowed_hosts.clone(),
        allowed_methods: config.scaffolder.http.allowed_methods.clone(),
    }
}

fn proxy_route(path: &str, endpoint: &ProxyEndpoint) -> ProxyRoute {
    let mut headers = HeaderMap::new();
    for (name, value) in &endpoint.headers {
        // A header whose variable is not set is left out.
        let Some(value) = value else { continue };
        match (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value.expose()),
        ) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
            _ => tracing::warn!(endpoint = path, header = name, "not sent: it cannot be a header"),
        }
    }
    let rewrite = endpoint.path_rewrite.as_ref().map(|rules| {
        let rules = rules
            .iter()
            .filter_map(|(pattern, by)| match regex::Regex::new(pattern) {
                Ok(pattern) => Some((pattern, by.clone())),
                Err(error) => {
                    tracing::warn!(endpoint = path, pattern, %error, "not used: it is no regular expression");
                    None
                }
            });
        rules.collect()
    });
    ProxyRoute {
        path: path.to_owned(),
        target: endpoint.target.clone(),
        headers,
        allowed_methods: endpoint.allowed_methods.clone(),
        allowed_headers: endpoint.allowed_headers.clone(),
        rewrite,
    }
}

/// Host and kind of every forge.
fn integrations(config: &Config) -> Vec<(String, String)> {
    let gitea = config.integrations.gitea.iter().map(|gitea| (&gitea.host, "gitea"));
    let github = config.integrations.github.iter().map(|github| (&github.host, "github"));
    gitea
        .chain(github)
        .map(|(host, kind)| (host.clone(), kind.to_owned()))
        .collect()
}

fn exposed(secret: Option<&Secret>) -> Option<String> {
    secret.map(|secret| secret.expose().to_owned())
}
