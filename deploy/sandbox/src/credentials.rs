//! Passwords and secrets of the stand-ins: given, or made once and kept.

use std::fmt;
use std::path::Path;

use anyhow::Result;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::store::Store;

/// What the caller wants instead of generated values.
#[derive(Clone, Default)]
pub struct GivenCredentials {
    /// Password of all users of the identity provider.
    pub user_password: Option<String>,
    /// Secret of the OpenID Connect client `backstage`.
    pub client_secret: Option<String>,
    /// Password of the forge's administrator `giteaAdmin`.
    pub forge_password: Option<String>,
    /// Password of Argo CD's account `admin`.
    pub argocd_password: Option<String>,
}

/// What is in force. It is kept in `credentials.json` of the data folder, readable by the owner only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Credentials {
    /// Password of the users `user1`, `user2` and `ipcei` of the identity provider (and of the forge).
    pub user_password: String,
    /// Secret of the OpenID Connect client `backstage`.
    pub client_secret: String,
    /// Password of the forge's administrator.
    pub forge_password: String,
    /// Password of Argo CD's account `admin`.
    pub argocd_password: String,
}

impl Credentials {
    /// Name of the forge's administrator, as idpbuilder names it.
    pub const FORGE_ADMIN: &str = "giteaAdmin";
    /// Id of the portal's OpenID Connect client.
    pub const CLIENT_ID: &str = "backstage";
    /// Name of Argo CD's administrator.
    pub const ARGOCD_ADMIN: &str = "admin";

    /// Reads them from the data folder, makes what is missing, and lets given ones win (also for later starts).
    pub fn open(data: &Path, given: GivenCredentials) -> Result<Self> {
        let store = Store::open(data.join("credentials.json"), || Self {
            user_password: random_text(12),
            client_secret: random_text(32),
            forge_password: random_text(16),
            argocd_password: random_text(16),
        })?;
        store.update(|kept| {
            let replace = |kept: &mut String, given: Option<String>| {
                if let Some(given) = given {
                    *kept = given;
                }
            };
            replace(&mut kept.user_password, given.user_password);
            replace(&mut kept.client_secret, given.client_secret);
            replace(&mut kept.forge_password, given.forge_password);
            replace(&mut kept.argocd_password, given.argocd_password);
            kept.clone()
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials(hidden)")
    }
}

impl fmt::Debug for GivenCredentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("GivenCredentials(hidden)")
    }
}

/// Random letters and digits that are easy to read to somebody: no 0/O, 1/l/I.
pub(crate) fn random_text(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let mut random = rand::rng();
    (0..length)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}

/// `bytes` random bytes in hexadecimal, for tokens and keys.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0_u8; bytes];
    rand::rng().fill(buffer.as_mut_slice());
    hex::encode(buffer)
}
