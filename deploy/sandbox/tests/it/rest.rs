//! The forge's REST API and its webhooks.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::{Bench, answer};

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

#[tokio::test]
async fn a_repository_is_made_read_changed_and_deleted() {
    let bench = Bench::start().await;
    let (status, made) = bench
        .send(
            Method::POST,
            "/user/repos",
            json!({ "name": "Demo", "description": "d" }),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let root = &bench.sandbox.urls.forge;
    assert_eq!(made["clone_url"], format!("{root}/giteaAdmin/Demo.git"));
    assert_eq!(
        (&made["empty"], &made["default_branch"]),
        (&json!(true), &json!("main"))
    );
    let (status, error) = bench.send(Method::POST, "/user/repos", json!({ "name": "demo" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(error["message"], "The repository with the same name already exists.");
    assert_eq!(
        bench.get("/repos/giteaAdmin/demo/commits").await.0,
        StatusCode::CONFLICT
    );

    let file = json!({ "content": base64("one\n"), "message": "first" });
    let (status, put) = bench
        .send(Method::POST, "/repos/giteaAdmin/demo/contents/a/b.txt", file.clone())
        .await;
    assert_eq!(status, StatusCode::CREATED, "{put}");
    let (status, _) = bench
        .send(Method::POST, "/repos/giteaAdmin/demo/contents/a/b.txt", file)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "it is there already");
    let stale = json!({ "content": base64("two\n"), "sha": "0".repeat(40) });
    let (status, _) = bench
        .send(Method::PUT, "/repos/giteaAdmin/demo/contents/a/b.txt", stale)
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "somebody else changed it");
    let fresh = json!({ "content": base64("two\n"), "sha": put["content"]["sha"] });
    let (status, _) = bench
        .send(Method::PUT, "/repos/giteaAdmin/demo/contents/a/b.txt", fresh)
        .await;
    assert_eq!(status, StatusCode::OK);

    let (_, file) = bench.get("/repos/giteaAdmin/demo/contents/a/b.txt").await;
    assert_eq!(file["content"], base64("two\n"));
    let (_, folder) = bench.get("/repos/giteaAdmin/demo/contents/a").await;
    assert_eq!(
        (&folder[0]["path"], &folder[0]["type"]),
        (&json!("a/b.txt"), &json!("file"))
    );
    let (_, raw) = bench.get("/repos/giteaAdmin/demo/raw/a/b.txt").await;
    assert_eq!(raw, "two\n");
    let (_, commits) = bench.get("/repos/giteaAdmin/demo/commits?path=a/b.txt&limit=1").await;
    assert_eq!(commits.as_array().map(Vec::len), Some(1));
    assert_eq!(commits[0]["commit"]["message"], "Update a/b.txt\n");
    let (_, tree) = bench.get("/repos/giteaAdmin/demo/git/trees/main?recursive=true").await;
    assert_eq!(tree["total_count"], 2);
    let sha = commits[0]["sha"].as_str().expect("an id").to_owned();

    let status_path = format!("/repos/giteaAdmin/demo/statuses/{sha}");
    for state in ["pending", "success"] {
        let body = json!({ "state": state, "context": "portico/catalog" });
        assert_eq!(
            bench.send(Method::POST, &status_path, body).await.0,
            StatusCode::CREATED
        );
    }
    let (_, combined) = bench.get("/repos/giteaAdmin/demo/commits/main/status").await;
    assert_eq!(
        (&combined["state"], &combined["total_count"]),
        (&json!("success"), &json!(1))
    );

    let archive = bench
        .api(Method::GET, "/repos/giteaAdmin/demo/archive/main.tar.gz")
        .send()
        .await
        .expect("archive");
    let packed = archive.bytes().await.expect("bytes");
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(packed.as_ref()), &mut text).expect("gzip");
    assert!(
        String::from_utf8_lossy(&text).contains("demo/a/b.txt"),
        "the folder is the name in lower case"
    );

    let (status, edited) = bench
        .send(Method::PATCH, "/repos/giteaAdmin/demo", json!({ "private": true }))
        .await;
    assert_eq!((status, &edited["private"]), (StatusCode::OK, &json!(true)));
    let anonymous = bench.client.get(format!("{root}/api/v1/repos/giteaAdmin/demo"));
    assert_eq!(answer(anonymous).await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        answer(bench.api(Method::DELETE, "/repos/giteaAdmin/demo")).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(bench.get("/repos/giteaAdmin/demo").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let bench = Bench::start().await;
    let root = bench.sandbox.urls.forge.clone();
    bench
        .send(
            Method::POST,
            "/user/repos",
            json!({ "name": "demo", "auto_init": true }),
        )
        .await;
    let put = |user: Option<(&str, &str)>| {
        let url = format!("{root}/api/v1/repos/giteaAdmin/demo/contents/x");
        let request = bench.client.post(url).json(&json!({ "content": base64("x") }));
        match user {
            Some((name, password)) => request.basic_auth(name, Some(password)),
            None => request,
        }
    };
    assert_eq!(answer(put(None)).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        answer(put(Some(("user2", "opensesame")))).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(answer(put(Some(("user2", "wrong")))).await.0, StatusCode::UNAUTHORIZED);

    let (status, made) = bench
        .send(Method::POST, "/users/giteaAdmin/tokens", json!({ "name": "t" }))
        .await;
    assert_eq!(status, StatusCode::CREATED);
    let token = made["sha1"].as_str().expect("a token");
    for value in [format!("token {token}"), format!("Bearer {token}")] {
        let request = bench
            .client
            .get(format!("{root}/api/v1/user"))
            .header("Authorization", value);
        assert_eq!(answer(request).await.1["login"], "giteaAdmin");
    }
    let kept = std::fs::read_to_string(bench.folder.path().join("data/forge/forge.json")).expect("state");
    assert!(!kept.contains(token), "tokens are kept as digests");

    for path in ["..", "a/../../b", ".git/config", "a//b"] {
        let files = json!([{ "operation": "create", "path": path, "content": "" }]);
        let body = json!({ "files": files, "message": "m" });
        let (status, _) = bench.send(Method::POST, "/repos/giteaAdmin/demo/contents", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    for name in ["../x", "a b", "x.git", ""] {
        let (status, _) = bench.send(Method::POST, "/user/repos", json!({ "name": name })).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
}

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

async fn wait_for(received: &Received, count: usize) -> Vec<(HeaderMap, Bytes)> {
    for _ in 0..500 {
        let list = received.lock().expect("not poisoned").clone();
        if list.len() >= count {
            return list;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no delivery came");
}

#[tokio::test]
async fn a_commit_is_delivered_signed() {
    let bench = Bench::start().await;
    let (url, received) = receiver().await;
    bench
        .send(
            Method::POST,
            "/user/repos",
            json!({ "name": "demo", "auto_init": true }),
        )
        .await;
    let config = json!({ "url": url, "content_type": "json", "secret": "s3cret" });
    let hook = json!({ "type": "gitea", "active": true, "events": ["push"], "config": config });
    let (status, hook) = bench.send(Method::POST, "/repos/giteaAdmin/demo/hooks", hook).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(hook["config"].get("secret").is_none(), "a secret is never shown");
    let (_, before) = bench.get("/repos/giteaAdmin/demo/branches/main").await;

    let files = json!([
        { "operation": "create", "path": "catalog-info.yaml", "content": base64("kind: Component\n") },
        { "operation": "delete", "path": "README.md" },
    ]);
    let (status, made) = bench
        .send(
            Method::POST,
            "/repos/giteaAdmin/demo/contents",
            json!({ "files": files, "message": "two" }),
        )
        .await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let deliveries = wait_for(&received, 1).await;
    let (headers, body) = &deliveries[0];
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").expect("any key");
    mac.update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    assert_eq!(headers["x-gitea-event"], "push");
    assert_eq!(headers["x-gitea-signature"], signature.as_str());
    assert_eq!(headers["x-hub-signature-256"], format!("sha256={signature}").as_str());
    let payload: Value = serde_json::from_slice(body).expect("JSON");
    assert_eq!(payload["ref"], "refs/heads/main");
    assert_eq!(payload["before"], before["commit"]["id"]);
    assert_eq!(payload["after"], made["commit"]["sha"]);
    assert_eq!(payload["repository"]["full_name"], "giteaAdmin/demo");
    assert_eq!(payload["commits"][0]["added"], json!(["catalog-info.yaml"]));
    assert_eq!(payload["commits"][0]["removed"], json!(["README.md"]));
    assert_eq!(payload["pusher"]["login"], "giteaAdmin");

    let hook_path = format!("/repos/giteaAdmin/demo/hooks/{}", hook["id"]);
    assert_eq!(
        answer(bench.api(Method::POST, &format!("{hook_path}/tests"))).await.0,
        StatusCode::NO_CONTENT
    );
    wait_for(&received, 2).await;
    let (status, changed) = bench.send(Method::PATCH, &hook_path, json!({ "active": false })).await;
    assert_eq!((status, &changed["active"]), (StatusCode::OK, &json!(false)));
    assert_eq!(
        answer(bench.api(Method::DELETE, &hook_path)).await.0,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn hooks_reach_only_this_machine() {
    let bench = Bench::start().await;
    bench
        .send(
            Method::POST,
            "/user/repos",
            json!({ "name": "demo", "auto_init": true }),
        )
        .await;
    let config = json!({ "url": "http://192.0.2.1/hook", "content_type": "json" });
    let hook = json!({ "type": "forgejo", "active": true, "config": config });
    let (_, hook) = bench.send(Method::POST, "/repos/giteaAdmin/demo/hooks", hook).await;
    let tests = format!("/repos/giteaAdmin/demo/hooks/{}/tests", hook["id"]);
    answer(bench.api(Method::POST, &tests)).await;
    for _ in 0..500 {
        if let Some(delivered) = bench.sandbox.forge.deliveries("giteaAdmin", "demo").first() {
            assert!(
                delivered
                    .error
                    .as_deref()
                    .is_some_and(|error| error.contains("loopback")),
                "{delivered:?}"
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no delivery was recorded");
}

#[tokio::test]
async fn a_pull_request_is_opened_and_merged() {
    let bench = Bench::start().await;
    bench
        .send(
            Method::POST,
            "/user/repos",
            json!({ "name": "demo", "auto_init": true }),
        )
        .await;
    let file = json!({ "content": base64("x"), "new_branch": "topic", "message": "add x" });
    assert_eq!(
        bench
            .send(Method::POST, "/repos/giteaAdmin/demo/contents/x", file)
            .await
            .0,
        StatusCode::CREATED
    );
    let wanted = json!({ "head": "topic", "base": "main", "title": "Add x" });
    let (status, pull) = bench
        .send(Method::POST, "/repos/giteaAdmin/demo/pulls", wanted.clone())
        .await;
    assert_eq!((status, &pull["mergeable"]), (StatusCode::CREATED, &json!(true)));
    assert_eq!(
        bench.send(Method::POST, "/repos/giteaAdmin/demo/pulls", wanted).await.0,
        StatusCode::CONFLICT
    );
    let (status, _) = bench
        .send(
            Method::POST,
            "/repos/giteaAdmin/demo/pulls/1/merge",
            json!({ "Do": "squash" }),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(bench.get("/repos/giteaAdmin/demo/contents/x").await.0, StatusCode::OK);
    assert_eq!(bench.get("/repos/giteaAdmin/demo/pulls/1").await.1["merged"], true);
}
