//! Lost connections, several windows, and the button "back".

use portico_sandbox::{Breakage, Fault, System};
use serde_json::json;
use std::time::Duration;

use super::{Chromium, Look, Window, log_in, open_in_catalog, record, recorded, start_by_clicking};
use crate::support::Platform;

/// Texts of all lines of all logs on a task's page.
const LINES: &str = "[...document.querySelectorAll('.log')].flatMap((log) =>
  log.textContent.split('\\n').map((line) => line.trim()).filter(Boolean))";

/// The page has each line of the task's log once, in order.
async fn has_the_whole_log(platform: &Platform, window: &Window) {
    window.reads("4 done").await;
    let url = window.url().await;
    let task = url.rsplit('/').next().expect("an id");
    let events = platform.events(task).await;
    let lines = window.value(LINES).await;
    let mut lines: Vec<String> = lines
        .as_array()
        .expect("a list")
        .iter()
        .map(|line| line.as_str().unwrap_or_default().to_owned())
        .collect();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event["body"]["stepId"].is_string())
        .collect();
    assert!(told.len() >= 8, "the task tells what it does: {told:#?}");
    // Lines of the log may hold line ends: each event's first line is looked for, and what is found is taken out.
    for event in told {
        let message = event["body"]["message"].as_str().unwrap_or_default();
        let first = message.lines().next().unwrap_or_default().trim();
        let at = lines.iter().position(|line| line.ends_with(first));
        let at = at.unwrap_or_else(|| panic!("a gap: {first:?} is missing in {lines:#?}"));
        lines.remove(at);
    }
    let repeated: Vec<_> = lines
        .iter()
        .filter(|line| {
            events
                .iter()
                .any(|event| event["body"]["message"].as_str() == line.get(12..))
        })
        .collect();
    assert!(repeated.is_empty(), "repeated: {repeated:#?}");
}

