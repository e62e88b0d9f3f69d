//! The list and an entity's page: the first visit of a browser that knows nothing, and the next one.

use std::time::Duration;

use serde_json::json;

use super::table::{Table, Weight};
use crate::browser::{Chromium, Look, Window, log_in};
use crate::support::Platform;

const VISITS: usize = 9;
/// After this time a page asks for nothing more, its icon included.
const SETTLED: Duration = Duration::from_millis(300);

/// What one visit took.
struct Visit {
    requests: usize,
    /// Live streams, which come after everything else and stay open.
    streams: u64,
    bytes: u64,
    /// Milliseconds until something, and until the largest piece of content, was painted.
    first: f64,
    content: f64,
}

pub async fn measure(platform: &Platform, chromium: &Chromium, component: &str, table: &mut Table) {
    let window = chromium.person(Look::DESK).await;
    log_in(platform, &window, "user2", "/settings").await;
    let entity = format!("/catalog/default/component/{}", component);
    let pages = [
        (
            "Catalog list",
            "/catalog",
            "1,213 KiB in 80 requests",
            ("1.6 s", "3.1 s"),
            "#rows tr",
        ),
        ("Entity page", entity.as_str(), "1,337 KiB", ("", ""), "#about dl"),
    ];
    for (name, path, weight, (first, content), there) in pages {
        let [before, url] = ["/settings", path].map(|path| format!("{}{path}", platform.portal.url));
        let (mut cold, mut warm) = (Vec::new(), Vec::new());
        for _ in 0..VISITS {
            cold.push(visit(&window, &before, &url, there, true).await);
            warm.push(visit(&window, &before, &url, there, false).await);
        }
        let heaviest = |visits: &[Visit]| {
            let heaviest = visits.iter().max_by_key(|visit| visit.bytes);
            heaviest.map(|visit| Weight {
                bytes: visit.bytes,
                requests: visit.requests,
                streams: visit.streams,
            })
        };
        let times = |visits: &[Visit], time: fn(&Visit) -> f64| visits.iter().map(time).collect::<Vec<_>>();
        table.weight(
            &format!("{name}, cold"),
            weight,
            heaviest(&cold).expect("visits"),
            60,
            6,
        );
        table.time(
            &format!("{name}, cold: first paint"),
            first,
            &times(&cold, |visit| visit.first),
            200.0,
        );
        let all = times(&cold, |visit| visit.content);
        table.time(&format!("{name}, cold: content there"), content, &all, 200.0);
        table.weight(
            &format!("{name}, warm"),
            "",
            heaviest(&warm).expect("visits"),
            12,
            usize::MAX,
        );
        let all = times(&warm, |visit| visit.content);
        table.time(&format!("{name}, warm: content there"), "", &all, 200.0);
    }
    window.assert_clean();
}

/// Opens an address coming from another page; `cold`: as a browser that knows nothing.
async fn visit(window: &Window, before: &str, url: &str, there: &str, cold: bool) -> Visit {
    window.open_page(before).await;
    tokio::time::sleep(SETTLED).await;
    if cold {
        window.command("Network.clearBrowserCache", json!({})).await;
    }
    window.traffic();
    window.open_page(url).await;
    window.is(&format!("!!document.querySelector({there:?})")).await;
    let painted = "new Promise((answer) => new PerformanceObserver((list) => {
        const first = performance.getEntriesByName('first-contentful-paint')[0];
        if (first) answer([first.startTime, list.getEntries().at(-1).startTime]);
      }).observe({type: 'largest-contentful-paint', buffered: true}))";
    let painted = window.value(painted).await;
    tokio::time::sleep(SETTLED).await;
    let (requests, bytes) = window.traffic();
    let streams = window.value("document.querySelectorAll('[sse-connect]').length").await;
    Visit {
        requests,
        streams: streams.as_u64().expect("a number"),
        bytes,
        first: painted[0].as_f64().expect("a time"),
        content: painted[1].as_f64().expect("a time"),
    }
}
