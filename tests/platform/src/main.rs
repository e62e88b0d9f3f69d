//! `portico-platform`: Keycloak, Gitea, Kubernetes and Argo CD on this machine, with the portal before them, as in CNOE's
//! reference stack. For tests, and for people who want to see it.

mod addresses;
mod builds;
mod cache;
mod certificates;
mod commands;
mod control;
mod detach;
mod down;
mod front;
mod kept;
mod marked;
mod program;
mod supervisor;
mod systems;
mod tools;
mod up;
mod versions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use portico_local::progress;

use crate::control::Order;
use crate::systems::System;

/// Keycloak, Gitea, Kubernetes and Argo CD on this machine, with the portal before them.
#[derive(Debug, Parser)]
#[command(name = "portico-platform", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything, building what is missing, and leave it running.
    Up(up::Arguments),
    /// End everything; the data stays.
    Down(Data),
    /// Kill one system, as a crash would.
    Stop(One),
    /// Start one system again, on its data.
    Start(One),
    /// Only build what is missing.
    Build,
    #[command(hide = true)]
    Supervise(supervisor::Arguments),
}

#[derive(Debug, clap::Args)]
struct Data {
    /// The data folder that `up` was given.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

#[derive(Debug, clap::Args)]
struct One {
    system: System,
    #[command(flatten)]
    place: Data,
}

fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    // All TLS here is done with ring. Only we could have set another.
    drop(rustls::crypto::ring::default_provider().install_default());
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start")
        .and_then(|runtime| runtime.block_on(run(command_line.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress::fail(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<()> {
    match command {
        Command::Up(arguments) => up::run(arguments).await,
        Command::Down(arguments) => down::run(&arguments.data).await,
        Command::Stop(one) => order(&one.place.data, Order::Stop(one.system)).await,
        Command::Start(one) => order(&one.place.data, Order::Start(one.system)).await,
        Command::Build => builds::ready(&versions::Versions::pinned()?).await.map(|_| ()),
        Command::Supervise(arguments) => supervisor::run(arguments).await,
    }
}

async fn order(data: &Path, order: Order) -> Result<()> {
    let sent = control::send(data, order).await?;
    sent.with_context(|| format!("no platform runs with {}", data.display()))
}
