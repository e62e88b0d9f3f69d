//! Faults over HTTP and by the Rust API, and what a start refuses.

use portico_sandbox::{Breakage, Fault, Options, Ports, Sandbox, System};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::support::{Bench, PORTAL, answer};

#[tokio::test]
async fn a_fault_is_used_up_and_everything_works_again() {
    let bench = Bench::start().await;
    let orders = format!("{}/sandbox/faults", bench.sandbox.urls.forge);
    let order =
        json!({ "system": "forge", "path_prefix": "/api/v1", "status": 429, "headers": { "Retry-After": "7" } });
    let (status, _) = answer(bench.client.post(&orders).json(&order)).await;
    assert_eq!(status, StatusCode::CREATED);
    let broken = bench.api(Method::GET, "/version").send().await.expect("answer");
    assert_eq!(broken.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(broken.headers()["retry-after"], "7");
    assert_eq!(bench.get("/version").await.0, StatusCode::OK);

    let (status, _) = answer(bench.client.post(&orders).json(&json!({ "system": "forge" }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    bench
        .sandbox
        .faults
        .order(Fault::status(System::Forge, StatusCode::BAD_GATEWAY).times(5));
    let (_, listed) = answer(bench.client.get(&orders)).await;
    assert_eq!(listed[0]["times"], 5);
    assert_eq!(answer(bench.client.delete(&orders)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bench.get("/version").await.0, StatusCode::OK);
}

#[tokio::test]
async fn connections_break_as_ordered() {
    let bench = Bench::start().await;
    let create = |name: &str| bench.api(Method::POST, "/user/repos").json(&json!({ "name": name }));

    bench
        .sandbox
        .faults
        .order(Fault::broken(System::Forge, Breakage::Reset).method("POST"));
    assert!(create("never").send().await.is_err());
    assert_eq!(bench.get("/repos/giteaAdmin/never").await.0, StatusCode::NOT_FOUND);

    bench
        .sandbox
        .faults
        .order(Fault::broken(System::Forge, Breakage::LoseAnswer).method("POST"));
    assert!(create("made").send().await.is_err());
    assert_eq!(bench.get("/repos/giteaAdmin/made").await.0, StatusCode::OK);

    bench
        .sandbox
        .faults
        .order(Fault::broken(System::Identity, Breakage::Refuse).times(100));
    assert!(bench.client.get(&bench.sandbox.urls.issuer).send().await.is_err());
    bench.sandbox.faults.clear(Some(System::Identity));
    assert!(bench.client.get(&bench.sandbox.urls.issuer).send().await.is_ok());
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_system() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut options = Options::new(folder.path(), PORTAL);
    options.listen = Ports {
        identity: port,
        ..Ports::default()
    };
    let error = Sandbox::start(options).await.expect_err("must not start").to_string();
    assert!(
        error.contains(&port.to_string()) && error.contains("identity"),
        "{error}"
    );
}
