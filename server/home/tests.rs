//! Choices of the settings, through the frame.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use tower::ServiceExt;

use super::settings;
use crate::web::testing;

async fn ask(request: axum::http::request::Builder, body: &str) -> (StatusCode, HeaderMap, String) {
    // Neither page needs the catalog.
    let pages = axum::Router::new()
        .route("/settings", get(settings::show).post(settings::save))
        .route("/keys", get(super::pages::keys))
        .with_state(settings::Cookies { secure: true });
    let user = testing::user("user1", &["platform-team"]);
    let router = testing::frame(Some(user)).around(axum::Router::new(), pages);
    let response = router
        .oneshot(request.body(Body::from(body.to_owned())).unwrap())
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn choices_are_kept_and_obeyed_from_the_first_byte() {
    let form = Request::post("/settings").header("content-type", "application/x-www-form-urlencoded");
    let (status, headers, _) = ask(form, "language=de&dates=iso&theme=dark&keys=off&other=x").await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let cookie = headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let sent = cookie.split(';').next().unwrap();
    let (_, headers, page) = ask(Request::get("/settings").header("cookie", sent), "").await;
    assert_eq!(headers["content-language"], "de");
    for part in [
        "<html lang=\"de\" data-dates=\"sv\" data-theme=\"dark\" data-no-keys>",
        "<h1>Einstellungen</h1>",
        "<option value=\"de\" selected>Deutsch</option>",
        "<option value=\"dark\" selected>Dunkel</option>",
        "href=\"/catalog/default/group/platform-team\"",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<script>"), "no script stands in the page: {page}");
}

#[tokio::test]
async fn without_a_choice_the_browser_decides() {
    let german = Request::get("/keys").header("accept-language", "fr, de-CH;q=0.8, en;q=0.7");
    let (_, headers, page) = ask(german, "").await;
    assert_eq!(headers["content-language"], "de");
    assert!(headers["vary"].to_str().unwrap().contains("Accept-Language"));
    assert!(
        page.contains("<h1>Tastatur</h1>") && page.contains("<html lang=\"de\" data-dates=\"de\">"),
        "{page}"
    );
    let (_, headers, page) = ask(Request::get("/keys"), "").await;
    assert_eq!(headers["content-language"], "en");
    assert!(page.contains("<h1>Keyboard</h1>"), "{page}");
    let missing = Request::get("/nowhere").header("accept-language", "de");
    let (status, headers, page) = ask(missing, "").await;
    assert_eq!(
        (status, &headers["content-language"]),
        (StatusCode::NOT_FOUND, &"de".parse().unwrap())
    );
    assert!(page.contains("Unter /nowhere ist nichts."), "{page}");
}

#[tokio::test]
async fn programs_are_answered_in_english() {
    let missing = Request::get("/api/nowhere").header("accept-language", "de");
    let (_, headers, body) = ask(missing, "").await;
    assert!(!headers.contains_key("content-language"));
    assert!(body.contains("There is nothing at /api/nowhere."), "{body}");
}
