//! `portico-local`: the whole platform on this machine by one command, for trying, developing and testing.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use portico_local::{listen_for_signals, postgres, progress, start};
use tokio_util::sync::CancellationToken;

/// Portico with everything it needs on this machine: a database, a git forge, an identity provider, a Kubernetes API
/// and Argo CD. All of it listens on 127.0.0.1 and ends with Ctrl-C; what was made stays in the data folder.
#[derive(Debug, Parser)]
#[command(name = "portico-local", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(flatten)]
    start: start::Arguments,
    #[command(subcommand)]
    other: Option<Other>,
}

#[derive(Debug, Subcommand)]
enum Other {
    #[command(hide = true)]
    Postgres(postgres::Arguments),
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    postgres::relax_umask();
    // The certificates of everything that speaks TLS here are checked with ring. Only we could have set another.
    drop(rustls::crypto::ring::default_provider().install_default());
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")
        .and_then(|runtime| runtime.block_on(run(command_line)));
    outcome.unwrap_or_else(|error| {
        progress::fail(&error);
        ExitCode::FAILURE
    })
}

async fn run(command_line: CommandLine) -> Result<ExitCode> {
    let stop = CancellationToken::new();
    listen_for_signals(stop.clone())?;
    match command_line.other {
        Some(Other::Postgres(arguments)) => postgres::run(arguments, stop).await,
        None => start::run(command_line.start, stop).await.map(|()| ExitCode::SUCCESS),
    }
}
