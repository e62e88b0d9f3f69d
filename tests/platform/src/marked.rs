//! Processes of a platform, recognised by a variable that all of them inherit: none may be left when it ends.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use portico_local::processes::Identity;
use tokio::process::Command;

/// Names the data folder to every process of a platform.
const MARK: &str = "PORTICO_PLATFORM_SUPERVISED";

/// Marks a command and everything that it will start.
pub fn mark(command: &mut Command, data: &Path) {
    command.env(MARK, data);
}

/// The processes of the platform in `data` that run now, without this one.
pub fn running(data: &Path) -> Vec<Identity> {
    let wanted = [MARK.as_bytes(), b"=", data.as_os_str().as_bytes()].concat();
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .flatten()
        .filter_map(|process| {
            let pid: u32 = process.file_name().to_str()?.parse().ok()?;
            if pid == std::process::id() {
                return None;
            }
            let variables = std::fs::read(process.path().join("environ")).ok()?;
            let marked = variables.split(|byte| *byte == 0).any(|variable| variable == wanted);
            let identity = Identity::of(pid);
            // A process that has ended, but that nobody asked about yet, is still listed.
            (marked && identity.runs()).then_some(identity)
        })
        .collect()
}

/// Ends what still runs. Returns how many there were.
pub async fn end_all(data: &Path) -> usize {
    const PATIENCE: Duration = Duration::from_secs(5);
    let mut ended = 0;
    // Those that are ended may have started others meanwhile.
    loop {
        let left = running(data);
        if left.is_empty() {
            return ended;
        }
        ended += left.len();
        futures::future::join_all(left.into_iter().map(|process| process.end(PATIENCE))).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marked_processes_are_found_and_ended() {
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new("sh");
        // The second is a child that the first does not wait for.
        command.args(["-c", "sleep 60 & exec sleep 61"]).kill_on_drop(true);
        mark(&mut command, data.path());
        let mut child = command.spawn().expect("started");
        let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
        while running(data.path()).len() < 2 {
            assert!(tokio::time::Instant::now() < deadline, "not found");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(running(&data.path().join("other")).is_empty());
        assert!(end_all(data.path()).await >= 2);
        assert!(running(data.path()).is_empty());
        drop(child.wait().await);
    }
}
