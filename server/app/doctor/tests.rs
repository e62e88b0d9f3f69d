//! Against one server that plays all systems, each with something wrong.

use std::path::PathBuf;

use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::config;

fn systems(base: &str) -> Router {
    let issuer = format!("{base}/realm");
    let discovery = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/auth"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    });
    let mut other = discovery.clone();
    other["issuer"] = json!(format!("{base}/another"));
    let key = json!({"kty": "RSA", "use": "sig", "kid": "1", "n": "AQAB", "e": "AQAB"});
    let refused = || async { (StatusCode::BAD_REQUEST, Html("<p>Invalid parameter: redirect_uri</p>")) };
    let no_scope = || async {
        let message = "token does not have at least one of required scope(s): [write:repository]";
        (StatusCode::FORBIDDEN, Json(json!({"message": message})))
    };
    let review = |Json(asked): Json<Value>| async move {
        let attributes = &asked["spec"]["resourceAttributes"];
        let allowed = attributes["verb"] != "watch" && attributes["group"] != "*";
        let mut answer = asked.clone();
        answer["status"] = json!({"allowed": allowed});
        (StatusCode::CREATED, Json(answer))
    };
    let signed_out = || async {
        (
            StatusCode::UNAUTHORIZED,
            Json(json!({"message": "Invalid username or password"})),
        )
    };
    let late = [("date", "Sun, 06 Nov 1994 08:49:37 GMT")];
    Router::new()
        .route("/", get(late))
        .route(
            "/realm/.well-known/openid-configuration",
            get(move || async move { (late, Json(discovery)) }),
        )
        .route(
            "/other/.well-known/openid-configuration",
            get(move || async move { Json(other) }),
        )
        .route("/realm/keys", get(move || async move { Json(json!({"keys": [key]})) }))
        .route("/realm/auth", get(refused))
        .route(
            "/api/v1/version",
            get(|| async { Json(json!({"version": "11.0.0+gitea-1.22.0"})) }),
        )
        .route("/api/v1/user", get(|| async { Json(json!({"login": "robot"})) }))
        .route("/api/v1/user/repos", post(no_scope))
        .route(
            "/k8s/version",
            get(|| async {
                Json(json!({
                    "major": "1", "minor": "33", "gitVersion": "v1.33.1", "gitCommit": "", "gitTreeState": "",
                    "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
                }))
            }),
        )
        .route(
            "/k8s/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            post(review),
        )
        .route(
            "/argocd/api/version",
            get(|| async { Json(json!({"Version": "v3.2.1"})) }),
        )
        .route("/argocd/api/v1/session", post(signed_out))
}

/// Where the server is, without a slash at the end.
async fn serve() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = systems(&base);
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

fn config(base: &str) -> Config {
    let host = base.trim_start_matches("http://");
    let text = format!(
        "backend:\n  baseUrl: https://portal.test\n  database:\n    connection: postgres://me:hunter2@127.0.0.1:1/portico\n\
         integrations:\n  gitea:\n    - {{host: '{host}', baseUrl: '{base}', password: hunter2}}\n\
         auth:\n  providers:\n    sso:\n      development: {{metadataUrl: '{base}/realm/.well-known/openid-configuration', \
         clientId: portal, clientSecret: hunter2}}\n    wrong:\n      development: {{metadataUrl: \
         '{base}/other/.well-known/openid-configuration', clientId: portal}}\n\
         kubernetes:\n  clusterLocatorMethods:\n    - {{type: config, clusters: [{{name: local, url: '{base}/k8s', \
         serviceAccountToken: hunter2}}]}}\n\
         argocd:\n  appLocatorMethods:\n    - {{type: config, instances: [{{name: main, url: '{base}/argocd', username: a, \
         password: hunter2}}]}}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("app-config.yaml");
    std::fs::write(&file, text).unwrap();
    config::load_with(&[file], &[]).unwrap().config
}

#[tokio::test]
async fn what_is_wrong_is_told_with_what_to_do() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = serve().await;
    let host = base.trim_start_matches("http://").to_owned();
    let now = Clock::system().now();
    let clock = Clock::from_fn(move || now);
    let report = doctor(&config(&base), &clock).await;
    assert!(!report.ok);
    let text = report.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    for expected in [
        "BROKEN  PostgreSQL at 127.0.0.1:1, database portico: connect: ".to_owned(),
        format!(
            "ok      identity provider sso ({host}): discovery document and keys: the issuer is {base}/realm, with 1 keys"
        ),
        format!(
            "BROKEN  identity provider sso ({host}): begin a login: redirect_uri \
             https://portal.test/api/auth/sso/handler/frame is refused: Invalid parameter: redirect_uri (400)"
        ),
        "it calls itself".to_owned(),
        "make metadataUrl below auth.providers.wrong the address of that issuer".to_owned(),
        format!("ok      forge {host}: version: Forgejo 11.0.0+gitea-1.22.0"),
        format!("ok      forge {host}: account: it is robot"),
        format!("BROKEN  forge {host}: right to create repositories: "),
        "[write:repository]".to_owned(),
        "ok      cluster local: version: v1.33.1".to_owned(),
        "BROKEN  cluster local: rights: missing: watch applications.argoproj.io in namespace argocd\n".to_owned(),
        "note    cluster local: rights: the account may not patch everything".to_owned(),
        "ok      Argo CD main: version: v3.2.1".to_owned(),
        "BROKEN  Argo CD main: account: ".to_owned(),
        "Invalid username or password (401)".to_owned(),
        format!("BROKEN  {base}: clock: it differs"),
    ] {
        assert!(text.contains(&expected), "{expected} in:\n{text}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["outcome"], "broken");
    // The order is that of the configuration, whoever answers first.
    assert_eq!(doctor(&config(&base), &clock).await.to_string(), text);
}

#[test]
fn what_to_do_depends_on_why() {
    for (reason, expected) in [
        ("invalid peer certificate: UnknownIssuer", "name that authority in HERE"),
        ("invalid peer certificate: Expired", "renew it"),
        ("dns error: failed to lookup address", "DNS"),
        ("Connection refused (os error 111)", "nothing listens there"),
        ("something else", "OTHERWISE"),
    ] {
        let told = todo(reason, "HERE", "OTHERWISE");
        assert!(told.contains(expected), "{reason}: {told}");
    }
}
