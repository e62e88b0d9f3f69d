//! What the parts of the portal need to know, out of the configuration.

use url::Url;

use crate::auth::{MachineToken, MachineTokens, Resolver, SessionsSettings};
use crate::clock::Clock;
use crate::config::{Config, Provider as ProviderConfig, Secret};
use crate::identity::{Provider, ProviderSettings};
use crate::login;
use crate::outbound::{Allowed, Outbound};

/// `auth.environment` where it is not given, as Backstage has it.
const ENVIRONMENT: &str = "development";

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
    let reading = config.backend.reading.allow.iter().map(|allow| Allowed::Reading {
        host: allow.host.clone(),
        paths: allow.paths.clone(),
    });
    urls.into_iter().map(Allowed::Origin).chain(reading).collect()
}

/// Sessions, machine tokens and providers.
pub(super) fn sessions(config: &Config, outbound: &Outbound, clock: &Clock, secure: bool) -> SessionsSettings {
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
        providers,
        secure,
    }
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
