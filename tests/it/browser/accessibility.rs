//! What axe finds on a page, and what does not fit on it.

use serde_json::{Value, json};

use super::Window;

/// Fails with each violation of WCAG 2.2 AA and of axe's best practices, and if the page is wider than the window.
pub async fn assert_accessible(window: &Window, page: &str) {
    let wide = window
        .value(
            // Phones zoom out of a page that is too wide, so the window's own width is what counts.
            &format!(
                "document.documentElement.scrollWidth <= {width} ? [] :
                 [...document.querySelectorAll('body *')]
                   .filter((e) => e.getBoundingClientRect().right > {width})
                   .map((e) => e.outerHTML.slice(0, 120))",
                width = window.width()
            ),
        )
        .await;
    assert_eq!(wide, json!([]), "{page} is wider than the window");
    let Some(axe) = axe() else { return };
    window.value(&format!("{axe}; true")).await;
    let tags = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']";
    let violations = window
        .value(&format!(
            "axe.run(document, {{runOnly: {tags}}}).then((found) => found.violations.map((violation) => ({{
               rule: violation.id, help: violation.help, where: violation.nodes.map((node) => node.html.slice(0, 200))
             }})))"
        ))
        .await;
    assert!(violations == Value::Array(Vec::new()), "{page}: {violations:#}");
}

/// axe-core's script, which `tests/run` puts into the cache.
fn axe() -> Option<String> {
    let Some(file) = std::env::var_os("AXE") else {
        eprintln!("SKIPPED: AXE names no axe.min.js, so accessibility was not checked; tests/run browser fetches it");
        return None;
    };
    Some(std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}
