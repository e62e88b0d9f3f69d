//! What actions and people rely on beside the port: webhooks as they arrive, statuses, pull requests, deletion.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use portico::scm::{NewRepository, ScmError, Watched, is_signed};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Target, api_path, new, source, write};
use crate::support::{Bench, eventually, fresh};

/// Headers and body of everything that came.
type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver() -> (String, Received) {
    async fn keep(State(received): State<Received>, headers: HeaderMap, body: Bytes) {
        received.lock().expect("not poisoned").push((headers, body));
    }
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let router = axum::Router::new().fallback(keep).with_state(Arc::clone(&received));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, received)
}

async fn pushes_are_reported_and_signed(target: &Target) {
    let repository = target.create("signed").await;
    let (url, received) = receiver().await;
    let forge = target.forge();
    for secret in ["an old secret", "s3cret"] {
        forge
            .ensure_webhook(&Watched::Repository(repository.clone()), &url, secret)
            .await
            .expect("the account may");
    }
    let commit = target
        .push(&repository, "main", |folder| write(folder, "a", b"a"))
        .await;
    let (headers, body) = eventually("the push is delivered", || async {
        let received = received.lock().expect("not poisoned");
        let push =
            |(headers, _): &&(HeaderMap, Bytes)| headers.get("x-gitea-event").is_some_and(|event| event == "push");
        received.iter().find(push).cloned()
    })
    .await;
    assert!(is_signed(&headers, "s3cret", &body), "{headers:?}");
    assert!(!is_signed(&headers, "an old secret", &body), "{headers:?}");
    assert!(!is_signed(&headers, "s3cret", b"{}"), "{headers:?}");
    let payload: Value = serde_json::from_slice(&body).expect("JSON");
    let full_name = format!("{}/{}", repository.owner, repository.name);
    assert_eq!(payload["repository"]["full_name"], full_name, "{payload}");
    assert_eq!(payload["ref"], "refs/heads/main", "{payload}");
    assert_eq!(payload["after"], commit, "{payload}");
    assert_eq!(payload["commits"][0]["added"], json!(["a"]), "{payload}");
}

