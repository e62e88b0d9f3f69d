//! The portal, configured as in the reference stack.

use std::ffi::OsString;
use std::path::Path;

use anyhow::{Context, Result};
use portico_local::endpoints::{self, Endpoints};
use portico_local::folder::Folder;
use serde_json::json;

use super::{Setting, argocd, forge, identity, kubernetes};
use crate::addresses::{PORTAL, kubernetes_url, platform_url};
use crate::kept::Kept;

const CONFIG: &str = include_str!("../../app-config.yaml");
/// Name of the configuration in the data folder.
pub const FILE: &str = "app-config.yaml";
/// Database of the portal; without a name in the configuration it is called like the user.
pub const DATABASE: &str = portico_local::postgres::USER;

/// Answers when the portal can work.
pub fn readiness() -> String {
    format!("http://127.0.0.1:{PORTAL}/.backstage/health/v1/readiness")
}

/// Writes the configuration, with `locations` for the catalog, and the file of clusters that it includes.
pub fn write_config(setting: &Setting, locations: &[String]) -> Result<()> {
    let folder: &Folder = &setting.folder;
    folder.write_private(FILE, &with_locations(locations)?)?;
    let clusters = json!({
        "type": "config",
        "clusters": [{
            "name": "local",
            "url": kubernetes_url(),
            "authProvider": "serviceAccount",
            "skipMetricsLookup": true,
            "serviceAccountToken": { "$file": kubernetes::portal_token(setting) },
            "caData": { "$file": setting.certificates.authority },
        }],
    });
    let text = serde_saphyr::to_string(&clusters).context("cannot write the file of clusters")?;
    folder.write_private("k8s-config.yaml", &text)
}

/// The list of locations is the end of the file.
fn with_locations(locations: &[String]) -> Result<String> {
    let mut text = CONFIG.to_owned();
    for target in locations {
        let target = serde_json::to_string(target)?;
        text.push_str(&format!(
            "    - type: url\n      target: {target}\n      rules:\n        - allow: [Component, System, API, Resource, Location, Template, User, Group]\n"
        ));
    }
    Ok(text)
}

/// The variables that the stack's Secrets give to the portal's pod.
pub fn environment(
    setting: &Setting,
    kept: &Kept,
    socket_folder: &Path,
    argocd_password: String,
) -> Vec<(&'static str, OsString)> {
    let discovery = format!("{}/.well-known/openid-configuration", identity::issuer());
    vec![
        ("NODE_EXTRA_CA_CERTS", setting.certificates.authority.clone().into()),
        ("POSTGRES_HOST", socket_folder.into()),
        ("POSTGRES_PORT", portico_local::postgres::SOCKET_PORT.to_string().into()),
        ("POSTGRES_USER", portico_local::postgres::USER.into()),
        // The folder of the socket is what keeps others out; a password is not asked for.
        ("POSTGRES_PASSWORD", kept.session_secret.clone().into()),
        ("BACKEND_SECRET", kept.backend_key.clone().into()),
        ("SESSION_SECRET", kept.session_secret.clone().into()),
        ("API_TOKEN", kept.api_token.clone().into()),
        ("GITEA_USERNAME", forge::ADMIN.into()),
        ("GITEA_PASSWORD", kept.forge_password.clone().into()),
        ("KEYCLOAK_NAME_METADATA", discovery.into()),
        ("KEYCLOAK_CLIENT_SECRET", kept.client_secret.clone().into()),
        ("ARGOCD_ADMIN_PASSWORD", argocd_password.into()),
    ]
}

/// All that scripts are told but the portal's process, which is told at each of its starts.
pub fn endpoints(setting: &Setting, kept: &Kept, database: String) -> Endpoints {
    Endpoints {
        portal: platform_url(),
        api_token: kept.api_token.clone(),
        issuer: identity::issuer(),
        database,
        kubeconfig: kubernetes::kubeconfig(setting),
        ca_file: Some(setting.certificates.authority.clone()),
        portal_pid: 0,
        argocd_namespace: argocd::NAMESPACE,
        forge: endpoints::Forge {
            url: forge::url(),
            username: forge::ADMIN,
            password: kept.forge_password.clone(),
            token: kept.forge_token.clone(),
        },
        users: endpoints::users(&kept.user_password),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_become_part_of_the_configuration() {
        let text = with_locations(&["https://forge.example/a: b".to_owned()]).expect("written");
        let config: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
        assert_eq!(
            config.pointer("/catalog/locations/0/target").expect("a location"),
            "https://forge.example/a: b"
        );
        assert_eq!(config["integrations"]["gitea"][0]["baseUrl"], forge::url());
    }
}
