//! All SQL of sessions and tokens.

pub mod sessions;
pub mod signing_keys;
