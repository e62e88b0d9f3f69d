//! Child processes that never outlive us: how they are started, recognised and ended.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

/// A process beyond doubt: numbers are used again, a number with its time of start is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    pub pid: u32,
    /// Clock ticks from the start of the machine (field 22 of proc(5)); 0 where the system does not tell.
    started: u64,
}

impl Identity {
    /// The process that has this number now.
    pub fn of(pid: u32) -> Identity {
        Identity {
            pid,
            started: started(pid).unwrap_or(0),
        }
    }

    /// Whether that very process still runs.
    pub fn runs(self) -> bool {
        self.started != 0 && started(self.pid) == Some(self.started)
    }

    /// Ends a process that is not our child: politely, then not.
    pub async fn end(self, patience: Duration) {
        for signal in [libc::SIGTERM, libc::SIGKILL] {
            if !self.runs() {
                return;
            }
            send(self.pid, signal);
            let deadline = tokio::time::Instant::now() + patience;
            while self.runs() && tokio::time::Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn started(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    start_time(&text)
}

/// Field 22 of a line of `/proc/PID/stat`; a zombie (state Z or X) does not run any more.
fn start_time(line: &str) -> Option<u64> {
    // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
    let mut fields = line.get(line.rfind(')')? + 1..)?.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Pauses before the next start of a program that keeps ending: longer from time to time, short again for one that
/// ran steadily.
pub struct Pauses {
    next: Duration,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses { next: Self::FIRST }
    }
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(30);
    /// Who ran this long has not died of what ended the one before.
    const STEADY: Duration = Duration::from_secs(60);

    /// The pause after a run of this length.
    pub fn after(&mut self, ran: Duration) -> Duration {
        let pause = if ran > Self::STEADY { Self::FIRST } else { self.next };
        self.next = (pause * 2).min(Self::LONGEST);
        pause
    }
}

/// Sends a signal. A process that is gone already is no error.
pub fn send(pid: u32, signal: libc::c_int) {
    if let Ok(pid) = libc::pid_t::try_from(pid) {
        // SAFETY: kill has no memory to misuse; a wrong number is answered with an error.
        unsafe { libc::kill(pid, signal) };
    }
}

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// Starts children whose end is tied to ours. Linux ends them when the *thread* that started them ends, and threads
/// of a runtime's pool come and go: so one thread, which lives as long as we do, starts them all.
#[derive(Clone)]
pub struct Nursery {
    orders: mpsc::Sender<Order>,
}

impl Nursery {
    /// Must be called inside the runtime that waits for the children.
    pub fn open() -> Result<Nursery> {
        let (orders, inbox) = mpsc::channel::<Order>();
        let runtime = tokio::runtime::Handle::current();
        std::thread::Builder::new()
            .name("nursery".into())
            .spawn(move || {
                let _inside = runtime.enter();
                for (mut command, reply) in inbox {
                    // Nobody waits any more when the start was interrupted; the child then ends by kill_on_drop.
                    drop(reply.send(command.spawn()));
                }
            })
            .context("cannot start a thread")?;
        Ok(Nursery { orders })
    }

    /// Starts a child in a process group of its own (Ctrl-C of the terminal reaches only us) that gets `signal`
    /// when we die, and appends what it prints to `log`.
    pub async fn start(&self, mut command: Command, signal: libc::c_int, log: &Path) -> Result<Child> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let log = open_log(log)?;
        let errors = log.try_clone().context("cannot use the log twice")?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(errors))
            .process_group(0);
        die_with_us(&mut command, signal);
        let (reply, answer) = oneshot::channel();
        self.orders
            .send((command, reply))
            .ok()
            .context("the thread that starts programs is gone")?;
        answer
            .await
            .context("the thread that starts programs is gone")?
            .with_context(|| format!("cannot start {program}"))
    }
}

#[cfg(target_os = "linux")]
fn die_with_us(command: &mut Command, signal: libc::c_int) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only prctl, getppid and _exit are called; all three may be.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, signal) != 0 {
                return Err(io::Error::last_os_error());
            }
            // We may have died before the line above.
            if u32::try_from(libc::getppid()) != Ok(parent) {
                libc::_exit(1);
            }
            Ok(())
        });
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with_us(_command: &mut Command, _signal: libc::c_int) {}

