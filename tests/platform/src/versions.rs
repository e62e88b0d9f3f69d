//! The pinned versions: `versions.yaml`, the only place where they are written by hand.

use anyhow::{Context, Result};
use serde::Deserialize;

/// The file's content.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    pub keycloak: Keycloak,
    pub gitea: Gitea,
    pub kubernetes: String,
    pub etcd: String,
    pub argocd: String,
}

/// An archive of a Maven registry.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Keycloak {
    pub version: String,
    pub sha256: String,
    pub dependency_plugin: String,
}

/// A Go module that is the main one of its program.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gitea {
    pub version: String,
    pub sum: String,
}

impl Versions {
    /// Those that this program was built with.
    pub fn pinned() -> Result<Versions> {
        serde_saphyr::from_str(include_str!("../versions.yaml")).context("tests/platform/versions.yaml is damaged")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_go_module_pins_what_the_file_says() {
        let versions = Versions::pinned().expect("readable");
        let module = include_str!("../modules/kubernetes-argocd/go.mod");
        for (path, version) in [
            ("k8s.io/kubernetes", &versions.kubernetes),
            ("go.etcd.io/etcd/server/v3", &versions.etcd),
            ("github.com/argoproj/argo-cd/v3", &versions.argocd),
        ] {
            let line = format!("\t{path} v{version}\n");
            assert!(module.contains(&line), "go.mod does not require {path} v{version}");
        }
        // The staging modules of Kubernetes are numbered 0.x where it is 1.x itself.
        let staging = format!("k8s.io/apiserver v0.{}\n", versions.kubernetes.trim_start_matches("1."));
        assert!(module.contains(&staging), "go.mod does not name {staging}");
    }
}
