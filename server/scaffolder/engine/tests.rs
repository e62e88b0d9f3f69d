//! The engine with actions that can be watched: crashes at every await, lost leases, cancelling, retrying, secrets.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::run::run_task;
use super::{Journal, Redactor, run_worker, write_file};
use crate::auth::Caller;
use crate::catalog::CatalogError;
use crate::clock::Clock;
use crate::ids::new_id;
use crate::scaffolder::actions::{Action, ActionError, AnyAction, Context, Registry};
use crate::scaffolder::model::{
    EffectKind, Event, EventKind, SpecUser, StepStatus, Task, TaskSpec, TaskStatus, TemplateInfo,
};
use crate::scaffolder::queries::{self, Claimed, NewTask, Write, WriteError};
use crate::scaffolder::testing::outside;
use crate::scaffolder::{Scaffolder, SecretsKey, Settings};
use crate::scm::ScmError;

/// Something outside of the portal that counts what is made there.
#[derive(Clone, Default)]
pub(super) struct World(pub Arc<Mutex<BTreeMap<String, u32>>>);

impl World {
    pub fn made(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap().clone()
    }
}

/// Makes a thing in the world as actions do it: intent, look, make, record. Writes and reads files.
struct Make(World);

#[derive(Deserialize, JsonSchema)]
struct MakeInput {
    name: String,
    /// A file that an earlier step has written.
    needs: Option<String>,
    #[serde(default)]
    fail_once: bool,
    #[serde(default)]
    away_once: bool,
    /// Make it, and fail as if the answer had been lost: so many times.
    #[serde(default)]
    lose_answers: u32,
    log: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct MakeOutput {
    name: String,
}

#[async_trait::async_trait]
impl Action for Make {
    const ID: &'static str = "test:make";
    const DESCRIPTION: &'static str = "Makes a thing.";
    type Input = MakeInput;
    type Output = MakeOutput;

    async fn run(&self, cx: &Context, input: MakeInput) -> Result<MakeOutput, ActionError> {
        if let Some(needed) = &input.needs {
            let place = cx.workspace.resolve(needed)?;
            std::fs::read(&place).map_err(|_| ActionError::Failed(format!("the file {needed} is gone")))?;
        }
        if let Some(text) = &input.log {
            cx.log(text);
        }
        if input.away_once && cx.intend("away", json!(true), false).await?.fresh {
            return Err(CatalogError::Database(sqlx::Error::PoolTimedOut).into());
        }
        if input.fail_once && cx.intend("failed", json!(true), false).await?.fresh {
            return Err(ActionError::Failed(format!("no luck with {}", input.name)));
        }
        let intent = cx.intend(&format!("thing:{}", input.name), json!({}), false).await?;
        tokio::task::yield_now().await;
        let exists = self.0.made().contains_key(&input.name);
        if exists && intent.fresh {
            return Err(ActionError::Failed("somebody else's".to_owned()));
        }
        if !exists {
            *self.0.0.lock().unwrap().entry(input.name.clone()).or_default() += 1;
        }
        for lost in 0..input.lose_answers {
            if cx.intend(&format!("lost-{lost}"), json!(true), false).await?.fresh {
                return Err(ScmError::Unavailable {
                    host: "forge".to_owned(),
                    reason: "no answer".to_owned(),
                }
                .into());
            }
        }
        tokio::task::yield_now().await;
        cx.effect(EffectKind::Repository, &input.name, None).await?;
        write_file(
            &cx.workspace.resolve(&format!("{}.txt", input.name))?,
            input.name.as_bytes(),
            false,
        )?;
        Ok(MakeOutput { name: input.name })
    }
}

/// Never ends; tells when it is dropped.
struct Wait(World);

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[async_trait::async_trait]
impl Action for Wait {
    const ID: &'static str = "test:wait";
    const DESCRIPTION: &'static str = "Waits.";
    type Input = Nothing;
    type Output = MakeOutput;

    async fn run(&self, _: &Context, _: Nothing) -> Result<MakeOutput, ActionError> {
        struct Dropped(World);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.0.lock().unwrap().insert("dropped".to_owned(), 1);
            }
        }
        let _dropped = Dropped(self.0.clone());
        std::future::pending().await
    }
}

pub(super) struct Bench {
    pub scaffolder: Scaffolder,
    pub world: World,
    pub db: PgPool,
}

