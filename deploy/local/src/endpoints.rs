//! `endpoints.json`: where everything is and how scripts get in.

use std::path::PathBuf;

use anyhow::{Context, Result};
use portico_sandbox::{Credentials, Sandbox};
use serde::Serialize;
use serde_json::{Value, json};

use crate::folder::{Folder, Remembered};

/// Name of the file in the data folder. It is there exactly while the platform is ready.
pub const FILE: &str = "endpoints.json";
/// Who the static token stands for.
pub const API_SUBJECT: &str = "local-script";
/// Where Argo CD keeps its Applications.
const ARGOCD_NAMESPACE: &str = "argocd";

/// The content of the file. Scripts depend on these names.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    pub portal: String,
    /// A bearer token for the portal's API.
    pub api_token: String,
    pub issuer: String,
    /// A URL for `psql` and the like.
    pub database: String,
    pub kubeconfig: PathBuf,
    pub portal_pid: u32,
    pub argocd_namespace: &'static str,
    pub forge: Forge,
    pub users: Vec<User>,
}

/// The forge and its administrator.
#[derive(Debug, Clone, Serialize)]
pub struct Forge {
    pub url: String,
    pub username: &'static str,
    pub password: String,
    pub token: String,
}

/// Somebody who can log in.
#[derive(Debug, Clone, Serialize)]
pub struct User {
    pub username: &'static str,
    pub password: String,
    pub groups: Vec<&'static str>,
}

impl Endpoints {
    /// All of it but the portal's process, which is told at each of its starts.
    pub fn new(portal: String, database: String, sandbox: &Sandbox, remembered: &Remembered) -> Endpoints {
        let password = &sandbox.credentials.user_password;
        let user = |username, group| User {
            username,
            password: password.clone(),
            groups: vec![group],
        };
        Endpoints {
            portal,
            api_token: remembered.api_token.clone(),
            issuer: sandbox.urls.issuer.clone(),
            database,
            kubeconfig: sandbox.kubeconfig(),
            portal_pid: 0,
            argocd_namespace: ARGOCD_NAMESPACE,
            forge: Forge {
                url: sandbox.urls.forge.clone(),
                username: Credentials::FORGE_ADMIN,
                password: sandbox.credentials.forge_password.clone(),
                token: remembered.forge_token.clone(),
            },
            users: vec![
                user("user1", "admin"),
                user("user2", "base-user"),
                user("ipcei", "base-user"),
            ],
        }
    }

    /// Writes the file for the portal's process `pid`.
    pub fn write(&self, folder: &Folder, pid: u32) -> Result<()> {
        let endpoints = Endpoints {
            portal_pid: pid,
            ..self.clone()
        };
        folder.write_private(FILE, &format!("{}\n", serde_json::to_string_pretty(&endpoints)?))
    }
}

/// A token of the forge's administrator for scripts: the remembered one if the forge still takes it, else a new one.
pub async fn forge_token(sandbox: &Sandbox, remembered: &str) -> Result<String> {
    let client = reqwest::Client::new();
    let api = format!("{}/api/v1", sandbox.urls.forge);
    if !remembered.is_empty() {
        let answer = client
            .get(format!("{api}/user"))
            .header("Authorization", format!("token {remembered}"))
            .send()
            .await
            .context("the forge does not answer")?;
        if answer.status().is_success() {
            return Ok(remembered.to_owned());
        }
    }
    // The forge refuses a second token of the same name.
    let name = format!("{API_SUBJECT}-{}", &crate::secrets::random_hex()[..8]);
    let answer = client
        .post(format!("{api}/users/{}/tokens", Credentials::FORGE_ADMIN))
        .basic_auth(Credentials::FORGE_ADMIN, Some(&sandbox.credentials.forge_password))
        .json(&json!({ "name": name, "scopes": ["all"] }))
        .send()
        .await
        .context("the forge does not answer")?
        .error_for_status()
        .context("the forge makes no token")?;
    let answer: Value = answer.json().await.context("the forge's answer is no JSON")?;
    answer["sha1"]
        .as_str()
        .map(str::to_owned)
        .context("the forge's answer holds no token")
}
