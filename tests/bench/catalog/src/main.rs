//! Measures what the catalog costs. Build everything, then run it:
//!
//! ```sh
//! cargo build --release --workspace --bins
//! target/release/portico-bench-catalog
//! ```
//!
//! For each size it makes description files, starts the portal over an empty database of a PostgreSQL of its own (that
//! of `portico-local`), waits until all entities are in, and sends the requests of Backstage's catalog client over 16
//! connections that stay open. Costs are processor time of the portal and of every PostgreSQL process together, as
//! the kernel counts it; memory is the portal's alone. In the end it prints a table in Markdown, with Backstage's
//! figures beside those for 10,000 entities: measured once, with Backstage 1.55 over the same files on such a machine.

mod cost;
mod http;
mod pages;
mod portal;
mod requests;
mod table;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;

use cost::Family;
use portal::Portal;
use portico_bench_catalog::files;

/// Measure what the catalog costs, at several sizes.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// How many entities; several with commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    sizes: Vec<usize>,
    /// How long each kind of request is sent, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Only kinds of requests whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Connections that send at the same time.
    #[arg(long, default_value_t = 16)]
    clients: usize,
    /// Pages that people open, instead of requests of programs.
    #[arg(long)]
    pages: bool,
    /// A script with the arguments `N FOLDER` that makes the files, instead of the generator of this program.
    #[arg(long)]
    generator: Option<PathBuf>,
}

/// What one size cost.
struct Measured {
    entities: usize,
    load: Load,
    answers: Vec<requests::Answered>,
    memory: cost::Memory,
}

struct Load {
    seconds: f64,
    portal: f64,
    postgres: f64,
    memory: cost::Memory,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let Ok(database) = std::env::var("DATABASE_URL") else {
        return Err(within_postgres());
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    runtime.block_on(measure(&arguments, &database))
}

/// Starts this program again, with a database.
fn within_postgres() -> anyhow::Error {
    let itself = match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => return error.into(),
    };
    let local = itself.with_file_name("portico-local");
    let error = std::process::Command::new(&local)
        .args(["postgres", "--"])
        .arg(itself)
        .args(std::env::args_os().skip(1))
        .exec();
    anyhow::Error::new(error).context(format!(
        "cannot run {}; build it: cargo build --release --workspace --bins",
        local.display()
    ))
}

async fn measure(arguments: &Arguments, database: &str) -> Result<()> {
    // The launcher that runs this program runs Postgres too.
    let family = Family::of_parent();
    let mut all = Vec::new();
    for &entities in &arguments.sizes {
        all.push(measure_size(arguments, database, &family, entities).await?);
    }
    println!("{}", table::markdown(&all));
    Ok(())
}

async fn measure_size(arguments: &Arguments, database: &str, family: &Family, entities: usize) -> Result<Measured> {
    let folder = tempfile::tempdir().context("no folder for the files")?;
    let manifest = files::make(entities, folder.path(), arguments.generator.as_deref())?;
    let further = match arguments.pages {
        true => pages::make(folder.path())?,
        false => 0,
    };
    let before = family.postgres()?;
    let started = std::time::Instant::now();
    let portal = Portal::start(folder.path(), database, entities)?;
    portal.wait_for(entities + further).await?;
    let load = Load {
        seconds: started.elapsed().as_secs_f64(),
        portal: portal.cpu()?,
        postgres: family.postgres()? - before,
        memory: portal.memory()?,
    };
    eprintln!(
        "{entities} entities in {:.1} s, processor {:.2} s (portal {:.2}, PostgreSQL {:.2}), memory {} MB (most {} MB)",
        load.seconds,
        load.portal + load.postgres,
        load.portal,
        load.postgres,
        load.memory.now,
        load.memory.most,
    );
    let mut answers = Vec::new();
    let kinds = match arguments.pages {
        true => pages::all(&manifest),
        false => requests::all(&manifest),
    };
    for kind in kinds {
        if arguments.only.as_ref().is_some_and(|only| !kind.name.contains(only)) {
            continue;
        }
        let time = Duration::from_secs(arguments.seconds);
        let answered = requests::measure(kind, &portal, family, arguments.clients, time).await?;
        eprintln!("  {answered}");
        answers.push(answered);
    }
    let memory = portal.memory()?;
    Ok(Measured {
        entities,
        load,
        answers,
        memory,
    })
}
