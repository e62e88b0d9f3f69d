//! Steps that are tried again, that wait, and that hang: what survives, who holds what, and for how long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::DateTime;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use super::tests::{Bench, World, bench, bench_at, make};
use crate::clock::Clock;
use crate::scaffolder::Settings;
use crate::scaffolder::actions::{Action, ActionError, Context, NoOutput};
use crate::scaffolder::model::{StepStatus, TaskStatus, Waiting};
use crate::scaffolder::queries;

/// A clock that is moved by hand.
#[derive(Clone)]
struct Hands(Arc<AtomicI64>);

impl Hands {
    fn new() -> (Self, Clock) {
        let hands = Self(Arc::new(AtomicI64::new(1_700_000_000)));
        let seconds = hands.0.clone();
        let clock =
            Clock::from_fn(move || DateTime::from_timestamp(seconds.load(Ordering::Relaxed), 0).unwrap_or_default());
        (hands, clock)
    }

    fn forward(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

/// Waits until the world has a thing.
struct WaitFor(World, Arc<Mutex<u32>>);

#[derive(Deserialize, JsonSchema)]
struct WaitForInput {
    name: String,
}

#[async_trait::async_trait]
impl Action for WaitFor {
    const ID: &'static str = "test:wait-for";
    const DESCRIPTION: &'static str = "Waits.";
    type Input = WaitForInput;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: WaitForInput) -> Result<NoOutput, ActionError> {
        *self.1.lock().unwrap() += 1;
        if self.0.made().contains_key(&input.name) {
            return Ok(NoOutput {});
        }
        let waiting = Waiting::Application {
            name: input.name,
            state: "not there yet".to_owned(),
        };
        Err(cx.pause(
            waiting,
            std::time::Duration::from_secs(3600),
            std::time::Duration::from_secs(600),
        ))
    }
}

pub(super) struct WaitingBench {
    pub bench: Bench,
    hands: Hands,
    looks: Arc<Mutex<u32>>,
}

pub(super) fn waiting(db: &PgPool) -> WaitingBench {
    let (hands, clock) = Hands::new();
    let world = World::default();
    let looks = Arc::new(Mutex::new(0));
    let action = Arc::new(WaitFor(world.clone(), looks.clone()));
    let approval = Arc::new(crate::scaffolder::actions::shipped());
    let approval = approval.find("portico:wait:approval").unwrap().clone();
    let bench = bench_at(db, Settings::default(), world, clock, vec![action, approval]);
    WaitingBench { bench, hands, looks }
}

impl Bench {
    /// As if the time to go on had come.
    async fn wake(&self) {
        sqlx::query("update scaffolder_task set wake_at = clock_timestamp() where wake_at is not null")
            .execute(&self.db)
            .await
            .unwrap();
    }

    pub async fn messages(&self, id: Uuid) -> Vec<String> {
        let events = self.events(id).await;
        events.iter().map(|event| event.message().to_owned()).collect()
    }

