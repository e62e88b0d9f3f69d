//! A program of a system while it runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use portico_local::processes::{self, Nursery};
use portico_local::progress::Took;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How long a program may take until it answers. Keycloak's first start on a busy machine is what takes long.
const PATIENCE: Duration = Duration::from_secs(180);

/// A child process with its log.
pub struct Program {
    name: &'static str,
    child: Child,
    log: PathBuf,
    log_from: u64,
    told: bool,
}

impl Program {
    /// Starts `command`; what it prints is appended to `<logs>/<name>.log`. Dropping it kills it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn start(name: &'static str, mut command: Command, logs: &Path, nursery: &Nursery) -> Result<Program> {
        let log = logs.join(format!("{name}.log"));
        let log_from = processes::log_length(&log);
        command.kill_on_drop(true);
        // All of them keep what they have answered for, however they end.
        let child = nursery.start(command, libc::SIGKILL, &log).await?;
        Ok(Program {
            name,
            child,
            log,
            log_from,
            told: false,
        })
    }

    /// Waits until `probe` says yes.
    ///
    /// # Errors
    /// When the program ends before, or does not get there; with the end of its log and where that is.
    pub async fn ready(&mut self, mut probe: impl AsyncFnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(end) = self.ended()? {
                bail!("{end}");
            }
            if probe().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {}; {}", self.name, Took(PATIENCE), self.tail());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Says how it ended, if it did and nobody was told yet.
    pub fn ended(&mut self) -> Result<Option<String>> {
        if self.told {
            return Ok(None);
        }
        let status = self
            .child
            .try_wait()
            .with_context(|| format!("cannot watch {}", self.name))?;
        Ok(status.map(|status| {
            self.told = true;
            format!("{} ended with {status}; {}", self.name, self.tail())
        }))
    }

    fn tail(&self) -> String {
        format!(
            "the end of {}:{}",
            self.log.display(),
            processes::log_tail(&self.log, self.log_from)
        )
    }

    /// Ends it politely, and when that takes too long, not.
    pub async fn end(mut self) {
        processes::end(&mut self.child, libc::SIGTERM, Duration::from_secs(10)).await;
    }

    /// Ends it as a crash would.
    pub async fn kill(mut self) {
        // It may have ended by itself this moment.
        drop(self.child.kill().await);
    }
}

/// Whether an address answers with success.
pub async fn answers(client: &reqwest::Client, url: &str) -> bool {
    client
        .get(url)
        .timeout(Duration::from_secs(5))
        .send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
}
