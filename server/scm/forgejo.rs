//! To be filled.
use super::*;
pub struct Forgejo;
pub struct ForgejoConfig;
