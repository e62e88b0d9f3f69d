//! What is linked into the programs: allowed licences, one registry, no second copy of what is large or keeps secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that may be linked into something under Apache-2.0.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PostgreSQL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];
/// Of these one version each: a second means two pools of connections, two sets of certificates, two parsers.
const ONE_VERSION: [&str; 9] = [
    "axum", "hyper", "kube", "reqwest", "rustls", "serde", "sqlx", "tokio", "url",
];
/// TLS is rustls with ring; C and C++ builds beyond a compiler are not asked of anybody.
const BANNED: [&str; 8] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "bindgen",
    "cmake",
    "libgit2-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
];
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn dependencies_keep_the_rules() {
    let mut wrong = Vec::new();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        if BANNED.contains(&name.as_str()) {
            wrong.push(format!("{name} is banned; see who brings it: cargo tree -i {name}"));
        }
        if let Some(source) = package["source"].as_str()
            && source != REGISTRY
        {
            wrong.push(format!("{name} comes from {source}, not from crates.io"));
        }
        let licence = text("license");
        if !allowed(&licence) {
            wrong.push(format!(
                "{name} {version} has the licence {licence:?}, which is not on the list"
            ));
        }
        versions.entry(name).or_default().insert(version);
    }
    for name in ONE_VERSION {
        let found = versions.get(name).map_or(0, BTreeSet::len);
        if found != 1 {
            wrong.push(format!(
                "{name} must be there once, and is there {found} times: {:?}",
                versions.get(name)
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn licences_are_read_as_spdx_says() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND PostgreSQL", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("GPL-2.0 WITH Classpath-exception-2.0", false),
        ("", false),
    ] {
        assert_eq!(allowed(expression), expected, "{expression}");
    }
}

/// The packages of this platform.
fn packages() -> Vec<Value> {
    packages_for(&host())
}

/// The packages of a platform, as they are pinned. Only what the build of this one did not need is fetched.
pub fn packages_for(platform: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs: it runs this test");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    metadata["packages"]
        .as_array()
        .expect("cargo metadata lists packages")
        .clone()
}

fn host() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc runs: it compiled this test");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc tells its host")
        .to_owned()
}

/// Whether an SPDX expression can be satisfied with the list; the old `A/B` means OR.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let answer = any(&words, &mut at);
    answer && at == words.len()
}

fn any(words: &[&str], at: &mut usize) -> bool {
    let mut answer = all(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        answer |= all(words, at);
    }
    answer
}

fn all(words: &[&str], at: &mut usize) -> bool {
    let mut answer = one(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        answer &= one(words, at);
    }
    answer
}

fn one(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let answer = any(words, at);
        *at += 1;
        return answer;
    }
    if words.get(*at) == Some(&"WITH") {
        let licence = format!("{word} WITH {}", words.get(*at + 1).copied().unwrap_or_default());
        *at += 2;
        return LICENCES.contains(&licence.as_str());
    }
    LICENCES.contains(word)
}
