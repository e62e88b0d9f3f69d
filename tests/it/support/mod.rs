//! What the tests of the whole portal share: the systems around it, the program itself, and its clients.

mod browser;
mod database;
mod git;
mod platform;
mod portal;
mod proxy;

pub use browser::Browser;
pub use database::Database;
pub use git::Checkout;
pub use platform::{Options, Platform};
pub use portal::Portal;
pub use proxy::Cable;

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again and again until `check` answers something; panics with `what` after half a minute. A bound for
/// things that hang, not a measurement.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut check: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A client of the tests' own: it may go anywhere, unlike those of the product.
#[expect(clippy::disallowed_methods, reason = "the tests are outside of the product")]
pub fn http() -> reqwest::ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
}
