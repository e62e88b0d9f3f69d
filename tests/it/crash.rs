//! The portal killed with SIGKILL at every step boundary and inside every action: the task goes on and ends with
//! exactly one repository, one commit, one Application, one entity.

use std::time::Duration;

use futures::StreamExt;
use portico_sandbox::{Breakage, Fault, System};
use sqlx::PgPool;

use crate::story::assert_created_once;
use crate::support::{Platform, eventually};

/// Where the portal dies.
#[derive(Debug, Clone)]
enum Moment {
    /// While it writes this event of the task, before the transaction is committed.
    Writing(&'static str),
    /// While it asks another system: nothing has happened there yet.
    Asking(System, &'static str, &'static str),
    /// While it waits for the answer: what it asked for has happened.
    Waiting(System, &'static str, &'static str),
}

/// Name of the repository in the paths below.
const NAME: &str = "phoenix";

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_portal_ends_its_tasks_exactly_once() {
    use Moment::{Asking, Waiting, Writing};
    let repository = "/api/v1/repos/giteaAdmin/phoenix";
    let moments = [
        Writing("Beginning step Generating files"),
        Asking(System::Forge, "GET", "/api/v1/repos/giteaAdmin/golden-paths"),
        Writing("Finished step Generating files"),
        Writing("Beginning step Creating the repository"),
        Asking(System::Forge, "POST", "/api/v1/user/repos"),
        Waiting(System::Forge, "POST", "/api/v1/user/repos"),
        Asking(System::Forge, "GET", "/giteaAdmin/phoenix.git/info/refs"),
        Asking(System::Forge, "POST", "/giteaAdmin/phoenix.git/git-receive-pack"),
        Waiting(System::Forge, "POST", "/giteaAdmin/phoenix.git/git-receive-pack"),
        Asking(System::Forge, "GET", repository),
        Writing("Finished step Creating the repository"),
        Writing("Beginning step Creating the Application"),
        Asking(System::Argocd, "POST", "/api/v1/applications"),
        Waiting(System::Argocd, "POST", "/api/v1/applications"),
        Writing("Finished step Creating the Application"),
        Writing("Beginning step Registering in the catalog"),
        Asking(System::Forge, "GET", "/api/v1/repos/giteaAdmin/phoenix/archive"),
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
        Moment::Writing(message) => hold.at(message).await,
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
            Moment::Writing(_) => hold.is_reached().await.then_some(()),
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
    for message in [
        "Run completed with status: completed",
        "Finished step Creating the repository",
    ] {
        let count = events
            .iter()
            .filter(|event| event["body"]["message"] == message)
            .count();
        assert_eq!(count, 1, "{moment:?}: {message} in {events:#?}");
    }
    assert_created_once(&platform, NAME).await;
}

/// Holds the portal inside the transaction that writes a certain event, by a trigger that waits for a lock.
struct Hold {
    db: PgPool,
    lock: tokio::sync::Mutex<Option<sqlx::pool::PoolConnection<sqlx::Postgres>>>,
}

impl Hold {
    const LOCK: i64 = 4711;

    async fn new(db: &PgPool) -> Self {
        let statements = [
            "create table test_hold (message text not null)".to_owned(),
            format!(
                "create function test_hold() returns trigger language plpgsql as $$
                 begin
                     if exists (select from test_hold where message = new.body->>'message') then
                         perform pg_advisory_xact_lock({});
                     end if;
                     return new;
                 end $$",
                Self::LOCK
            ),
            "create trigger test_hold after insert on scaffolder_task_event
                 for each row execute function test_hold()"
                .to_owned(),
        ];
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

    async fn at(&self, message: &str) {
        let mut connection = self.db.acquire().await.expect("a connection");
        sqlx::query("select pg_advisory_lock($1)")
            .bind(Self::LOCK)
            .execute(&mut *connection)
            .await
            .expect("a lock");
        *self.lock.lock().await = Some(connection);
        sqlx::query("insert into test_hold values ($1)")
            .bind(message)
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
