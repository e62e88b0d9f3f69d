//! Task pages and the API through the router, over a task that has run.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use uuid::Uuid;

use crate::auth::Caller;
use crate::catalog::SearchSection;
use crate::clock::Clock;
use crate::ids::new_id;
use crate::scaffolder::model::{SpecUser, TaskSpec, TemplateInfo};
use crate::scaffolder::queries::{self, NewTask};
use crate::scaffolder::tasks::FoundTasks;
use crate::scaffolder::testing::outside;
use crate::scaffolder::{Scaffolder, Settings, actions, engine, router};
use crate::web::testing::{frame, user};

async fn start(db: &PgPool, scaffolder: &Scaffolder, steps: Value) -> Uuid {
    let id = new_id(scaffolder.clock());
    let spec = TaskSpec {
        api_version: "scaffolder.backstage.io/v1beta3".to_owned(),
        steps: serde_json::from_value(steps).unwrap(),
        parameters: json!({"name": "demo", "text": "<script>alert(1)</script>"}),
        output: json!({"links": [{"title": "Open in catalog", "icon": "catalog", "entityRef": "component:default/demo"}]}),
        user: SpecUser::default(),
        template_info: TemplateInfo {
            entity_ref: "template:default/basic".to_owned(),
            base_url: None,
            entity: json!({"metadata": {"name": "basic", "title": "Basic Deployment"}}),
        },
        recovery: None,
    };
    let new = NewTask {
        id,
        title: "demo",
        spec: &spec,
        created_by: "user:default/user1",
        created_at: scaffolder.clock().now(),
        undoes: None,
        has_secrets: false,
        secrets: None,
    };
    queries::insert_task(db, &new).await.unwrap();
    id
}

fn scaffolder(db: &PgPool) -> Scaffolder {
    let clock = Clock::system();
    Scaffolder::new(
        db.clone(),
        clock.clone(),
        outside(db, &clock),
        Settings::default(),
        actions::shipped(),
    )
}

async fn run(db: &PgPool, scaffolder: &Scaffolder) {
    let claimed = queries::claim(db, new_id(scaffolder.clock()), 60.0, &[])
        .await
        .unwrap()
        .unwrap();
    engine::run_claimed(scaffolder.clone(), claimed, CancellationToken::new()).await;
}

fn app(scaffolder: &Scaffolder, caller: &Caller) -> Router {
    frame(Some(caller.clone())).around(Router::new(), router(scaffolder.clone()))
}

async fn ask(app: &Router, method: &str, path: &str) -> (StatusCode, String) {
    let (status, body) = send(app, method, path, "").await;
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// `form` as a browser sends it, or JSON.
async fn send(app: &Router, method: &str, path: &str, form: &str) -> (StatusCode, Vec<u8>) {
    let kind = if form.starts_with('{') {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "portal.test")
        .header("origin", "http://portal.test")
        .header("content-type", kind)
        .body(Body::from(form.to_owned()))
        .unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, body.to_vec())
}

fn say(message: &str) -> Value {
    json!([{"id": "say", "name": "Say it", "action": "debug:log", "input": {"message": message}}])
}

#[sqlx::test]
async fn a_finished_task_is_whole_on_its_page_and_in_its_streams(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let id = start(&db, &scaffolder, say("hello <b>${{ parameters.name }}</b>")).await;
    let app = app(&scaffolder, &user("user1", &[]));
    let page = format!("/create/tasks/{id}");
    let (status, before) = ask(&app, "GET", &page).await;
    assert_eq!(status, StatusCode::OK);
    assert!(before.contains("sse-connect") && before.contains("http-equiv=\"refresh\"") && before.contains("waiting"));
    run(&db, &scaffolder).await;

    let (_, after) = ask(&app, "GET", &page).await;
    assert!(!after.contains("sse-connect") && !after.contains("http-equiv=\"refresh\""));
    assert!(after.contains("</time>hello &#60;b&#62;demo&#60;/b&#62;\n"), "{after}");
    assert!(after.contains("href=\"/catalog/default/component/demo\""));
    assert!(!after.contains("<script>alert"));

    // A connection that knows nothing gets all of it, and is told that there is no more.
    let (_, live) = ask(&app, "GET", &format!("{page}/live?after=0")).await;
    assert!(
        live.contains("event: steps\n") && live.contains("hello &#60;b&#62;") && live.ends_with("data: end\n\n"),
        "{live}"
    );

    let (_, stream) = ask(&app, "GET", &format!("/api/scaffolder/v2/tasks/{id}/eventstream")).await;
    let frames: Vec<&str> = stream.split_terminator("\n\n").collect();
    assert_eq!(frames.len(), 4, "{stream}");
    assert!(frames[0].starts_with("event: log\ndata: {"), "{stream}");
    assert!(
        frames[3].starts_with("event: completion\ndata: {") && frames[3].ends_with("\nid: 4"),
        "{stream}"
    );
    let (_, rest) = ask(
        &app,
        "GET",
        &format!("/api/scaffolder/v2/tasks/{id}/eventstream?after=2"),
    )
    .await;
    assert_eq!(rest.split_terminator("\n\n").count(), 2);
    let (_, events) = ask(&app, "GET", &format!("/api/scaffolder/v2/tasks/{id}/events?after=3")).await;
    let events: Value = serde_json::from_str(&events).unwrap();
    assert_eq!(events[0]["body"]["message"], "Run completed with status: completed");
    let (_, log) = ask(&app, "GET", &format!("{page}/log")).await;
    assert!(log.contains("[say] hello <b>demo</b>\n"));
}

