//! `endpoints.json`: where everything is and how scripts get in.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::folder::Folder;

/// Name of the file in the data folder. It is there exactly while the platform is ready.
pub const FILE: &str = "endpoints.json";
/// Who the static token stands for.
pub const API_SUBJECT: &str = "local-script";
/// Where Argo CD keeps its Applications.
pub const ARGOCD_NAMESPACE: &str = "argocd";

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
    /// The authority that signed the certificates of `https` addresses, where the system does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
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

/// The people of every platform, all with the same password.
pub fn users(password: &str) -> Vec<User> {
    [("user1", "admin"), ("user2", "base-user"), ("ipcei", "base-user")]
        .map(|(username, group)| User {
            username,
            password: password.to_owned(),
            groups: vec![group],
        })
        .into()
}

impl Endpoints {
    /// Writes the file for the portal's process `pid`.
    pub fn write(&self, folder: &Folder, pid: u32) -> Result<()> {
        let endpoints = Endpoints {
            portal_pid: pid,
            ..self.clone()
        };
        folder.write_private(FILE, &format!("{}\n", serde_json::to_string_pretty(&endpoints)?))
    }
}

/// Speaks to what runs on this machine, so never through a proxy of the environment.
pub fn here() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build()
        .context("no HTTP client")
}

/// Somebody in the forge.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    pub username: &'a str,
    pub password: &'a str,
}

/// A token of an account of the forge at `url` for scripts: the remembered one if the forge still takes it, else a new
/// one.
pub async fn forge_token(
    client: &reqwest::Client,
    url: &str,
    account: Account<'_>,
    remembered: &str,
) -> Result<String> {
    let api = format!("{url}/api/v1");
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
        .post(format!("{api}/users/{}/tokens", account.username))
        .basic_auth(account.username, Some(account.password))
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
