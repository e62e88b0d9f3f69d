//! Odd answers of Argo CD and of the Kubernetes API, from a small server; the ordinary ones are in
//! `tests/it/contract/gitops.rs`.

use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::Response;

use super::create::tests::new_application;
use super::*;
use crate::kubernetes::ClusterSettings;

#[derive(Debug, Clone)]
struct Asked {
    line: String,
    authorization: String,
    body: Value,
}

struct Stub {
    base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    async fn start(answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let router = Router::new().fallback(move |request: Request| {
            let (seen, answer) = (seen.clone(), answer.clone());
            async move {
                let line = format!("{} {}", request.method(), request.uri());
                let header = request.headers().get("authorization");
                let authorization = header
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
                    .to_owned();
                let body = to_bytes(request.into_body(), 1 << 20).await.unwrap();
                let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                let asked = Asked {
                    line,
                    authorization,
                    body,
                };
                let response = answer(&asked);
                seen.lock().unwrap().push(asked);
                response
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, asked }
    }

    /// Argo CD with an account; no cluster.
    fn by_argo(&self) -> GitOps {
        gitops(
            InstanceSettings {
                name: "in-cluster".to_owned(),
                url: Some(format!("{}/argocd", self.base)),
                username: Some("admin".to_owned()),
                password: Some("s3cret".to_owned()),
                token: None,
            },
            None,
        )
    }

    /// A cluster; Argo CD without an account.
    fn by_cluster(&self) -> GitOps {
        let cluster = Cluster::new(&ClusterSettings {
            name: "local".to_owned(),
            url: self.base.clone(),
            service_account_token: Some("t0ken".to_owned()),
            ..ClusterSettings::default()
        });
        let instance = InstanceSettings {
            name: "in-cluster".to_owned(),
            url: Some("https://argo.example/argocd/api/v1/".to_owned()),
            ..InstanceSettings::default()
        };
        gitops(instance, Some(cluster.unwrap()))
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

fn gitops(instance: InstanceSettings, cluster: Option<Cluster>) -> GitOps {
    let settings = GitOpsSettings {
        instances: vec![instance],
        ..GitOpsSettings::default()
    };
    #[expect(clippy::disallowed_methods, reason = "a plain client is enough for the stub")]
    let http = reqwest::Client::new();
    GitOps::new(settings, cluster, http, Clock::system()).unwrap()
}

fn answer(status: u16, body: Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn status(code: u16, reason: &str) -> Response<Body> {
    answer(
        code,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "told so", "reason": reason, "code": code}),
    )
}

fn stored(task: &str) -> Value {
    let mut object = NewApplication {
        task: task.to_owned(),
        ..new_application("demo")
    }
    .body();
    object["metadata"]["namespace"] = "argocd".into();
    object["metadata"]["resourceVersion"] = "7".into();
    object
}

const SESSION: &str = "POST /argocd/api/v1/session";
const FIND: &str = "GET /argocd/api/v1/applications/demo?project=default";
const CREATE: &str = "POST /argocd/api/v1/applications";

#[tokio::test]
async fn argo_cd_is_asked_for_a_session_once() {
    let stub = Stub::start(|asked| match asked.line.as_str() {
        SESSION => answer(200, json!({"token": "jwt"})),
        CREATE => answer(200, asked.body.clone()),
        _ => answer(404, json!({"error": "not found", "code": 5, "message": "not found"})),
    })
    .await;
    let gitops = stub.by_argo();
    let new = new_application("demo");
    assert_eq!(gitops.create(&new).await, Ok(Created { already: false }));
    assert_eq!(gitops.create(&new).await, Ok(Created { already: false }));
    assert_eq!(stub.lines(), [SESSION, FIND, CREATE, FIND, CREATE]);
    let asked = stub.asked();
    assert_eq!(asked[0].body, json!({"username": "admin", "password": "s3cret"}));
    assert_eq!(asked[1].authorization, "Bearer jwt");
    assert_eq!(asked[2].body, new.body());
}

#[tokio::test]
async fn a_session_that_ended_is_renewed_once() {
    let stub = Stub::start(|asked| match asked.line.as_str() {
        SESSION => answer(200, json!({"token": "jwt"})),
        _ => answer(401, json!({"code": 16, "message": "invalid session: token is expired"})),
    })
    .await;
    let error = stub.by_argo().exists("in-cluster", "demo").await.unwrap_err();
    assert!(
        matches!(&error, GitOpsError::Denied { reason, .. } if reason.contains("expired")),
        "{error:?}"
    );
    let list = "GET /argocd/api/v1/applications?name=demo";
    assert_eq!(stub.lines(), [SESSION, list, SESSION, list]);
    assert!(!error.to_string().contains("s3cret"));
}

#[tokio::test]
async fn argo_cds_answers_about_a_name_are_understood() {
    let taken = "existing application spec is different, use upsert flag to force update";
    // What FIND, the list and CREATE answer, and what comes of it.
    type Case = ((u16, Value), Value, (u16, Value), Result<bool, &'static str>);
    let table: Vec<Case> = vec![
        ((200, stored("t1")), json!({}), (500, json!({})), Ok(true)),
        ((200, stored("t2")), json!({}), (500, json!({})), Err("Conflict")),
        // Hidden behind 403 while it is in another project.
        (
            (403, json!({"message": "permission denied"})),
            json!({"items": [stored("t2")]}),
            (500, json!({})),
            Err("Conflict"),
        ),
        ((403, json!({})), json!({"items": null}), (200, stored("t1")), Ok(false)),
        // Appeared in between, the same but for its maker.
        ((404, json!({})), json!({}), (200, stored("t2")), Err("Conflict")),
        (
            (404, json!({})),
            json!({}),
            (400, json!({"message": taken})),
            Err("Conflict"),
        ),
        (
            (404, json!({})),
            json!({}),
            (400, json!({"message": "application spec for demo is invalid"})),
            Err("Denied"),
        ),
        ((404, json!({})), json!({}), (503, json!({})), Err("Unavailable")),
        ((404, json!({})), json!({}), (200, json!("odd")), Err("Conflict")),
        ((500, json!({})), json!({}), (200, stored("t1")), Err("Unavailable")),
    ];
    for (number, (find, list, create, expected)) in table.into_iter().enumerate() {
        let stub = Stub::start(move |asked| match asked.line.as_str() {
            SESSION => answer(200, json!({"token": "jwt"})),
            FIND => answer(find.0, find.1.clone()),
            CREATE => answer(create.0, create.1.clone()),
            _ => answer(200, list.clone()),
        })
        .await;
        match (stub.by_argo().create(&new_application("demo")).await, expected) {
            (Ok(created), Ok(already)) => assert_eq!(created.already, already, "case {number}"),
            (Err(error), Err(kind)) => assert!(format!("{error:?}").starts_with(kind), "case {number}: {error:?}"),
            (found, expected) => panic!("case {number}: {found:?}, expected {expected:?}"),
        }
    }
}

#[tokio::test]
async fn the_cluster_creates_and_never_takes_over() {
    const APPLICATIONS: &str = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications";
    let table = [
        (201, "t1", Ok(false)),
        (409, "t1", Ok(true)),
        (409, "t2", Err("Conflict")),
        (403, "t1", Err("Denied")),
        (404, "t1", Err("NotFound")),
        (500, "t1", Err("Unavailable")),
    ];
    for (code, maker, expected) in table {
        let stub = Stub::start(move |asked| match (asked.line.starts_with("POST"), code) {
            (true, 201) => answer(201, asked.body.clone()),
            (true, code) => status(code, "AlreadyExists"),
            (false, _) => answer(200, stored(maker)),
        })
        .await;
        match (stub.by_cluster().create(&new_application("demo")).await, expected) {
            (Ok(created), Ok(already)) => assert_eq!(created.already, already, "{code} {maker}"),
            (Err(error), Err(kind)) => assert!(format!("{error:?}").starts_with(kind), "{code} {maker}: {error:?}"),
            (found, expected) => panic!("{code} {maker}: {found:?}, expected {expected:?}"),
        }
        let asked = &stub.asked()[0];
        assert_eq!(asked.line, format!("POST {APPLICATIONS}?&fieldManager=portico"));
        assert_eq!(asked.authorization, "Bearer t0ken");
        assert_eq!(asked.body["spec"], new_application("demo").body()["spec"]);
    }
}

#[tokio::test]
async fn an_instance_that_is_not_configured_is_named() {
    let stub = Stub::start(|_| answer(500, json!({}))).await;
    let new = NewApplication {
        instance: "elsewhere".to_owned(),
        ..new_application("demo")
    };
    let error = stub.by_argo().create(&new).await.unwrap_err().to_string();
    assert!(error.contains("elsewhere") && error.contains("in-cluster"), "{error}");
    assert!(stub.lines().is_empty());
}

#[tokio::test]
async fn changes_reach_the_store_and_a_lost_watch_is_told() {
    let demo = |sync: &str, version: &str| {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
               "metadata": {"name": "demo", "namespace": "argocd", "resourceVersion": version},
               "spec": {"source": {"repoURL": "https://forge.example/o/demo"}}, "status": {"sync": {"status": sync}}})
    };
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let switch = broken.clone();
    let stub = Stub::start(move |asked| {
        if switch.load(std::sync::atomic::Ordering::SeqCst) {
            return status(503, "ServiceUnavailable");
        }
        if asked.line.contains("watch=true") {
            let switch = switch.clone();
            let event = json!({"type": "MODIFIED", "object": demo("Synced", "8")}).to_string();
            // One event, then the stream breaks and the server is down.
            let frames = futures::stream::unfold(0, move |step| {
                let (event, switch) = (event.clone(), switch.clone());
                async move {
                    if step == 0 {
                        return Some((Ok::<_, std::io::Error>(format!("{event}\n")), 1));
                    }
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    switch.store(true, std::sync::atomic::Ordering::SeqCst);
                    (step == 1).then(|| (Err(std::io::Error::other("cut")), 2))
                }
            });
            return Response::new(Body::from_stream(frames));
        }
        let list = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationList",
                          "metadata": {"resourceVersion": "7"}, "items": [demo("OutOfSync", "7")]});
        answer(200, list)
    })
    .await;
    let gitops = stub.by_cluster();
    assert!(matches!(gitops.connection(), Connection::Disconnected { .. }));
    let mut changes = gitops.subscribe();
    let running = tokio::spawn({
        let gitops = gitops.clone();
        async move { gitops.run().await }
    });
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(20), changes.recv())
            .await
            .unwrap()
            .unwrap()
    };

    assert_eq!(next().await, Change::Application("demo".into()));
    assert_eq!(next().await, Change::Connection);
    assert_eq!(next().await, Change::Application("demo".into()));
    let demo = gitops.get("demo").unwrap();
    assert_eq!(demo.sync, SyncStatus::Synced);
    assert_eq!(
        demo.url.as_deref(),
        Some("https://argo.example/argocd/applications/argocd/demo")
    );
    assert_eq!(gitops.for_repository(|url| url.ends_with("/demo")).len(), 1);

    assert_eq!(next().await, Change::Connection);
    let Connection::Disconnected { reason, .. } = gitops.connection() else {
        panic!("it still counts as connected");
    };
    assert!(!reason.is_empty());
    assert!(gitops.get("demo").is_some(), "the last state stays");

    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    // The reason may change while it is down; then the list is of now again.
    while gitops.connection() != Connection::Connected {
        next().await;
    }
    running.abort();
}