#[sqlx::test]
async fn people_see_their_own_tasks_and_administrators_all(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let id = start(&db, &scaffolder, say("hello")).await;
    let (own, other, admin) = (user("user1", &[]), user("user2", &[]), user("user3", &["admin"]));
    for (caller, status, listed) in [
        (&own, StatusCode::OK, 1),
        (&other, StatusCode::FORBIDDEN, 0),
        (&admin, StatusCode::OK, 1),
    ] {
        let app = app(&scaffolder, caller);
        for path in [
            format!("/create/tasks/{id}"),
            format!("/create/tasks/{id}/log"),
            format!("/api/scaffolder/v2/tasks/{id}"),
        ] {
            assert_eq!(ask(&app, "GET", &path).await.0, status, "{path} {}", caller.actor());
        }
        let (_, list) = ask(&app, "GET", "/api/scaffolder/v2/tasks?limit=10").await;
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(
            (list["totalTasks"].as_i64(), list["tasks"].as_array().unwrap().len()),
            (Some(listed), listed as usize)
        );
    }
    let app = app(&scaffolder, &own);
    assert_eq!(
        ask(&app, "GET", &format!("/api/scaffolder/v2/tasks/{}", Uuid::nil()))
            .await
            .0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        ask(&app, "GET", "/api/scaffolder/v2/tasks?status=odd").await.0,
        StatusCode::BAD_REQUEST
    );
    let (status, page) = ask(&app, "GET", "/create/tasks?status=open").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains(&format!("/create/tasks/{id}")));
}

