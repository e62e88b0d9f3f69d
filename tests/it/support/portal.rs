//! The portal as a process of its own, as it runs in production.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::eventually_every;

/// Another build of the program than the tests' own, to measure it.
const PROGRAM: &str = "PORTICO_PROGRAM";

/// A running `portico serve`.
pub struct Portal {
    pub url: String,
    /// From its start until it said that it is ready.
    pub ready_after: Duration,
    process: Child,
    log: PathBuf,
}

impl Portal {
    /// A port that nobody uses now.
    pub fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("an address").port()
    }

    /// Starts it and waits until it is ready.
    pub async fn start(url: &str, config: &Path) -> Self {
        let began = Instant::now();
        let mut portal = Self::spawn(url, config);
        portal.ready().await;
        portal.ready_after = began.elapsed();
        portal
    }

    fn spawn(url: &str, config: &Path) -> Self {
        let log = config.with_file_name("portal.log");
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log can be written");
        let program = std::env::var_os(PROGRAM).unwrap_or_else(|| env!("CARGO_BIN_EXE_portico").into());
        let process = Command::new(program)
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("portico starts");
        Self {
            url: url.to_owned(),
            ready_after: Duration::ZERO,
            process,
            log,
        }
    }

    async fn ready(&mut self) {
        let client = super::http().build().expect("a client");
        let url = format!("{}/.backstage/health/v1/readiness", self.url);
        let log = self.log.clone();
        let process = &mut self.process;
        let process = std::sync::Mutex::new(process);
        eventually_every(Duration::from_millis(2), "the portal is ready", || {
            if let Ok(Some(status)) = process.lock().expect("one thread").try_wait() {
                panic!(
                    "the portal ended with {status}:\n{}",
                    std::fs::read_to_string(&log).unwrap_or_default()
                );
            }
            let request = client.get(&url);
            async move {
                request
                    .send()
                    .await
                    .ok()
                    .filter(|answer| answer.status().is_success())
                    .map(|_| ())
            }
        })
        .await;
    }

    /// SIGKILL, at once, and waits for the end.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Its memory in KiB, what it shares with others in proportion.
    pub fn pss(&self) -> u64 {
        let file = format!("/proc/{}/smaps_rollup", self.process.id());
        let text = std::fs::read_to_string(&file).expect("the kernel tells");
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let figure = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        figure.unwrap_or_else(|| panic!("no Pss in {file}:\n{text}"))
    }

    /// Everything that it and its predecessors of this test wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- log of the portal\n{}", self.log());
        }
    }
}