pub(super) fn bench(db: &PgPool, settings: Settings) -> Bench {
    let world = World::default();
    bench_in(db, settings, world)
}

pub(super) fn bench_in(db: &PgPool, settings: Settings, world: World) -> Bench {
    bench_at(db, settings, world, Clock::system(), Vec::new())
}

/// As [`bench_in`], at a time of its own, with more actions.
pub(super) fn bench_at(
    db: &PgPool,
    settings: Settings,
    world: World,
    clock: Clock,
    more: Vec<Arc<dyn AnyAction>>,
) -> Bench {
    let own: [Arc<dyn AnyAction>; 2] = [Arc::new(Make(world.clone())), Arc::new(Wait(world.clone()))];
    let actions = own.into_iter().chain(more);
    let scaffolder = Scaffolder::new(
        db.clone(),
        clock.clone(),
        outside(db, &clock),
        settings,
        Registry::new(actions),
    );
    Bench {
        scaffolder,
        world,
        db: db.clone(),
    }
}

pub(super) fn make(id: &str, input: Value) -> Value {
    json!({"id": id, "name": id, "action": "test:make", "input": input})
}

impl Bench {
    pub async fn start(&self, steps: Value, output: Value, secrets: Value) -> Uuid {
        let id = new_id(self.scaffolder.clock());
        let spec = TaskSpec {
            api_version: "scaffolder.backstage.io/v1beta3".to_owned(),
            steps: serde_json::from_value(steps).unwrap(),
            parameters: json!({"name": "demo", "list": ["x", "y", "z"]}),
            output,
            user: SpecUser::default(),
            template_info: TemplateInfo {
                entity_ref: "template:default/test".to_owned(),
                base_url: None,
                entity: json!({"metadata": {"name": "test"}}),
            },
            recovery: None,
        };
        let has_secrets = secrets != json!({});
        let sealed = if has_secrets {
            self.scaffolder.vault().keep(id, &secrets)
        } else {
            None
        };
        let new = NewTask {
            id,
            title: "demo",
            spec: &spec,
            created_by: "user:default/user1",
            created_at: self.scaffolder.clock().now(),
            undoes: None,
            has_secrets,
            secrets: sealed.as_deref(),
        };
        queries::insert_task(&self.db, &new).await.unwrap();
        id
    }

    pub async fn claim(&self) -> Claimed {
        self.find_due().await.expect("a task is due")
    }

    async fn find_due(&self) -> Option<Claimed> {
        let owner = new_id(self.scaffolder.clock());
        queries::claim(&self.db, owner, 60.0, &[]).await.unwrap()
    }

    /// Takes a task over whose worker was killed. What the worker had sent by then may still arrive, a heartbeat too.
    pub async fn take_over(&self) -> Claimed {
        for _ in 0..500 {
            self.expire().await;
            if let Some(claimed) = self.find_due().await {
                return claimed;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the task is never due");
    }

    /// Claims the one task that is due and runs it to its end.
    pub async fn work(&self) {
        run_task(self.scaffolder.clone(), self.claim().await, CancellationToken::new()).await;
    }

    /// As if the worker had been killed a while ago.
    pub async fn expire(&self) {
        sqlx::query("update scaffolder_task set lease_until = clock_timestamp() where lease_owner is not null")
            .execute(&self.db)
            .await
            .unwrap();
    }

    pub async fn task(&self, id: Uuid) -> Task {
        queries::find_task(&self.db, id).await.unwrap().unwrap()
    }

    pub async fn events(&self, id: Uuid) -> Vec<Event> {
        queries::list_events(&self.db, id, 0, i64::MAX).await.unwrap()
    }

    pub async fn states(&self, id: Uuid) -> Vec<StepStatus> {
        queries::list_steps(&self.db, id)
            .await
            .unwrap()
            .into_iter()
            .map(|step| step.status)
            .collect()
    }

    /// Who may do everything.
    pub fn retry(&self) -> Caller {
        Caller::Machine {
            subject: "test".to_owned(),
        }
    }
}

fn two_steps() -> Value {
    json!([
        make("one", json!({"name": "${{ parameters.name }}-one"})),
        make(
            "two",
            json!({"name": "two", "needs": "${{ steps.one.output.name }}.txt", "log": "two is at work"})
        ),
    ])
}

/// Polls a future a number of times and then drops it; true when it was done before.
async fn killed_after(polls: usize, future: impl Future<Output = ()>) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        future.as_mut().poll(context).map(|()| true)
    })
    .await
}

