//! The portal as a process of its own, as it runs in production.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::eventually;

/// A running `portico serve`.
pub struct Portal {
    pub url: String,
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
        let mut portal = Self::spawn(url, config);
        portal.ready().await;
        portal
    }

    fn spawn(url: &str, config: &Path) -> Self {
        let log = config.with_file_name("portal.log");
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log can be written");
        let process = Command::new(env!("CARGO_BIN_EXE_portico"))
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a second handle"))
            .stderr(file)
            .spawn()
            .expect("portico starts");
        Self {
            url: url.to_owned(),
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
        eventually("the portal is ready", || {
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