/// Makes the next push slow enough to do something meanwhile.
fn slow_forge(platform: &Platform) {
    let slow = Fault::delay(System::Forge, Duration::from_secs(3))
        .method("POST")
        .path_prefix("/api/v1/user/repos");
    platform.sandbox.faults.order(slow);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn a_task_page_goes_on_after_a_lost_connection() {
    let mut platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    // The connection is cut on purpose; browsers write that down.
    window.expect_complaints("ERR_");
    log_in(&platform, &window, "user1", "/").await;
    slow_forge(&platform);
    start_by_clicking(&window, "hello").await;
    window.reads("1 done, 1 running").await;
    let opened = window.value("performance.timeOrigin").await;

    // The portal dies and comes back; the task and the page go on.
    record(&window, "toast", "#toasts").await;
    platform.kill_portal();
    recorded(&window, "toast", "connection is lost").await;
    window.picture("task-lost").await;
    platform.restart_portal().await;
    recorded(&window, "toast", "Connected again").await;
    has_the_whole_log(&platform, &window).await;
    assert_eq!(
        window.value("performance.timeOrigin").await,
        opened,
        "the page was not loaded again"
    );

    // Who opens it later reads the same.
    let later = window.another().await;
    later.open_page(&window.url().await).await;
    has_the_whole_log(&platform, &later).await;
    assert_eq!(later.value(LINES).await, window.value(LINES).await);

    // The entity's page says that it is cut off, and mends itself.
    window.follow("main a", "Open in catalog").await;
    window
        .is("/Synced.*Healthy/s.test(document.querySelector('.stats').innerText)")
        .await;
    record(&window, "toast", "#toasts").await;
    platform.kill_portal();
    recorded(&window, "toast", "connection is lost").await;
    platform.restart_portal().await;
    recorded(&window, "toast", "Connected again").await;
    window.assert_clean();
    later.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn two_windows_of_one_person() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", "/").await;
    let other = window.another().await;
    other.open_page(&format!("{}/home", platform.portal.url)).await;

    // The same form twice at once: two tasks, two services.
    slow_forge(&platform);
    start_by_clicking(&window, "hello").await;
    start_by_clicking(&other, "goodbye").await;
    assert_ne!(window.url().await, other.url().await);
    // And one task in two windows.
    let third = window.another().await;
    third.open_page(&window.url().await).await;
    for window in [&window, &other, &third] {
        has_the_whole_log(&platform, window).await;
        window.assert_clean();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn the_button_back() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", "/").await;

    // A filtered list is the same list when one comes back to it.
    window.follow(".nav a", "Catalog").await;
    window.follow(".facets a", "Template").await;
    window.follow("#rows a", "Basic Deployment").await;
    window.reads("Platform team").await;
    window.back().await;
    window.reads("6 templates").await;

    // From the review back to the form: the answers are there.
    window.follow(".nav a", "Create").await;
    window.follow(".card a", "Basic Deployment").await;
    window.fill("main input[name=name]", "hello").await;
    window.follow("main button", "Review").await;
    window.follow("main button", "Back").await;
    window
        .is("document.querySelector('main input[name=name]').value === 'hello'")
        .await;

    // From the task back and forth starts nothing anew.
    window.follow("main button", "Review").await;
    window.follow("main button", "Create").await;
    window.reads("4 done").await;
    let task = window.url().await;
    window.follow("main a", "Open in catalog").await;
    window.back().await;
    assert_eq!(window.url().await, task);
    window.reads("4 done").await;
    window.open_page(&format!("{}/create/tasks", platform.portal.url)).await;
    let tasks = window.value("document.querySelectorAll('tbody tr').length").await;
    assert_eq!(tasks, json!(1));
    window.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn the_number_of_running_tasks_drops_by_itself() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", "/").await;
    slow_forge(&platform);
    start_by_clicking(&window, "hello").await;
    let list = window.another().await;
    list.open_page(&format!("{}/create/tasks", platform.portal.url)).await;
    for (page, shown) in [(&window, ".task"), (&list, "#tasks")] {
        page.is("document.querySelector('#running-tasks').innerText.startsWith('1')")
            .await;
        record(page, "count", "#running-tasks").await;
        record(page, "tasks", shown).await;
        page.value("window.same = true").await;
    }
    for (page, done) in [(&window, "Done.*Done.*Done.*Done"), (&list, "hello.*Done")] {
        recorded(page, "count", "^$").await;
        recorded(page, "tasks", done).await;
        page.is("window.same === true").await;
        page.assert_clean();
    }
    assert_eq!(list.text("#tasks-total").await, "1 of yours");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn open_lists_say_when_they_are_not_live() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", "/").await;
    start_by_clicking(&window, "hello").await;
    open_in_catalog(&window, "hello").await;
    let deployments = window.another().await;
    let pages = [(&window, "/catalog"), (&deployments, "/deployments")];
    for (page, path) in pages {
        page.open_page(&format!("{}{path}", platform.portal.url)).await;
        page.is("/Synced\\s*Healthy/.test(document.querySelector('tbody').innerText)")
            .await;
        assert_eq!(page.text(".watch").await, "", "{path} is live");
        record(page, "watch", ".watch").await;
    }
    let row = "document.querySelector('tbody tr').getBoundingClientRect().top";
    let before = window.value(row).await;
    platform
        .sandbox
        .faults
        .order(Fault::broken(System::Kubernetes, Breakage::Refuse).times(u32::MAX));
    for (page, _) in pages {
        recorded(page, "watch", "Not live since .*may be old").await;
        // What was known stays, where it was.
        page.is("/Synced\\s*Healthy/.test(document.querySelector('tbody').innerText)")
            .await;
    }
    assert_eq!(window.value(row).await, before, "nothing moves");
    window.picture("catalog-not-live").await;
    platform.sandbox.faults.clear(Some(System::Kubernetes));
    for (page, _) in pages {
        page.is("document.querySelector('.watch').innerText === ''").await;
        page.assert_clean();
    }
}
