//! The crates that are linked into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// A crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Crate {
    pub name: String,
    pub version: String,
    pub license: Option<String>,
    id: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// `null` for what is linked; `dev` and `build` are not.
    kind: Option<String>,
}

/// The crate `root` of a workspace and all that is linked into it, by name and version.
///
/// # Errors
/// Where cargo cannot tell, for instance because Cargo.lock does not fit Cargo.toml.
pub fn linked(manifest: &Path, root: &str) -> Result<BTreeSet<Crate>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .arg("--filter-platform")
        .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
        .arg("--manifest-path")
        .arg(manifest)
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    read(&output.stdout, root)
}

fn read(metadata: &[u8], root: &str) -> Result<BTreeSet<Crate>> {
    let metadata: Metadata = serde_json::from_slice(metadata).context("the answer of cargo metadata cannot be read")?;
    let crates: BTreeMap<&str, &Crate> = metadata.packages.iter().map(|one| (one.id.as_str(), one)).collect();
    let nodes: BTreeMap<&str, &Node> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| (node.id.as_str(), node))
        .collect();
    let start = metadata.packages.iter().find(|one| one.name == root);
    let mut open = vec![
        start
            .with_context(|| format!("there is no package {root} in the workspace"))?
            .id
            .as_str(),
    ];
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        open.extend(
            dependencies
                .filter(|one| one.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                .map(|one| one.pkg.as_str()),
        );
    }
    Ok(seen
        .into_iter()
        .filter_map(|id| crates.get(id).copied().cloned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_counts() {
        let package = |name: &str| serde_json::json!({"name": name, "version": "1.0.0", "license": "MIT", "id": name});
        let dependency =
            |name: &str, kind: Option<&str>| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = serde_json::json!({
            "packages": [package("portico"), package("serde"), package("itoa"), package("insta"), package("cc")],
            "resolve": {"nodes": [
                {"id": "portico", "deps": [dependency("serde", None), dependency("insta", Some("dev"))]},
                {"id": "serde", "deps": [dependency("itoa", None), dependency("cc", Some("build"))]},
                {"id": "itoa", "deps": []}, {"id": "insta", "deps": []}, {"id": "cc", "deps": []},
            ]},
        });
        let found = read(metadata.to_string().as_bytes(), "portico").unwrap();
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["itoa", "portico", "serde"]);
        assert!(read(metadata.to_string().as_bytes(), "other").is_err());
    }
}