#[sqlx::test]
async fn a_crash_at_any_await_leaves_everything_made_once(db: PgPool) {
    for polls in 1.. {
        let bench = bench(&db, Settings::default());
        let output = json!({"links": [{"title": "${{ steps.two.output.name }}", "url": "https://x/${{ steps.one.output.name }}"}]});
        let id = bench.start(two_steps(), output, json!({})).await;
        let claimed = bench.claim().await;
        let done = killed_after(
            polls,
            run_task(bench.scaffolder.clone(), claimed, CancellationToken::new()),
        )
        .await;
        if !done && !bench.task(id).await.status.is_final() {
            let claimed = bench.take_over().await;
            run_task(bench.scaffolder.clone(), claimed, CancellationToken::new()).await;
        }
        let task = bench.task(id).await;
        assert_eq!(
            task.status,
            TaskStatus::Completed,
            "after {polls} polls: {:?}",
            task.error
        );
        assert_eq!(
            task.output,
            Some(json!({"links": [{"title": "two", "url": "https://x/demo-one"}]}))
        );
        assert_eq!(
            bench.world.made(),
            BTreeMap::from([("demo-one".to_owned(), 1), ("two".to_owned(), 1)])
        );
        let events = bench.events(id).await;
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        assert_eq!(
            ids,
            (1..=events.len() as i64).collect::<Vec<_>>(),
            "after {polls} polls"
        );
        for text in [
            "Finished step one",
            "Finished step two",
            "Run completed with status: completed",
        ] {
            let count = events.iter().filter(|event| event.message() == text).count();
            assert_eq!(count, 1, "{text} after {polls} polls");
        }
        assert_eq!(queries::list_effects(&db, id).await.unwrap().len(), 2);
        if done {
            assert!(polls > 10, "the run was not interrupted often enough: {polls}");
            return;
        }
    }
}

#[sqlx::test]
async fn who_lost_the_lease_writes_nothing_more(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let id = bench.start(two_steps(), json!({}), json!({})).await;
    let first = bench.claim().await;
    bench.expire().await;
    let second = bench.claim().await;
    assert_eq!(first.id, second.id);
    let journal = |claimed: &Claimed| Journal::new(db.clone(), Clock::system(), id, claimed.owner, Redactor::default());
    let (old, new) = (journal(&first), journal(&second));
    old.log(None, "too late");
    assert!(matches!(old.write(Write::default()).await, Err(WriteError::LeaseLost)));
    assert!(old.lost.is_cancelled());
    assert!(!queries::beat(&db, id, first.owner, 60.0).await.unwrap());
    new.log(None, "in time");
    new.write(Write::default()).await.unwrap();
    let messages: Vec<String> = bench
        .events(id)
        .await
        .iter()
        .map(|event| event.message().to_owned())
        .collect();
    assert_eq!(messages, ["in time"]);
}

#[sqlx::test]
async fn a_write_whose_answer_was_lost_is_not_written_twice(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let id = bench.start(two_steps(), json!({}), json!({})).await;
    let claimed = bench.claim().await;
    let journal = Journal::new(db.clone(), Clock::system(), id, claimed.owner, Redactor::default());
    let write = Write {
        events: vec![journal.event(None, None, "once")],
        ..Write::default()
    };
    let write_id = Uuid::from_u128(1);
    for _ in 0..2 {
        let now = bench.scaffolder.clock().now();
        queries::apply(&db, id, claimed.owner, write_id, now, &write)
            .await
            .unwrap();
    }
    assert_eq!(bench.events(id).await.len(), 1);
}

