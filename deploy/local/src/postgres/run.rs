//! `portico-local postgres -- COMMAND`: a command with a database that ends with it. The tests run in it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::{Account, Cluster, Durability, Foreign};
use crate::processes::Nursery;
use crate::progress::Step;

/// Runs a command with `DATABASE_URL` naming a throw-away PostgreSQL, or the server that it names already.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Migrations to apply to the database before the command runs.
    #[arg(long, value_name = "DIR")]
    migrations: Option<PathBuf>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Returns the command's exit code.
pub async fn run(arguments: Arguments, stop: CancellationToken) -> Result<ExitCode> {
    if let Some(url) = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) {
        return in_foreign_server(&arguments, &url, stop).await;
    }
    // Below /tmp, where the account that runs Postgres can go; a private folder is made in it.
    let mut folder = tempfile::Builder::new()
        .prefix("portico-postgres-")
        .tempdir_in("/tmp")
        .context("cannot use /tmp")?;
    if Account::choose()?.is_some() {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    }
    let home = folder.path().join("cluster");
    let log = folder.path().join("postgres.log");
    let nursery = Nursery::open()?;
    let step = Step::begin("Starting", "PostgreSQL for the tests");
    let mut cluster = Cluster::start(&home, Durability::None, &log, &nursery).await?;
    let outcome = async {
        cluster.wait("portico", 0).await?;
        step.done("Started", &format!("PostgreSQL {}", cluster.version()));
        command(&arguments, &cluster.url("portico"), stop).await
    }
    .await;
    if outcome.is_err() {
        // What went wrong may stand in the log.
        folder.disable_cleanup(true);
    }
    cluster.stop().await;
    outcome
}

/// Migrations are applied to a database of our own: the one that the URL names may be somebody's.
async fn in_foreign_server(arguments: &Arguments, url: &str, stop: CancellationToken) -> Result<ExitCode> {
    if arguments.migrations.is_none() {
        return command(arguments, url, stop).await;
    }
    let database = Foreign::new(url, &format!("portico_check_{}", std::process::id()))?;
    database.drop_database().await?;
    database.prepare().await?;
    let outcome = command(arguments, &database.url(), stop).await;
    database.drop_database().await?;
    outcome
}

async fn command(arguments: &Arguments, url: &str, stop: CancellationToken) -> Result<ExitCode> {
    if let Some(migrations) = &arguments.migrations {
        migrate(migrations, url).await?;
    }
    let [program, rest @ ..] = arguments.command.as_slice() else {
        anyhow::bail!("there is no command to run");
    };
    let mut child = Command::new(program)
        .args(rest)
        .env("DATABASE_URL", url)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    let status = tokio::select! {
        status = child.wait() => status.with_context(|| format!("cannot wait for {program}"))?,
        () = stop.cancelled() => {
            crate::processes::end(&mut child, libc::SIGTERM, std::time::Duration::from_secs(10)).await;
            return Ok(ExitCode::from(130));
        }
    };
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn migrate(folder: &std::path::Path, url: &str) -> Result<()> {
    let migrator = sqlx::migrate::Migrator::new(folder)
        .await
        .with_context(|| format!("cannot read the migrations of {}", folder.display()))?;
    let pool = sqlx::PgPool::connect(url)
        .await
        .context("cannot connect to the database")?;
    migrator
        .run(&pool)
        .await
        .with_context(|| format!("cannot apply the migrations of {}", folder.display()))?;
    pool.close().await;
    Ok(())
}
