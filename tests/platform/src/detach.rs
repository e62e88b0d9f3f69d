//! How the supervisor leaves the terminal that it was started from, once everything runs.

use std::os::fd::AsRawFd;
use std::path::Path;

use anyhow::{Context, Result};
use portico_local::processes::open_log;
use tokio::process::Command;

/// What is said on the standard output when everything runs.
pub const READY: &str = "ready\n";

/// Gives a command a session of its own, so that neither Ctrl-C nor the end of a terminal reaches it.
pub fn into_own_session(command: &mut Command) {
    // SAFETY: between fork and exec only setsid is called, which may be.
    unsafe {
        command.pre_exec(|| {
            // A process that was just forked leads no group, so this cannot fail.
            libc::setsid();
            Ok(())
        });
    }
}

/// Says [`READY`]; what is printed from now on goes to `log`, and whoever reads our output sees its end.
pub fn from_terminal(log: &Path) -> Result<()> {
    use std::io::Write;
    // Nobody may listen any more; the platform runs all the same.
    drop(std::io::stdout().write_all(READY.as_bytes()));
    drop(std::io::stdout().flush());
    let log = open_log(log)?;
    for output in [libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: both are open files of ours.
        if unsafe { libc::dup2(log.as_raw_fd(), output) } < 0 {
            return Err(std::io::Error::last_os_error()).context("cannot leave the terminal");
        }
    }
    Ok(())
}
