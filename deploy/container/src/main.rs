//! `portico-image`: the container image of Portico out of a release binary and files of Debian's packages, without a
//! container engine. The same input gives the same bytes.

mod bill;
mod build;
mod cargo;
mod check;
mod debian;
mod descriptor;
mod files;
mod layer;
mod layout;
mod libraries;
mod system;
mod trial;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Makes the container image of Portico without a container engine, and checks it.
#[derive(Debug, Parser)]
#[command(name = "portico-image", version, args_override_self = true)]
struct CommandLine {
    /// Where the image is written; what an earlier run wrote there is replaced.
    #[arg(long, value_name = "DIR", default_value = "target/image")]
    out: PathBuf,
    /// The program.
    #[arg(long, value_name = "FILE", default_value = "target/release/portico")]
    binary: PathBuf,
    /// The workspace that the program was built from.
    #[arg(long, value_name = "FILE", default_value = "Cargo.toml")]
    manifest: PathBuf,
    /// Name of the image, without its tag.
    #[arg(long, value_name = "NAME", default_value = "localhost/portico")]
    name: String,
    /// Tag of the image; the version of the program by default.
    #[arg(long, value_name = "TAG", default_value = env!("CARGO_PKG_VERSION"))]
    tag: String,
    /// Only check the image that an earlier run wrote there.
    #[arg(long, value_name = "DIR")]
    check: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portico-image: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &CommandLine) -> Result<()> {
    let out = match &command.check {
        Some(written) => written,
        None => {
            build::build(&build::Wanted {
                out: &command.out,
                binary: &command.binary,
                manifest: &command.manifest,
                name: &command.name,
                tag: &command.tag,
            })?;
            &command.out
        }
    };
    let found = check::check(out)?;
    println!("{found}");
    println!("{}", trial::run(out)?);
    Ok(())
}