#[sqlx::test]
async fn a_task_is_cancelled_and_retried_by_plain_forms(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let id = start(&db, &scaffolder, say("hello")).await;
    let app = app(&scaffolder, &user("user1", &[]));
    let retry = format!("/api/scaffolder/v2/tasks/{id}/retry");
    assert_eq!(ask(&app, "POST", &retry).await.0, StatusCode::CONFLICT);
    assert_eq!(
        ask(&app, "POST", &format!("/create/tasks/{id}/cancel")).await.0,
        StatusCode::SEE_OTHER
    );
    let (_, page) = ask(&app, "GET", &format!("/create/tasks/{id}")).await;
    assert!(page.contains("Cancelled") && page.contains("/retry"));
    assert_eq!(
        ask(&app, "POST", &format!("/create/tasks/{id}/retry")).await.0,
        StatusCode::SEE_OTHER
    );
    run(&db, &scaffolder).await;
    let (_, task) = ask(&app, "GET", &format!("/api/scaffolder/v2/tasks/{id}")).await;
    assert_eq!(serde_json::from_str::<Value>(&task).unwrap()["status"], "completed");
    let (status, answer) = ask(&app, "POST", &format!("/api/scaffolder/v2/tasks/{id}/cancel")).await;
    assert_eq!((status, answer.as_str()), (StatusCode::OK, r#"{"status":"cancelled"}"#));
}

#[sqlx::test]
async fn a_step_that_waits_says_for_what_and_is_decided_on_its_page(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let steps = json!([{"id": "ask", "name": "Ask", "action": "portico:wait:approval",
                        "input": {"approvers": ["platform"], "message": "May **it**?"}}]);
    let id = start(&db, &scaffolder, steps).await;
    run(&db, &scaffolder).await;
    let own = app(&scaffolder, &user("user1", &[]));
    let (_, page) = ask(&own, "GET", &format!("/create/tasks/{id}")).await;
    for text in [
        "Waits for an approval by group:default/platform.",
        "May <strong>it</strong>?",
        "Stands still",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("/create/approvals/"), "it is for others to decide");
    // The list does not say that it runs.
    for (status, listed) in [("open", true), ("processing", false), ("failed", false), ("", true)] {
        let (_, list) = ask(&own, "GET", &format!("/create/tasks?status={status}")).await;
        let row = list.split("<tr").find(|row| row.contains(&id.to_string()));
        assert_eq!(row.is_some(), listed, "{status}");
        assert!(
            row.is_none_or(|row| row.contains("Waiting") && !row.contains("Running")),
            "{row:?}"
        );
    }
    assert!(page.contains("approvers:"), "what the action was given is shown");
    let (_, task) = ask(&own, "GET", &format!("/api/scaffolder/v2/tasks/{id}")).await;
    assert_eq!(serde_json::from_str::<Value>(&task).unwrap()["status"], "processing");

    let approver = app(&scaffolder, &user("user2", &["platform"]));
    assert_eq!(
        ask(&approver, "GET", &format!("/create/tasks/{id}")).await.0,
        StatusCode::FORBIDDEN
    );
    let (_, list) = ask(&approver, "GET", "/create/approvals").await;
    assert!(
        list.contains("May <strong>it</strong>?") && list.contains("demo"),
        "{list}"
    );
    let (_, asked) = ask(&approver, "GET", "/api/scaffolder/v2/approvals").await;
    let asked: Value = serde_json::from_str(&asked).unwrap();
    let asked = asked["approvals"][0].clone();
    assert_eq!((&asked["taskId"], &asked["mayDecide"]), (&json!(id), &json!(true)));
    let (page, api) = (
        format!("/create/approvals/{}", asked["id"].as_str().unwrap()),
        format!("/api/scaffolder/v2/approvals/{}", asked["id"].as_str().unwrap()),
    );
    let stranger = app(&scaffolder, &user("user3", &[]));
    assert_eq!(
        send(&stranger, "POST", &page, "decision=approved").await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send(&stranger, "POST", &api, r#"{"decision":"approved"}"#).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send(&own, "POST", &api, r#"{"decision":"approved"}"#).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send(&approver, "POST", &page, "decision=perhaps").await.0,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        send(&approver, "POST", &page, "decision=approved&comment=fine").await.0,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        send(&approver, "POST", &api, r#"{"decision":"rejected"}"#).await.0,
        StatusCode::CONFLICT
    );
    run(&db, &scaffolder).await;
    let (_, page) = ask(&own, "GET", &format!("/create/tasks/{id}")).await;
    assert!(page.contains("user:default/user2 has approved it: fine"), "{page}");
}

#[sqlx::test]
async fn the_list_is_narrowed_by_its_address(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let ids = [
        start(&db, &scaffolder, say("one")).await,
        start(&db, &scaffolder, say("two")).await,
    ];
    sqlx::query("update scaffolder_task set title = '100% odd_one', template_ref = 'template:default/other', created_by = 'user:default/user2' where id = $1")
        .bind(ids[1])
        .execute(&db)
        .await
        .unwrap();
    let app = app(&scaffolder, &user("user3", &["admin"]));
    for (query, shown) in [
        ("of=everybody", &[true, true][..]),
        ("of=everybody&template=template:default/other", &[false, true]),
        ("of=everybody&user=user:default/user1", &[true, false]),
        ("of=everybody&text=0%25+odd_", &[false, true]),
        ("of=everybody&text=_", &[false, true]),
        ("of=everybody&text=basic", &[true, false]),
        ("of=everybody&status=failed", &[false, false]),
        ("", &[false, false]),
    ] {
        let (status, page) = ask(&app, "GET", &format!("/create/tasks?{query}")).await;
        assert_eq!(status, StatusCode::OK);
        let found: Vec<bool> = ids
            .iter()
            .map(|id| page.contains(&format!("/create/tasks/{id}")))
            .collect();
        assert_eq!(found, shown, "{query}");
    }
}

#[sqlx::test]
async fn the_files_of_a_failed_task_are_for_whoever_started_it(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let steps = json!([
        {"id": "write", "name": "write", "action": "roadiehq:utils:fs:write", "input": {"path": "a/b.txt", "content": "hello"}},
        {"id": "fail", "name": "fail", "action": "fs:rename", "input": {"files": [{"from": "no", "to": "where"}]}},
    ]);
    let id = start(&db, &scaffolder, steps).await;
    let own = app(&scaffolder, &user("user1", &[]));
    let path = format!("/create/tasks/{id}/workspace");
    assert_eq!(ask(&own, "GET", &path).await.0, StatusCode::CONFLICT);
    run(&db, &scaffolder).await;
    let (_, page) = ask(&own, "GET", &format!("/create/tasks/{id}")).await;
    assert!(page.contains(&path), "{page}");
    for (caller, status) in [
        (user("user2", &[]), StatusCode::FORBIDDEN),
        (user("user3", &["admin"]), StatusCode::OK),
    ] {
        assert_eq!(ask(&app(&scaffolder, &caller), "GET", &path).await.0, status);
    }
    let (_, packed) = send(&own, "GET", &path, "").await;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
    let files: Vec<String> = tar
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, ["a", "a/b.txt"]);
    sqlx::query("update scaffolder_task set finished_at = finished_at - interval '30 days'")
        .execute(&db)
        .await
        .unwrap();
    let before = scaffolder.clock().now() - chrono::Duration::days(7);
    queries::purge_workspaces(&db, before).await.unwrap();
    assert_eq!(ask(&own, "GET", &path).await.0, StatusCode::NOT_FOUND);
}

/// Every route of a task, with what it takes.
const OF_A_TASK: &[(&str, &str, &str)] = &[
    ("GET", "/create/tasks/{id}", ""),
    ("GET", "/create/tasks/{id}/live", ""),
    ("GET", "/create/tasks/{id}/log", ""),
    ("GET", "/create/tasks/{id}/workspace", ""),
    ("GET", "/create/tasks/{id}/remove", ""),
    ("POST", "/create/tasks/{id}/remove", "sure=yes"),
    ("POST", "/create/tasks/{id}/cancel", ""),
    ("GET", "/create/tasks/{id}/retry", ""),
    ("POST", "/create/tasks/{id}/retry", ""),
    ("GET", "/api/scaffolder/v2/tasks/{id}", ""),
    ("POST", "/api/scaffolder/v2/tasks/{id}/cancel", ""),
    ("POST", "/api/scaffolder/v2/tasks/{id}/retry", "{}"),
    ("GET", "/api/scaffolder/v2/tasks/{id}/eventstream", ""),
    ("GET", "/api/scaffolder/v2/tasks/{id}/events", ""),
    ("GET", "/api/scaffolder/v2/tasks/{id}/removal", ""),
    ("POST", "/api/scaffolder/v2/tasks/{id}/removal", r#"{"fates":{}}"#),
];

#[sqlx::test]
async fn another_users_task_is_out_of_reach_by_every_route(db: PgPool) {
    let routes = [include_str!("mod.rs"), include_str!("../api/mod.rs")].join("\n");
    for path in routes.split('"').filter(|text| text.contains("/tasks/{id}")) {
        assert!(
            OF_A_TASK.iter().any(|(_, known, _)| *known == path),
            "{path} is not in the table"
        );
    }
    let scaffolder = scaffolder(&db);
    let id = start(&db, &scaffolder, say("hello")).await;
    let app = app(&scaffolder, &user("user2", &["platform"]));
    for ended in [false, true] {
        if ended {
            run(&db, &scaffolder).await;
        }
        let rows = || async {
            sqlx::query_scalar::<_, String>("select row_to_json(t)::text from scaffolder_task t")
                .fetch_all(&db)
                .await
                .unwrap()
        };
        let before = rows().await;
        for (method, path, body) in OF_A_TASK {
            for (id, expected) in [(id, StatusCode::FORBIDDEN), (Uuid::nil(), StatusCode::NOT_FOUND)] {
                let (status, answer) = send(&app, method, &path.replace("{id}", &id.to_string()), body).await;
                let answer = String::from_utf8_lossy(&answer);
                assert_eq!(status, expected, "{method} {path}: {answer}");
                assert!(
                    !answer.contains("hello") && !answer.contains("demo"),
                    "{method} {path}: {answer}"
                );
            }
        }
        assert_eq!(rows().await, before, "nothing was changed");
    }
}

#[sqlx::test]
async fn tasks_are_found_by_what_may_be_seen_of_them(db: PgPool) {
    let scaffolder = scaffolder(&db);
    let id = start(&db, &scaffolder, json!([])).await;
    let section = FoundTasks::new(scaffolder);
    let own = user("user1", &[]);
    let find = async |caller: &Caller, text: &str| section.find(caller, text, 10).await;
    for text in ["demo", "BASIC demo", "open", "alert(1)", &id.to_string()] {
        let found = find(&own, text).await;
        assert_eq!(found.total, 1, "{text}");
        assert_eq!(found.hits[0].path, format!("/create/tasks/{id}"));
    }
    for text in ["nothing", "demo nothing", "%", "completed", "\\"] {
        assert_eq!(find(&own, text).await.hits, [], "{text}");
    }
    assert_eq!(find(&user("user2", &[]), "demo").await.hits, []);
    assert_eq!(find(&user("root", &["admin"]), "demo").await.total, 1);
    assert_eq!(section.find(&own, "demo", 0).await.hits, []);
}
