//! What a page does wrong without anybody seeing it: requests elsewhere, errors in the console, violations of its policy.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use url::Url;

/// Of one window, since it was opened.
#[derive(Debug, Default)]
pub struct Complaints {
    /// What addresses that may be asked start with.
    ours: Vec<String>,
    found: Vec<String>,
    /// Parts of messages that the test provokes.
    expected: Vec<&'static str>,
    /// Bytes over the wire of each request that has ended.
    traffic: HashMap<String, u64>,
}

impl Complaints {
    /// None yet. Pages may ask this machine by its own names, and one site more.
    pub fn beyond(site: Option<&Url>) -> Self {
        let site = site.map(|site| format!("{}/", site.origin().ascii_serialization()));
        let ours = ["http://localhost:", "http://127.0.0.1:", "data:", "about:"];
        Self {
            ours: ours.map(str::to_owned).into_iter().chain(site).collect(),
            ..Self::default()
        }
    }

    pub fn expect(&mut self, containing: &'static str) {
        self.expected.push(containing);
    }

    pub fn assert_none(&self) {
        let expected = |message: &&String| !self.expected.iter().any(|part| message.contains(part));
        let found: Vec<_> = self.found.iter().filter(expected).collect();
        assert!(found.is_empty(), "{found:#?}");
    }

    pub fn take_traffic(&mut self) -> (usize, u64) {
        let traffic = std::mem::take(&mut self.traffic);
        // What came from the cache took no bytes.
        let asked = traffic.values().filter(|bytes| **bytes > 0).count();
        (asked, traffic.values().sum())
    }

    fn hear(&mut self, method: &str, parameters: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match method {
            "Network.requestWillBeSent" => {
                let url = text(&parameters["request"]["url"]);
                if !self.ours.iter().any(|prefix| url.starts_with(prefix)) {
                    self.found.push(format!("a request to another host: {url}"));
                }
            }
            "Network.loadingFinished" => {
                let bytes = parameters["encodedDataLength"].as_f64().unwrap_or_default();
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a count of bytes"
                )]
                self.traffic.insert(text(&parameters["requestId"]), bytes as u64);
            }
            "Runtime.exceptionThrown" => self
                .found
                .push(format!("an exception: {}", parameters["exceptionDetails"])),
            "Runtime.consoleAPICalled" if ["error", "warning", "assert"].contains(&&*text(&parameters["type"])) => {
                self.found.push(format!("the console: {}", parameters["args"]));
            }
            "Log.entryAdded" if ["error", "warning"].contains(&&*text(&parameters["entry"]["level"])) => {
                let entry = &parameters["entry"];
                self.found
                    .push(format!("the log: {} {}", text(&entry["text"]), text(&entry["url"])));
            }
            _ => {}
        }
    }
}

/// Collects what Chromium tells of one window until it ends.
pub async fn listen(mut events: Receiver<Arc<Value>>, session: String, complaints: Arc<Mutex<Complaints>>) {
    loop {
        match events.recv().await {
            Ok(event) if event["sessionId"] == session.as_str() => {
                let method = event["method"].as_str().unwrap_or_default();
                let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
                complaints.hear(method, &event["params"]);
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => {
                let mut complaints = complaints.lock().unwrap_or_else(PoisonError::into_inner);
                complaints
                    .found
                    .push(format!("{missed} messages of Chromium were not read"));
            }
            Err(RecvError::Closed) => return,
        }
    }
}
