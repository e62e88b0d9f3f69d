//! The pages in a real browser. Whatever a test does, the portal's pages ask no other host, write no error and break no
//! rule of their policy.
//!
//! Ignored by a plain `cargo test`, because they need Chromium; `tests/run browser` runs them.

mod accessibility;
mod chromium;
mod complaints;
mod failing;
mod live;
mod patience;
mod reader;
mod shelves;
mod states;
mod story;
mod window;

pub use chromium::Chromium;
pub use window::{Look, Window};

use crate::support::Access;

/// Logs in at the identity provider by typing, and ends on the page that was asked for.
pub async fn log_in(platform: &Access, window: &Window, username: &str, path: &str) {
    window.open_page(&format!("{}{path}", platform.url)).await;
    window.fill("input[name=username]", username).await;
    window
        .fill("input[name=password]", &platform.systems.identity.user_password)
        .await;
    // Providers have other words on it.
    window
        .follow("form:has([type=password]) :is([type=submit], button:not([type]))", "")
        .await;
    let url = window.url().await;
    assert!(url.starts_with(&platform.url), "{username} ended on {url}");
}

/// From the navigation over gallery, form and review to the page of the running task.
async fn start_by_clicking(window: &Window, name: &str) {
    window.follow(".nav a", "Create").await;
    window.follow(".card a", "Basic Deployment").await;
    window.fill("main input[name=name]", name).await;
    window.fill("main input[name=owner]", "group:default/admin").await;
    window.fill("main input[name=description]", "Says hello").await;
    window.follow("main button", "Review").await;
    window.reads("Says hello").await;
    window.follow("main button", "Create").await;
    window.is("location.pathname.startsWith('/create/tasks/')").await;
}

/// Opens what the finished task made.
pub async fn open_in_catalog(window: &Window, name: &str) {
    window.reads("4 done").await;
    window.follow("main a", "Open in catalog").await;
    let url = window.url().await;
    assert!(url.ends_with(&format!("/catalog/default/component/{name}")), "{url}");
}

/// Remembers each text that an element shows from now on, with the time.
pub async fn record(window: &Window, name: &str, selector: &str) {
    window
        .value(&format!(
            "(() => {{
              const seen = (window.seen ??= {{}})[{name:?}] = [];
              const look = () => {{
                const text = document.querySelector({selector:?})?.innerText.replace(/\\s+/g, ' ') ?? 'nothing';
                if (seen.at(-1)?.text !== text) seen.push({{text, at: Date.now()}});
              }};
              look();
              new MutationObserver(look).observe(document.body, {{subtree: true, childList: true, characterData: true}});
            }})()"
        ))
        .await;
}

/// Waits until a text was shown since [`record`], and answers when: milliseconds of the wall clock.
pub async fn recorded(window: &Window, name: &str, pattern: &str) -> i64 {
    let at = format!("window.seen[{name:?}].find(({{text}}) => /{pattern}/.test(text))?.at ?? null");
    let what = format!("{name} shows {pattern}");
    let found = window.until(&what, || async { window.value(&at).await.as_f64() }).await;
    #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds")]
    let found = found as i64;
    found
}
