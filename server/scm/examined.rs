//! What a forge says of itself and of the configured account.

use super::ScmError;

/// Found without changing anything.
#[derive(Debug, Clone)]
pub struct Examined {
    /// Product and version.
    pub version: String,
    /// Login name of the account, or why the forge does not accept it; `None` where none is configured.
    pub account: Option<Result<String, ScmError>>,
    /// Whether the account may create repositories, or why not; `None` where none is configured.
    pub creates: Option<Result<(), ScmError>>,
}