/// One webhook of an owner tells of all repositories, also of those that come and go.
async fn an_owner_is_watched(target: &Target) {
    let forge = target.forge();
    let api = target.systems.forge_api();
    let organisation = fresh("watched");
    let (status, made) = api.post("/orgs", &json!({"username": organisation})).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let owner = |owner: &str| Watched::Owner {
        forge: target.base_url.clone(),
        owner: owner.to_owned(),
    };
    let (url, received) = receiver().await;
    for secret in ["an old secret", "s3cret"] {
        forge
            .ensure_webhook(&owner(&organisation), &url, secret)
            .await
            .expect("the account may");
    }
    let (_, hooks) = api.get(&format!("/orgs/{organisation}/hooks")).await;
    assert_eq!(hooks.as_array().map(Vec::len), Some(1), "{hooks}");

    let wanted = NewRepository {
        owner: Some(organisation.clone()),
        ..new("one")
    };
    let repository = forge
        .create_repository(&wanted)
        .await
        .expect("it can be created")
        .repository;
    target
        .push(&repository, "main", |folder| write(folder, "a", b"a"))
        .await;
    let (status, _) = api.delete(&api_path(&repository)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let full_name = format!("{organisation}/one");
    for (event, action) in [("repository", "created"), ("push", ""), ("repository", "deleted")] {
        let body = eventually(&format!("{event} {action} is delivered"), || async {
            let received = received.lock().expect("not poisoned");
            let mut bodies = received.iter().filter(|(headers, body)| {
                headers.get("x-gitea-event").is_some_and(|found| found == event) && is_signed(headers, "s3cret", body)
            });
            bodies.find_map(|(_, body)| {
                let body: Value = serde_json::from_slice(body).ok()?;
                (action.is_empty() || body["action"] == action).then_some(body)
            })
        })
        .await;
        assert_eq!(body["repository"]["full_name"], full_name, "{body}");
    }

    // The account itself is watched like an organisation; another user's repositories cannot be.
    forge
        .ensure_webhook(&owner(&target.username), &url, "s3cret")
        .await
        .expect("the account may");
    let (_, hooks) = api.get("/user/hooks").await;
    let own: Vec<&Value> = hooks
        .as_array()
        .expect("a list")
        .iter()
        .filter(|hook| hook["config"]["url"] == url.as_str())
        .collect();
    assert_eq!(own.len(), 1, "{hooks}");
    let (status, _) = api.delete(&format!("/user/hooks/{}", own[0]["id"])).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let stranger = forge.ensure_webhook(&owner(&fresh("nobody")), &url, "s3cret").await;
    assert!(matches!(stranger, Err(ScmError::NotFound { .. })), "{stranger:?}");
}

async fn commits_carry_statuses(target: &Target) {
    let repository = target.create("status").await;
    let commit = target
        .push(&repository, "main", |folder| write(folder, "a", b"a"))
        .await;
    let api = target.systems.forge_api();
    let path = api_path(&repository);
    let wanted = json!({"state": "pending", "context": "portico/check", "description": "Looks", "target_url": "https://example.org/1"});
    let (status, made) = api.post(&format!("{path}/statuses/{commit}"), &wanted).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (status, made) = api
        .post(
            &format!("{path}/statuses/{commit}"),
            &json!({"state": "success", "context": "portico/check"}),
        )
        .await;
    assert_eq!(
        (status, &made["status"]),
        (StatusCode::CREATED, &json!("success")),
        "{made}"
    );
    let (status, all) = api.get(&format!("{path}/commits/{commit}/status")).await;
    assert_eq!(status, StatusCode::OK, "{all}");
    // The newest of a context counts.
    assert_eq!(
        (&all["state"], &all["sha"], &all["statuses"][0]["context"]),
        (&json!("success"), &json!(commit), &json!("portico/check")),
        "{all}"
    );
    let (status, list) = api.get(&format!("{path}/commits/main/statuses")).await;
    assert_eq!(
        (status, list.as_array().map(Vec::len)),
        (StatusCode::OK, Some(2)),
        "{list}"
    );
    let (status, refused) = api.post(&format!("{path}/statuses/{}", "0".repeat(40)), &wanted).await;
    // Gitea calls this a fault of its own.
    assert!(!status.is_success(), "{status} {refused}");
}

async fn pull_requests_are_opened_once_and_merged(target: &Target) {
    let repository = target.create("pull").await;
    target
        .push(&repository, "main", |folder| write(folder, "a", b"main"))
        .await;
    let api = target.systems.forge_api();
    let path = api_path(&repository);
    let file = json!({"content": "eA==", "new_branch": "topic", "message": "Add x"});
    let (status, made) = api.post(&format!("{path}/contents/x"), &file).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let wanted = json!({"head": "topic", "base": "main", "title": "Add x", "body": "It lacks x."});
    let (status, pull) = api.post(&format!("{path}/pulls"), &wanted).await;
    assert_eq!(
        (status, &pull["state"]),
        (StatusCode::CREATED, &json!("open")),
        "{pull}"
    );
    assert_eq!(
        (&pull["head"]["ref"], &pull["base"]["ref"], &pull["merged"]),
        (&json!("topic"), &json!("main"), &json!(false)),
        "{pull}"
    );
    assert!(
        pull["html_url"]
            .as_str()
            .is_some_and(|url| url.starts_with(&target.base_url)),
        "{pull}"
    );
    let (status, again) = api.post(&format!("{path}/pulls"), &wanted).await;
    assert_eq!(status, StatusCode::CONFLICT, "{again}");
    let nowhere = json!({"head": "none", "base": "main", "title": "Nothing"});
    let (status, refused) = api.post(&format!("{path}/pulls"), &nowhere).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{refused}");

    let pull = format!("{path}/pulls/{}", pull["number"]);
    eventually("it is found to be mergeable", || async {
        (api.get(&pull).await.1["mergeable"] == true).then_some(())
    })
    .await;
    let (status, merged) = api.post(&format!("{pull}/merge"), &json!({"Do": "squash"})).await;
    assert_eq!(status, StatusCode::OK, "{merged}");
    let (_, merged) = api.get(&pull).await;
    assert_eq!(
        (&merged["merged"], &merged["state"]),
        (&json!(true), &json!("closed")),
        "{merged}"
    );
    let file = target
        .forge()
        .read_file(&source(&repository, Some("main"), "x"), 10)
        .await;
    assert_eq!(file.expect("it was merged").as_ref(), b"x");
}

async fn a_deleted_repository_is_gone_and_its_name_free(target: &Target) {
    let repository = target.create("gone").await;
    target
        .push(&repository, "main", |folder| write(folder, "a", b"a"))
        .await;
    let api = target.systems.forge_api();
    let (status, body) = api.delete(&api_path(&repository)).await;
    assert_eq!((status, body), (StatusCode::NO_CONTENT, Value::Null));
    let forge = target.forge();
    let gone = forge.repository(&repository).await;
    assert!(matches!(gone, Err(ScmError::NotFound { .. })), "{gone:?}");
    let tree = forge.read_tree(&repository, "main", 1000).await;
    assert!(matches!(tree, Err(ScmError::NotFound { .. })), "{tree:?}");
    let (status, _) = api.delete(&api_path(&repository)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let again = forge
        .create_repository(&new(&repository.name))
        .await
        .expect("the name is free");
    assert!(again.empty);
}

/// A private repository is seen by its owner, and not there for a stranger.
async fn private_repositories_are_hidden(target: &Target) {
    let private = NewRepository {
        private: true,
        ..new(&fresh("private"))
    };
    let forge = target.forge();
    let repository = forge
        .create_repository(&private)
        .await
        .expect("it can be created")
        .repository;
    assert!(forge.repository(&repository).await.is_ok());
    let address = format!("{}/api/v1{}", target.base_url, api_path(&repository));
    let client = target.systems.http().build().expect("a client");
    let answer = client.request(Method::GET, address).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forge_keeps_what_actions_and_people_rely_on() {
    let systems = Bench::start().await;
    let url = systems.forge.url.clone();
    let target = Target::of(systems, &url);
    pushes_are_reported_and_signed(&target).await;
    an_owner_is_watched(&target).await;
    commits_carry_statuses(&target).await;
    pull_requests_are_opened_once_and_merged(&target).await;
    private_repositories_are_hidden(&target).await;
    a_deleted_repository_is_gone_and_its_name_free(&target).await;
}
