//! GitHub's documented answers, from a small server that keeps what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::outbound::{Allowed, Outbound};
use crate::scm::{Forges, Located, NewFile, NewIssue, NewPullRequest, PullRequestState, RepositorySettings};

const COMMIT: &str = "6dcb09b5b57875f334f61aebed695e2e4193db5e";

struct Stub {
    base: Url,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

fn answer(status: u16, body: Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
        .body(Body::from(body.to_string()))
        .unwrap()
}

impl Stub {
    /// A GitHub Enterprise Server, as its API is below a path.
    async fn start(reply: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (seen, reply) = (seen.clone(), reply.clone());
            async move {
                let signed = request
                    .headers()
                    .get("authorization")
                    .map(|value| value.to_str().unwrap().to_owned());
                let line = format!("{} {}", request.method(), request.uri());
                let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
                seen.lock()
                    .unwrap()
                    .push((line.clone(), serde_json::from_slice(&body).unwrap_or(Value::Null)));
                match signed.as_deref() {
                    Some("Bearer t0ken") => reply(line.replace("/api/v3", "").as_str()),
                    other => answer(401, json!({"message": format!("Bad credentials {other:?}")})),
                }
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, asked }
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.base.port().unwrap())
    }

    fn forges(&self, token: &str) -> Forges {
        let outbound = Outbound::new(vec![Allowed::Origin(self.base.clone())], &[]).unwrap();
        let config = GithubConfig {
            host: self.host(),
            api_base_url: format!("{}api/v3", self.base),
            token: Some(token.to_owned()),
        };
        let none = Forges::new(Vec::new(), outbound.client()).unwrap();
        none.and_github(vec![config], &outbound.client()).unwrap()
    }

    fn located(&self, path: &str) -> Located {
        self.forges("t0ken")
            .locate(&format!("{}acme/demo{path}", self.base))
            .unwrap()
    }

    fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn repository(size: u64) -> Value {
    json!({
        "id": 1, "name": "demo", "full_name": "acme/demo", "owner": {"login": "acme", "type": "Organization"},
        "private": true, "default_branch": "main", "size": size, "created_at": "2026-01-26T19:01:12Z",
        "updated_at": "2026-01-26T19:14:43Z", "pushed_at": "2026-01-26T19:06:43Z", "permissions": {"admin": true},
    })
}

#[tokio::test]
async fn repositories_and_files_are_read() {
    let stub = Stub::start(|line| match line {
        "GET /repos/acme/demo" => answer(200, repository(0)),
        "GET /repos/acme/demo/commits?per_page=1" => answer(409, json!({"message": "Git Repository is empty."})),
        "GET /repos/acme/demo/commits?sha=feature%2Fx&per_page=1" => answer(
            200,
            json!([{"sha": COMMIT, "commit": {"message": "Fix all", "author": {"name": "Mona", "date": "2026-04-14T16:00:49Z"}}}]),
        ),
        "GET /repos/acme/demo/commits?per_page=50&sha=main&path=docs%2Fa+b.md" => answer(
            200,
            json!([{
                "sha": COMMIT, "author": {"login": "mona"},
                "commit": {"message": "Fix", "author": {"name": "Mona", "email": "m@x.test", "date": "2026-04-14T16:00:49Z"}},
            }, {
                "sha": COMMIT, "author": {},
                "commit": {"message": "Add", "author": {"name": "Eve", "date": "2026-04-13T16:00:49Z"}},
            }]),
        ),
        "GET /repos/acme/demo/contents/docs/a%20b.md?ref=main" => Response::new(Body::from("# Hi\n")),
        _ => answer(404, json!({"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})),
    })
    .await;
    let located = stub.located("/blob/main/docs/a%20b.md");
    let (forge, source) = (&located.forge, &located.source);
    assert_eq!(
        forge.web_url(source, false),
        format!("{}acme/demo/blob/main/docs/a%20b.md", stub.base)
    );
    assert_eq!(
        forge.clone_url(&source.repository),
        format!("{}acme/demo.git", stub.base)
    );
    let info = forge.repository(&source.repository).await.unwrap();
    assert!(info.empty && info.may_administer && info.default_branch == "main");
    assert_eq!(forge.commit(&source.repository, "feature/x").await.unwrap().id, COMMIT);
    assert_eq!(forge.read_file(source, 100).await.unwrap(), "# Hi\n");
    let commits = forge.list_commits(source, usize::MAX).await.unwrap();
    let told: Vec<_> = commits
        .iter()
        .map(|commit| {
            (
                commit.subject(),
                commit.author.as_str(),
                commit.email.as_str(),
                commit.account.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [("Fix", "Mona", "m@x.test", Some("mona")), ("Add", "Eve", "", None)]
    );
    let empty = Source {
        reference: None,
        path: String::new(),
        ..source.clone()
    };
    assert_eq!(forge.list_commits(&empty, 1).await.unwrap(), []);
    assert!(forge.has_file(source).await.unwrap());
    let error = forge.read_file(source, 3).await.unwrap_err();
    assert!(matches!(error, ScmError::TooLarge { limit: 3, .. }), "{error:?}");
    let other = stub.located("/blob/main/none");
    assert!(!other.forge.has_file(&other.source).await.unwrap());
    let error = other.forge.commit(&source.repository, "none").await.unwrap_err();
    assert!(matches!(error, ScmError::NotFound { .. }), "{error:?}");
    let pushed = forge.push_target(&source.repository).unwrap();
    assert_eq!(
        (pushed.username.as_str(), pushed.password.as_str()),
        ("x-access-token", "t0ken")
    );
}

#[tokio::test]
async fn a_tree_comes_from_the_archive_that_github_redirects_to() {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_size(3);
    header.set_mode(0o755);
    tar.append_data(&mut header, "acme-demo-6dcb09b/bin/run", &b"hi\n"[..])
        .unwrap();
    let archive = tar.into_inner().unwrap().finish().unwrap();
    let stub = Stub::start(move |line| match line {
        line if line.ends_with(&format!("/tarball/{COMMIT}")) => Response::builder()
            .status(StatusCode::FOUND)
            .header("location", "/codeload/acme/demo")
            .body(Body::empty())
            .unwrap(),
        "GET /codeload/acme/demo" => Response::new(Body::from(archive.clone())),
        _ => answer(404, json!({})),
    })
    .await;
    let located = stub.located("");
    let tree = located
        .forge
        .read_tree(&located.source.repository, COMMIT, 100)
        .await
        .unwrap();
    assert_eq!((tree.commit.as_str(), tree.files.len()), (COMMIT, 1));
    assert!(tree.files[0].path == "bin/run" && tree.files[0].executable);
    let error = located
        .forge
        .read_tree(&located.source.repository, COMMIT, 2)
        .await
        .unwrap_err();
    assert!(matches!(error, ScmError::TooLarge { limit: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn repositories_are_created_where_the_owner_is() {
    for (kind, path) in [("Organization", "POST /orgs/acme/repos"), ("User", "POST /user/repos")] {
        let stub = Stub::start(move |line| match line {
            "GET /users/acme" => answer(200, json!({"login": "acme", "type": kind})),
            "GET /user" => answer(200, json!({"login": "Acme"})),
            line if line == path => answer(201, repository(7)),
            _ => answer(404, json!({})),
        })
        .await;
        let new = NewGithubRepository {
            owner: "acme".to_owned(),
            name: "demo".to_owned(),
            description: Some("A demo".to_owned()),
            visibility: "internal".to_owned(),
            ..NewGithubRepository::default()
        };
        let located = stub.located("");
        located.forge.github().unwrap().create(&new).await.unwrap();
        let asked = stub.asked();
        let (line, body) = asked.last().unwrap();
        assert_eq!(line.replace("/api/v3", ""), path);
        assert_eq!((&body["name"], &body["private"]), (&json!("demo"), &json!(false)));
        assert_eq!(body["visibility"] == "internal", kind == "Organization", "{body}");
    }
    // Somebody else's account.
    let stub = Stub::start(|line| match line {
        "GET /users/acme" => answer(200, json!({"login": "acme", "type": "User"})),
        "GET /user" => answer(200, json!({"login": "bot"})),
        _ => answer(404, json!({})),
    })
    .await;
    let new = NewGithubRepository {
        owner: "acme".to_owned(),
        name: "demo".to_owned(),
        ..NewGithubRepository::default()
    };
    let error = stub.located("").forge.github().unwrap().create(&new).await.unwrap_err();
    assert!(error.to_string().contains("the token is of bot"), "{error}");
}

#[tokio::test]
async fn refusals_are_understood() {
    let exists = json!({"message": "Repository creation failed.", "errors": [{"resource": "Repository", "code": "custom",
        "field": "name", "message": "name already exists on this account"}]});
    let table = [
        (401, json!({"message": "Bad credentials"}), None, "Denied"),
        (
            403,
            json!({"message": "Resource not accessible by integration"}),
            None,
            "Denied",
        ),
        (
            403,
            json!({"message": "API rate limit exceeded for user ID 1."}),
            None,
            "RateLimited",
        ),
        (
            403,
            json!({"message": "x"}),
            Some(("x-ratelimit-remaining", "0")),
            "RateLimited",
        ),
        (429, json!({}), Some(("retry-after", "7")), "RateLimited { host"),
        (404, json!({"message": "Not Found"}), None, "NotFound"),
        (422, exists, None, "Conflict"),
        (422, json!({"message": "No commit found for SHA: x"}), None, "NotFound"),
        (422, json!({"message": "Validation Failed"}), None, "Denied"),
        (502, json!("<html>"), None, "Unavailable"),
    ];
    for (status, body, header, expected) in table {
        let told = body.clone();
        let stub = Stub::start(move |_| {
            let mut response = answer(status, body.clone());
            if let Some((name, value)) = header {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            response
        })
        .await;
        let located = stub.located("");
        let error = located.forge.repository(&located.source.repository).await.unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{status} {told}: {error:?}");
    }
    let stub = Stub::start(|_| answer(500, json!({}))).await;
    let located = stub.forges("wrong").locate(&format!("{}acme/demo", stub.base)).unwrap();
    let error = located.forge.repository(&located.source.repository).await.unwrap_err();
    assert!(error.to_string().contains("Bad credentials"), "{error}");
    let located = located.forge.with_token("t0ken").unwrap();
    let repository = Repository {
        forge: String::new(),
        owner: "acme".to_owned(),
        name: "demo".to_owned(),
    };
    assert!(located.repository(&repository).await.unwrap_err().is_temporary());
    assert!(located.with_token("a\nb").is_err());
}

#[tokio::test]
async fn an_answer_is_not_followed_to_a_host_that_nobody_has_named() {
    let stub = Stub::start(|_| {
        Response::builder()
            .status(StatusCode::FOUND)
            .header("location", "http://127.0.0.1:9/stolen")
            .body(Body::empty())
            .unwrap()
    })
    .await;
    let located = stub.located("");
    let error = located.forge.repository(&located.source.repository).await.unwrap_err();
    assert!(error.to_string().contains("the configuration does not name"), "{error}");
}

#[tokio::test]
async fn a_file_is_proposed_on_a_branch_of_its_own() {
    let stub = Stub::start(|line| match line {
        "GET /repos/acme/demo/commits?sha=main&per_page=1" => answer(
            200,
            json!([{"sha": COMMIT, "commit": {"message": "", "author": {"name": "Mona", "date": "2026-04-14T16:00:49Z"}}}]),
        ),
        "POST /repos/acme/demo/git/refs" => answer(201, json!({})),
        "GET /repos/acme/demo/contents/docs/a.yaml?ref=portal" => answer(200, json!({"sha": "blob", "content": "b2\nxk\n"})),
        "PUT /repos/acme/demo/contents/docs/a.yaml" => answer(200, json!({})),
        _ => answer(404, json!({"message": "Not Found"})),
    })
    .await;
    let located = stub.located("");
    let (forge, at) = (located.forge.collaboration().unwrap(), &located.source.repository);
    let file = |content| NewFile {
        path: "docs/a.yaml",
        content,
        branch: "portal",
        base: "main",
        message: "Add it",
    };
    forge.propose_file(at, &file("new")).await.unwrap();
    let written = || {
        let asked = stub.asked().into_iter();
        asked
            .filter(|(line, _)| line.starts_with("PUT "))
            .map(|(_, body)| body)
            .collect::<Vec<_>>()
    };
    let expected = json!({"message": "Add it", "content": "bmV3", "branch": "portal", "sha": "blob"});
    assert_eq!(written(), [expected]);
    // What is there already is not written again.
    forge.propose_file(at, &file("old")).await.unwrap();
    assert_eq!(written(), Vec::<Value>::new());
}

#[tokio::test]
async fn collaboration_asks_as_the_api_is_described() {
    let stub = Stub::start(|line| {
        let pull = json!({"number": 7, "html_url": "https://h/7", "state": "closed", "merged_at": "2026-01-26T19:01:12Z"});
        match line {
            "POST /repos/acme/demo/pulls" => answer(201, pull),
            "GET /repos/acme/demo/pulls?state=open&head=acme%3Ax&base=main" => answer(200, json!([])),
            "GET /repos/acme/demo/pulls/7" => answer(200, pull),
            "POST /repos/acme/demo/issues" => answer(201, json!({"number": 8, "html_url": "https://h/8", "body": null})),
            line if line.starts_with("GET /repos/acme/demo/issues?") => answer(
                200,
                json!([{"number": 7, "html_url": "a", "body": "mark", "pull_request": {}}, {"number": 9, "html_url": "b", "body": "a mark"}]),
            ),
            "GET /repos/acme/demo/actions/secrets/public-key" => {
                answer(200, json!({"key_id": "1", "key": "rOHmJ0m9ROlxAEiQXpEIjbCtaHDA8b3sBnd0QHIJyDk="}))
            }
            "POST /repos/acme/demo/actions/variables" => answer(409, json!({"message": "Already exists"})),
            "GET /repos/acme/demo/hooks?per_page=100" => answer(200, json!([{"id": 5, "config": {"url": "https://p/hook"}}])),
            _ => Response::builder().status(204).body(Body::empty()).unwrap(),
        }
    })
    .await;
    let located = stub.located("");
    let (forge, at) = (located.forge.collaboration().unwrap(), &located.source.repository);
    let new = NewPullRequest {
        head: "x".to_owned(),
        base: "main".to_owned(),
        title: "T".to_owned(),
        body: String::new(),
        draft: true,
    };
    assert_eq!(forge.open_pull_request(at, &new).await.unwrap().number, 7);
    assert_eq!(forge.find_pull_request(at, "x", "main").await.unwrap(), None);
    assert_eq!(forge.pull_request(at, 7).await.unwrap().state, PullRequestState::Merged);
    let issue = NewIssue {
        title: "I",
        body: "",
        assignees: &[],
    };
    assert_eq!(forge.create_issue(at, &issue).await.unwrap().number, 8);
    let since = chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(20_000);
    assert_eq!(forge.find_issue(at, "mark", since).await.unwrap().unwrap().number, 9);
    forge.set_variable(at, "STAGE", "test").await.unwrap();
    forge.set_secret(at, "KEY", "hunter2").await.unwrap();
    let settings = RepositorySettings {
        archived: Some(true),
        ..RepositorySettings::default()
    };
    forge.update_repository(at, &settings).await.unwrap();
    located
        .forge
        .ensure_webhook(&Watched::Repository(at.clone()), "https://p/hook", "s")
        .await
        .unwrap();
    forge.delete_repository(at).await.unwrap();
    let asked = stub.asked();
    let body = |line: &str| {
        let found = asked.iter().find(|(asked, _)| asked.replace("/api/v3", "") == line);
        found
            .map(|(_, body)| body.clone())
            .unwrap_or_else(|| panic!("{line} was not asked: {asked:#?}"))
    };
    assert_eq!(body("POST /repos/acme/demo/pulls")["draft"], true);
    assert_eq!(body("PATCH /repos/acme/demo/actions/variables/STAGE")["value"], "test");
    let secret = body("PUT /repos/acme/demo/actions/secrets/KEY");
    assert!(
        secret["key_id"] == "1" && !secret.to_string().contains("hunter2"),
        "{secret}"
    );
    assert_eq!(body("PATCH /repos/acme/demo"), json!({"archived": true}));
    assert_eq!(body("PATCH /repos/acme/demo/hooks/5")["config"]["secret"], "s");
    body("DELETE /repos/acme/demo");
}
