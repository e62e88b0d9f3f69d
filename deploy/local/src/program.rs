//! The `portico` program: built from the source beside us when something changed, else what lies beside us.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::machine::find_program;
use crate::progress::note;

const NAME: &str = "portico";

/// The clone that this program was built from, if it is still there.
pub fn source() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    (root.join("Cargo.toml").is_file() && root.join("server/main.rs").is_file()).then(|| root.to_owned())
}

/// Builds the program if it is missing or stale (cargo knows; it takes a moment when nothing changed) and returns its
/// path. `given` is used as it is.
///
/// # Errors
/// When it cannot be built, or when there is neither a source nor a program.
pub async fn ready(given: Option<&Path>) -> Result<PathBuf> {
    if let Some(program) = given {
        return program
            .canonicalize()
            .with_context(|| format!("there is no program {}", program.display()));
    }
    let us = std::env::current_exe().context("cannot tell where this program lies")?;
    let folder = us.parent().context("this program lies in no folder")?;
    let beside = folder.join(NAME);
    if let (Some(source), Some(built)) = (source(), Built::read(folder)) {
        // `cargo run` says which cargo it is.
        let cargo = std::env::var_os("CARGO")
            .map(PathBuf::from)
            .or_else(|| find_program("cargo"));
        if let Some(cargo) = cargo {
            build(&cargo, &source, &built).await?;
            return Ok(beside);
        }
        if beside.is_file() {
            note(
                "Using",
                &format!("{} as it is: there is no cargo to build it with", beside.display()),
            );
        }
    }
    if beside.is_file() {
        return Ok(beside);
    }
    bail!(
        "there is no program {} and it cannot be built here; start with `cargo run --bin portico-local`",
        beside.display()
    );
}

/// How cargo built us, so that it can reuse all of it.
#[derive(Debug, PartialEq, Eq)]
struct Built {
    target: PathBuf,
    profile: String,
}

impl Built {
    /// `None` outside a target folder of cargo: an installed program must not touch a source.
    fn read(folder: &Path) -> Option<Built> {
        let target = folder.parent()?;
        let profile = match folder.file_name()?.to_str()? {
            "debug" => "dev",
            other => other,
        };
        // Cargo marks its target folders for backup programs.
        target.join("CACHEDIR.TAG").is_file().then(|| Built {
            target: target.to_owned(),
            profile: profile.to_owned(),
        })
    }
}

async fn build(cargo: &Path, source: &Path, built: &Built) -> Result<()> {
    let mut command = Command::new(cargo);
    command
        .args(["build", "--bin", NAME, "--profile", &built.profile])
        .current_dir(source)
        .env("CARGO_TARGET_DIR", &built.target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    // `cargo run` describes our own package to us; build scripts would take it for theirs.
    for (name, _) in std::env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if text.starts_with("CARGO_PKG_") || matches!(text, "CARGO_MANIFEST_DIR" | "CARGO_MANIFEST_PATH") {
            command.env_remove(text);
        }
    }
    // A DATABASE_URL of the user's names a server to run with, not one to check queries against.
    if source.join(".sqlx").is_dir() {
        command.env("SQLX_OFFLINE", "true");
    }
    // Cargo shows its own progress.
    let status = command
        .status()
        .await
        .with_context(|| format!("cannot run {}", cargo.display()))?;
    if !status.success() {
        let hint = if find_program("cc").is_none() {
            "; there is no C compiler (Debian: apt install gcc)"
        } else {
            ""
        };
        bail!("building {NAME} failed, see above{hint}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_is_read_from_the_folder() {
        let target = tempfile::tempdir().expect("a temporary folder");
        let folder = target.path().join("debug");
        assert_eq!(Built::read(&folder), None, "not cargo's");
        std::fs::write(target.path().join("CACHEDIR.TAG"), "").expect("written");
        assert_eq!(Built::read(&folder).expect("cargo's").profile, "dev");
        assert_eq!(
            Built::read(&target.path().join("release")).expect("cargo's").profile,
            "release"
        );
    }
}
