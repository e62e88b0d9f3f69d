//! The portal as a process of its own: started, waited for, started again when it dies.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::processes::{self, Identity, Nursery};
use crate::progress::{Took, note, warn};

/// How long the first start may take; migrations are in it.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who ran this long has not died of what killed the one before.
const STEADY: Duration = Duration::from_secs(60);

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

        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let status = tokio::select! {
                status = child.wait() => status.context("cannot watch the portal")?,
                () = stop.cancelled() => {
                    end(&mut child).await;
                    return Ok(());
                }
            };
            if began.elapsed() > STEADY {
                pause = FIRST_PAUSE;
            }
            warn(&format!(
                "the portal ended with {status}; starting it again in {}",
                Took(pause)
            ));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return Ok(()),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            child = self.start(&nursery, Phase::Again).await?;
            note(
                "Restarted",
                &format!("the portal, process {}", child.id().unwrap_or_default()),
            );
        }
    }

    async fn start(&self, nursery: &Nursery, phase: Phase) -> Result<Child> {
        let mut command = Command::new(&self.program);
        // Its database stands in the configuration; a variable for somebody else must not confuse anything.
        command
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .env_remove("DATABASE_URL")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .kill_on_drop(true);
        let child = nursery.start(command, libc::SIGTERM, &self.log).await?;
        if let Some(pid) = child.id() {
            (self.started)(Identity::of(pid), phase)?;
        }
        Ok(child)
    }

    async fn first_time(&self, child: &mut Child, log_from: u64) -> Result<()> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(5))
            .build()
            .context("no HTTP client")?;
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
