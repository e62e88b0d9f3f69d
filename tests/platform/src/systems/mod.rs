//! The systems: how each is set up and started, on the data of earlier starts.

pub mod argocd;
pub mod forge;
pub mod identity;
pub mod kubernetes;
pub mod objects;
pub mod pods;
pub mod portal;

use std::fmt;
use std::sync::Arc;

use portico_local::folder::Folder;
use portico_local::processes::Nursery;

use crate::builds::Built;
use crate::certificates::Certificates;

/// What can be stopped and started by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum System {
    Forge,
    Kubernetes,
    Argocd,
    Identity,
    Postgres,
    Portal,
}

impl System {
    /// As on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            System::Forge => "forge",
            System::Kubernetes => "kubernetes",
            System::Argocd => "argocd",
            System::Identity => "identity",
            System::Postgres => "postgres",
            System::Portal => "portal",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every system is started with.
pub struct Setting {
    pub folder: Arc<Folder>,
    pub built: Built,
    pub certificates: Certificates,
    pub nursery: Nursery,
    /// Trusts the platform's authority.
    pub client: reqwest::Client,
}
