//! `up`: checks and builds what is needed, starts the supervisor and says where everything is.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use portico_local::progress::note;
use portico_local::{endpoints, golden_paths, listen_for_signals, processes, program};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use crate::tools::{GIT, JAVA, REDIS};
use crate::versions::Versions;
use crate::{addresses, builds, control, detach, marked, tools};

/// What the command line says.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Folder for everything that is kept.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder with a catalog-info.yaml and templates; may be repeated (default: golden-paths of the repository).
    #[arg(long, value_name = "DIR")]
    golden_paths: Vec<PathBuf>,
    /// Use this portal program instead of building it.
    #[arg(long, value_name = "FILE", env = "PORTICO_PROGRAM", hide = true)]
    program: Option<PathBuf>,
}

/// Returns when everything runs, and leaves it running.
///
/// # Errors
/// When something is missing or does not start; nothing is left running then.
pub async fn run(arguments: Arguments) -> Result<()> {
    let data = &arguments.data;
    std::fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
    let data = data
        .canonicalize()
        .with_context(|| format!("cannot use {}", data.display()))?;
    let paths = golden_paths::resolve(&arguments.golden_paths, program::source().as_deref())?;
    if control::answers(&data).await {
        bail!(
            "the platform of {} runs already; end it with `down --data` first",
            data.display()
        );
    }
    addresses::check_name().await?;
    addresses::check_free()?;
    tools::need(&[GIT, JAVA, REDIS]).await?;
    builds::ready(&Versions::pinned()?).await?;
    let program = program::ready(arguments.program.as_deref()).await?;

    let started = start(&data, &program, &paths).await;
    if started.is_err() {
        marked::end_all(&data).await;
    }
    started?;
    say_where(&data)
}

async fn start(data: &Path, program: &Path, golden_paths: &[PathBuf]) -> Result<()> {
    let mut command = Command::new(std::env::current_exe().context("cannot tell where this program lies")?);
    command
        .arg("supervise")
        .arg("--data")
        .arg(data)
        .arg("--program")
        .arg(program)
        .args(
            golden_paths
                .iter()
                .flat_map(|path| ["--golden-paths".as_ref(), path.as_os_str()]),
        )
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    marked::mark(&mut command, data);
    detach::into_own_session(&mut command);
    let stop = CancellationToken::new();
    listen_for_signals(stop.clone())?;
    let mut supervisor = command.spawn().context("cannot start the supervisor")?;
    let mut output = supervisor.stdout.take().context("the supervisor has no output")?;
    let mut said = String::new();
    tokio::select! {
        // Its end, or that it has let go of its output.
        read = output.read_to_string(&mut said) => read.context("cannot hear the supervisor")?,
        () = stop.cancelled() => {
            processes::end(&mut supervisor, libc::SIGTERM, std::time::Duration::from_secs(30)).await;
            bail!("interrupted");
        }
    };
    if said == detach::READY {
        return Ok(());
    }
    let status = supervisor.wait().await.context("cannot wait for the supervisor")?;
    // It has said why.
    bail!("the platform did not start ({status})");
}

fn say_where(data: &Path) -> Result<()> {
    let file = data.join(endpoints::FILE);
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let endpoints: Value = serde_json::from_str(&text).with_context(|| format!("{} is damaged", file.display()))?;
    let text = |pointer: &str| endpoints.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    note("Ready", text("/portal"));
    println!("\n  Portico   {}", text("/portal"));
    for user in endpoints["users"].as_array().into_iter().flatten() {
        println!(
            "    {:<12} {}   ({})",
            user["username"].as_str().unwrap_or_default(),
            user["password"].as_str().unwrap_or_default(),
            user.pointer("/groups/0").and_then(Value::as_str).unwrap_or_default()
        );
    }
    println!(
        "\n  Forge     {}\n    {:<12} {}\n\n  Let your browser trust {}.\n  Data and logs are in {}; `tests/platform/down --data {}` ends all of it.",
        text("/forge/url"),
        text("/forge/username"),
        text("/forge/password"),
        text("/caFile"),
        data.display(),
        data.display()
    );
    Ok(())
}
