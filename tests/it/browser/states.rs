//! Every page in every state that people meet, in every look: nothing is wider than the window, axe finds nothing, and
//! pictures of all of it are in `target/pictures`.

use std::fmt::Write;
use std::path::Path;

use portico_sandbox::{Breakage, Fault, System};
use reqwest::StatusCode;
use serde_json::json;

use super::accessibility::assert_accessible;
use super::{Chromium, Look, Window, log_in, open_in_catalog, start_by_clicking};
use crate::support::{Checkout, Options, Platform};

/// More requests than a page causes.
pub const ALWAYS: u32 = 10_000;

/// The page that is open, in all looks.
pub async fn look_at(window: &mut Window, name: &str) {
    for look in [Look::DESK, Look::DARK, Look::PHONE] {
        window.wear(look).await;
        assert_accessible(window, &format!("{name}, {}", look.name)).await;
        window.picture(name).await;
    }
    window.wear(Look::DESK).await;
}

pub async fn visit(platform: &Platform, window: &mut Window, name: &str, path: &str) {
    window.open_page(&format!("{}{path}", platform.portal.url)).await;
    look_at(window, name).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn empty_usual_and_failing() {
    let mut platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    window.open_page(&platform.portal.url).await;
    look_at(window, "login").await;
    log_in(&platform, window, "user1", "/").await;
    look_at(window, "home-empty").await;
    for (name, path) in [
        ("catalog-empty", "/catalog"),
        ("tasks-empty", "/create/tasks"),
        ("deployments-empty", "/deployments"),
        ("create", "/create"),
        ("actions", "/create/actions"),
        ("settings", "/settings"),
        ("locations", "/catalog/locations"),
        ("register", "/catalog/register"),
        ("errors", "/catalog/errors"),
        ("errors-all", "/catalog/errors?of=all"),
        ("history-empty", "/catalog/default/template/basic-deployment/history"),
        ("unregister", "/catalog/default/template/basic-deployment/unregister"),
        ("group", "/catalog/default/group/admin"),
        ("template", "/catalog/default/template/basic-deployment"),
    ] {
        visit(&platform, window, name, path).await;
    }

    // Answers that are refused, with the status that says so.
    window.expect_complaints("status of 422");
    visit(&platform, window, "form", "/create/templates/default/basic-deployment").await;
    window.follow("main button", "Review").await;
    window.reads("needs an answer").await;
    look_at(window, "form-refused").await;
    window.fill("main input[name=name]", "hello").await;
    window.fill("main input[name=owner]", "group:default/admin").await;
    window.follow("main button", "Review").await;
    look_at(window, "review").await;
    window.follow("main button", "Create").await;
    window.reads("4 done").await;
    look_at(window, "task").await;
    open_in_catalog(window, "hello").await;
    window
        .is("/Synced.*Healthy/s.test(document.querySelector('.stats').innerText)")
        .await;
    look_at(window, "entity").await;
    for (name, path) in [
        ("home", "/home"),
        ("catalog", "/catalog"),
        ("tasks", "/create/tasks"),
        ("deployments", "/deployments"),
        ("catalog-nothing", "/catalog?lifecycle=none-of-these"),
    ] {
        visit(&platform, window, name, path).await;
    }

    // The forge fails in the middle of a task.
    let fault = Fault::status(System::Forge, StatusCode::INTERNAL_SERVER_ERROR).method("POST");
    platform
        .sandbox
        .faults
        .order(fault.path_prefix("/api/v1/user/repos").times(ALWAYS));
    start_by_clicking(window, "fails").await;
    window.reads("1 failed").await;
    look_at(window, "task-failed").await;
    platform.sandbox.faults.clear(None);
    // The forge is away before anything is begun.
    platform
        .sandbox
        .faults
        .order(Fault::broken(System::Forge, Breakage::Refuse).times(ALWAYS));
    window.expect_complaints("status of 502");
    visit(
        &platform,
        window,
        "form-forge-down",
        "/create/templates/default/basic-deployment",
    )
    .await;
    window.fill("main input[name=name]", "nowhere").await;
    window.follow("main button", "Review").await;
    window.reads("Not everything could be checked").await;
    window.reads("nowhere can be created").await;
    look_at(window, "review-forge-down").await;
    // One can go on all the same.
    platform.sandbox.faults.clear(None);
    window.follow("main button", "Create").await;
    window.reads("4 done").await;

    // A description that is broken by a push.
    let password = &platform.sandbox.credentials.forge_password;
    let clone_url = format!("{}/giteaAdmin/hello.git", platform.sandbox.urls.forge);
    let checkout = Checkout::clone(&clone_url, "giteaAdmin", password, None);
    checkout.edit("catalog-info.yaml", "metadata:", "metadata: [");
    checkout.push("Broken");
    window
        .open_page(&format!("{}/catalog/default/component/hello", platform.portal.url))
        .await;
    window.reads("last good version").await;
    look_at(window, "entity-broken").await;
    window.follow("main a", "See the location").await;
    look_at(window, "location-broken").await;
    window.follow("main a", "Remove").await;
    look_at(window, "location-remove").await;

    // Argo CD's cluster is away.
    platform
        .sandbox
        .faults
        .order(Fault::broken(System::Kubernetes, Breakage::Refuse).times(ALWAYS));
    platform.restart_portal().await;
    visit(
        &platform,
        window,
        "entity-cluster-away",
        "/catalog/default/component/hello",
    )
    .await;
    window.reads("Not live since").await;
    visit(&platform, window, "deployments-cluster-away", "/deployments").await;
    platform.sandbox.faults.clear(None);

    window.expect_complaints("status of 404");
    visit(&platform, window, "not-found", "/there/is/nothing").await;
    visit(&platform, window, "entity-gone", "/catalog/default/component/gone").await;
    let task = "/create/tasks/00000000-0000-0000-0000-000000000000";
    visit(&platform, window, "task-gone", task).await;
    window.assert_clean();

    let mut other = chromium.person(Look::DESK).await;
    log_in(&platform, &other, "user2", "/home").await;
    visit(&platform, &mut other, "home-user2", "/home").await;
    other.click("summary", "user two").await;
    look_at(&mut other, "menu").await;
    other.follow(".menu button", "Log out").await;
    look_at(&mut other, "logged-out").await;
    other.assert_clean();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn crowded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), many_entities()).expect("a file");
    let golden_paths = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden-paths");
    let platform = Platform::start_with(Options {
        golden_paths: vec![golden_paths, folder.path().to_owned()],
        ..Options::default()
    })
    .await;
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    log_in(&platform, window, "user1", "/home").await;
    look_at(window, "crowded-home").await;
    visit(&platform, window, "crowded-catalog", "/catalog").await;
    window.reads("1–50 of 301").await;
    window.follow("main a", "Next").await;
    window.reads("51–100 of 301").await;

    // Everything that a first visit loads, and what a second one does.
    let reader = chromium.person(Look::DESK).await;
    log_in(&platform, &reader, "user2", "/settings").await;
    for path in ["/catalog", "/catalog/default/component/service-000"] {
        let url = format!("{}{path}", platform.portal.url);
        reader.command("Network.clearBrowserCache", json!({})).await;
        reader.traffic();
        reader.open_page(&url).await;
        let (cold, cold_bytes) = reader.traffic();
        reader.open_page(&url).await;
        let (warm, warm_bytes) = reader.traffic();
        eprintln!("{path}: cold {cold} requests, {cold_bytes} bytes; warm {warm} requests, {warm_bytes} bytes");
        assert!(cold_bytes <= 60 * 1024, "{path} weighs {cold_bytes} bytes");
        assert!(
            warm_bytes <= 12 * 1024,
            "{path} weighs {warm_bytes} bytes when it comes again"
        );
    }

    let path = format!("/catalog/default/component/{}", "long-name-".repeat(6) + "end");
    visit(&platform, window, "crowded-entity", &path).await;
    window.assert_clean();
}

/// 300 components, and one with a long name, 200 tags and text that runs from right to left.
fn many_entities() -> String {
    let mut yaml = String::new();
    let mut entity = |name: &str, metadata: &str| {
        let spec = "{type: service, lifecycle: production, owner: group:default/admin}";
        write!(
            yaml,
            "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}, {metadata}}}\nspec: {spec}\n"
        )
        .expect("text");
    };
    for number in 0..300 {
        entity(
            &format!("service-{number:03}"),
            "description: One of many that do the same",
        );
    }
    let tags: Vec<String> = (0..200).map(|number| format!("tag-{number:03}")).collect();
    entity(
        &("long-name-".repeat(6) + "end"),
        &format!(
            "description: \"خدمة تدفع المبالغ المستردة إلى البطاقة أو المحفظة — {}\", tags: [{}]",
            "a-word-without-any-end-".repeat(12),
            tags.join(", ")
        ),
    );
    yaml
}
