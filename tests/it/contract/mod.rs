//! What the ports rely on in the outside systems: the same assertions on the sandbox and on the real systems.
//!
//! Each file has functions that take a target. On the sandbox they run always; on a real system where its
//! environment variable names one, else they say that they did not.

mod gitops;
mod scm;

use std::path::Path;
use std::process::Command;

use portico::outbound::{Allowed, Outbound};

/// The product's HTTP client for one system.
fn outbound(url: &str) -> Outbound {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Outbound::new(vec![Allowed::Origin(url.parse().expect("a URL"))], &[]).expect("a client")
}

/// A name that no earlier run has used.
fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// Runs git in a folder, with no configuration of this machine.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=A Person",
            "-c",
            "user.email=person@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .expect("git runs");
    let shown = arguments.first().unwrap_or(&"");
    assert!(
        output.status.success(),
        "git {shown}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
