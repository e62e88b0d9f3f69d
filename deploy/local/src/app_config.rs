//! The configuration that the portal is started with: the same file that a platform team would write.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portico_sandbox::{Credentials, Sandbox};
use serde_json::{Value, json};

use crate::endpoints::API_SUBJECT;
use crate::folder::{Folder, Remembered};
use crate::machine::Ports;

/// Name of the file in the data folder.
pub const FILE: &str = "app-config.local.yaml";

/// Hosts under which an idpbuilder platform serves its forge. Templates written for it name them; here they mean the
/// forge of this machine.
pub const FORGE_ALIASES: [&str; 2] = ["cnoe.localtest.me:8443", "cnoe.localtest.me"];

/// Writes the file, readable by its owner only: it holds passwords.
pub fn write(
    folder: &Folder,
    remembered: &Remembered,
    ports: Ports,
    sandbox: &Sandbox,
    database: &str,
    locations: &[String],
) -> Result<()> {
    let kubernetes_token = kubernetes_token(sandbox)?;
    let authority = sandbox.ca_certificate();
    let authority = std::fs::read(&authority).with_context(|| format!("cannot read {}", authority.display()))?;
    let config = content(
        remembered,
        ports,
        sandbox,
        database,
        locations,
        &kubernetes_token,
        // Not the file's name: the folder's may hold what the configuration takes for a variable.
        &STANDARD.encode(authority),
    );
    let text = serde_saphyr::to_string(&config).context("cannot write the configuration as YAML")?;
    folder.write_private(
        FILE,
        &format!("# Written by portico-local at each start: changes are lost.\n{text}"),
    )
}

fn content(
    remembered: &Remembered,
    ports: Ports,
    sandbox: &Sandbox,
    database: &str,
    locations: &[String],
    kubernetes_token: &str,
    authority: &str,
) -> Value {
    let address = format!("http://localhost:{}", ports.portal);
    let secrets = &sandbox.credentials;
    let forge = &sandbox.urls.forge;
    let forge_host = forge.trim_start_matches("http://");
    let integrations: Vec<Value> = std::iter::once(forge_host)
        .chain(FORGE_ALIASES)
        .map(|host| {
            json!({
                "host": host,
                "baseUrl": forge,
                "username": Credentials::FORGE_ADMIN,
                "password": secrets.forge_password,
            })
        })
        .collect();
    // The last two only from the golden paths: who registers something must not make users and groups.
    let kinds = [
        "Component",
        "System",
        "API",
        "Resource",
        "Location",
        "Template",
        "User",
        "Group",
    ];
    let locations: Vec<Value> = locations
        .iter()
        .map(|target| json!({ "type": "url", "target": target, "rules": [{ "allow": kinds }] }))
        .collect();
    json!({
        "app": { "title": "Portico", "baseUrl": address },
        "organization": { "name": "This machine" },
        "backend": {
            "baseUrl": address,
            "listen": { "host": "127.0.0.1", "port": ports.portal },
            "database": { "client": "pg", "connection": database },
            "auth": {
                "keys": [{ "secret": remembered.backend_key }],
                "externalAccess": [
                    { "type": "static", "options": { "token": remembered.api_token, "subject": API_SUBJECT } },
                ],
            },
        },
        "integrations": { "gitea": integrations },
        "auth": {
            "environment": "development",
            "session": { "secret": remembered.session_secret },
            "providers": { "keycloak-oidc": { "development": {
                "metadataUrl": format!("{}/.well-known/openid-configuration", sandbox.urls.issuer),
                "clientId": Credentials::CLIENT_ID,
                "clientSecret": secrets.client_secret,
                "prompt": "auto",
            } } },
        },
        "scaffolder": {
            "defaultAuthor": { "name": "Portico", "email": "portico@localhost" },
            "defaultCommitMessage": "Created with Portico",
        },
        "catalog": { "rules": [{ "allow": kinds[..6] }], "locations": locations },
        "kubernetes": {
            "serviceLocatorMethod": { "type": "multiTenant" },
            "clusterLocatorMethods": [{ "type": "config", "clusters": [{
                "name": "local",
                "url": sandbox.urls.kubernetes,
                "authProvider": "serviceAccount",
                "serviceAccountToken": kubernetes_token,
                "caData": authority,
                "skipMetricsLookup": true,
            }] }],
        },
        "argocd": {
            "username": Credentials::ARGOCD_ADMIN,
            "password": secrets.argocd_password,
            "appLocatorMethods": [{ "type": "config", "instances": [{
                "name": "in-cluster",
                "url": sandbox.urls.argocd,
                "username": Credentials::ARGOCD_ADMIN,
                "password": secrets.argocd_password,
            }] }],
        },
    })
}

/// The bearer token of the first user of the kubeconfig.
fn kubernetes_token(sandbox: &Sandbox) -> Result<String> {
    let file = sandbox.kubeconfig();
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let kubeconfig: Value = serde_saphyr::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
    kubeconfig
        .pointer("/users/0/user/token")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("{} names no token", file.display()))
}