#[sqlx::test]
async fn a_retry_goes_on_from_the_step_that_failed(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let mut steps = two_steps();
    steps[1]["input"]["fail_once"] = json!(true);
    steps
        .as_array_mut()
        .unwrap()
        .push(make("three", json!({"name": "three"})));
    steps.as_array_mut().unwrap().push(json!({
        "id": "tidy", "name": "tidy", "action": "test:make", "if": "${{ failure() }}", "input": {"name": "tidied"}
    }));
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    assert_eq!(bench.task(id).await.status, TaskStatus::Failed);
    assert_eq!(bench.task(id).await.error.unwrap()["message"], "no luck with two");
    use StepStatus::{Completed, Failed, Skipped};
    assert_eq!(bench.states(id).await, [Completed, Failed, Skipped, Completed]);
    let caller = bench.retry();
    bench
        .scaffolder
        .retry_task(&caller, id, serde_json::Map::new())
        .await
        .unwrap();
    assert!(
        bench
            .scaffolder
            .retry_task(&caller, id, serde_json::Map::new())
            .await
            .is_err(),
        "it is open already"
    );
    bench.work().await;
    assert_eq!(
        bench.task(id).await.status,
        TaskStatus::Completed,
        "{:?}",
        bench.task(id).await.error
    );
    let events = bench.events(id).await;
    let begun = events
        .iter()
        .filter(|event| event.message() == "Beginning step one")
        .count();
    assert_eq!(begun, 1, "a finished step runs once");
    assert!(events.iter().any(|event| event.kind == EventKind::Recovered));
    assert_eq!(
        events
            .iter()
            .filter(|event| event.kind == EventKind::Completion)
            .count(),
        1
    );
}

