//! The pictures of `README.md`: the story from the form to the entity's page, in light and dark.

use std::path::Path;
use std::time::Duration;

use portico_sandbox::{Fault, System};

use crate::browser::{Chromium, Look, Window, log_in, open_in_catalog};
use crate::support::Platform;

/// Readers wait for them.
const LARGEST: u64 = 150 * 1024;

async fn take(window: &mut Window, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (look, colours) in [(Look::DARK, "dark"), (Look::DESK, "light")] {
        window.wear(look).await;
        let file = folder.join(format!("{name}-{colours}.webp"));
        let bytes = window.view().await;
        assert!(
            bytes.len() as u64 <= LARGEST,
            "{} has {} bytes",
            file.display(),
            bytes.len()
        );
        std::fs::write(file, bytes).expect("a file");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes docs/pictures: tests/run pictures"]
async fn of_the_readme() {
    let platform = Platform::start().await;
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    log_in(&platform, window, "user1", "/create").await;
    window.follow(".card a", "Basic Deployment").await;
    window.fill("main input[name=name]", "hello").await;
    window.fill("main input[name=owner]", "group:default/admin").await;
    window.fill("main input[name=description]", "Says hello").await;
    take(window, "1-form").await;
    window.follow("main button", "Review").await;
    take(window, "2-review").await;
    // Long enough to be looked at.
    let slow = Fault::delay(System::Forge, Duration::from_secs(5)).method("POST");
    platform.sandbox.faults.order(slow.path_prefix("/api/v1/user/repos"));
    window.follow("main button", "Create").await;
    window.reads("1 done, 1 running").await;
    take(window, "3-task-running").await;
    window.reads("4 done").await;
    take(window, "4-task-done").await;
    open_in_catalog(window, "hello").await;
    window
        .is("/Synced.*Healthy/s.test(document.querySelector('.stats').innerText)")
        .await;
    take(window, "5-entity").await;
    window.assert_clean();
}
