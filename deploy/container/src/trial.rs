//! Runs the programs of an image in its own root, without the machine's files: then nothing that they need is missing.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, bail, ensure};

use crate::build::PROGRAM;
use crate::{check, layer, layout};

/// Where the kernel lets users have a root of their own; otherwise root can change to it.
const ENTER: [&str; 4] = ["unshare", "--map-root-user", "--net", "chroot"];
const LARGEST_UNPACKED: u64 = 400_000_000;

/// Runs the portal, git, and the part of git that speaks https; tells what was seen, or why nothing was tried.
///
/// # Errors
/// Where one of them does not run.
pub fn run(out: &Path) -> Result<String> {
    if !enters() {
        return Ok("not tried: this machine lets nobody change to another root (unshare --map-root-user)".to_owned());
    }
    let root = tempfile::Builder::new()
        .prefix("trial-")
        .tempdir_in(out)
        .with_context(|| format!("cannot write into {}", out.display()))?;
    let (_, manifest, _) = check::image(out)?;
    for descriptor in &manifest.layers {
        let tar = layer::unpack(&layout::bytes(out, descriptor)?, LARGEST_UNPACKED)?;
        tar::Archive::new(tar.as_slice())
            .unpack(root.path())
            .context("a layer cannot be unpacked")?;
    }
    // Whatever runs containers gives them this; a file will do for programs that look whether it is there.
    std::fs::create_dir_all(root.path().join("dev"))
        .and_then(|()| std::fs::write(root.path().join("dev/null"), ""))
        .context("cannot write into the unpacked image")?;
    let version = succeeds(&within(root.path(), &[PROGRAM, "--version"])?)?;
    let git = succeeds(&within(root.path(), &["/usr/bin/git", "--version"])?)?;
    succeeds(&within(
        root.path(),
        &["/usr/bin/git", "init", "--quiet", "--bare", "--template=", "/tmp/trial"],
    )?)?;
    // Nobody listens there, in a network without anything. What matters is who says so.
    let fetch = within(
        root.path(),
        &[
            "/usr/bin/git",
            "-C",
            "/tmp/trial",
            "ls-remote",
            "https://127.0.0.1:1/a.git",
        ],
    )?;
    let reason = String::from_utf8_lossy(&fetch.stderr).trim().to_owned();
    ensure!(
        reason.contains("unable to access"),
        "git cannot speak https in the image: {reason}"
    );
    Ok(format!("tried in its own root: {version}, {git}, git over https"))
}

fn enters() -> bool {
    let mut command = Command::new(ENTER[0]);
    command.args(&ENTER[1..]).args(["/", "/bin/true"]);
    command.output().is_ok_and(|output| output.status.success())
}

fn within(root: &Path, command: &[&str]) -> Result<Output> {
    Command::new(ENTER[0])
        .args(&ENTER[1..])
        .arg(root)
        .args(command)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/tmp")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
        .output()
        .context("cannot run unshare (Debian: apt install util-linux)")
}

fn succeeds(output: &Output) -> Result<String> {
    if !output.status.success() {
        bail!(
            "a program of the image does not run: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
