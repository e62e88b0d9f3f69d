//! The main job by clicking: with and without JavaScript, on a desk and on a phone.

use super::{Chromium, Look, log_in, open_in_catalog, record, recorded, start_by_clicking};
use crate::story::assert_created_once;
use crate::support::{AnyPlatform, fresh};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn from_the_login_to_a_pushed_change_on_open_pages() {
    let platform = AnyPlatform::start().await;
    let chromium = Chromium::at(&platform);
    let name = fresh("hello");
    let window = chromium.person(Look::DESK).await;
    log_in(&platform, &window, "user1", "/").await;
    window.reads("Owned by me and my groups").await;

    // A name that Kubernetes would refuse is told while typing.
    window.follow(".nav a", "Create").await;
    window.follow(".card a", "Basic Deployment").await;
    window.fill("main input[name=name]", "Not_A_Name").await;
    window
        .is("document.querySelector('.field .err').innerText.length > 0")
        .await;
    window.fill("main input[name=name]", &name).await;
    window
        .is("document.querySelector('.field .err').innerText.length === 0")
        .await;

    // The task, live: the page is the same all the time.
    start_by_clicking(&window, &name).await;
    record(&window, "steps", ".task").await;
    window.reads("4 done").await;
    recorded(&window, "steps", "Done.*Running|Running.*Waiting").await;
    window
        .is("!document.querySelector('main').innerText.includes('Cancel')")
        .await;
    let repository = format!("giteaAdmin/{name}");
    for link in [repository.as_str(), "Open in catalog", "Repository"] {
        window.reads(link).await;
    }
    window
        .is("[...document.querySelectorAll('main a')].some((a) => a.href.includes('/applications/'))")
        .await;

    // The entity is there at once, with everything about it.
    open_in_catalog(&window, &name).await;
    for part in [
        "Platform team",
        "experimental",
        "Says hello",
        "View source",
        "Edit",
        "Relations",
        "git clone",
        "manifests/",
        "Last sync",
        "Revision",
    ] {
        window.reads(part).await;
    }
    window
        .is("/Synced.*Healthy/s.test(document.querySelector('.stats').innerText)")
        .await;

    // Two people look: at the entity, and at the list. A push changes both by itself.
    let other = chromium.person(Look::DESK).await;
    log_in(&platform, &other, "user2", &format!("/catalog?text={name}")).await;
    record(&window, "status", ".stats").await;
    record(&window, "about", "#about").await;
    record(&other, "row", "#rows tr").await;
    recorded(&other, "row", "Synced Healthy").await;
    let checkout = platform.checkout(&name);
    checkout.edit("manifests/deployment.yaml", "replicas: 2", "replicas: 3");
    checkout.edit("catalog-info.yaml", "Says hello", "Says hello three times");
    let commit = checkout.push("Three replicas");

    recorded(&window, "about", "three times").await;
    recorded(&other, "row", "three times").await;
    for (page, name) in [(&window, "status"), (&other, "row")] {
        let out = recorded(page, name, "OutOfSync").await;
        if !platform.is_real() {
            // A real Deployment may be ready before Argo CD looks at it.
            let progressing = recorded(page, name, "Synced.*Progressing").await;
            assert!(out <= progressing, "{name}: first out of sync, then progressing");
        }
        page.is(&format!("/Synced.*Healthy/.test(window.seen.{name}.at(-1).text)"))
            .await;
    }
    window.reads(&commit[..7]).await;

    // Logging out ends the session at the provider too.
    window.click("summary", "user one").await;
    window.follow(".menu button", "Log out").await;
    window.reads("logged out").await;
    window.open_page(&format!("{}/catalog", platform.url)).await;
    window.is("!!document.querySelector('input[name=password]')").await;

    window.assert_clean();
    other.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn without_javascript_up_to_the_finished_task() {
    let platform = AnyPlatform::start().await;
    let chromium = Chromium::at(&platform);
    let name = fresh("hello");
    let window = chromium.person(Look::DESK).await;
    window.switch_javascript_off().await;
    log_in(&platform, &window, "user1", "/").await;
    start_by_clicking(&window, &name).await;
    open_in_catalog(&window, &name).await;
    window.reads("git clone").await;
    assert_created_once(&platform, &name).await;
    window.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn on_a_phone() {
    let platform = AnyPlatform::start().await;
    let chromium = Chromium::at(&platform);
    let name = fresh("hello");
    let window = chromium.person(Look::PHONE).await;
    log_in(&platform, &window, "user1", "/").await;
    start_by_clicking(&window, &name).await;
    open_in_catalog(&window, &name).await;
    // Filters are behind a button where there is no room beside the list.
    window.follow(".nav a", "Catalog").await;
    window.click(".facets summary", "Filters").await;
    window.follow(".facets a", "Template").await;
    window.reads("Basic Deployment").await;
    window.assert_clean();
}
