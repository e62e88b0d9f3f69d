//! Keys that seal what must survive and derive what must be shared.

mod queries;

use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sqlx::PgPool;

use crate::clock::Clock;
use crate::config::Secret;
use crate::ids::new_id;
use queries::InstallationKey;

const NONCE: usize = 24;

/// Why something sealed cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed with another key, for another purpose, or has been changed")]
pub struct CannotOpen;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(
        "the installation's key in the database is wrapped with a key that backend.auth.keys no longer has; put \
         that key back (it may stand after the new one)"
    )]
    WrappingKeyMissing,
    #[error("the installation's key in the database is damaged")]
    Damaged,
    #[error("the installation's key cannot be read: {0}")]
    Database(#[from] sqlx::Error),
}

/// This installation's key, made at the first start and kept in Postgres; wrapped with the first of
/// `backend.auth.keys` where there is one. Cheap to clone.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    key: [u8; 32],
    configured: bool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Reads the key, makes it where there is none, and wraps it anew where the first configured key is a new one.
    pub async fn load(db: &PgPool, clock: &Clock, configured: &[Secret]) -> Result<Self, KeysError> {
        if queries::find(db).await?.is_none() {
            let key: [u8; 32] = rand::random();
            // Another process may make one at the same time: the first stays.
            queries::insert(db, new_id(clock), &wrapped(&key, configured.first()), clock.now()).await?;
        }
        let stored = queries::find(db).await?.ok_or(KeysError::Damaged)?;
        let opened = match &stored.wrapped_by {
            None => stored.material.clone(),
            Some(fingerprint_of_key) => {
                let secret = configured
                    .iter()
                    .find(|secret| fingerprint(secret) == *fingerprint_of_key)
                    .ok_or(KeysError::WrappingKeyMissing)?;
                open_with(&wrapping_key(secret), WRAPPING, &stored.material).map_err(|_| KeysError::Damaged)?
            }
        };
        let key: [u8; 32] = opened.try_into().map_err(|_| KeysError::Damaged)?;
        if let Some(first) = configured.first()
            && stored.wrapped_by.as_ref() != Some(&fingerprint(first))
        {
            queries::update(db, &wrapped(&key, Some(first))).await?;
        }
        let configured = !configured.is_empty();
        Ok(Self(Arc::new(Inner { key, configured })))
    }

    /// Seals `plain` for the database; it can be opened only for the same purpose.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        seal_with(&self.derive("seal", purpose.as_bytes()), purpose, plain)
    }

    /// Opens what [`Keys::seal`] sealed for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
        open_with(&self.derive("seal", purpose.as_bytes()), purpose, sealed)
    }

    /// 32 bytes that only this installation knows, the same each time: secrets of webhooks, for example.
    pub fn derive(&self, purpose: &str, info: &[u8]) -> [u8; 32] {
        derive(&self.0.key, purpose, info)
    }

    /// True where `backend.auth.keys` has a key: then the database alone opens nothing that is sealed.
    pub fn has_configured_key(&self) -> bool {
        self.0.configured
    }

    /// Keys that are not stored, for tests.
    pub fn fixed(key: [u8; 32], configured: bool) -> Self {
        Self(Arc::new(Inner { key, configured }))
    }
}

const WRAPPING: &str = "installation key";

fn wrapped(key: &[u8; 32], with: Option<&Secret>) -> InstallationKey {
    match with {
        Some(secret) => InstallationKey {
            material: seal_with(&wrapping_key(secret), WRAPPING, key),
            wrapped_by: Some(fingerprint(secret)),
        },
        None => InstallationKey {
            material: key.to_vec(),
            wrapped_by: None,
        },
    }
}

fn wrapping_key(secret: &Secret) -> [u8; 32] {
    derive(secret.expose().as_bytes(), WRAPPING, b"")
}

/// Names a configured key without telling it.
fn fingerprint(secret: &Secret) -> String {
    hex::encode(&derive(secret.expose().as_bytes(), "fingerprint", b"")[..8])
}

/// 32 bytes that follow from `key`, `purpose` and `info` (HMAC-SHA256).
pub fn derive(key: &[u8], purpose: &str, info: &[u8]) -> [u8; 32] {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    // The length keeps purpose and info apart.
    mac.update(&(purpose.len() as u64).to_be_bytes());
    mac.update(purpose.as_bytes());
    mac.update(info);
    mac.finalize().into_bytes().into()
}

/// Seals `plain` (XChaCha20-Poly1305, random nonce in front); `purpose` is bound to it.
pub fn seal_with(key: &[u8; 32], purpose: &str, plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; NONCE] = rand::random();
    let payload = Payload {
        msg: plain,
        aad: purpose.as_bytes(),
    };
    #[expect(clippy::expect_used, reason = "fails only beyond 256 GiB")]
    let sealed = XChaCha20Poly1305::new(key.into())
        .encrypt(XNonce::from_slice(&nonce), payload)
        .expect("messages are shorter than 256 GiB");
    [nonce.as_slice(), &sealed].concat()
}

/// Opens what [`seal_with`] sealed with the same key and purpose.
pub fn open_with(key: &[u8; 32], purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, CannotOpen> {
    let (nonce, message) = sealed.split_at_checked(NONCE).ok_or(CannotOpen)?;
    let payload = Payload {
        msg: message,
        aad: purpose.as_bytes(),
    };
    XChaCha20Poly1305::new(key.into())
        .decrypt(XNonce::from_slice(nonce), payload)
        .map_err(|_| CannotOpen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_for_its_purpose_and_unchanged() {
        let keys = Keys::fixed([7; 32], true);
        let mut sealed = keys.seal("tokens", b"secret");
        assert_eq!(keys.open("tokens", &sealed).as_deref(), Ok(b"secret".as_slice()));
        assert_eq!(keys.open("forms", &sealed), Err(CannotOpen));
        assert_eq!(Keys::fixed([8; 32], true).open("tokens", &sealed), Err(CannotOpen));
        assert_eq!(keys.open("tokens", b"short"), Err(CannotOpen));
        if let Some(last) = sealed.last_mut() {
            *last ^= 1;
        }
        assert_eq!(keys.open("tokens", &sealed), Err(CannotOpen));
    }

    #[sqlx::test]
    async fn the_installation_keeps_its_key_through_changes_of_the_configured_one(db: PgPool) {
        let clock = Clock::system();
        let (old, new) = (Secret::new("old"), Secret::new("new"));
        let load = |configured: Vec<Secret>| {
            let (db, clock) = (db.clone(), clock.clone());
            async move { Keys::load(&db, &clock, &configured).await }
        };
        let first = load(vec![]).await.expect("keys").derive("x", b"");
        for configured in [vec![old.clone()], vec![new.clone(), old.clone()], vec![new.clone()]] {
            assert_eq!(load(configured).await.expect("keys").derive("x", b""), first);
        }
        assert!(matches!(load(vec![old]).await, Err(KeysError::WrappingKeyMissing)));
        assert!(matches!(load(vec![]).await, Err(KeysError::WrappingKeyMissing)));
    }
}
