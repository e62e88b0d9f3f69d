//! Logs: one JSON object a line, or lines for people on a terminal; and what work takes.

mod meter;

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

pub use meter::{Spent, metered, outside};

/// Starts logging to standard error. `RUST_LOG` chooses what (else `LOG_LEVEL`, else `info`); `LOG_FORMAT` is
/// `json` or `pretty`, by default the latter on a terminal.
pub fn start() {
    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_from_default_env()
        .or_else(|_| EnvFilter::try_new(format!("warn,portico={level}")))
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let pretty = match std::env::var("LOG_FORMAT").as_deref() {
        Ok("json") => false,
        Ok("pretty") => true,
        _ => std::io::stderr().is_terminal(),
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second start, in tests, changes nothing.
    let _ = if pretty {
        logs.with_target(false).try_init()
    } else {
        logs.json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    };
}
