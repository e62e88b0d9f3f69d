//! What `portico::scm` asks of a forge, and what the stand-in answers, beside Forgejo's description of its API. A Forgejo is
//! no package of a registry; its description is part of a crate, which is here for nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use portico::scm::{ForgejoConfig, Forges, NewRepository};
use serde_json::{Value, json};

use super::scm;
use crate::dependencies::packages_for;
use crate::support::{Bench, Recorder, Swagger, fresh};

/// Every operation that the port knows. A new one belongs here, and into a test above.
const OPERATIONS: [&str; 24] = [
    "DELETE /repos/{owner}/{repo}",
    "DELETE /repos/{owner}/{repo}/hooks/{id}",
    "GET /orgs/{org}",
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/archive/{archive}",
    "GET /repos/{owner}/{repo}/commits",
    "GET /repos/{owner}/{repo}/contents/{filepath}",
    "GET /repos/{owner}/{repo}/hooks",
    "GET /repos/{owner}/{repo}/issues",
    "GET /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/pulls/{index}",
    "GET /repos/{owner}/{repo}/raw/{filepath}",
    "GET /user",
    "PATCH /repos/{owner}/{repo}",
    "POST /orgs/{org}/repos",
    "POST /repos/{owner}/{repo}/actions/variables/{variablename}",
    "POST /repos/{owner}/{repo}/contents/{filepath}",
    "POST /repos/{owner}/{repo}/hooks",
    "POST /repos/{owner}/{repo}/issues",
    "POST /repos/{owner}/{repo}/pulls",
    "POST /user/repos",
    "PUT /repos/{owner}/{repo}/actions/secrets/{secretname}",
    "PUT /repos/{owner}/{repo}/actions/variables/{variablename}",
    "PUT /repos/{owner}/{repo}/contents/{filepath}",
];

/// Forgejo's document, from where cargo keeps the crate that ships it.
fn forgejo() -> Swagger {
    // The platform that Cargo.toml asks for it on.
    let packages = packages_for("x86_64-unknown-none");
    let package = packages.iter().find(|package| package["name"] == "forgejo-api");
    let manifest = package
        .and_then(|package| package["manifest_path"].as_str())
        .expect("a dependency");
    let file = Path::new(manifest).with_file_name("swagger.v1.json");
    let document = std::fs::read(file).expect("the crate ships it");
    Swagger::new(serde_json::from_slice(&document).expect("JSON"))
}

/// As an account that is known by its token only, into an organisation.
async fn a_token_creates_in_an_organisation(systems: &Bench, base_url: &str) {
    let api = systems.forge_api();
    let organisation = fresh("org");
    let (status, made) = api.post("/orgs", &json!({"username": organisation})).await;
    assert!(status.is_success(), "{made}");
    let wanted = json!({"name": fresh("token"), "scopes": ["all"]});
    let (status, token) = api
        .post(&format!("/users/{}/tokens", systems.forge.username), &wanted)
        .await;
    assert!(status.is_success(), "{token}");
    let settings = ForgejoConfig {
        base_url: base_url.to_owned(),
        host: base_url.split('/').nth(2).unwrap_or_default().to_owned(),
        username: None,
        password: token["sha1"].as_str().map(str::to_owned),
    };
    let forges = Forges::new(vec![settings], systems.outbound(base_url).client()).expect("settings that work");
    let forge = forges
        .locate(&format!("{base_url}/o/n"))
        .expect("a URL of the forge")
        .forge;
    let new = NewRepository {
        owner: Some(organisation.clone()),
        name: "demo".to_owned(),
        description: String::new(),
        private: false,
        default_branch: "main".to_owned(),
    };
    let made = forge.create_repository(&new).await.expect("it can be created");
    assert_eq!(made.repository.owner, organisation);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_answers_are_those_that_forgejo_describes() {
    let systems = Bench::start().await;
    if systems.authority.is_some() {
        println!("left out: a real Gitea answers as Gitea does; Forgejo's description is for the stand-in");
        return;
    }
    let swagger = forgejo();
    let (recorder, address) = Recorder::before(&systems.forge.url).await;
    a_token_creates_in_an_organisation(&systems, &address).await;
    scm::what_the_port_can_do(systems, &address).await;

    let (mut called, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    let exchanges = recorder.exchanges();
    for exchange in exchanges.iter().filter(|exchange| exchange.path.starts_with("/api/")) {
        match swagger.check(exchange) {
            Ok(operation) => drop(called.insert(operation)),
            Err(reason) => drop(wrong.insert(format!("{} {}: {reason}", exchange.method, exchange.path))),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let called: Vec<&str> = called.iter().map(String::as_str).collect();
    assert_eq!(called, OPERATIONS);
}

#[test]
fn what_differs_is_noticed() {
    use axum::body::Bytes;
    use axum::http::{Method, StatusCode};
    let good = crate::support::Exchange {
        method: Method::POST,
        path: "/api/v1/user/repos".to_owned(),
        query: String::new(),
        body: Bytes::from_static(br#"{"name": "demo", "private": false}"#),
        status: StatusCode::CREATED,
        content_type: "application/json".to_owned(),
        answer: Bytes::from_static(br#"{"name": "demo", "parent": null, "owner": {"login": "a"}}"#),
    };
    let swagger = forgejo();
    assert_eq!(swagger.check(&good).as_deref(), Ok("POST /user/repos"));
    let json = |value: Value| Bytes::from(value.to_string());
    let table = [
        (
            "no such path",
            crate::support::Exchange {
                path: "/api/v1/user/repositories".to_owned(),
                ..good.clone()
            },
        ),
        (
            "no parameter",
            crate::support::Exchange {
                query: "a=b".to_owned(),
                ..good.clone()
            },
        ),
        (
            "required",
            crate::support::Exchange {
                body: json(json!({"private": true})),
                ..good.clone()
            },
        ),
        (
            "unexpected",
            crate::support::Exchange {
                body: json(json!({"name": "a", "colour": "red"})),
                ..good.clone()
            },
        ),
        (
            "not described",
            crate::support::Exchange {
                status: StatusCode::OK,
                ..good.clone()
            },
        ),
        (
            "is not of type",
            crate::support::Exchange {
                answer: json(json!({"name": 7})),
                ..good.clone()
            },
        ),
        (
            "is not of type",
            crate::support::Exchange {
                answer: json(json!({"owner": {"login": 7}})),
                ..good.clone()
            },
        ),
    ];
    for (expected, exchange) in table {
        let reason = swagger.check(&exchange).expect_err(expected);
        let noticed = reason.contains(expected) || expected == "is not of type" && reason.contains("anyOf");
        assert!(noticed, "{expected}: {reason}");
    }
}
