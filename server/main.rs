//! The command line.

mod memory;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use portico::clock::Clock;
use portico::config::{self, Config};
use portico::scaffolder::{authoring, lint};
use portico::{app, catalog, db, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// A self-hosted developer portal that reads the files and speaks the APIs of Backstage.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the portal; brings the database to this version first.
    Serve(Files),
    /// Bring the database to this version, and end.
    Migrate(Files),
    /// Try every outside system, and say what is wrong and what to do; ends with 1 where something is broken.
    Doctor {
        #[command(flatten)]
        files: Files,
        /// For machines.
        #[arg(long)]
        json: bool,
    },
    /// Write everything that the portal keeps to one file; the portal may go on meanwhile.
    Backup {
        #[command(flatten)]
        files: Files,
        /// The file to write; one that is there is replaced when the new one is whole.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Put what a backup holds into the database, which has to be empty; the portal must not run.
    Restore {
        #[command(flatten)]
        files: Files,
        #[arg(value_name = "FILE")]
        backup: PathBuf,
        /// Remove all that is in the database first.
        #[arg(long)]
        force: bool,
    },
    /// Say what of a Backstage works, works differently, or is missing, and what to use.
    CheckMigration(Files),
    /// Commands about descriptions of entities.
    Catalog {
        #[command(subcommand)]
        command: CatalogCommand,
    },
    /// Commands for those who write templates.
    Template {
        #[command(subcommand)]
        command: TemplateCommand,
    },
    /// Commands about the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum CatalogCommand {
    /// Check descriptions of entities as the portal does when it reads them; ends with 1 where something is wrong.
    ///
    /// Each file is checked with all files that its Locations and substitutions name; in a folder, every
    /// catalog-info.yaml. Addresses (https://…) are not read.
    Validate {
        /// A file such as catalog-info.yaml, or a folder.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// An app-config.yaml that declares kinds (portico.catalog.kinds); may be repeated, later ones over earlier ones.
        /// It need not say anything else.
        #[arg(long = "config", value_name = "FILE")]
        configs: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum TemplateCommand {
    /// Find what is wrong with templates without running them; ends with 1 where there is an error.
    ///
    /// Looks at steps, their inputs and expressions, at the form, and at the skeletons beside a template. Addresses
    /// (https://…) are not read.
    Lint {
        /// A template's file, or a folder in which every template is checked.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Warnings are errors.
        #[arg(long)]
        strict: bool,
    },
    /// Run a template without a portal: no database, no network, nothing is changed; ends with 1 where it fails.
    ///
    /// Actions that change nothing but the workspace run. Others are left out, and an example of their output goes on.
    /// What is not beside the template (https://…, the catalog) is told as not read.
    DryRun {
        /// A template's file, or a folder that holds one.
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// The answers, YAML or JSON: an object. Defaults of the form are not filled in, as for programs that start tasks.
        #[arg(long, value_name = "FILE")]
        values: PathBuf,
        /// A folder for the files that are made; it has to be empty, or not there.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Run templates with the cases of their template.test.yaml, as a dry run each; ends with 1 where one is not as expected.
    ///
    /// docs/template-tests.md describes the file.
    Test {
        /// A file of cases, a template beside one, or a folder in which all are found.
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the configuration; touches nothing.
    Check(Files),
    /// Say where each value comes from, what it took the place of, and whether it is obeyed; never shows secrets.
    Explain {
        /// Only this key and those below it, such as backend.database.
        #[arg(value_name = "KEY")]
        key: Option<String>,
        #[command(flatten)]
        files: Files,
    },
}

#[derive(Args)]
struct Files {
    /// An app-config.yaml; may be repeated, later ones over earlier ones.
    #[arg(long = "config", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

fn main() -> ExitCode {
    memory::use_one_arena();
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("portico: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    // Fails only where a provider was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli.command {
        Command::Serve(files) => {
            telemetry::start();
            let config = load(&files)?;
            runtime()?.block_on(serve(&config))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(files) => {
            telemetry::start();
            let config = load(&files)?;
            runtime()?.block_on(async {
                let pool = app::open_database(&config).await?;
                db::migrate(&pool).await?;
                Ok(ExitCode::SUCCESS)
            })
        }
        Command::Doctor { files, json } => {
            let config = load(&files)?;
            let report = runtime()?.block_on(app::doctor(&config, &Clock::system()));
            match json {
                true => tell(&format_args!("{}\n", serde_json::to_string_pretty(&report)?)),
                false => tell(&report),
            }
            Ok(code(report.ok))
        }
        Command::Backup { files, out } => {
            let config = load(&files)?;
            let rows = runtime()?.block_on(app::backup(&config, &out, &Clock::system()))?;
            println!(
                "{} rows of {} tables are in {}.",
                rows.values().sum::<u64>(),
                rows.len(),
                out.display()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::Restore { files, backup, force } => {
            let config = load(&files)?;
            let rows = runtime()?.block_on(app::restore(&config, &backup, force))?;
            println!(
                "{} rows of {} tables are restored.",
                rows.values().sum::<u64>(),
                rows.len()
            );
            Ok(ExitCode::SUCCESS)
        }
        Command::CheckMigration(files) => {
            tell(&runtime()?.block_on(app::check_migration(&files.files))?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Config {
            command: ConfigCommand::Check(files),
        } => {
            let loaded = config::load(&files.files)?;
            app::kinds(&loaded.config)?;
            for warning in &loaded.warnings {
                println!("warning: {warning}");
            }
            println!("The configuration can be used.");
            Ok(ExitCode::SUCCESS)
        }
        Command::Config {
            command: ConfigCommand::Explain { key, files },
        } => {
            for explained in config::explain(&files.files, key.as_deref())? {
                tell(&format_args!("{explained}\n"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Template { command } => template(command),
        Command::Catalog {
            command: CatalogCommand::Validate { paths, configs },
        } => {
            let kinds = app::kinds_of_files(&configs)?;
            let validation = runtime()?.block_on(catalog::validate_files(&paths, &kinds))?;
            tell(&validation);
            Ok(code(validation.errors() == 0))
        }
    }
}

/// Prints; whoever has stopped reading, as `head` does, has read enough.
fn tell(text: &dyn std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

fn code(is_right: bool) -> ExitCode {
    match is_right {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn template(command: TemplateCommand) -> anyhow::Result<ExitCode> {
    match command {
        TemplateCommand::Lint { paths, strict } => {
            let mut report = lint::lint_files(&paths)?;
            if strict {
                report.be_strict();
            }
            tell(&report);
            Ok(code(report.count(lint::Severity::Error) == 0))
        }
        TemplateCommand::DryRun { path, values, out } => {
            let told = runtime()?.block_on(authoring::dry_run(&path, &values, out.as_deref()))?;
            tell(&told);
            Ok(code(told.is_right()))
        }
        TemplateCommand::Test { paths } => {
            let suite = runtime()?.block_on(authoring::test(&paths))?;
            tell(&suite);
            Ok(code(suite.is_right()))
        }
    }
}

fn load(files: &Files) -> anyhow::Result<Config> {
    let loaded = config::load(&files.files)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(loaded.config)
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // A task's step is polled through many layers; memory is taken only as far as it is used.
        .thread_stack_size(8 << 20)
        .build()
        .context("the runtime cannot start")
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    // Told before anything waits for the database.
    app::kinds(config)?;
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let ended = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    let started = async {
        let pool = app::open_database(config).await?;
        db::migrate(&pool).await?;
        let built = app::build(config, pool, Clock::system()).await?;
        anyhow::Ok(built)
    };
    let mut ended = std::pin::pin!(ended);
    let built = tokio::select! {
        built = started => built?,
        () = &mut ended => return Ok(()),
    };
    tokio::spawn(memory::keep_giving_back());
    app::serve(built, config, ended).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
