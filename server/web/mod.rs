//! What every page shares: shell, errors, extractors, forms, headers, static files, health.

mod assets;
mod badge;
mod code;
mod error;
mod extract;
mod frame;
mod health;
mod kept;
mod markdown;
pub mod openapi;
mod preferences;
mod queries;
mod render;
mod section;
mod shell;
#[cfg(test)]
pub mod testing;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

pub use assets::{asset, routes as asset_routes};
pub use badge::Badge;
pub use code::code;
pub use error::{Error, FieldError};
pub use extract::{Form, Json, Query};
pub use frame::{CountErrors, CountTasks, Frame, OnBehalfOf};
pub use health::{Gate, Readiness, health_routes};
pub use kept::{KeptForms, RestoredForm};
pub use markdown::markdown;
pub use preferences::{Preferences, Theme};
pub use section::Section;
pub use shell::{NavigationEntry, Shell, SignedIn, initials, page};

/// The text as JavaScript's `encodeURIComponent` writes it.
pub fn encode_uri_component(text: &str) -> PercentEncode<'_> {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'!')
        .remove(b'~')
        .remove(b'*')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')');
    utf8_percent_encode(text, KEPT)
}

/// Address of the login page that leads back to `next`, a path with query of this portal.
pub fn login_url(next: &str) -> String {
    let next = utf8_percent_encode(next, NON_ALPHANUMERIC);
    format!("/login?next={next}")
}

/// `next` where it is a path of this portal; `/` for anything that could lead a browser elsewhere.
pub fn local_path(next: &str) -> &str {
    let safe = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(|c| c.is_ascii_control());
    if safe { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_local_paths_are_followed() {
        for good in ["/", "/catalog?filters[kind]=component", "/create/tasks/1#log"] {
            assert_eq!(local_path(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/a\r\nb",
            "\t//x",
        ] {
            assert_eq!(local_path(bad), "/", "{bad:?}");
        }
    }
}
