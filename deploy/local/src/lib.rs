//! What a platform on one machine is made of: a data folder, a database, golden paths in a forge, the portal as a child
//! that is watched, and where scripts find all of it. `portico-local` puts them together around the stand-ins.

pub mod app_config;
pub mod endpoints;
pub mod folder;
pub mod golden_paths;
pub mod machine;
pub mod portal;
pub mod postgres;
pub mod processes;
pub mod program;
pub mod progress;
mod sandbox_forge;
pub mod secrets;
pub mod start;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancels `stop` on Ctrl-C, on a polite end and when the terminal is closed; a second signal changes nothing.
///
/// # Errors
/// When the system refuses.
pub fn listen_for_signals(stop: CancellationToken) -> Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let mut signals = signal(kind).context("cannot listen for signals")?;
        let stop = stop.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stop.cancel();
            }
        });
    }
    Ok(())
}
