//! The actions for GitHub, run as steps, twice, against a server that answers as GitHub's API is described and keeps its
//! repositories in the stand-in's forge.

use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use portico_sandbox::Credentials;
use serde_json::{Value, json};

use crate::support::{self, Options, Platform};

const TOKEN: &str = "ghp_theTokenOfThisTest";
const SECRET: &str = "a value that nobody sees";
const ADMIN: &str = Credentials::FORGE_ADMIN;

/// Answers as a GitHub Enterprise Server of one organisation, `acme`.
#[derive(Clone)]
struct GitHub(Arc<Inner>);

struct Inner {
    host: String,
    http: reqwest::Client,
    /// Address, user name and password of the forge behind it.
    forge: OnceLock<(String, String, String)>,
    /// What was set, in order: method and path below the API, and the body.
    set: Mutex<Vec<(String, Value)>>,
}

impl GitHub {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let github = Self(Arc::new(Inner {
            host,
            http: support::http().build().expect("a client"),
            forge: OnceLock::new(),
            set: Mutex::default(),
        }));
        let router = Router::new().fallback(answer).with_state(github.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        github
    }

    fn config(&self) -> Value {
        let api = format!("http://{}/api/v3", self.0.host);
        json!({"integrations": {"github": [{"host": self.0.host, "apiBaseUrl": api, "token": TOKEN}]}})
    }

    fn set(&self) -> Vec<(String, Value)> {
        self.0.set.lock().expect("one at a time").clone()
    }

    async fn forge(&self, method: Method, path: &str, headers: &axum::http::HeaderMap, body: Bytes) -> Response {
        let (url, user, password) = self.0.forge.get().expect("the platform runs");
        let mut request = self
            .0
            .http
            .request(method, format!("{url}{path}"))
            .basic_auth(user, Some(password))
            .body(body);
        for name in ["content-type", "content-encoding", "git-protocol"] {
            if let Some(value) = headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request.send().await.expect("the forge answers");
        let status = answer.status();
        let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
        let mut response = (status, answer.bytes().await.expect("a body")).into_response();
        if let Some(kind) = kind {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response
    }

    async fn json(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let mut headers = axum::http::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().expect("a header"));
        let body = if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        };
        let response = self.forge(method, &format!("/api/v1{path}"), &headers, body).await;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 1 << 24)
            .await
            .expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }
}

fn told(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, axum::Json(body)).into_response()
}

/// A repository of the forge as GitHub describes it.
fn repository(found: &Value) -> Value {
    json!({
        "name": found["name"], "owner": {"login": "acme", "type": "Organization"}, "default_branch": found["default_branch"],
        "size": i32::from(found["empty"] == false), "created_at": found["created_at"], "updated_at": found["updated_at"],
        "permissions": {"admin": true},
    })
}

async fn answer(State(github): State<GitHub>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.expect("a body");
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Some(rest) = path.strip_prefix("/acme/") {
        // git: the token is the password.
        let basic = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("x-access-token:{TOKEN}"),
        );
        let signed = parts
            .headers
            .get(header::AUTHORIZATION)
            .is_some_and(|value| *value == format!("Basic {basic}"));
        if !signed {
            return (
                StatusCode::UNAUTHORIZED,
                [("www-authenticate", "Basic realm=\"GitHub\"")],
            )
                .into_response();
        }
        return github
            .forge(parts.method, &format!("/{ADMIN}/{rest}{query}"), &parts.headers, body)
            .await;
    }
    if let Some(rest) = path.strip_prefix("/codeload/") {
        return github
            .forge(
                parts.method,
                &format!("/api/v1/repos/{ADMIN}/{rest}"),
                &parts.headers,
                body,
            )
            .await;
    }
    let signed = parts
        .headers
        .get(header::AUTHORIZATION)
        .is_some_and(|value| *value == format!("Bearer {TOKEN}"));
    let Some(path) = path.strip_prefix("/api/v3").filter(|_| signed) else {
        return told(401, json!({"message": "Bad credentials"}));
    };
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    api(&github, &parts.method, path, &query, body).await
}

