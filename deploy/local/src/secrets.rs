//! Secrets of a data folder: made once, of 256 random bits.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// 32 random bytes in base64, as `backend.auth.keys` wants them.
pub fn random_base64() -> String {
    STANDARD.encode(rand::random::<[u8; 32]>())
}

/// 32 random bytes in hexadecimal, for tokens.
pub fn random_hex() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}
