//! Pages of what fails, is refused or ends too early, in every look.

use std::time::Duration;

use portico_sandbox::{Breakage, Fault, System};
use sqlx::Executor;

use super::states::{ALWAYS, look_at, visit};
use super::{Chromium, Look, log_in, start_by_clicking};
use crate::support::{Options, Platform};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn refused_broken_and_away() {
    let platform = Platform::start_with(Options {
        cable: true,
        ..Options::default()
    })
    .await;
    let database = platform.database.pool().await;
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    log_in(&platform, window, "user1", "/").await;

    // A task that runs for long, and is cancelled.
    let slow = Fault::delay(System::Forge, Duration::from_secs(300)).method("POST");
    platform.sandbox.faults.order(slow.path_prefix("/api/v1/user/repos"));
    start_by_clicking(window, "hello").await;
    window.reads("1 done, 1 running").await;
    look_at(window, "task-running").await;
    visit(&platform, window, "tasks-running", "/create/tasks").await;
    visit(&platform, window, "home-running", "/home").await;
    window.back().await;
    window.back().await;
    window.follow("main button", "Cancel").await;
    window.reads("1 cancelled").await;
    look_at(window, "task-cancelled").await;
    platform.sandbox.faults.clear(None);

    // It is nobody else's business.
    let task = window.url().await.replace(&platform.portal.url, "");
    let other = &mut chromium.person(Look::DESK).await;
    log_in(&platform, other, "user2", "/home").await;
    other.expect_complaints("status of 403");
    visit(&platform, other, "forbidden", &task).await;
    other.reads("You may not do this").await;

    // A fault of ours: the page names the request and nothing of the reason.
    window.expect_complaints("status of 500");
    database
        .execute("alter table scaffolder_task rename to scaffolder_task_away")
        .await
        .expect("a table");
    visit(&platform, window, "broken", "/create/tasks").await;
    window.reads("Something went wrong on our side").await;
    assert!(!window.text("main").await.contains("scaffolder_task"));
    database
        .execute("alter table scaffolder_task_away rename to scaffolder_task")
        .await
        .expect("a table");

    // The session ends while a form is filled in: nothing that was typed is lost.
    let form = format!("{}/create/templates/default/basic-deployment", platform.portal.url);
    window.open_page(&form).await;
    window.fill("main input[name=name]", "typed-before").await;
    window.fill("main input[name=owner]", "group:default/admin").await;
    database.execute("delete from sessions").await.expect("a table");
    window.follow("main button", "Review").await;
    window
        .is("document.querySelector('main input[name=name]')?.value === 'typed-before'")
        .await;
    look_at(window, "form-after-the-session").await;

    // Without the database.
    window.expect_complaints("status of 503");
    platform.cable.as_ref().expect("a cable").pull();
    visit(&platform, window, "database-away", "/catalog").await;
    window.reads("The database is away").await;
    platform.cable.as_ref().expect("a cable").plug_in();

    // Nobody can log in without the identity provider.
    let away = Fault::broken(System::Identity, Breakage::Refuse).times(ALWAYS);
    platform.sandbox.faults.order(away);
    let stranger = &mut chromium.person(Look::DESK).await;
    stranger.expect_complaints("status of 503");
    visit(&platform, stranger, "login-away", "/catalog").await;
    stranger.reads("identity provider is away").await;
    for window in [&*window, &*other, &*stranger] {
        window.assert_clean();
    }
}
