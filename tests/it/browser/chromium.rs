//! Chromium over its debugging pipe: messages of JSON, each ended by a zero byte. It needs no port, no driver program and
//! no library, and tells of every request, message and violation.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{broadcast, oneshot};

use super::window::{Look, Window};
use crate::support::{AnyPlatform, Trusted};

/// A command that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running browser with a profile of its own. Dropping it ends it.
pub struct Chromium {
    wire: Arc<Wire>,
    trusted: Option<Trusted>,
    _process: Child,
    _profile: TempDir,
}

/// What all windows share: the pipe, and who waits for which answer.
pub struct Wire {
    to: tokio::sync::Mutex<ChildStdin>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    last: AtomicU64,
    events: broadcast::Sender<Arc<Value>>,
}

impl Chromium {
    /// Starts Debian's Chromium, or the one that `CHROMIUM` names. It reaches this machine and nothing else.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// One that reaches a platform.
    pub fn at(platform: &AnyPlatform) -> Self {
        Self::start_with(platform.trusted())
    }

    /// `trusted` is a site of this machine whose certificate nobody else vouches for.
    fn start_with(trusted: Option<Trusted>) -> Self {
        let mut reached = "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1".to_owned();
        let mut key = String::new();
        if let Some(trusted) = &trusted {
            let host = trusted.origin.host_str().expect("a host");
            reached.push_str(&format!(", EXCLUDE {host}"));
            key.clone_from(&trusted.key);
        }
        let profile = tempfile::tempdir().expect("a temporary folder");
        let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
        // Chromium reads commands from descriptor 3 and writes to 4; the shell lays our pipes there.
        let mut process = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", &program])
            .args([
                "--remote-debugging-pipe",
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                "--hide-scrollbars",
            ])
            .arg(format!("--host-resolver-rules={reached}"))
            // This one key, no other one and no authority.
            .arg(format!("--ignore-certificate-errors-spki-list={key}"))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell");
        let wire = Arc::new(Wire {
            to: tokio::sync::Mutex::new(process.stdin.take().expect("a pipe")),
            waiting: Mutex::default(),
            last: AtomicU64::new(0),
            events: broadcast::Sender::new(10_000),
        });
        let from = process.stdout.take().expect("a pipe");
        tokio::spawn(read(from, wire.clone()));
        Self {
            wire,
            trusted,
            _process: process,
            _profile: profile,
        }
    }

    /// Opens a window of a person of its own: it shares cookies with no other.
    pub async fn person(&self, look: Look) -> Window {
        let person = self.wire.call(None, "Target.createBrowserContext", json!({})).await;
        let person = person["browserContextId"].as_str().expect("an id").to_owned();
        let site = self.trusted.as_ref().map(|trusted| trusted.origin.clone());
        Window::open(self.wire.clone(), site, person, look).await
    }
}

impl Wire {
    /// Sends a command, to a window or to the browser, and answers its result.
    pub async fn try_call(&self, session: Option<&str>, method: &str, parameters: Value) -> Result<Value, String> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut command = json!({"id": id, "method": method, "params": parameters});
        if let Some(session) = session {
            command["sessionId"] = json!(session);
        }
        let (answered, answer) = oneshot::channel();
        self.waiting().insert(id, answered);
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        let sent = self.to.lock().await.write_all(&bytes).await;
        sent.map_err(|error| format!("Chromium is gone (is it installed? apt install chromium): {error}"))?;
        let mut answer = tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| format!("Chromium does not answer {method}"))?
            .map_err(|_| "Chromium has ended (is it installed? apt install chromium)".to_owned())?;
        match answer.get("error") {
            Some(error) => Err(format!("{method}: {error}")),
            None => Ok(answer["result"].take()),
        }
    }

    /// As [`Self::try_call`], where a refusal is a mistake of the test.
    pub async fn call(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.try_call(session, method, parameters)
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Everything that Chromium tells from now on, of all windows.
    pub fn events(&self) -> broadcast::Receiver<Arc<Value>> {
        self.events.subscribe()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Value>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(from: ChildStdout, wire: Arc<Wire>) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while from.read_until(0, &mut bytes).await.is_ok_and(|count| count > 0) {
        bytes.pop();
        let message: Value = serde_json::from_slice(&bytes).expect("Chromium writes JSON");
        bytes.clear();
        match message["id"].as_u64() {
            Some(id) => {
                if let Some(waiting) = wire.waiting().remove(&id) {
                    // Who gave up waiting needs no answer.
                    let _ = waiting.send(message);
                }
            }
            None => drop(wire.events.send(Arc::new(message))),
        }
    }
    // Nobody waits for answers that cannot come.
    wire.waiting().clear();
}
