//! Odd answers of a forge, ordered from a small server; the ordinary ones are in `tests/it/contract/scm.rs`.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};

use super::super::{CommitStatus, Forges, NewRepository, Repository, Scm, ScmError, Source, Watched};
use super::*;
use crate::outbound::{Allowed, Outbound};

/// What was asked: method, path with query, `Authorization`, body.
#[derive(Debug, Clone)]
struct Asked {
    line: String,
    headers: HeaderMap,
    body: Value,
}

struct Stub {
    forges: Forges,
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    async fn start(
        username: Option<&str>,
        answer: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let line = format!("{} {}", request.method(), request.uri());
                let headers = request.headers().clone();
                let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let response = answer(&line);
                seen.lock().unwrap().push(Asked { line, headers, body });
                response
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/gitea", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = ForgejoConfig {
            base_url: base.clone(),
            host: "forge.example".to_owned(),
            username: username.map(str::to_owned),
            password: Some("s3cret".to_owned()),
        };
        #[expect(clippy::disallowed_methods, reason = "a plain client is enough for the stub")]
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let forges = Forges::new(vec![config], http).unwrap();
        Self { forges, base, asked }
    }

    fn forge(&self) -> Arc<dyn Scm> {
        self.forges.forge_of(&self.demo()).unwrap()
    }

    fn demo(&self) -> Repository {
        Repository {
            forge: self.base.clone(),
            owner: "giteaAdmin".to_owned(),
            name: "demo".to_owned(),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|asked| asked.line.clone())
            .collect()
    }
}

