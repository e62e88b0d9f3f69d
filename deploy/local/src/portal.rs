//! The portal as a process of its own: started, waited for, started again when it dies.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::endpoints::here;
use crate::processes::{self, Identity, Nursery, Pauses};
use crate::progress::{Took, note, warn};

/// Name of the folder of temporary files.
pub const SCRATCH: &str = "scratch";
/// How long the first start may take; migrations are in it.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is started and how it is watched.
pub struct Portal {
    pub program: PathBuf,
    /// Variables that its configuration names, beside those of this process.
    pub environment: Vec<(&'static str, OsString)>,
    pub config: PathBuf,
    pub log: PathBuf,
    /// Answers 200 when the portal can work.
    pub readiness: String,
    /// Told each process: on the first start when it is ready, on later ones at once.
    pub started: Box<dyn Fn(Identity, Phase) -> Result<()> + Send + Sync>,
}

/// Where a start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The process runs, nothing more is known.
    Spawned,
    /// It said that it is ready, for the first time.
    Ready,
    /// A successor of one that was ready runs.
    Again,
}

impl Portal {
    /// Runs the portal until `stop`. `ready` gets word when it is ready for the first time.
    ///
    /// # Errors
    /// When the first start fails, with the end of the portal's log. Later deaths are answered with a new start.
    pub async fn supervise(self, nursery: Nursery, stop: CancellationToken, ready: oneshot::Sender<()>) -> Result<()> {
        let log_from = processes::log_length(&self.log);
        let mut child = self.start(&nursery, Phase::Spawned).await?;
        tokio::select! {
            outcome = self.first_time(&mut child, log_from) => {
                if let Err(error) = outcome {
                    processes::end(&mut child, libc::SIGTERM, Duration::from_secs(5)).await;
                    return Err(error);
                }
            }
            () = stop.cancelled() => {
                end(&mut child).await;
                return Ok(());
            }
        }
        let pid = child.id().context("the portal ended as soon as it was ready")?;
        (self.started)(Identity::of(pid), Phase::Ready)?;
        // Nobody waits any more when the start was interrupted; `stop` then follows.
        let _ = ready.send(());

        let mut pauses = Pauses::default();
        loop {
            let began = Instant::now();
            let status = tokio::select! {
                status = child.wait() => status.context("cannot watch the portal")?,
                () = stop.cancelled() => {
                    end(&mut child).await;
                    return Ok(());
                }
            };
            let mut pause = pauses.after(began.elapsed());
            warn(&format!(
                "the portal ended with {status} (see {}); starting it again in {}",
                self.log.display(),
                Took(pause)
            ));
            child = loop {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = stop.cancelled() => return Ok(()),
                }
                match self.start(&nursery, Phase::Again).await {
                    Ok(child) => break child,
                    // A full disk, a program that is being built anew: it passes.
                    Err(error) => {
                        pause = pauses.after(Duration::ZERO);
                        warn(&format!(
                            "the portal does not start: {error:#}; trying again in {}",
                            Took(pause)
                        ));
                    }
                }
            };
            note(
                "Restarted",
                &format!("the portal, process {}", child.id().unwrap_or_default()),
            );
        }
    }

    async fn start(&self, nursery: &Nursery, phase: Phase) -> Result<Child> {
        let scratch = self.empty_scratch()?;
        let mut command = Command::new(&self.program);
        // Its database stands in the configuration; a variable for somebody else must not confuse anything.
        command
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .env_remove("DATABASE_URL")
            .env("TMPDIR", scratch)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        // A proxy of the environment is for the world; all that this portal speaks to runs here.
        let direct = without_proxy(std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).ok());
        for name in ["NO_PROXY", "no_proxy"] {
            command.env(name, &direct);
        }
        let child = nursery.start(command, libc::SIGTERM, &self.log).await?;
        if let Some(pid) = child.id() {
            (self.started)(Identity::of(pid), phase)?;
        }
        Ok(child)
    }

    /// The folder for the portal's temporary files, beside its configuration. Only one portal runs at a time, so what
    /// is there belongs to one that was killed.
    fn empty_scratch(&self) -> Result<PathBuf> {
        let scratch = self.config.with_file_name(SCRATCH);
        match std::fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot empty {}", scratch.display()));
            }
            _ => {}
        }
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&scratch)
            .with_context(|| format!("cannot make {}", scratch.display()))?;
        Ok(scratch)
    }

    async fn first_time(&self, child: &mut Child, log_from: u64) -> Result<()> {
        let client = here()?;
        let deadline = Instant::now() + PATIENCE;
        let mut last = "it does not answer".to_owned();
        loop {
            if let Some(status) = child.try_wait().context("cannot watch the portal")? {
                bail!(
                    "the portal ended with {status}; the end of {}:{}",
                    self.log.display(),
                    self.tail(log_from)
                );
            }
            match client.get(&self.readiness).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => last = format!("it answers {}", answer.status()),
                Err(error) if error.is_timeout() => last = "it does not answer in 5s".to_owned(),
                Err(_) => {}
            }
            if Instant::now() > deadline {
                bail!(
                    "the portal is not ready after {} ({last}); the end of {}:{}",
                    Took(PATIENCE),
                    self.log.display(),
                    self.tail(log_from)
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn tail(&self, log_from: u64) -> String {
        processes::log_tail(&self.log, log_from)
    }
}

async fn end(child: &mut Child) {
    processes::end(child, libc::SIGTERM, Duration::from_secs(15)).await;
}

/// The hosts that are reached without a proxy: those of the user, and this machine.
fn without_proxy(given: Option<String>) -> String {
    const HERE: &str = "localhost,127.0.0.1";
    match given.filter(|given| !given.trim().is_empty()) {
        Some(given) => format!("{given},{HERE}"),
        None => HERE.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        assert_eq!(without_proxy(None), "localhost,127.0.0.1");
        assert_eq!(without_proxy(Some(String::new())), "localhost,127.0.0.1");
        assert_eq!(
            without_proxy(Some("corp.example".into())),
            "corp.example,localhost,127.0.0.1"
        );
    }
}
