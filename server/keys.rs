//! Keys that seal what must survive and derive what must be shared.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;

const NONCE: usize = 24;

/// Why something sealed cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed with another key, for another purpose, or has been changed")]
pub struct CannotOpen;

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