fn answer(status: u16, body: Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn repository_json(owner: &str) -> Value {
    json!({"id": 1, "name": "demo", "owner": {"login": owner, "username": owner}, "empty": true,
           "created_at": "2026-11-22T10:00:00+01:00", "default_branch": "main", "permissions": {"admin": true}})
}

fn new_repository(owner: Option<&str>) -> NewRepository {
    NewRepository {
        owner: owner.map(str::to_owned),
        name: "demo".to_owned(),
        description: "d".to_owned(),
        private: false,
        default_branch: "main".to_owned(),
    }
}

#[tokio::test]
async fn a_redirect_to_a_system_that_is_not_configured_is_said_to_be_one() {
    let stub = Stub::start(Some("giteaAdmin"), |_| {
        let mut response = answer(302, json!({}));
        let elsewhere = "http://elsewhere.example/api/v1/repos/giteaAdmin/demo";
        response.headers_mut().insert("location", elsewhere.parse().unwrap());
        response
    })
    .await;
    let allowed = Allowed::Origin(stub.base.parse().unwrap());
    let config = ForgejoConfig {
        base_url: stub.base.clone(),
        host: "forge.example".to_owned(),
        username: None,
        password: None,
    };
    let client = Outbound::new(vec![allowed], &[]).unwrap().client();
    let forges = Forges::new(vec![config], client).unwrap();
    let forge = forges.forge_of(&stub.demo()).unwrap();
    let error = forge.repository(&stub.demo()).await.unwrap_err();
    assert!(!error.is_temporary(), "{error}");
    assert!(error.to_string().contains("redirected to elsewhere.example"), "{error}");
}

#[tokio::test]
async fn failures_become_errors_that_say_what_to_do() {
    let table = [
        (401, "Denied"),
        (403, "Denied"),
        (404, "NotFound"),
        (422, "Denied"),
        (429, "RateLimited"),
        (500, "Unavailable"),
        (503, "Unavailable"),
        (302, "Unexpected"),
        (418, "Unexpected"),
        (200, "Unexpected"),
    ];
    for (status, expected) in table {
        let stub = Stub::start(Some("giteaAdmin"), move |_| {
            let mut response = answer(status, json!({"message": "told\nso"}));
            response.headers_mut().insert("retry-after", "7".parse().unwrap());
            response
        })
        .await;
        let error = stub.forge().repository(&stub.demo()).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{status}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("s3cret"));
        assert_eq!(
            error.is_temporary(),
            matches!(expected, "RateLimited" | "Unavailable"),
            "{status}"
        );
        if let ScmError::RateLimited { retry_after, .. } = &error {
            assert_eq!(retry_after.map(|d| d.as_secs()), Some(7));
        }
        if matches!(expected, "Denied" | "Unavailable") {
            assert!(error.to_string().contains("told so"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_forge_that_is_down_is_unavailable() {
    let stub = Stub::start(Some("giteaAdmin"), |_| answer(200, json!({}))).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    #[expect(clippy::disallowed_methods, reason = "a plain client is enough for the stub")]
    let http = reqwest::Client::new();
    let config = ForgejoConfig {
        base_url: gone.clone(),
        host: "gone.example".to_owned(),
        username: None,
        password: None,
    };
    let forges = Forges::new(vec![config], http).unwrap();
    let repository = Repository {
        forge: gone,
        ..stub.demo()
    };
    let error = forges
        .forge_of(&repository)
        .unwrap()
        .repository(&repository)
        .await
        .unwrap_err();
    assert!(matches!(error, ScmError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_name_without_owner_is_made_for_the_account() {
    for owner in [None, Some("giteaadmin")] {
        let stub = Stub::start(Some("giteaAdmin"), |_| answer(201, repository_json("giteaAdmin"))).await;
        let info = stub.forge().create_repository(&new_repository(owner)).await.unwrap();
        assert_eq!(info.repository, stub.demo());
        assert!(info.empty && info.may_administer);
        assert_eq!(stub.lines(), ["POST /gitea/api/v1/user/repos"]);
        let asked = stub.asked.lock().unwrap()[0].clone();
        assert_eq!(
            asked.body,
            json!({"name": "demo", "description": "d", "private": false, "auto_init": false, "default_branch": "main"})
        );
        assert!(asked.headers["authorization"].to_str().unwrap().starts_with("Basic "));
    }
}

#[tokio::test]
async fn another_owner_is_an_organisation() {
    let stub = Stub::start(Some("giteaAdmin"), |line| {
        if line.starts_with("GET") {
            answer(200, json!({}))
        } else {
            answer(201, repository_json("team"))
        }
    })
    .await;
    stub.forge()
        .create_repository(&new_repository(Some("team")))
        .await
        .unwrap();
    assert_eq!(
        stub.lines(),
        ["GET /gitea/api/v1/orgs/team", "POST /gitea/api/v1/orgs/team/repos"]
    );

    let stub = Stub::start(Some("giteaAdmin"), |_| answer(404, json!({}))).await;
    let error = stub
        .forge()
        .create_repository(&new_repository(Some("team")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("organisation team"), "{error}");
}

#[tokio::test]
async fn a_taken_name_is_a_conflict() {
    let stub = Stub::start(Some("giteaAdmin"), |_| {
        answer(
            409,
            json!({"message": "The repository with the same name already exists."}),
        )
    })
    .await;
    let error = stub.forge().create_repository(&new_repository(None)).await.unwrap_err();
    assert!(matches!(error, ScmError::Conflict { .. }), "{error:?}");
    assert!(error.to_string().contains("giteaAdmin/demo"), "{error}");
}

#[tokio::test]
async fn a_token_asks_for_its_account_once() {
    let stub = Stub::start(None, |line| {
        if line.ends_with("/user") {
            answer(200, json!({"id": 1, "login": "bot", "username": "bot"}))
        } else {
            answer(201, repository_json("bot"))
        }
    })
    .await;
    let forge = stub.forge();
    assert_eq!(forge.account(), "");
    forge.create_repository(&new_repository(None)).await.unwrap();
    forge.create_repository(&new_repository(Some("bot"))).await.unwrap();
    assert_eq!(forge.account(), "bot");
    let post = "POST /gitea/api/v1/user/repos";
    assert_eq!(stub.lines(), ["GET /gitea/api/v1/user", post, post]);
    assert_eq!(stub.asked.lock().unwrap()[0].headers["authorization"], "token s3cret");
    assert_eq!(forge.push_target(&stub.demo()).unwrap().password, "s3cret");
}

#[tokio::test]
async fn an_empty_repository_has_no_commit() {
    for (status, body) in [
        (409, json!({"message": "Git Repository is empty."})),
        (200, json!([])),
        (404, json!({})),
    ] {
        let stub = Stub::start(Some("giteaAdmin"), move |_| answer(status, body.clone())).await;
        let error = stub.forge().commit(&stub.demo(), "main").await.unwrap_err();
        assert!(matches!(error, ScmError::NotFound { .. }), "{status}: {error:?}");
    }
}

#[tokio::test]
async fn files_are_read_up_to_the_limit() {
    let commit = json!([{"sha": "a".repeat(40), "commit": {"message": "m", "author": {"name": "n", "date": "2026-11-22T10:00:00Z"}}}]);
    let stub = Stub::start(Some("giteaAdmin"), move |line| {
        if line.contains("/commits?sha=feature%2Fx&") {
            answer(200, commit.clone())
        } else {
            Response::new(Body::from("0123456789"))
        }
    })
    .await;
    let source = Source {
        repository: stub.demo(),
        reference: Some("feature/x".to_owned()),
        path: "a b/ü#?.yaml".to_owned(),
    };
    let forge = stub.forge();
    assert_eq!(forge.read_file(&source, 10).await.unwrap().as_ref(), b"0123456789");
    let error = forge.read_file(&source, 9).await.unwrap_err();
    assert!(matches!(error, ScmError::TooLarge { limit: 9, .. }), "{error:?}");
    assert_eq!(
        stub.lines()[1],
        format!(
            "GET /gitea/api/v1/repos/giteaAdmin/demo/raw/a%20b/%C3%BC%23%3F.yaml?ref={}",
            "a".repeat(40)
        )
    );
}

#[tokio::test]
async fn a_branch_name_with_a_slash_is_found() {
    let commit = json!([{"sha": "a".repeat(40), "commit": {"message": "m", "author": {"name": "n", "date": "2026-11-22T10:00:00Z"}}}]);
    let stub = Stub::start(Some("giteaAdmin"), move |line| {
        if line.contains("sha=feature%2Flogin&") {
            answer(200, commit.clone())
        } else {
            answer(404, json!({}))
        }
    })
    .await;
    let located = stub
        .forges
        .locate(&format!(
            "{}/giteaAdmin/demo/src/branch/feature/login/docs/a.md",
            stub.base
        ))
        .unwrap();
    let resolved = stub.forges.resolve_reference(&located).await.unwrap().source;
    assert_eq!(
        (resolved.reference.as_deref(), resolved.path.as_str()),
        (Some("feature/login"), "docs/a.md")
    );
}

#[tokio::test]
async fn one_hook_is_made_and_takes_the_place_of_another() {
    let url = "http://portal.example/api/events/http/gitea/7";
    let stub = Stub::start(Some("giteaAdmin"), move |line| match line.split(' ').next() {
        Some("GET") => answer(200, json!([{"id": 3, "config": {"url": "http://other.example"}}])),
        _ => answer(201, json!({"id": 4})),
    })
    .await;
    stub.forge()
        .ensure_webhook(&Watched::Repository(stub.demo()), url, "hush")
        .await
        .unwrap();
    let made = stub.asked.lock().unwrap()[1].clone();
    assert_eq!(made.line, "POST /gitea/api/v1/repos/giteaAdmin/demo/hooks");
    assert_eq!(
        made.body,
        json!({"type": "gitea", "active": true, "branch_filter": "*", "events": ["push", "create", "delete"],
               "config": {"url": url, "content_type": "json", "secret": "hush"}})
    );

    let stub = Stub::start(Some("giteaAdmin"), move |line| match line.split(' ').next() {
        Some("GET") => answer(200, json!([{"id": 3, "config": {"url": url}}])),
        _ => answer(200, json!({"id": 3})),
    })
    .await;
    stub.forge()
        .ensure_webhook(&Watched::Repository(stub.demo()), url, "hush")
        .await
        .unwrap();
    let lines: Vec<String> = stub.asked.lock().unwrap()[1..]
        .iter()
        .map(|asked| asked.line.clone())
        .collect();
    assert_eq!(
        lines,
        [
            "POST /gitea/api/v1/repos/giteaAdmin/demo/hooks",
            "DELETE /gitea/api/v1/repos/giteaAdmin/demo/hooks/3"
        ]
    );

    let stub = Stub::start(Some("giteaAdmin"), |_| answer(403, json!({}))).await;
    let error = stub
        .forge()
        .ensure_webhook(&Watched::Repository(stub.demo()), url, "hush")
        .await
        .unwrap_err();
    assert!(matches!(error, ScmError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn repositories_of_an_organisation_or_a_user_are_listed_to_the_end() {
    let stub = Stub::start(Some("giteaAdmin"), |line| {
        let page = |number: u32| match number {
            1 | 2 => answer(200, json!([repository_json("team")])),
            _ => answer(200, json!([])),
        };
        match line {
            "GET /gitea/api/v1/orgs/team/repos?page=1&limit=50"
            | "GET /gitea/api/v1/users/jo/repos?page=1&limit=50" => page(1),
            "GET /gitea/api/v1/orgs/team/repos?page=2&limit=50"
            | "GET /gitea/api/v1/users/jo/repos?page=2&limit=50" => page(2),
            line if line.contains("page=3") => page(3),
            _ => answer(404, json!({})),
        }
    })
    .await;
    for owner in ["team", "jo"] {
        assert_eq!(stub.forge().list_repositories(owner).await.unwrap().len(), 2, "{owner}");
    }
    assert!(matches!(
        stub.forge().list_repositories("nobody").await,
        Err(ScmError::NotFound { .. })
    ));
}

#[tokio::test]
async fn a_status_is_written_at_the_commit() {
    let stub = Stub::start(Some("giteaAdmin"), |_| answer(201, json!({}))).await;
    let status = CommitStatus {
        failed: true,
        context: "portico/catalog".to_owned(),
        description: "x".repeat(500),
        url: "https://portal.test/catalog/locations/1".to_owned(),
    };
    let commit = "0123456789012345678901234567890123456789";
    stub.forge().report_status(&stub.demo(), commit, &status).await.unwrap();
    assert_eq!(
        stub.lines(),
        [format!("POST /gitea/api/v1/repos/giteaAdmin/demo/statuses/{commit}")]
    );
    let body = stub.asked.lock().unwrap()[0].body.clone();
    assert_eq!(
        (&body["state"], &body["context"]),
        (&json!("failure"), &json!("portico/catalog"))
    );
    assert_eq!(body["description"].as_str().map(str::len), Some(STATUS_LIMIT));
}

#[tokio::test]
async fn a_sign_in_page_is_no_answer() {
    let stub = Stub::start(Some("giteaAdmin"), |_| {
        let page = Response::builder().header("content-type", "text/html");
        page.body(Body::from("<html><body>Sign in</body></html>")).unwrap()
    })
    .await;
    let forge = stub.forge();
    let errors = [
        forge.repository(&stub.demo()).await.unwrap_err(),
        forge.commit(&stub.demo(), "main").await.unwrap_err(),
        forge.list_repositories("team").await.unwrap_err(),
    ];
    for error in errors {
        assert!(
            matches!(&error, ScmError::Unexpected { .. }) && !error.is_temporary(),
            "{error}"
        );
    }
}

#[tokio::test]
async fn pages_of_the_forge_are_named() {
    let stub = Stub::start(Some("giteaAdmin"), |_| answer(StatusCode::OK.as_u16(), json!({}))).await;
    let forge = stub.forge();
    let base = format!("{}/giteaAdmin/demo", stub.base);
    let source = |reference: Option<&str>, path: &str| Source {
        repository: stub.demo(),
        reference: reference.map(str::to_owned),
        path: path.to_owned(),
    };
    let sha = "a".repeat(40);
    let table = [
        (
            forge.web_url(&source(Some("main"), ""), true),
            "/src/branch/main/".to_owned(),
        ),
        (
            forge.web_url(&source(Some("f/x"), "a b.md"), false),
            "/src/branch/f/x/a%20b.md".to_owned(),
        ),
        (
            forge.web_url(&source(Some(&sha), "a"), false),
            format!("/src/commit/{sha}/a"),
        ),
        (forge.web_url(&source(None, ""), false), String::new()),
        (
            forge.edit_url(&source(Some("main"), "a/b")),
            "/_edit/main/a/b".to_owned(),
        ),
        (forge.clone_url(&stub.demo()), ".git".to_owned()),
        (forge.commit_url(&stub.demo(), &sha), format!("/commit/{sha}")),
    ];
    for (url, expected) in table {
        assert_eq!(url, format!("{base}{expected}"));
    }
}