#[tokio::test]
async fn a_push_refreshes_through_argo_cd_where_the_cluster_refuses() {
    let stub = Stub::start(|asked| match asked.line.as_str() {
        SESSION => answer(200, json!({"token": "jwt"})),
        line if line.starts_with("PATCH") => status(403, "Forbidden"),
        _ => answer(200, stored("t1")),
    })
    .await;
    let cluster = Cluster::new(&ClusterSettings {
        name: "local".to_owned(),
        url: stub.base.clone(),
        ..ClusterSettings::default()
    });
    let instance = InstanceSettings {
        name: "in-cluster".to_owned(),
        url: Some(format!("{}/argocd", stub.base)),
        username: Some("admin".to_owned()),
        password: Some("s3cret".to_owned()),
        token: None,
    };
    let gitops = gitops(instance, Some(cluster.unwrap()));
    gitops
        .inner
        .store
        .replace(gitops.parse(&stored("t1")).into_iter().collect());
    assert_eq!(
        gitops
            .refresh_repository(|url| url == "https://forge.example/o/other")
            .await,
        Ok(0)
    );
    assert_eq!(
        gitops
            .refresh_repository(|url| url == "https://forge.example/o/demo")
            .await,
        Ok(1)
    );
    let asked = stub.asked();
    assert!(
        asked[0]
            .line
            .starts_with("PATCH /apis/argoproj.io/v1alpha1/namespaces/argocd/applications/demo?")
    );
    assert_eq!(
        asked[0].body,
        json!({"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}})
    );
    assert_eq!(
        stub.lines()[1..],
        [SESSION, "GET /argocd/api/v1/applications/demo?refresh=normal"]
    );
}

#[tokio::test]
async fn a_project_is_made_once_and_never_changed() {
    let new = NewProject {
        instance: "in-cluster".to_owned(),
        name: "demo".to_owned(),
        namespace: "demo".to_owned(),
        repo_url: "https://forge.example/o/demo".to_owned(),
    };
    let spec = new.body(&serde_json::Map::new())["spec"].clone();
    // What Argo CD answers when asked for it and when told to make it, and what comes of it.
    let taken = json!({"message": "existing project spec is different, use upsert flag to force update"});
    for (find, create, expected) in [
        (404, (200, json!({"spec": spec})), Ok(true)),
        (403, (200, json!({"spec": spec})), Ok(true)),
        (200, (200, json!({"spec": spec})), Ok(false)),
        (200, (400, taken), Err("Conflict")),
        (404, (403, json!({})), Err("Denied")),
        (503, (200, json!({})), Err("Unavailable")),
    ] {
        let stub = Stub::start(move |asked| match asked.line.as_str() {
            SESSION => answer(200, json!({"token": "jwt"})),
            "GET /argocd/api/v1/projects/demo" => answer(find, json!({})),
            "POST /argocd/api/v1/projects" => answer(create.0, create.1.clone()),
            _ => answer(500, json!({})),
        })
        .await;
        match (stub.by_argo().ensure_project(&new).await, expected) {
            (Ok(is_new), Ok(expected)) => assert_eq!(is_new, expected, "{find}"),
            (Err(error), Err(kind)) => assert!(format!("{error:?}").starts_with(kind), "{find}: {error:?}"),
            (found, expected) => panic!("{find}: {found:?}, expected {expected:?}"),
        }
    }
    for (code, there, expected) in [
        (201, json!({}), Ok(true)),
        (409, spec.clone(), Ok(false)),
        (409, json!({"sourceRepos": ["*"]}), Err("Conflict")),
        (403, json!({}), Err("Denied")),
    ] {
        let stub = Stub::start(move |asked| match (asked.line.starts_with("POST"), code) {
            (true, 201) => answer(201, asked.body.clone()),
            (true, code) => status(code, "AlreadyExists"),
            (false, _) => answer(
                200,
                json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "metadata": {"name": "demo"}, "spec": there}),
            ),
        })
        .await;
        match (stub.by_cluster().ensure_project(&new).await, expected) {
            (Ok(is_new), Ok(expected)) => assert_eq!(is_new, expected, "{code}"),
            (Err(error), Err(kind)) => assert!(format!("{error:?}").starts_with(kind), "{code}: {error:?}"),
            (found, expected) => panic!("{code}: {found:?}, expected {expected:?}"),
        }
        let line = &stub.asked()[0].line;
        assert!(
            line.starts_with("POST /apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects?"),
            "{line}"
        );
    }
}
