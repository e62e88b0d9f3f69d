//! Programs of this machine that building and running need.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use portico_local::machine::find_program;
use portico_local::progress::Step;
use tokio::process::Command;

/// A program and how it is had.
pub struct Tool {
    program: &'static str,
    /// Debian's package, where that is recent enough.
    package: Option<&'static str>,
    what_else: &'static str,
}

/// Only a build needs these.
pub const GO: Tool = Tool {
    program: "go",
    package: None,
    what_else: "install Go 1.25.5 or newer (go.dev/doc/install); Debian's own package is too old",
};
pub const C_COMPILER: Tool = Tool {
    program: "cc",
    package: Some("gcc"),
    what_else: "install a C compiler",
};
pub const MAVEN: Tool = Tool {
    program: "mvn",
    package: Some("maven"),
    what_else: "install Apache Maven",
};
pub const UNZIP: Tool = Tool {
    program: "unzip",
    package: Some("unzip"),
    what_else: "install unzip",
};
/// Every start needs these.
pub const JAVA: Tool = Tool {
    program: "java",
    package: Some("openjdk-17-jre-headless"),
    what_else: "install a Java runtime, 17 or newer",
};
pub const REDIS: Tool = Tool {
    program: "redis-server",
    package: Some("redis-server"),
    what_else: "install Redis",
};
pub const GIT: Tool = Tool {
    program: "git",
    package: Some("git"),
    what_else: "install git",
};

/// Makes sure that the tools are there: as root on Debian what is missing is installed.
///
/// # Errors
/// Names the first tool that is missing and cannot be installed, and says how to get it.
pub async fn need(tools: &[Tool]) -> Result<()> {
    for tool in tools {
        if find_program(tool.program).is_some() {
            continue;
        }
        // SAFETY: geteuid only reads.
        let root = unsafe { libc::geteuid() } == 0;
        match tool.package {
            Some(package) if root && find_program("apt-get").is_some() => install(tool, package).await?,
            Some(package) => bail!(
                "{} is missing: {} (Debian: apt install {package})",
                tool.program,
                tool.what_else
            ),
            None => bail!("{} is missing: {}", tool.program, tool.what_else),
        }
    }
    Ok(())
}

async fn install(tool: &Tool, package: &str) -> Result<()> {
    let step = Step::begin("Installing", package);
    let install = ["install", "-y", "-qq", "--no-install-recommends", package];
    if !apt(&install).await? {
        // A fresh machine has no list of packages yet.
        apt(&["update", "-qq"]).await?;
        if !apt(&install).await? {
            bail!(
                "{} is missing and the package {package} cannot be installed",
                tool.program
            );
        }
    }
    step.done("Installed", package);
    Ok(())
}

async fn apt(arguments: &[&str]) -> Result<bool> {
    let status = Command::new("apt-get")
        .args(["-o", "DPkg::Lock::Timeout=300"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // A service that its package starts would hold a port, and outlive us.
        .env("RUNLEVEL", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("cannot run apt-get")?;
    Ok(status.success())
}
