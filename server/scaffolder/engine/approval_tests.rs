//! Steps that wait for somebody's word: who may give it, how often, and what it wakes.

use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::pause_tests::{WaitingBench, waiting};
use super::run_worker;
use crate::auth::Caller;
use crate::scaffolder::model::TaskStatus;
use crate::scaffolder::operations::TaskError;
use crate::web::testing::user;

fn approval(own: bool) -> Value {
    json!([{"id": "ask", "name": "ask", "action": "portico:wait:approval",
            "input": {"approvers": ["platform", "user:user1"], "selfApproval": own, "message": "May it?"}}])
}

#[sqlx::test]
async fn an_approver_decides_once_and_the_task_goes_on(db: PgPool) {
    let WaitingBench { bench, .. } = waiting(&db);
    let output = json!({"by": "${{ steps.ask.output.approvedBy }}"});
    let id = bench.start(approval(false), output, json!({})).await;
    bench.work().await;
    assert!(bench.rests(id).await);
    let scaffolder = &bench.scaffolder;
    let (own, stranger, approver) = (
        user("user1", &[]),
        user("user3", &["other"]),
        user("user2", &["platform"]),
    );
    let seen = |caller: Caller| async move { scaffolder.approvals(&caller).await.unwrap() };
    assert!(seen(stranger.clone()).await.is_empty());
    let asked = seen(approver.clone()).await.pop().expect("it is asked");
    assert_eq!(asked.approval.message, "May it?");
    let decide = |caller: Caller, approved: bool| async move {
        scaffolder.decide(&caller, asked.approval.id, approved, "fine").await
    };
    assert!(matches!(decide(stranger, true).await, Err(TaskError::NotAsked)));
    assert!(
        matches!(decide(own, true).await, Err(TaskError::OwnTask)),
        "two pairs of eyes"
    );
    decide(approver.clone(), true).await.unwrap();
    assert!(matches!(decide(approver, false).await, Err(TaskError::Decided)));
    bench.work().await;
    let task = bench.task(id).await;
    assert_eq!(
        task.output,
        Some(json!({"by": "user:default/user2"})),
        "{:?}",
        task.error
    );
    assert!(
        bench
            .messages(id)
            .await
            .contains(&"user:default/user2 has approved it: fine".to_owned())
    );
}

#[sqlx::test]
async fn a_rejection_fails_the_step_and_a_retry_asks_anew(db: PgPool) {
    let WaitingBench { bench, .. } = waiting(&db);
    let id = bench.start(approval(true), json!({}), json!({})).await;
    bench.work().await;
    let own = user("user1", &[]);
    for round in 1..=2 {
        let asked = bench.scaffolder.approvals(&own).await.unwrap();
        assert_eq!(asked.len(), 1, "round {round}");
        bench
            .scaffolder
            .decide(&own, asked[0].approval.id, false, "too large")
            .await
            .unwrap();
        bench.work().await;
        let task = bench.task(id).await;
        assert_eq!(
            task.error.unwrap()["message"],
            "user:default/user1 rejected it: too large"
        );
        bench
            .scaffolder
            .retry_task(&own, id, serde_json::Map::new())
            .await
            .unwrap();
        bench.work().await;
    }
    let kept: i64 = sqlx::query_scalar("select count(*) from scaffolder_approval")
        .fetch_one(&db)
        .await
        .unwrap();
    assert_eq!(kept, 3, "who decided what stays on record");
}

#[sqlx::test]
async fn a_decision_wakes_a_worker(db: PgPool) {
    let WaitingBench { bench, .. } = waiting(&db);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(run_worker(bench.scaffolder.clone(), stop.clone()));
    let id = bench.start(approval(true), json!({}), json!({})).await;
    let own = user("user1", &[]);
    let asked = loop {
        if let Some(asked) = bench.scaffolder.approvals(&own).await.unwrap().pop() {
            break asked;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    // Decided while nobody has the task, or just before it is given out of hand.
    bench
        .scaffolder
        .decide(&own, asked.approval.id, true, "")
        .await
        .unwrap();
    while !bench.task(id).await.status.is_final() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(bench.task(id).await.status, TaskStatus::Completed);
    stop.cancel();
    worker.await.unwrap();
}
