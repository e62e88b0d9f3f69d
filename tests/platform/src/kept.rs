//! What a data folder keeps from start to start: secrets, and what was put where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use portico_local::folder::{Folder, GoldenPathsRepository, Owner};
use portico_local::{postgres, secrets};
use serde::{Deserialize, Serialize};

/// The folders of this program.
pub const OWNER: Owner = Owner {
    program: "the platform",
    marker: "platform.json",
    made: &[],
    how_to_stop: "end it with `down --data` first",
};

/// See the module. Other programs have no business with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// Key that the portal seals with, base64.
    pub backend_key: String,
    pub session_secret: String,
    pub api_token: String,
    /// Of the client `backstage` at Keycloak.
    pub client_secret: String,
    /// Of all users at Keycloak.
    pub user_password: String,
    pub identity_password: String,
    pub forge_password: String,
    pub forge_internal_token: String,
    pub forge_secret_key: String,
    /// Token of the forge's administrator, for scripts.
    pub forge_token: String,
    /// Of the cluster's administrator.
    pub kubernetes_token: String,
    /// Where Postgres keeps its cluster.
    pub postgres: PathBuf,
    /// Repository in the forge by folder of golden paths.
    pub golden_paths: BTreeMap<PathBuf, GoldenPathsRepository>,
}

impl Kept {
    /// What the folder keeps, or new secrets, kept from now on.
    ///
    /// # Errors
    /// When the folder cannot be read or written.
    pub fn of(folder: &Folder) -> Result<Kept> {
        if let Some(kept) = folder.remembered()? {
            return Ok(kept);
        }
        // People type these.
        let password = || secrets::random_hex()[..20].to_owned();
        let kept = Kept {
            backend_key: secrets::random_base64(),
            session_secret: secrets::random_hex(),
            api_token: secrets::random_hex(),
            client_secret: secrets::random_hex(),
            user_password: password(),
            identity_password: password(),
            forge_password: password(),
            forge_internal_token: secrets::random_hex(),
            forge_secret_key: secrets::random_hex(),
            forge_token: String::new(),
            kubernetes_token: secrets::random_hex(),
            postgres: postgres::place(folder.path(), &folder.fingerprint())?,
            golden_paths: BTreeMap::new(),
        };
        folder.remember(&kept)?;
        Ok(kept)
    }
}

/// A folder below the data folder, made if need be.
pub fn subfolder(data: &Path, name: &str) -> Result<PathBuf> {
    use anyhow::Context;
    let folder = data.join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
