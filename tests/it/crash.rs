//! The portal killed with SIGKILL at every step boundary and inside every action: the task goes on and ends with
//! exactly one repository, one commit, one Application, one entity.

use std::time::Duration;

use futures::StreamExt;
use portico_sandbox::{Breakage, Fault, System};
use serde_json::Value;
use sqlx::PgPool;

use crate::story::assert_created_once;
use crate::support::{Platform, eventually};

/// Where the portal dies.
#[derive(Debug, Clone)]
enum Moment {
    /// While it writes this event of the task, before the transaction is committed.
    Writing(&'static str),
    /// While it writes a row like this into a table, before the transaction is committed.
    Storing(&'static str, &'static str),
    /// While it asks another system: nothing has happened there yet.
    Asking(System, &'static str, &'static str),
    /// While it waits for the answer: what it asked for has happened.
    Waiting(System, &'static str, &'static str),
}

/// Name of the repository in the paths below.
const NAME: &str = "phoenix";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_portal_ends_its_tasks_exactly_once() {
    use Moment::{Asking, Storing, Waiting, Writing};
    let repository = "/api/v1/repos/giteaAdmin/phoenix";
    let moments = [
        Writing("Beginning step Generating files"),
        Asking(System::Forge, "GET", "/api/v1/repos/giteaAdmin/golden-paths/commits"),
        Storing("scaffolder_task_intent", "pin:%/golden-paths@main"),
        Storing("scaffolder_workspace", "%"),
        Writing("Finished step Generating files"),
        Writing("Beginning step Creating the repository"),
        Storing("scaffolder_task_intent", "repository:%/phoenix"),
        Asking(System::Forge, "POST", "/api/v1/user/repos"),
        Waiting(System::Forge, "POST", "/api/v1/user/repos"),
        Storing("scaffolder_task_effect", "repository"),
        Asking(System::Forge, "GET", "/giteaAdmin/phoenix.git/info/refs"),
        Asking(System::Forge, "POST", "/giteaAdmin/phoenix.git/git-receive-pack"),
        Waiting(System::Forge, "POST", "/giteaAdmin/phoenix.git/git-receive-pack"),
        Asking(System::Forge, "GET", repository),
        Writing("Finished step Creating the repository"),
        Writing("Beginning step Creating the Application"),
        Asking(System::Argocd, "POST", "/api/v1/applications"),
        Waiting(System::Argocd, "POST", "/api/v1/applications"),
        Storing("scaffolder_task_effect", "application"),
        Writing("Finished step Creating the Application"),
        Writing("Beginning step Registering in the catalog"),
        Storing("scaffolder_task_intent", "location:%/phoenix/%"),
        Asking(System::Forge, "GET", "/api/v1/repos/giteaAdmin/phoenix/archive"),
        Storing("catalog_location", "%/phoenix/%"),
        Storing("catalog_entity", "component:default/phoenix"),
        Storing("scaffolder_task_effect", "location"),
        Writing("Finished step Registering in the catalog"),
        Writing("Run completed with status: completed"),
    ];
    // Mostly waiting for leases to run out: several at once.
    futures::stream::iter(moments)
        .for_each_concurrent(4, |moment| async move {
            println!("killed at {moment:?}");
            dies_at(moment).await;
        })
        .await;
}

async fn dies_at(moment: Moment) {
    let mut platform = Platform::start().await;
    let db = platform.database.pool().await;
    let hold = Hold::new(&db).await;
    match &moment {
        Moment::Writing(message) => hold.at("scaffolder_task_event", message).await,
        Moment::Storing(table, row) => hold.at(table, row).await,
        Moment::Asking(system, method, path) => {
            let fault = Fault::delay(*system, Duration::from_secs(600));
            platform.sandbox.faults.order(fault.method(method).path_prefix(path));
        }
        Moment::Waiting(system, method, path) => {
            let fault = Fault::broken(*system, Breakage::HoldAnswer).after(Duration::from_secs(600));
            platform.sandbox.faults.order(fault.method(method).path_prefix(path));
        }
    }
    let task = platform.create(NAME).await;
    eventually(&format!("the portal comes to {moment:?}"), || async {
        let (_, state) = platform.api().get(&format!("/scaffolder/v2/tasks/{task}")).await;
        let running = matches!(state["status"].as_str(), Some("open" | "processing"));
        assert!(
            running,
            "the task ended before {moment:?}: {:#?}",
            platform.events(&task).await
        );
        match &moment {
            Moment::Writing(_) | Moment::Storing(..) => hold.is_reached().await.then_some(()),
            _ => platform.sandbox.faults.open().is_empty().then_some(()),
        }
    })
    .await;
    if matches!(moment, Moment::Waiting(..)) {
        // The effect happens elsewhere; nothing tells from here that it has.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    platform.kill_portal();
    hold.release().await;
    platform.restart_portal().await;
    let ended = platform.ended(&task).await;
    let events = platform.events(&task).await;
    assert_eq!(ended["status"], "completed", "{moment:?}: {events:#?}");
    let numbers: Vec<i64> = events.iter().filter_map(|event| event["id"].as_i64()).collect();
    let gapless: Vec<i64> = (1..=i64::try_from(numbers.len()).expect("few")).collect();
    assert_eq!(numbers, gapless, "{moment:?}: events without a gap or a repetition");
    assert_logged_once(&moment, &events);
    assert_created_once(&platform, NAME).await;
    eventually("the repository has one webhook", || async {
        let (_, hooks) = platform.forge().get("/repos/giteaAdmin/phoenix/hooks").await;
        (hooks.as_array().map(Vec::len) == Some(1)).then_some(())
    })
    .await;
}

/// Every step ends once, after one last run that logged all that it did, in this order.
fn assert_logged_once(moment: &Moment, events: &[Value]) {
    let messages: Vec<&str> = events
        .iter()
        .filter_map(|event| event["body"]["message"].as_str())
        .collect();
    let steps: [(&str, &[&str]); 4] = [
        ("Generating files", &["Rendered 6 files"]),
        ("Creating the repository", &["Pushed commit ", "Commit "]),
        (
            "Creating the Application",
            &["Created", "It was created by an earlier run"],
        ),
        (
            "Registering in the catalog",
            &["component:default/phoenix is in the catalog"],
        ),
    ];
    let mut rest = &messages[..];
    for (step, done) in steps {
        let finished = format!("Finished step {step}");
        let end = rest.iter().position(|message| *message == finished);
        let end = end.unwrap_or_else(|| panic!("{moment:?}: {finished} in {messages:#?}"));
        let (of_step, later) = rest.split_at(end + 1);
        let beginning = format!("Beginning step {step}");
        let began = of_step.iter().rposition(|message| *message == beginning);
        let last = &of_step[began.unwrap_or_else(|| panic!("{moment:?}: {beginning} in {messages:#?}"))..];
        let told = last
            .iter()
            .filter(|message| done.iter().any(|start| message.starts_with(start)))
            .count();
        assert_eq!(told, 1, "{moment:?}: {done:?} in {last:#?}");
        assert!(
            !later.contains(&finished.as_str()),
            "{moment:?}: {finished} twice in {messages:#?}"
        );
        rest = later;
    }
    assert_eq!(rest, ["Run completed with status: completed"], "{moment:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_a_death_kept_from_being_asked_for_is_made_up_for() {
    let mut platform = Platform::start().await;
    let db = platform.database.pool().await;
    let is_registered = || async {
        let registered = "select true from webhook where name = 'golden-paths' and state = 'registered'";
        let found: Option<bool> = sqlx::query_scalar(registered)
            .fetch_optional(&db)
            .await
            .expect("an answer");
        found.map(drop)
    };
    eventually("the golden paths have a webhook", is_registered).await;
    platform.kill_portal();
    // As if the process had died after it stored the location, and before it asked for the webhook.
    sqlx::query("delete from webhook")
        .execute(&db)
        .await
        .expect("webhooks are forgotten");
    platform.restart_portal().await;
    eventually("the golden paths have a webhook again", is_registered).await;
}

/// Holds the portal inside the transaction that writes a certain row, by triggers that wait for a lock.
struct Hold {
    db: PgPool,
    lock: tokio::sync::Mutex<Option<sqlx::pool::PoolConnection<sqlx::Postgres>>>,
}

impl Hold {
    const LOCK: i64 = 4711;

    async fn new(db: &PgPool) -> Self {
        let mut statements = vec![
            "create table test_hold (place text not null, row_is_like text not null)".to_owned(),
            // The argument is the path of what tells rows apart.
            format!(
                "create function test_hold() returns trigger language plpgsql as $$
                 begin
                     if exists (
                         select from test_hold
                         where place = tg_table_name and to_jsonb(new) #>> tg_argv[0]::text[] like row_is_like
                     ) then
                         perform pg_advisory_xact_lock({});
                     end if;
                     return new;
                 end $$",
                Self::LOCK
            ),
        ];
        for (table, path) in [
            ("scaffolder_task_event", "{body,message}"),
            ("scaffolder_task_intent", "{key}"),
            ("scaffolder_task_effect", "{kind}"),
            ("scaffolder_workspace", "{task_id}"),
            ("catalog_location", "{target}"),
            ("catalog_entity", "{entity_ref}"),
        ] {
            statements.push(format!(
                "create trigger test_hold after insert on {table}
                 for each row execute function test_hold('{path}')"
            ));
        }
        for statement in statements {
            sqlx::query(sqlx::AssertSqlSafe(statement))
                .execute(db)
                .await
                .expect("the trigger stands");
        }
        Self {
            db: db.clone(),
            lock: tokio::sync::Mutex::new(None),
        }
    }

    async fn at(&self, table: &str, row_is_like: &str) {
        let mut connection = self.db.acquire().await.expect("a connection");
        sqlx::query("select pg_advisory_lock($1)")
            .bind(Self::LOCK)
            .execute(&mut *connection)
            .await
            .expect("a lock");
        *self.lock.lock().await = Some(connection);
        sqlx::query("insert into test_hold values ($1, $2)")
            .bind(table)
            .bind(row_is_like)
            .execute(&self.db)
            .await
            .expect("an order");
    }

    async fn is_reached(&self) -> bool {
        let waiting = "select exists (select from pg_locks where locktype = 'advisory' and objid::bigint = $1
             and not granted and database = (select oid from pg_database where datname = current_database()))";
        sqlx::query_scalar(waiting)
            .bind(Self::LOCK)
            .fetch_one(&self.db)
            .await
            .expect("an answer")
    }

    async fn release(&self) {
        sqlx::query("delete from test_hold")
            .execute(&self.db)
            .await
            .expect("taken back");
        if let Some(connection) = self.lock.lock().await.take() {
            // Ending the connection frees the lock.
            let _ = connection.close().await;
        }
    }
}
