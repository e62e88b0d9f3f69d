//! The identity provider: one realm, as Keycloak answers.

use std::path::PathBuf;

use anyhow::Result;
use axum::Router;

use crate::Credentials;

/// Name of the realm.
pub const REALM: &str = "cnoe";

/// What the identity provider needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder for keys and sessions.
    pub data: PathBuf,
    /// Its own URL, `http://localhost:<port>/realms/cnoe`.
    pub issuer: String,
    /// Base URL of the portal, without a slash at the end.
    pub portal_url: String,
    /// Passwords and the client's secret.
    pub credentials: Credentials,
}

/// The realm. Clones share it.
#[derive(Debug, Clone)]
pub struct Identity {}

impl Identity {
    /// Opens the realm in its folder, making the signing key when there is none.
    pub fn open(_settings: Settings) -> Result<Self> {
        Ok(Self {})
    }

    /// All its pages and endpoints.
    pub fn routes(&self) -> Router {
        Router::new()
    }
}