#[sqlx::test]
async fn a_step_that_misses_the_database_waits_for_it(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let steps = json!([make("one", json!({"name": "one", "away_once": true}))]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    let task = bench.task(id).await;
    assert_eq!(task.status, TaskStatus::Completed, "{:?}", task.error);
    assert_eq!(bench.world.made(), BTreeMap::from([("one".to_owned(), 1)]));
}

#[sqlx::test]
async fn cancelling_ends_a_step_in_its_middle(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let stop = CancellationToken::new();
    let worker = tokio::spawn(run_worker(bench.scaffolder.clone(), stop.clone()));
    let id = bench
        .start(
            json!([{"id": "wait", "name": "wait", "action": "test:wait"}]),
            json!({}),
            json!({}),
        )
        .await;
    let mut events = pin!(bench.scaffolder.follow(id, 0));
    assert_eq!(events.next().await.unwrap().unwrap().message(), "Beginning step wait");
    bench.scaffolder.cancel_task(&bench.retry(), id).await.unwrap();
    let rest: Vec<EventKind> = events.map(|event| event.unwrap().kind).collect().await;
    assert_eq!(rest, [EventKind::Cancelled, EventKind::Completion]);
    assert_eq!(bench.task(id).await.status, TaskStatus::Cancelled);
    assert_eq!(bench.states(id).await, [StepStatus::Cancelled]);
    while bench.world.made().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    worker.await.unwrap();
}

#[sqlx::test]
async fn a_worker_that_stops_gives_its_tasks_back(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let stop = CancellationToken::new();
    let worker = tokio::spawn(run_worker(bench.scaffolder.clone(), stop.clone()));
    let id = bench
        .start(
            json!([{"id": "wait", "name": "wait", "action": "test:wait"}]),
            json!({}),
            json!({}),
        )
        .await;
    assert!(pin!(bench.scaffolder.follow(id, 0)).next().await.is_some());
    stop.cancel();
    worker.await.unwrap();
    let again = bench.claim().await;
    assert_eq!(again.id, id);
}

#[sqlx::test]
async fn secrets_stay_out_of_everything_that_is_stored(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let steps = json!([
        make(
            "one",
            json!({"name": "thing", "log": "token ${{ secrets.token }} and ${{ secrets.token | upper }}"})
        ),
        make("two", json!({"name": "${{ secrets.token }}-name"})),
        make("three", json!({"name": "x", "needs": "${{ secrets.token }}"})),
    ]);
    let id = bench
        .start(
            steps,
            json!({"leak": "${{ secrets.token }}"}),
            json!({"token": "hush-hush"}),
        )
        .await;
    bench.work().await;
    assert_eq!(bench.task(id).await.status, TaskStatus::Failed);
    assert!(
        bench.world.made().contains_key("hush-hush-name"),
        "actions get the secret itself"
    );
    let stored: Vec<String> = sqlx::query_scalar(
        "select row_to_json(t)::text from scaffolder_task t union all select row_to_json(s)::text from scaffolder_task_step s
         union all select row_to_json(e)::text from scaffolder_task_event e
         union all select row_to_json(e)::text from scaffolder_task_effect e",
    )
    .fetch_all(&db)
    .await
    .unwrap();
    let stored = stored.join("\n");
    assert!(stored.contains("token *** and ***"));
    assert!(!stored.to_lowercase().contains("hush-hush"), "{stored}");
}

#[sqlx::test]
async fn secrets_survive_a_crash_only_when_they_are_sealed(db: PgPool) {
    for (key, status) in [(Some([7; 32]), TaskStatus::Completed), (None, TaskStatus::Failed)] {
        let settings = || Settings {
            secrets_key: key.map(SecretsKey),
            ..Settings::default()
        };
        let first = bench(&db, settings());
        let steps = json!([make("one", json!({"name": "${{ secrets.token }}"}))]);
        let id = first.start(steps, json!({}), json!({"token": "hush-hush"})).await;
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("select secrets from scaffolder_task where id = $1")
            .bind(id)
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(sealed.is_some(), key.is_some());
        assert!(!sealed.is_some_and(|sealed| sealed.windows(9).any(|part| part == b"hush-hush")));
        // Another process goes on.
        let second = bench_in(&db, settings(), first.world.clone());
        second.work().await;
        let task = second.task(id).await;
        assert_eq!(task.status, status, "{:?}", task.error);
        if key.is_none() {
            assert!(
                task.error.unwrap()["message"]
                    .as_str()
                    .unwrap()
                    .contains("backend.auth.keys")
            );
        }
    }
}

#[sqlx::test]
async fn events_are_followed_without_gap_or_repetition(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let id = bench.start(two_steps(), json!({}), json!({})).await;
    let early = tokio::spawn({
        let scaffolder = bench.scaffolder.clone();
        async move {
            scaffolder
                .follow(id, 0)
                .map(|event| event.unwrap().id)
                .collect::<Vec<_>>()
                .await
        }
    });
    bench.work().await;
    let all: Vec<i64> = bench.events(id).await.iter().map(|event| event.id).collect();
    assert_eq!(early.await.unwrap(), all);
    for after in 0..all.len() {
        let rest: Vec<i64> = bench
            .scaffolder
            .follow(id, after as i64)
            .map(|event| event.unwrap().id)
            .collect()
            .await;
        assert_eq!(rest, all[after..], "after {after}");
    }
    let beyond: Vec<i64> = bench
        .scaffolder
        .follow(id, 1000)
        .map(|event| event.unwrap().id)
        .collect()
        .await;
    assert_eq!(beyond, [*all.last().unwrap()], "the completion is always given");
}

#[sqlx::test]
async fn each_runs_a_step_for_every_item_and_if_leaves_some_out(db: PgPool) {
    let bench = bench(&db, Settings::default());
    let steps = json!([
        {"id": "many", "name": "many", "action": "test:make", "each": "${{ parameters.list }}",
         "input": {"name": "thing-${{ each.value }}"}},
        {"id": "keys", "name": "keys", "action": "test:make", "each": {"zebra": 1, "ant": 2},
         "input": {"name": "${{ each.key }}"}},
        {"id": "never", "name": "never", "action": "test:make", "if": "${{ parameters.missing }}", "input": {"name": "no"}},
        {"id": "wrong", "name": "wrong", "action": "test:make", "each": "${{ parameters.name }}", "input": {"name": "no"}},
    ]);
    let id = bench.start(steps, json!({}), json!({})).await;
    bench.work().await;
    use StepStatus::{Completed, Failed, Skipped};
    assert_eq!(bench.states(id).await, [Completed, Completed, Skipped, Failed]);
    let records = queries::list_steps(&db, id).await.unwrap();
    assert_eq!(
        records[0].output,
        Some(json!({"name": ["thing-x", "thing-y", "thing-z"]}))
    );
    assert_eq!(records[1].output, Some(json!({"name": ["zebra", "ant"]})));
    let messages: Vec<String> = bench
        .events(id)
        .await
        .iter()
        .map(|event| event.message().to_owned())
        .collect();
    assert!(messages.contains(&"Skipping step never because its if condition was false".to_owned()));
    assert!(
        messages
            .iter()
            .any(|text| text.contains("must be a list or an object, it is a text")),
        "{messages:?}"
    );
}

#[sqlx::test]
async fn a_workspace_over_its_limit_fails_the_step_and_names_the_limit(db: PgPool) {
    let bench = bench(
        &db,
        Settings {
            workspace_limit: 3,
            ..Settings::default()
        },
    );
    let id = bench
        .start(json!([make("one", json!({"name": "four"}))]), json!({}), json!({}))
        .await;
    bench.work().await;
    assert_eq!(bench.states(id).await, [StepStatus::Failed]);
    let error = bench.task(id).await.error.unwrap();
    assert!(
        error["message"].as_str().unwrap().contains("portico.workspaceLimit"),
        "{error}"
    );
}