/// Ends a child of ours: `signal`, and when `patience` is over, SIGKILL.
pub async fn end(child: &mut Child, signal: libc::c_int, patience: Duration) {
    if let Some(pid) = child.id() {
        send(pid, signal);
    }
    if tokio::time::timeout(patience, child.wait()).await.is_err() {
        // It may have ended by itself this moment.
        drop(child.kill().await);
    }
}

/// What this process itself logs goes to a file; `RUST_LOG` decides what, `otherwise` where it is not set.
///
/// # Errors
/// When the file cannot be opened.
pub fn write_own_log(path: &Path, otherwise: &str) -> Result<()> {
    let log = open_log(path)?;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(otherwise));
    // Set already only where several starts share a process, in tests.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(std::sync::Mutex::new(log))
            .try_init(),
    );
    Ok(())
}

/// Opens a log for appending; one that has grown past 10 MB becomes `NAME.1` first.
pub fn open_log(path: &Path) -> Result<std::fs::File> {
    const LIMIT: u64 = 10 * 1024 * 1024;
    if path.metadata().is_ok_and(|metadata| metadata.len() > LIMIT) {
        let mut old = path.as_os_str().to_owned();
        old.push(".1");
        std::fs::rename(path, &old).with_context(|| format!("cannot put {} aside", path.display()))?;
    }
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write the log {}", path.display()))
}

/// The end of a log that began at `from`, for a message: at most 15 lines, indented.
pub fn log_tail(path: &Path, from: u64) -> String {
    let Ok(bytes) = std::fs::read(path) else {
        return String::new();
    };
    let from = usize::try_from(from).unwrap_or(0).min(bytes.len());
    let text = String::from_utf8_lossy(&bytes[from..]);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(15)..]
        .iter()
        .map(|line| format!("\n    {line}"))
        .collect()
}

/// How long a log is now: what comes after belongs to the program that is started next.
pub fn log_length(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_times_are_read_despite_odd_names() {
        let line = "812 (a b) c) S 1 812 812 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1 1";
        assert_eq!(start_time(line), Some(98_765));
        assert_eq!(start_time(&line.replace(") S ", ") Z ")), None);
        assert_eq!(start_time("812 (short"), None);
    }

    #[test]
    fn another_process_with_the_same_number_is_not_ours() {
        let me = Identity::of(std::process::id());
        if cfg!(target_os = "linux") {
            assert!(me.runs());
        }
        assert!(
            !Identity {
                started: me.started + 1,
                ..me
            }
            .runs()
        );
        assert!(
            !Identity {
                pid: me.pid,
                started: 0
            }
            .runs()
        );
    }

    #[test]
    fn pauses_grow_until_a_steady_run() {
        let mut pauses = Pauses::default();
        let short = Duration::from_secs(1);
        assert_eq!(pauses.after(short), Pauses::FIRST);
        assert_eq!(pauses.after(short), Pauses::FIRST * 2);
        for _ in 0..20 {
            pauses.after(short);
        }
        assert_eq!(pauses.after(short), Pauses::LONGEST);
        assert_eq!(pauses.after(Duration::from_secs(61)), Pauses::FIRST);
    }

    #[test]
    fn tails_begin_where_the_program_began() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let log = folder.path().join("portal.log");
        std::fs::write(&log, "old\n").expect("written");
        let from = log_length(&log);
        std::fs::write(&log, "old\nnew\n").expect("written");
        assert_eq!(log_tail(&log, from), "\n    new");
        assert_eq!(log_tail(&folder.path().join("none.log"), 0), "");
    }

    #[tokio::test]
    async fn a_child_is_started_and_ended() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let nursery = Nursery::open().expect("opened");
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut child = nursery
            .start(command, libc::SIGTERM, &folder.path().join("log"))
            .await
            .expect("started");
        let identity = Identity::of(child.id().expect("running"));
        end(&mut child, libc::SIGTERM, Duration::from_secs(5)).await;
        assert!(!identity.runs());
    }
}
