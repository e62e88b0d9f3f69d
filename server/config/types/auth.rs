//! `auth`: identity providers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use url::Url;

use super::Unused;
use crate::config::values::{Secret, optional_text};

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
