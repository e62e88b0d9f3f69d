//! What each reader has their own way with: language, dates, colours, keys, stars, paper.

use serde_json::json;

use super::accessibility::assert_accessible;
use super::{Chromium, Look, Window, log_in, open_in_catalog, start_by_clicking};
use crate::support::Platform;

async fn prefer_german(window: &Window) {
    let headers = json!({"headers": {"Accept-Language": "de-DE,de;q=0.9,en;q=0.8"}});
    window.command("Network.setExtraHTTPHeaders", headers).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn german_as_the_browser_asks() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let mut window = chromium.person(Look::DESK).await;
    prefer_german(&window).await;
    window.open_page(&format!("{}/signed-out", platform.portal.url)).await;
    window.reads("Abgemeldet").await;
    log_in(&platform, &window, "user1", "/").await;
    window.reads("In meiner Verantwortung").await;

    // A whole task: what the stream sends is in the language of the page.
    window.follow(".nav a", "Erstellen").await;
    window.follow(".card a", "Basic Deployment").await;
    window.expect_complaints("status of 422");
    window.follow("main button", "Prüfen").await;
    window.reads("Hier fehlt eine Antwort.").await;
    window.fill("main input[name=name]", "hallo").await;
    window.fill("main input[name=owner]", "group:default/admin").await;
    window.follow("main button", "Prüfen").await;
    window.follow("main button", "Erstellen").await;
    window.reads("4 fertig").await;
    window.reads("Katalogeintrag").await;
    let task = window.url().await;

    window.expect_complaints("status of 404");
    for (name, path) in [
        ("home", "/home"),
        ("catalog", "/catalog"),
        ("entity", "/catalog/default/component/hallo"),
        ("locations", "/catalog/locations"),
        ("register", "/catalog/register"),
        ("errors", "/catalog/errors?of=all"),
        ("history", "/catalog/default/component/hallo/history"),
        ("create", "/create"),
        ("form", "/create/templates/default/basic-deployment"),
        ("tasks", "/create/tasks"),
        ("task", &task[platform.portal.url.len()..]),
        ("deployments", "/deployments"),
        ("settings", "/settings"),
        ("keys", "/keys"),
        ("not-found", "/there/is/nothing"),
    ] {
        window.open_page(&format!("{}{path}", platform.portal.url)).await;
        window.is("document.documentElement.lang === 'de'").await;
        for look in [Look::DESK, Look::PHONE] {
            window.wear(look).await;
            assert_accessible(&window, &format!("{name} in German, {}", look.name)).await;
            window.picture(&format!("german-{name}")).await;
        }
        window.wear(Look::DESK).await;
    }
    window.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn choices_hold_without_a_script_and_on_each_page() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    window.switch_javascript_off().await;
    log_in(&platform, &window, "user1", "/settings").await;
    for (list, value) in [("language", "de"), ("dates", "iso"), ("theme", "dark"), ("keys", "off")] {
        let choose = format!("document.querySelector('select[name={list}]').value = '{value}'; true");
        window.is(&choose).await;
    }
    window.follow("main button", "Save").await;
    window.reads("In diesem Browser gespeichert.").await;
    window
        .is("getComputedStyle(document.documentElement).colorScheme === 'dark'")
        .await;
    window.follow(".nav a", "Katalog").await;
    window.reads("Katalog").await;

    // Another window of the same browser runs scripts: the times are fresh and exact in the chosen way.
    let scripted = window.another().await;
    scripted
        .open_page(&format!("{}/catalog?kind=all", platform.portal.url))
        .await;
    scripted
        .is("[...document.querySelectorAll('time[data-ago]')].every((time) => /^(vor|in) |^gerade/.test(time.innerText) && /^\\d{4}-\\d\\d-\\d\\d /.test(time.title))")
        .await;
    scripted.press("/").await;
    scripted.press("?").await;
    scripted
        .is("document.activeElement === document.body && !document.querySelector('dialog[open]')")
        .await;
    window.assert_clean();
    scripted.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn keys_search_and_help() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let mut window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", "/home").await;
    window.press("?").await;
    window.is("document.querySelector('#keys').open").await;
    for look in [Look::DESK, Look::DARK, Look::PHONE] {
        window.wear(look).await;
        assert_accessible(&window, &format!("help, {}", look.name)).await;
        window.picture("help").await;
    }
    window.wear(Look::DESK).await;
    window.press("/").await;
    window.is("document.querySelector('#keys').open").await;
    window.press("Escape").await;
    window.is("!document.querySelector('#keys').open").await;
    window.press("/").await;
    window.is("document.activeElement.id === 'q'").await;
    // Typed, both are letters.
    window.press("?").await;
    window.press("/").await;
    window
        .is("document.activeElement.value === '?/' && !document.querySelector('#keys').open")
        .await;
    // The first stop of the tab key leads past bar and navigation.
    window.open_page(&format!("{}/home", platform.portal.url)).await;
    window.press("Tab").await;
    window
        .is("document.activeElement.className === 'skip' && document.activeElement.getBoundingClientRect().top >= 0")
        .await;
    window.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn stars_stay_with_and_without_a_script() {
    const TEMPLATE: &str = "/catalog/default/template/basic-deployment";
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", TEMPLATE).await;
    let before = window.value("performance.timeOrigin").await;
    let head = window
        .value("document.querySelector('h1').getBoundingClientRect().top")
        .await;
    window.click("main [aria-pressed=false]", "").await;
    window
        .is("document.activeElement?.getAttribute('aria-pressed') === 'true'")
        .await;
    assert_eq!(
        window.value("performance.timeOrigin").await,
        before,
        "the page was left"
    );
    let now = window
        .value("document.querySelector('h1').getBoundingClientRect().top")
        .await;
    assert_eq!(now, head, "the page jumped");
    window.follow(".nav a", "Home").await;
    window.follow("main a", "Basic Deployment").await;

    let plain = window.another().await;
    plain.switch_javascript_off().await;
    plain
        .open_page(&format!("{}/catalog?kind=all&starred=1", platform.portal.url))
        .await;
    plain.reads("1 entity").await;
    plain.follow("main td [aria-pressed=true]", "").await;
    plain.reads("Nothing is starred yet.").await;
    plain.open_page(&format!("{}{TEMPLATE}", platform.portal.url)).await;
    plain.follow("main [aria-pressed=false]", "").await;
    plain.is("!!document.querySelector('main [aria-pressed=true]')").await;
    window.assert_clean();
    plain.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn pages_on_paper() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = chromium.person(Look::DARK).await;
    log_in(&platform, &window, "user1", "/home").await;
    start_by_clicking(&window, "hello").await;
    window.reads("4 done").await;
    window.print("task").await;
    open_in_catalog(&window, "hello").await;
    for (name, path) in [
        ("entity", "/catalog/default/component/hello"),
        ("catalog", "/catalog?kind=all"),
    ] {
        window.open_page(&format!("{}{path}", platform.portal.url)).await;
        window.print(name).await;
    }
    window.assert_clean();
}
