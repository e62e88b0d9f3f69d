//! Files at addresses of no forge, which `backend.reading.allow` names.

use axum::Router;
use axum::http::StatusCode;
use axum::response::Redirect;
use axum::routing::get;

use super::*;
use crate::outbound::{Allowed, Outbound};
use crate::scm::Forges;

async fn serve(files: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, files).await });
    address.to_string()
}

/// A catalog that may read below `/open/` of the host.
fn reading(db: &PgPool, host: &str) -> Catalog {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let allowed = Allowed::Reading {
        host: host.to_owned(),
        paths: Some(vec!["/open/".to_owned()]),
    };
    let outbound = Outbound::new(vec![allowed], &[]).unwrap();
    let forges = Forges::new(Vec::new(), outbound.client()).unwrap();
    Catalog::new(
        db.clone(),
        Clock::system(),
        Arc::new(Web { forges, outbound }),
        config(),
        None,
    )
}

#[sqlx::test]
async fn a_file_is_read_with_what_it_names_beside_it(db: PgPool) {
    let api = "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata: {name: demo}\nspec: {type: openapi, lifecycle: \
               experimental, owner: guests, definition: {$text: ./demo.json}}\n";
    let host = serve(
        Router::new()
            .route("/open/all.yaml", get(|| async { location("all", &["./api.yaml"]) }))
            .route("/open/api.yaml", get(move || async move { api }))
            .route("/open/demo.json", get(|| async { r#"{"openapi": "3.1.0"}"# })),
    )
    .await;
    let catalog = reading(&db, &host);
    register(&catalog, &format!("http://{host}/open/all.yaml")).await;
    assert_eq!(problems(&catalog).await, Vec::<String>::new());
    let found = lifecycle::find(&catalog, "api:default/demo").await.unwrap();
    assert_eq!(found.body["spec"]["definition"], r#"{"openapi": "3.1.0"}"#);
}

#[sqlx::test]
async fn nothing_else_is_asked_for(db: PgPool) {
    let secret = Router::new().route("/secret.yaml", get(|| async { component("secret", "") }));
    let inside = serve(secret).await;
    let there = format!("http://{inside}/secret.yaml");
    let host = serve(
        Router::new()
            .route("/closed/c.yaml", get(|| async { component("closed", "") }))
            .route(
                "/open/away.yaml",
                get(move || async move { Redirect::temporary(&there) }),
            )
            .route(
                "/open/page.yaml",
                get(|| async { "<!doctype html><title>Log in</title>" }),
            )
            .route("/open/broken.yaml", get(|| async { StatusCode::BAD_GATEWAY }))
            .route("/open/large.yaml", get(|| async { vec![b'#'; 11 * 1024 * 1024] })),
    )
    .await;
    let catalog = reading(&db, &host);
    for (target, expected) in [
        (format!("http://{inside}/secret.yaml"), "backend.reading.allow"),
        (format!("http://{host}/closed/c.yaml"), "backend.reading.allow"),
        (
            format!("http://{host}/open/away.yaml"),
            "the configuration does not name",
        ),
        (format!("http://{host}/open/gone.yaml"), "was not found"),
        (format!("http://{host}/open/page.yaml"), "page.yaml"),
        (format!("http://{host}/open/broken.yaml"), "502"),
        (format!("http://{host}/open/large.yaml"), "larger than the limit"),
    ] {
        let refused = catalog
            .register("a", &target)
            .await
            .err()
            .map(|error| error.to_string());
        let refused = refused.unwrap_or_default();
        assert!(refused.contains(expected), "{target}: {refused:?}");
    }
    assert!(refs(&catalog).await.iter().all(|found| found.starts_with("location:")));
}