    /// Neither leased nor due.
    pub async fn rests(&self, id: Uuid) -> bool {
        let row: (String, bool, bool) = sqlx::query_as(
            "select status, lease_owner is null, wake_at is not null from scaffolder_task where id = $1",
        )
        .bind(id)
        .fetch_one(&self.db)
        .await
        .unwrap();
        row == ("processing".to_owned(), true, true)
    }
}

fn retried(id: &str, input: Value, retry: Value) -> Value {
    let mut step = make(id, input);
    step["retry"] = retry;
    step
}

#[sqlx::test]
async fn a_step_is_tried_again_as_its_author_asked_and_keeps_its_log(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let steps = json!([
        make("one", json!({"name": "one"})),
        retried(
            "two",
            json!({"name": "two", "needs": "one.txt", "fail_once": true, "log": "at work"}),
            json!({"limit": 3, "backoff": {"duration": "1h"}})
        ),
    ]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    assert!(bench.rests(id).await, "a pause holds no worker");
    let record = &queries::list_steps(&db, id).await.unwrap()[1];
    assert_eq!((record.tries, record.status), (1, StepStatus::Processing));
    let standstill = record.standstill.as_ref().unwrap();
    assert_eq!((standstill.until - standstill.since).num_minutes(), 60);
    assert!(
        matches!(&standstill.waiting, Waiting::Retry { next: 2, of: 4, error } if error == "Error: no luck with two")
    );
    let nothing = queries::claim(&db, Uuid::from_u128(1), 60.0, &[]).await.unwrap();
    assert!(nothing.is_none(), "it is not due");
    // Another process, later.
    bench.wake().await;
    bench.work().await;
    assert_eq!(
        bench.task(id).await.status,
        TaskStatus::Completed,
        "{:?}",
        bench.task(id).await.error
    );
    assert_eq!(
        bench.messages(id).await[2..],
        [
            "Beginning step two",
            "at work",
            "Error: no luck with two",
            "Trying again in 1 h 0 min: try 2 of 4",
            "Beginning step two, try 2 of 4",
            "at work",
            "Finished step two",
            "Run completed with status: completed"
        ]
    );
    assert_eq!(
        bench.world.made(),
        BTreeMap::from([("one".to_owned(), 1), ("two".to_owned(), 1)])
    );
}

#[sqlx::test]
async fn a_lost_answer_is_asked_for_again_and_nothing_is_made_twice(db: PgPool) {
    let bench = bench(&db, Settings::default());
    // Nobody has asked for tries: the error itself says that it may get better.
    let steps = json!([make("one", json!({"name": "one", "lose_answers": 2}))]);
    let id = bench.start(steps, json!({}), json!({})).await;
    for _ in 0..3 {
        bench.work().await;
        bench.wake().await;
    }
    assert_eq!(
        bench.task(id).await.status,
        TaskStatus::Completed,
        "{:?}",
        bench.task(id).await.error
    );
    assert_eq!(bench.world.made(), BTreeMap::from([("one".to_owned(), 1)]));
    // It stays away: the tries are over, and the error says so.
    let steps = json!([make("one", json!({"name": "two", "lose_answers": 9}))]);
    let id = bench.start(steps, json!({}), json!({})).await;
    for _ in 0..3 {
        bench.work().await;
        bench.wake().await;
    }
    let task = bench.task(id).await;
    assert_eq!(task.status, TaskStatus::Failed);
    let error = task.error.unwrap()["message"].as_str().unwrap().to_owned();
    assert_eq!(
        error,
        "forge cannot be reached or is failing: no answer (after 3 tries)"
    );
    assert_eq!(bench.world.made()["two"], 1);
}

#[sqlx::test]
async fn an_error_that_stays_is_not_tried_again_unasked(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let steps = json!([make("one", json!({"name": "one", "needs": "gone.txt"}))]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    assert_eq!(bench.task(id).await.status, TaskStatus::Failed);
    // A wrong input is not, either, whatever was asked for.
    let steps = json!([retried("one", json!({"nam": "one"}), json!({"limit": 9}))]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    assert_eq!(bench.task(id).await.status, TaskStatus::Failed);
}

#[sqlx::test]
async fn a_step_that_hangs_is_ended_and_the_rest_of_the_template_goes_on(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let steps = json!([
        {"id": "hang", "name": "hang", "action": "test:wait", "timeout": {"milliseconds": 50}},
        make("never", json!({"name": "never"})),
        {"id": "tidy", "name": "tidy", "action": "test:make", "if": "${{ always() }}", "input": {"name": "tidied"}},
        {"id": "report", "name": "report", "action": "test:make", "if": "${{ failure() }}", "input": {"name": "reported"}},
    ]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    use StepStatus::{Completed, Failed, Skipped};
    assert_eq!(bench.states(id).await, [Failed, Skipped, Completed, Completed]);
    let error = bench.task(id).await.error.unwrap();
    assert_eq!(error["name"], "TimeoutError");
    assert!(
        error["message"].as_str().unwrap().contains("had not ended after 0"),
        "{error}"
    );
    assert!(
        bench.world.made().contains_key("dropped"),
        "the action itself was ended"
    );
}

#[sqlx::test]
async fn each_goes_on_behind_what_it_has_done(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let mut step = retried(
        "many",
        json!({"name": "${{ each.value }}", "fail_once": "${{ each.value == 'y' }}"}),
        json!({"backoff": {"duration": "1s"}}),
    );
    step["each"] = json!("${{ parameters.list }}");
    let id = bench.start(json!([step]), json!({}), json!({})).await;
    bench.work().await;
    let record = &queries::list_steps(&db, id).await.unwrap()[0];
    assert_eq!((record.iterations.len(), record.inputs.len()), (1, 2));
    bench.wake().await;
    bench.work().await;
    let record = &queries::list_steps(&db, id).await.unwrap()[0];
    assert_eq!(record.output, Some(json!({"name": ["x", "y", "z"]})));
    let names: Vec<&str> = record
        .inputs
        .iter()
        .map(|input| input["input"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["x", "y", "z"]);
    assert_eq!(bench.world.made().values().sum::<u32>(), 3);
}

#[sqlx::test]
async fn a_waiting_step_holds_nobody_and_survives(db: PgPool) {
    let WaitingBench { bench, hands, looks } = waiting(&db);
    let steps = json!([
        make("one", json!({"name": "one"})),
        {"id": "wait", "name": "wait", "action": "test:wait-for", "input": {"name": "signal"}},
        make("two", json!({"name": "two", "needs": "one.txt"})),
    ]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    assert!(bench.rests(id).await);
    assert_eq!(bench.task(id).await.to_wire()["status"], "processing");
    let since = queries::list_steps(&db, id).await.unwrap()[1]
        .standstill
        .clone()
        .unwrap()
        .since;
    // Another process looks, and finds nothing new: it is not told twice.
    hands.forward(60);
    bench.wake().await;
    bench.work().await;
    assert!(bench.rests(id).await);
    let standstill = queries::list_steps(&db, id).await.unwrap()[1]
        .standstill
        .clone()
        .unwrap();
    assert_eq!(
        (standstill.since, (standstill.until - since).num_seconds()),
        (since, 600)
    );
    // What it waits for is told, and it goes on.
    bench.world.0.lock().unwrap().insert("signal".to_owned(), 1);
    queries::wake_waiting(&db, "other").await.unwrap();
    assert!(
        queries::claim(&db, Uuid::from_u128(1), 60.0, &[])
            .await
            .unwrap()
            .is_none()
    );
    queries::wake_waiting(&db, "signal").await.unwrap();
    bench.work().await;
    assert_eq!(
        bench.task(id).await.status,
        TaskStatus::Completed,
        "{:?}",
        bench.task(id).await.error
    );
    assert_eq!(*looks.lock().unwrap(), 3);
    let messages = bench.messages(id).await;
    let waits: Vec<&String> = messages
        .iter()
        .filter(|message| message.to_lowercase().contains("wait"))
        .collect();
    assert_eq!(
        waits,
        [
            "Beginning step wait",
            "Waiting for the Application signal, which is not there yet",
            "Finished step wait"
        ]
    );
}

#[sqlx::test]
async fn a_push_wakes_who_waits_for_a_merge(db: PgPool) {
    let WaitingBench { bench, .. } = waiting(&db);
    let steps = json!([{"id": "wait", "name": "wait", "action": "test:wait-for", "input": {"name": "signal"}}]);
    bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    let waiting = Waiting::PullRequest {
        name: "Team/clusters#3".to_owned(),
        url: String::new(),
    };
    sqlx::query("update scaffolder_task_step set waits = $1")
        .bind(serde_json::to_value(&waiting).unwrap())
        .execute(&db)
        .await
        .unwrap();
    for (repository, expected) in [
        ("team/other", false),
        ("team/clusters3", false),
        ("team/clusters", true),
    ] {
        queries::wake_for_push(&db, repository).await.unwrap();
        let due: bool = sqlx::query_scalar("select wake_at <= clock_timestamp() from scaffolder_task")
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(due, expected, "{repository}");
    }
}

#[sqlx::test]
async fn a_step_waits_no_longer_than_it_may(db: PgPool) {
    let WaitingBench { bench, hands, .. } = waiting(&db);
    let step =
        json!({"id": "wait", "name": "wait", "action": "test:wait-for", "timeout": "5m", "input": {"name": "signal"}});
    let id = bench.start(json!([step]), json!({}), json!({})).await;
    bench.work().await;
    hands.forward(301);
    bench.wake().await;
    bench.work().await;
    let task = bench.task(id).await;
    assert_eq!(task.status, TaskStatus::Failed);
    let error = task.error.unwrap();
    assert_eq!(error["name"], "TimeoutError");
    assert_eq!(
        error["message"],
        "gave up waiting for the Application signal, which is not there yet after 5 min 0 s (the step's timeout); \
         retry the task, or give the step a longer timeout in the template"
    );
}

#[sqlx::test]
async fn a_waiting_task_is_cancelled_at_once(db: PgPool) {
    let WaitingBench { bench, .. } = waiting(&db);
    let step = json!({"id": "wait", "name": "wait", "action": "test:wait-for", "input": {"name": "signal"}});
    let id = bench.start(json!([step]), json!({}), json!({})).await;
    bench.work().await;
    bench.scaffolder.cancel_task(&bench.retry(), id).await.unwrap();
    assert_eq!(bench.task(id).await.status, TaskStatus::Cancelled);
    assert_eq!(bench.states(id).await, [StepStatus::Cancelled]);
    bench.wake().await;
    assert!(
        queries::claim(&db, Uuid::from_u128(1), 60.0, &[])
            .await
            .unwrap()
            .is_none()
    );
}

#[sqlx::test]
async fn nobody_waits_behind_all_that_somebody_else_has_queued(db: PgPool) {
    let bench = bench(&db, Settings::default());
    for _ in 0..20 {
        bench
            .start(json!([make("one", json!({"name": "x"}))]), json!({}), json!({}))
            .await;
    }
    let other = bench
        .start(json!([make("one", json!({"name": "y"}))]), json!({}), json!({}))
        .await;
    sqlx::query("update scaffolder_task set created_by = 'user:default/user2' where id = $1")
        .bind(other)
        .execute(&db)
        .await
        .unwrap();
    let first = bench.claim().await;
    assert_ne!(first.id, other, "the oldest comes first where nobody runs anything");
    assert_eq!(bench.claim().await.id, other, "then whoever has nothing running");
    assert_ne!(bench.claim().await.id, other);
}