async fn api(github: &GitHub, method: &Method, path: &str, query: &str, body: Value) -> Response {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let of = |name: &str, rest: &str| format!("/repos/{ADMIN}/{name}{rest}");
    match (method.as_str(), segments.as_slice()) {
        ("GET", ["users", "acme"]) => told(200, json!({"login": "acme", "type": "Organization"})),
        ("GET", ["orgs", "acme", "teams", "platform"]) => told(200, json!({"slug": "platform"})),
        ("POST", ["orgs", "acme", "repos"]) => {
            let new = json!({"name": body["name"], "private": body["private"], "default_branch": "main"});
            let (status, made) = github.json(Method::POST, "/user/repos", new).await;
            if status != StatusCode::CREATED {
                let detail = json!({"message": "name already exists on this account"});
                return told(
                    422,
                    json!({"message": "Repository creation failed.", "errors": [detail]}),
                );
            }
            github
                .0
                .set
                .lock()
                .expect("one at a time")
                .push((format!("{method} {path}"), body));
            told(201, repository(&made))
        }
        ("GET", ["repos", "acme", name]) => match github.json(Method::GET, &of(name, ""), Value::Null).await {
            (StatusCode::OK, found) => told(200, repository(&found)),
            _ => told(404, json!({"message": "Not Found"})),
        },
        ("GET", ["repos", "acme", name, "commits"]) => {
            let (status, found) = github
                .json(Method::GET, &of(name, &format!("/commits{query}")), Value::Null)
                .await;
            told(status.as_u16(), found)
        }
        ("GET", ["repos", "acme", name, "tarball", commit]) => Response::builder()
            .status(StatusCode::FOUND)
            .header(header::LOCATION, format!("/codeload/{name}/archive/{commit}.tar.gz"))
            .body(Body::empty())
            .expect("a response"),
        ("GET", ["repos", "acme", name, "contents", file @ ..]) => {
            let path = format!("/api/v1{}", of(name, &format!("/raw/{}{query}", file.join("/"))));
            github
                .forge(Method::GET, &path, &axum::http::HeaderMap::new(), Bytes::new())
                .await
        }
        ("GET", ["repos", "acme", name, "pulls"]) => {
            let (_, found) = github
                .json(Method::GET, &of(name, "/pulls?state=open"), Value::Null)
                .await;
            told(200, found)
        }
        ("POST", ["repos", "acme", name, "pulls"]) => {
            github
                .0
                .set
                .lock()
                .expect("one at a time")
                .push((format!("{method} {path}"), body.clone()));
            let (status, made) = github.json(Method::POST, &of(name, "/pulls"), body).await;
            told(status.as_u16(), made)
        }
        ("GET", [.., "public-key"]) => told(
            200,
            json!({"key_id": "1", "key": "rOHmJ0m9ROlxAEiQXpEIjbCtaHDA8b3sBnd0QHIJyDk="}),
        ),
        ("GET", [.., "hooks"]) => told(200, json!([])),
        ("GET", _) => told(404, json!({"message": "Not Found"})),
        _ => {
            github
                .0
                .set
                .lock()
                .expect("one at a time")
                .push((format!("{method} {path}"), body));
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

fn template(host: &str) -> Value {
    let own = format!("{host}?owner=acme&repo=${{{{ parameters.name }}}}");
    let other = format!("{host}?owner=acme&repo=clusters");
    let step = |id: &str, action: &str, input: Value| json!({"id": id, "action": action, "input": input});
    let component = json!({"apiVersion": "backstage.io/v1alpha1", "kind": "Component", "metadata": {"name": "${{ parameters.name }}"},
        "spec": {"type": "service", "lifecycle": "production", "owner": "guests"}});
    json!({
        "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template", "metadata": {"name": "github"},
        "spec": {
            "type": "service", "owner": "guests",
            "parameters": {"required": ["name"], "properties": {"name": {"type": "string"}}},
            "steps": [
                step("write", "catalog:write", json!({"filePath": "app/catalog-info.yaml", "entity": component})),
                step("publish", "publish:github", json!({"repoUrl": own, "sourcePath": "app", "repoVisibility": "internal",
                    "access": "acme/platform", "topics": ["Golden-Path"], "hasWiki": false,
                    "collaborators": [{"user": "user:default/mona", "access": "push"}, {"team": "platform", "access": "maintain"}],
                    "repoVariables": {"STAGE": "test"}, "secrets": {"WORD": "${{ secrets.word }}"},
                    "requiredStatusCheckContexts": ["build"]})),
                step("register", "catalog:register", json!({"repoContentsUrl": "${{ steps.publish.output.repoContentsUrl }}"})),
                step("create", "github:repo:create", json!({"repoUrl": format!("{own}-second"), "repoVisibility": "public"})),
                step("push", "github:repo:push", json!({"repoUrl": format!("{own}-second"), "sourcePath": "app",
                    "gitCommitMessage": "Second", "protectDefaultBranch": false})),
                step("propose", "publish:github:pull-request", json!({"repoUrl": other, "title": "Add ${{ parameters.name }}",
                    "branchName": "add-${{ parameters.name }}", "sourcePath": "app", "targetPath": "apps/${{ parameters.name }}",
                    "draft": true, "reviewers": ["mona"], "assignees": ["mona"]})),
            ],
            "output": {"all": "${{ steps }}"},
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_makes_on_github_it_makes_once() {
    let github = GitHub::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(
        folder.path().join("catalog-info.yaml"),
        template(&github.0.host).to_string(),
    )
    .expect("a file");
    let platform = Platform::start_with(Options {
        golden_paths: vec![folder.path().to_owned()],
        config: github.config(),
        ..Options::default()
    })
    .await;
    let forge = &platform.systems.forge;
    let known = (forge.url.clone(), forge.username.clone(), forge.password.clone());
    github.0.forge.set(known).expect("once");
    let clusters = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(clusters.path().join("kept.txt"), "kept").expect("a file");
    let put = platform
        .sandbox
        .forge
        .put_tree(ADMIN, "clusters", "main", clusters.path(), "First");
    put.await.expect("the forge takes it");

    let body =
        json!({"templateRef": "template:default/github", "values": {"name": "demo"}, "secrets": {"word": SECRET}});
    let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{answer}");
    let id = answer["id"].as_str().expect("an id").to_owned();
    for round in 0..2 {
        let task = platform.ended(&id).await;
        let events = platform.events(&id).await;
        assert_eq!(task["status"], "completed", "round {round}: {events:#?}");
        let log = json!(events).to_string();
        let unseen = [SECRET, TOKEN]
            .iter()
            .all(|secret| !log.contains(secret) && !platform.portal.log().contains(secret));
        assert!(unseen, "{log}");
        let output = &events.last().expect("events")["body"]["output"]["all"];
        let base = format!("http://{}/acme", github.0.host);
        assert_eq!(output["publish"]["output"]["remoteUrl"], format!("{base}/demo.git"));
        assert_eq!(
            output["publish"]["output"]["repoContentsUrl"],
            format!("{base}/demo/blob/main")
        );
        assert_eq!(output["register"]["output"]["entityRef"], "component:default/demo");
        for (repository, commits) in [("demo", 1), ("demo-second", 1)] {
            let (_, found) = platform
                .forge()
                .get(&format!("/repos/{ADMIN}/{repository}/commits"))
                .await;
            assert_eq!(found.as_array().map(Vec::len), Some(commits), "{repository}: {found}");
        }
        let (_, pulls) = platform
            .forge()
            .get(&format!("/repos/{ADMIN}/clusters/pulls?state=all"))
            .await;
        assert_eq!(pulls.as_array().map(Vec::len), Some(1), "{pulls}");
        if round == 0 {
            let retry = json!({"secrets": {"word": SECRET}});
            let (status, answer) = platform
                .api()
                .post(&format!("/scaffolder/v2/tasks/{id}/retry"), &retry)
                .await;
            assert_eq!(status, StatusCode::CREATED, "{answer}");
        }
    }
    assert_asked(&github.set());
    let (_, entity) = platform
        .api()
        .get("/catalog/entities/by-name/component/default/demo")
        .await;
    let source = &entity["metadata"]["annotations"]["backstage.io/source-location"];
    assert_eq!(
        *source,
        format!("url:http://{}/acme/demo/tree/main/", github.0.host),
        "{entity}"
    );

    // The name is taken, which is told before anything is made.
    let (status, answer) = platform.api().post("/scaffolder/v2/tasks", &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(answer.to_string().contains("The name is taken"), "{answer}");
}

/// What GitHub was told to set.
fn assert_asked(set: &[(String, Value)]) {
    let body = |line: &str| {
        let found = set.iter().find(|(asked, _)| asked == line);
        found
            .map(|(_, body)| body)
            .unwrap_or_else(|| panic!("{line} was not asked: {set:#?}"))
    };
    let new = body("POST /orgs/acme/repos");
    assert_eq!(
        (&new["visibility"], &new["private"]),
        (&json!("internal"), &json!(false))
    );
    assert_eq!(
        (&new["has_wiki"], &new["allow_auto_merge"]),
        (&json!(false), &json!(false))
    );
    let created = set
        .iter()
        .filter(|(asked, body)| asked == "POST /orgs/acme/repos" && body["name"] == "demo");
    assert_eq!(created.count(), 1, "{set:#?}");
    assert_eq!(
        body("PUT /orgs/acme/teams/platform/repos/acme/demo")["permission"],
        "admin"
    );
    assert_eq!(body("PUT /repos/acme/demo/collaborators/mona")["permission"], "push");
    assert_eq!(*body("PUT /repos/acme/demo/topics"), json!({"names": ["golden-path"]}));
    assert_eq!(
        *body("POST /repos/acme/demo/actions/variables"),
        json!({"name": "STAGE", "value": "test"})
    );
    assert_eq!(body("PUT /repos/acme/demo/actions/secrets/WORD")["key_id"], "1");
    let rules = body("PUT /repos/acme/demo/branches/main/protection");
    assert_eq!(
        (
            &rules["required_status_checks"]["contexts"],
            &rules["enforce_admins"],
            &rules["restrictions"]
        ),
        (&json!(["build"]), &json!(true), &Value::Null)
    );
    assert!(
        !set.iter()
            .any(|(asked, _)| asked == "PUT /repos/acme/demo-second/branches/main/protection")
    );
    assert_eq!(body("POST /repos/acme/clusters/pulls")["draft"], true);
    assert_eq!(
        body("POST /repos/acme/clusters/pulls/1/requested_reviewers")["reviewers"],
        json!(["mona"])
    );
    assert_eq!(
        body("POST /repos/acme/clusters/issues/1/assignees")["assignees"],
        json!(["mona"])
    );
    assert!(!json!(set).to_string().contains(SECRET));
}
