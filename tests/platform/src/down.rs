//! `down`: ends everything, however it was left.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use portico_local::endpoints;
use portico_local::progress::{Step, note, warn};
use tokio::time::Instant;

use crate::control::{self, Order};
use crate::marked;

/// Ends the platform of `data`. That none runs is no error.
///
/// # Errors
/// When a process cannot be ended.
pub async fn run(data: &Path) -> Result<()> {
    /// The supervisor answers before its own end.
    const LAST_MOMENTS: Duration = Duration::from_secs(5);
    let Ok(data) = data.canonicalize() else {
        note("Nothing", &format!("runs: there is no {}", data.display()));
        return Ok(());
    };
    if marked::running(&data).is_empty() {
        note("Nothing", &format!("runs with {}", data.display()));
        return forget(&data);
    }
    let step = Step::begin("Stopping", "the platform");
    match control::send(&data, Order::Down).await {
        Ok(Some(())) => {
            let deadline = Instant::now() + LAST_MOMENTS;
            while !marked::running(&data).is_empty() && Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(None) => warn("no supervisor answers; its processes are ended one by one"),
        Err(error) => warn(&format!("{error:#}; what is left is ended")),
    }
    marked::end_all(&data).await;
    let left = marked::running(&data);
    ensure!(left.is_empty(), "still running: {left:?}");
    forget(&data)?;
    step.done("Stopped", "the platform");
    Ok(())
}

/// Whoever reads the file must not take a stopped platform for a running one.
fn forget(data: &Path) -> Result<()> {
    let file = data.join(endpoints::FILE);
    match std::fs::remove_file(&file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}
