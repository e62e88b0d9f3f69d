use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::catalog::{Entity, EntityCard, ListColumn, Related, Shown};
use crate::gitops::testing;
use crate::language::Locale;
use crate::scm::ForgejoConfig;
use crate::web::testing as web;

fn deployments(applications: &[Value]) -> Deployments {
    let clock = Clock::from_fn(web::now);
    let gitops = testing::gitops(clock.clone());
    testing::listed(&gitops, applications);
    let forge = ForgejoConfig {
        // Nobody listens there: what a page shows must not depend on the forge.
        base_url: "http://127.0.0.1:9/git".to_owned(),
        host: "forge.example".to_owned(),
        username: None,
        password: None,
    };
    #[expect(clippy::disallowed_methods, reason = "nothing answers")]
    let forges = Forges::new(vec![forge], reqwest::Client::new()).unwrap();
    Deployments::new(gitops, forges, clock, CancellationToken::new())
}

fn application(name: &str, sync: &str, health: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "argocd", "labels": {"team": "a"}},
        "spec": {"source": {"repoURL": format!("https://forge.example/gitea/o/{name}"), "path": "manifests"}},
        "status": {
            "sync": {"status": sync, "revision": "9f3c2a1".to_owned() + &"0".repeat(33)}, "health": {"status": health},
            "operationState": {"phase": "Succeeded", "message": "successfully synced (all tasks run)", "finishedAt": "2026-11-22T09:56:46Z"},
            "resources": [{"kind": "Deployment", "group": "apps", "name": "<b>web</b>", "namespace": "demo", "status": "Synced", "health": null},
                          {"kind": "Service", "name": "web", "namespace": "demo", "status": sync}]
        }
    })
}

fn entity(annotations: Value) -> Entity {
    Entity {
        body: json!({"kind": "Component", "metadata": {"name": "demo", "namespace": "default", "annotations": annotations},
                     "relations": [{"type": "ownedBy", "targetRef": "group:default/guests"}]}),
    }
}

async fn section(deployments: &Deployments, annotations: Value) -> Option<String> {
    render(&ApplicationCard(deployments.clone()), annotations).await
}

/// A card on the page of an entity that guests own.
async fn render(card: &impl EntityCard, annotations: Value) -> Option<String> {
    let caller = web::user("user1", &[]);
    let owner = Related {
        label: "All <guests>".to_owned(),
        path: "/catalog/default/group/guests".to_owned(),
        missing: false,
    };
    let shown = Shown {
        entity: &entity(annotations),
        owner: Some(&owner),
        shell: &web::shell(&caller, "/catalog/default/component/demo"),
    };
    card.render(shown).await
}

