//! Pages of what fails, is refused or ends too early, in every look.

use portico_sandbox::{Breakage, Fault, System};
use sqlx::Executor;

use super::states::{ALWAYS, look_at, visit};
use super::{Chromium, Look, Window, log_in};
use crate::support::{Options, Platform};

/// Templates that the golden paths do not have: one that runs for long, and one whose author writes Markdown.
const TEMPLATES: &str = r#"
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: waits, title: Waits, description: Runs for *five* minutes}
spec:
  type: service
  parameters: {title: Nothing to answer, properties: {name: {type: string, title: Name}}}
  steps:
    - {id: begin, name: Beginning, action: "debug:log", input: {message: It begins}}
    - {id: wait, name: Waiting, action: "debug:wait", input: {minutes: 5}}
    - {id: end, name: Ending, action: "debug:log", input: {message: It ends}}
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: tells, title: Tells}
spec:
  type: documentation
  parameters: {title: Nothing to answer, properties: {name: {type: string, title: Name}}}
  steps:
    - {id: log, name: Logging, action: "debug:log", input: {message: A line}}
  output:
    text:
      - title: What next
        content: |
          # Three things

          1. **Read** the [catalog](/catalog)
          2. Run `git clone`
          3. Do not press [this](javascript:window.hurt=1) <img src=x onerror="window.hurt=1">

          | Environment | Address |
          |---|---|
          | test | <script>window.hurt = 1</script> |
"#;

/// Starts one of them.
async fn start(window: &Window, title: &str, name: &str) {
    window.follow(".nav a", "Create").await;
    window.follow(".card a", title).await;
    window.fill("main input[name=name]", name).await;
    window.follow("main button", "Review").await;
    window.follow("main button", "Create").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium: tests/run browser"]
async fn refused_broken_and_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("catalog-info.yaml"), TEMPLATES).expect("a file");
    let mut options = Options {
        cable: true,
        ..Options::default()
    };
    options.golden_paths.push(folder.path().to_owned());
    let platform = Platform::start_with(options).await;
    let database = platform.database.pool().await;
    let chromium = Chromium::start();
    let window = &mut chromium.person(Look::DESK).await;
    log_in(&platform, window, "user1", "/").await;

    // What authors write is shown and can do nothing.
    start(window, "Tells", "told").await;
    window.reads("1 done").await;
    window.reads("Three things").await;
    let shown = "[...document.querySelectorAll('.md *')].map((element) => element.localName).join(' ')";
    let shown = window.value(shown).await;
    assert_eq!(
        shown, "h3 ol li strong a li code li table thead tr th th tbody tr td td",
        "nothing else"
    );
    window.is("window.hurt === undefined").await;
    look_at(window, "task-text").await;

    // A task that runs for long, and is cancelled.
    start(window, "Waits", "hello").await;
    window.reads("1 done, 1 running").await;
    look_at(window, "task-running").await;
    visit(&platform, window, "tasks-running", "/create/tasks").await;
    visit(&platform, window, "home-running", "/home").await;
    window.back().await;
    window.back().await;
    window.follow("main button", "Cancel").await;
    window.reads("1 cancelled").await;
    look_at(window, "task-cancelled").await;

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
    // The name may just be checked.
    window.expect_complaints("status of 401");
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
    // Nobody is known, so there is no navigation, and the page has its place.
    window
        .is("document.querySelector('main').getBoundingClientRect().width === document.documentElement.clientWidth")
        .await;
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
