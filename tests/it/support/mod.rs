//! What the tests of the whole portal share: the systems around it, the program itself, and its clients.

mod access;
mod browser;
mod database;
mod git;
mod platform;
mod portal;
mod proxy;
mod recorder;
mod swagger;
mod systems;

pub use access::{Access, Api};
pub use browser::{Browser, Page, Stream};
pub use database::Database;
pub use git::{Checkout, git};
pub use platform::{AnyPlatform, Options, Part, Platform, TOKEN};
pub use portal::Portal;
pub use proxy::Cable;
pub use recorder::{Exchange, Recorder};
pub use swagger::Swagger;
pub use systems::{ARGOCD_INSTANCE, Bench, RunningPlatform, Systems, Trusted};

use std::future::Future;
use std::time::{Duration, Instant};

/// A bound for things that hang, not a measurement.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again and again until `check` answers something; panics with `what` after two minutes.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, check: impl FnMut() -> F) -> T {
    eventually_every(Duration::from_millis(50), what, check).await
}

/// As [`eventually`], with a pause of one's own between two questions.
async fn eventually_every<T, F: Future<Output = Option<T>>>(
    pause: Duration,
    what: &str,
    mut check: impl FnMut() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(pause).await;
    }
}

/// A name that no earlier run has used.
pub fn fresh(prefix: &str) -> String {
    let unique = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &unique[..12])
}

/// A client of the tests' own: it may go anywhere, unlike those of the product.
#[expect(clippy::disallowed_methods, reason = "the tests are outside of the product")]
pub fn http() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