#[tokio::test]
async fn the_section_shows_what_argo_cd_says() {
    let deployments = deployments(&[application("demo", "OutOfSync", "Progressing")]);
    let html = section(&deployments, json!({"argocd/app-name": "demo"})).await.unwrap();
    for part in [
        "OutOfSync",
        "Progressing",
        "1 of 2",
        "2 min ago",
        "successfully synced",
        "https://argo.example/applications/argocd/demo",
        "http://127.0.0.1:9/git/o/demo/commit/9f3c2a1",
        "sse-connect=\"/deployments/demo/live\"",
        "Live: changes appear here",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(!html.contains("<b>web</b>"), "a name was not escaped");
    assert_eq!(section(&deployments, json!({})).await, None);
}

#[tokio::test]
async fn trouble_is_said_in_words() {
    let mut broken = application("demo", "Unknown", "Healthy");
    broken["status"]["conditions"] = json!([{"type": "ComparisonError", "message": "repository not found"}]);
    let broken = deployments(&[broken]);
    let html = section(&broken, json!({"argocd/app-name": "demo"})).await.unwrap();
    assert!(
        html.contains("ComparisonError") && html.contains("repository not found"),
        "{html}"
    );

    testing::lost(&broken.gitops, "connection refused");
    let html = section(&broken, json!({"argocd/app-name": "demo"})).await.unwrap();
    assert!(
        html.contains("may be old: connection refused") && html.contains("ComparisonError"),
        "{html}"
    );

    let none = deployments(&[]);
    let html = section(&none, json!({"argocd/app-name": "gone"})).await.unwrap();
    assert!(html.contains("no Application named gone"), "{html}");
    let html = section(&none, json!({"argocd/app-selector": "team=b"})).await.unwrap();
    assert!(html.contains("team=b"), "{html}");
    let html = section(&none, json!({"argocd/app-name": "\"><script>/../x"}))
        .await
        .unwrap();
    assert!(
        !html.contains("<script>") && html.contains("/deployments/%22%3E%3Cscript%3E%2F..%2Fx/live"),
        "{html}"
    );
}

#[tokio::test]
async fn a_selector_shows_all_that_match() {
    let deployments = deployments(&[
        application("a", "Synced", "Healthy"),
        application("b", "Synced", "Healthy"),
    ]);
    let html = section(&deployments, json!({"argocd/app-selector": "team=a"}))
        .await
        .unwrap();
    assert_eq!(html.matches("<section").count(), 2);
}

#[tokio::test]
async fn the_panel_says_how_to_go_on() {
    let deployments = deployments(&[application("demo", "Synced", "Healthy")]);
    let card = WhatNowCard(deployments);
    let described = "url:https://forge.example/o/demo/src/branch/trunk/catalog-info.yaml";
    let with_location = json!({"argocd/app-name": "demo", "backstage.io/managed-by-location": described});
    let html = render(&card, with_location).await.unwrap();
    for part in [
        "git clone http://127.0.0.1:9/git/o/demo.git",
        "http://127.0.0.1:9/git/o/demo/src/branch/trunk/manifests/",
        "<a href=\"/catalog/default/group/guests\">All &#60;guests&#62;</a>",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert!(card.aside());
    let unknown = json!({"argocd/app-name": "gone", "backstage.io/managed-by-location": described});
    let html = render(&card, unknown).await.unwrap();
    assert!(html.contains("git clone http://127.0.0.1:9/git/o/demo.git"), "{html}");
    assert_eq!(render(&card, json!({"argocd/app-name": "gone"})).await, None);
}

#[tokio::test]
async fn columns_answer_from_memory() {
    let deployments = deployments(&[application("demo", "Synced", "Degraded")]);
    let demo = entity(json!({"argocd/app-name": "demo"}));
    let sync = SyncColumn(deployments.clone());
    let health = HealthColumn(deployments);
    let cell = sync.cell(&demo, Locale::default()).unwrap();
    assert!(
        cell.contains("Synced") && cell.contains("data-cell=\"sync-demo\""),
        "{cell}"
    );
    assert!(health.cell(&demo, Locale::default()).unwrap().contains("Degraded"));
    assert!(
        sync.cell(&entity(json!({"argocd/app-name": "x"})), Locale::default())
            .unwrap()
            .contains("No Application")
    );
    assert_eq!(sync.cell(&entity(json!({})), Locale::default()), None);
    assert_eq!((sync.live_url(), health.live_url()), (Some("/deployments/live"), None));
}

fn app(deployments: &Deployments) -> Router {
    web::frame(Some(web::user("user1", &[]))).around(Router::new(), router(deployments.clone()))
}

async fn get(deployments: &Deployments, path: &str) -> (StatusCode, BodyDataStream) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app(deployments).oneshot(request).await.unwrap();
    (response.status(), response.into_body().into_data_stream())
}

async fn chunk(body: &mut BodyDataStream) -> Option<String> {
    let next = tokio::time::timeout(Duration::from_secs(10), body.next())
        .await
        .expect("nothing was sent");
    next.map(|bytes| String::from_utf8(bytes.unwrap().to_vec()).unwrap())
}

#[tokio::test]
async fn the_card_is_sent_now_and_after_each_change_until_the_portal_stops() {
    let deployments = deployments(&[
        application("demo", "Synced", "Healthy"),
        application("other", "Synced", "Healthy"),
    ]);
    let (status, mut body) = get(&deployments, "/deployments/demo/live").await;
    assert_eq!(status, StatusCode::OK);
    let first = chunk(&mut body).await.unwrap();
    assert!(
        first.contains("event: application") && first.contains("Synced"),
        "{first}"
    );

    testing::changed(&deployments.gitops, &application("other", "OutOfSync", "Missing"));
    testing::changed(&deployments.gitops, &application("demo", "OutOfSync", "Progressing"));
    let second = chunk(&mut body).await.unwrap();
    assert!(second.contains("OutOfSync") && !second.contains("Missing"), "{second}");

    // Only the time of the comparison differs: nothing to show.
    let mut compared = application("demo", "OutOfSync", "Progressing");
    compared["status"]["reconciledAt"] = "2026-11-22T10:00:00Z".into();
    testing::changed(&deployments.gitops, &compared);
    testing::lost(&deployments.gitops, "connection refused");
    let third = chunk(&mut body).await.unwrap();
    assert!(third.contains("connection refused"), "{third}");

    deployments.shutdown.cancel();
    assert_eq!(chunk(&mut body).await, None);
}

#[tokio::test]
async fn cells_are_sent_for_each_application() {
    let deployments = deployments(&[application("demo", "Synced", "Healthy")]);
    let (_, mut body) = get(&deployments, "/deployments/live").await;
    let first = chunk(&mut body).await.unwrap();
    assert!(first.contains("event: cells"), "{first}");
    for key in ["sync-demo", "health-demo"] {
        assert!(first.contains(&format!("data-cell=\"{key}\"")), "{first}");
    }
    testing::listed(&deployments.gitops, &[]);
    let gone = chunk(&mut body).await.unwrap();
    assert!(gone.contains("sync-demo") && gone.contains("No Application"), "{gone}");

    // Open lists say since when they are not live.
    assert!(first.contains("data-cell=\"connection\"></p>"), "{first}");
    testing::lost(&deployments.gitops, "connection <refused>");
    let lost = chunk(&mut body).await.unwrap();
    for part in [
        "data-cell=\"connection\"",
        "Not live since",
        "connection &#60;refused&#62;",
    ] {
        assert!(lost.contains(part), "{part} is missing in {lost}");
    }
    deployments.shutdown.cancel();
}

#[tokio::test]
async fn pages_answer() {
    let deployments = deployments(&[application("demo", "Synced", "Healthy")]);
    for (path, part) in [
        ("/deployments", "demo"),
        ("/deployments/demo/card", "successfully synced"),
        ("/deployments/gone/card", "no Application named gone"),
    ] {
        let (status, mut body) = get(&deployments, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let mut text = String::new();
        while let Some(more) = chunk(&mut body).await {
            text.push_str(&more);
        }
        assert!(text.contains(part), "{path}: {text}");
    }
    let nobody = web::frame(None).around(Router::new(), router(deployments.clone()));
    let request = Request::get("/deployments/live").body(Body::empty()).unwrap();
    assert_ne!(nobody.oneshot(request).await.unwrap().status(), StatusCode::OK);
    let _: Arc<dyn EntityCard> = Arc::new(ApplicationCard(deployments));
}

#[tokio::test]
async fn a_refresh_that_cannot_be_made_says_why() {
    let deployments = deployments(&[application("demo", "Synced", "Healthy")]);
    let request = Request::post("/deployments/demo/refresh")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("origin", "http://portal.test")
        .header("host", "portal.test")
        .body(Body::from("next=/catalog"))
        .unwrap();
    let response = app(&deployments).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_request_to_compare_that_nobody_answers_is_told_with_its_time() {
    const REFRESH: &str = "argocd.argoproj.io/refresh";
    let mut waiting = application("demo", "Synced", "Healthy");
    waiting["metadata"]["annotations"] = json!({REFRESH: "normal"});
    let mut fields = json!({"f:metadata": {"f:annotations": {}}});
    fields["f:metadata"]["f:annotations"][format!("f:{REFRESH}")] = json!({});
    waiting["metadata"]["managedFields"] = json!([
        {"manager": "somebody", "time": "2026-11-22T08:00:00Z", "fieldsV1": {"f:spec": {}}},
        {"manager": "portico", "time": "2026-11-22T09:50:00Z", "fieldsV1": fields},
    ]);
    let deployments = deployments(&[waiting]);
    let annotations = json!({"argocd/app-name": "demo"});
    let html = section(&deployments, annotations.clone()).await.unwrap();
    assert!(
        html.contains("was asked to compare it") && html.contains("2026-11-22T09:50:00Z"),
        "{html}"
    );
    testing::changed(&deployments.gitops, &application("demo", "Synced", "Healthy"));
    let html = section(&deployments, annotations.clone()).await.unwrap();
    assert!(!html.contains("was asked to compare it"), "{html}");
    // There is neither a cluster nor an account here: nobody takes the request.
    assert!(deployments.gitops.refresh("demo").await.is_err());
    let html = section(&deployments, annotations).await.unwrap();
    assert!(html.contains("was asked to compare it"), "{html}");
}
