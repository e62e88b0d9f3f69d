//! Around every route: request id, log line, who calls, security headers, errors as pages.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument;

use super::kept::KeptForms;
use super::render::{self, Asked};
use super::{Error, Preferences, Shell};
use crate::auth::{Caller, Callers, User};
use crate::clock::Clock;
use crate::ids::new_id;

/// Largest request body, in bytes.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// How long a handler may take until it answers; streams may go on after that.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// Counts a user's own tasks that are not over; `None` where it cannot be told right now.
pub type CountTasks = Arc<dyn for<'a> Fn(&'a User) -> BoxFuture<'a, Option<u64>> + Send + Sync>;

/// Counts the errors in what the caller owns; `None` where it cannot be told right now.
pub type CountErrors = Arc<dyn for<'a> Fn(&'a Caller) -> BoxFuture<'a, Option<u64>> + Send + Sync>;

/// What stands around all routes.
#[derive(Clone)]
pub struct Frame {
    /// `app.title`.
    pub site: Arc<str>,
    pub clock: Clock,
    /// Knows sessions and machine tokens.
    pub callers: Arc<dyn Callers>,
    /// For the number beside "Tasks".
    pub count_tasks: Option<CountTasks>,
    /// For the number beside "Catalog".
    pub count_errors: Option<CountErrors>,
    /// Origins besides our own that a form's answer may lead to: the identity provider, after logging out
    /// (Chromium applies `form-action` to redirects too).
    pub form_origins: Vec<String>,
    /// Origins under which browsers know this portal: `app.baseUrl`, `backend.baseUrl`.
    pub own_origins: Vec<String>,
    /// Keeps what was typed into a form when the session has ended; `None` keeps nothing.
    pub kept_forms: Option<KeptForms>,
    /// Ends streams, so that they do not hold up the end of the process; browsers connect again.
    pub stop: CancellationToken,
}

/// The frame as answers need it.
#[derive(Clone)]
struct Served {
    frame: Frame,
    /// The same on every answer.
    policy: Option<HeaderValue>,
}

/// Whom a request is made for that this process makes itself: an extension of it, which nobody outside can set.
#[derive(Debug, Clone)]
pub struct OnBehalfOf(pub Caller);

/// What is known of the caller: `Err` while sessions cannot be read.
#[derive(Clone)]
struct Resolved(Result<Option<Caller>, Arc<sqlx::Error>>);

impl Frame {
    /// Puts everything around the routes. `public` ones answer anybody; `protected` ones known callers only;
    /// all other addresses are 404.
    pub fn around(self, public: Router, protected: Router) -> Router {
        let mut csrf = CsrfLayer::new();
        for origin in &self.own_origins {
            match csrf.clone().add_trusted_origin(origin) {
                Ok(with) => csrf = with,
                Err(error) => tracing::warn!(%origin, %error, "not an origin of a browser"),
            }
        }
        let protected = protected.route_layer(middleware::from_fn_with_state(self.clone(), require_caller));
        let served = Served {
            policy: HeaderValue::from_str(&self.content_security_policy()).ok(),
            frame: self,
        };
        public
            .merge(protected)
            .fallback(|| async { StatusCode::NOT_FOUND })
            .layer(TimeoutLayer::with_status_code(
                StatusCode::SERVICE_UNAVAILABLE,
                ANSWER_TIME,
            ))
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .layer(csrf)
            .layer(middleware::from_fn_with_state(served, serve))
            // What programs read is packed quickly: they are near, and making it small would take longer than making it.
            .layer(
                CompressionLayer::new()
                    .quality(CompressionLevel::Fastest)
                    .compress_when(DefaultPredicate::new().and(is_json)),
            )
            // Outer: it leaves alone what is packed already.
            .layer(CompressionLayer::new())
    }

    /// A `text/event-stream` goes on until the process is to end.
    fn ended_with_process(&self, response: Response) -> Response {
        let kind = response.headers().get(header::CONTENT_TYPE);
        if kind.is_none_or(|kind| !kind.as_bytes().starts_with(b"text/event-stream")) {
            return response;
        }
        let (parts, body) = response.into_parts();
        let stream = body.into_data_stream().take_until(self.stop.clone().cancelled_owned());
        Response::from_parts(parts, Body::from_stream(stream))
    }

    fn content_security_policy(&self) -> String {
        let mut form_action = String::from("'self'");
        for origin in &self.form_origins {
            form_action.push(' ');
            form_action.push_str(origin);
        }
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             font-src 'self'; connect-src 'self'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'"
        )
    }
}

fn is_json(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

async fn require_caller(State(frame): State<Frame>, request: Request, next: Next) -> Response {
    let resolved = request.extensions().get::<Resolved>().cloned();
    match resolved {
        Some(Resolved(Ok(Some(_)))) => next.run(request).await,
        Some(Resolved(Ok(None))) => match &frame.kept_forms {
            Some(kept) if KeptForms::concerns(&request) => kept.keep(request).await,
            _ => Error::Unauthenticated.into_response(),
        },
        Some(Resolved(Err(error))) => Error::internal(error).into_response(),
        None => Error::internal("the frame is missing").into_response(),
    }
}

async fn serve(State(Served { frame, policy }): State<Served>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let now = frame.clock.now();
    let request_id = new_id(&frame.clock).to_string();
    let asked = Asked::of(&request);
    let span = tracing::info_span!("request", id = %request_id);

    async {
        let quiet = asked.path.starts_with("/static/") || asked.path.starts_with("/.backstage/");
        let resolved = match request.extensions_mut().remove::<OnBehalfOf>() {
            Some(OnBehalfOf(caller)) => Ok(Some(caller)),
            None if quiet => Ok(None),
            None => frame.callers.resolve(request.headers()).await.map_err(Arc::new),
        };
        let caller = resolved.as_ref().ok().cloned().flatten();
        let user = caller.as_ref().and_then(Caller::user).cloned();
        let is_page = !quiet && !asked.fragment && !asked.path.starts_with("/api/");
        let running_tasks = match (&user, &frame.count_tasks) {
            (Some(user), Some(count)) if is_page => count(user).await,
            _ => None,
        };
        let catalog_errors = match (&caller, &frame.count_errors) {
            (Some(caller), Some(count)) if is_page => count(caller).await,
            _ => None,
        };
        let preferences = Preferences::of_browser(request.headers());
        let shell = Shell {
            site: frame.site.clone(),
            user,
            path: asked.path.clone(),
            request_id: request_id.clone(),
            locale: preferences.locale(request.headers()),
            preferences,
            now,
            running_tasks,
            catalog_errors,
        };
        let actor = caller.as_ref().map(Caller::actor).unwrap_or_default();
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        request.extensions_mut().insert(Resolved(resolved));
        request.extensions_mut().insert(shell.clone());
        if let Some(kept) = &frame.kept_forms {
            request.extensions_mut().insert(kept.clone());
        }

        let answer = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let response = answer.unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            Error::internal(format!("panicked: {text}")).into_response()
        });
        let response = render::failures(response, &asked, &shell);
        let mut response = frame.ended_with_process(response);
        headers(&mut response, policy, &shell, quiet);

        let status = response.status().as_u16();
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // The query is left out: it can hold what was typed, or a login's code.
        if quiet {
            tracing::debug!(method = %asked.method, path = %asked.path, status, milliseconds, "answered");
        } else {
            tracing::info!(method = %asked.method, path = %asked.path, status, milliseconds, actor, "answered");
        }
        response
    }
    .instrument(span)
    .await
}

impl Asked {
    fn of(request: &Request) -> Self {
        let headers = request.headers();
        let uri = request.uri();
        let flag = |name| header_text(headers, name).is_some_and(|value| value == "true");
        Self {
            method: request.method().clone(),
            target: uri
                .path_and_query()
                .map_or_else(|| uri.path().to_owned(), ToString::to_string),
            path: uri.path().to_owned(),
            fragment: flag("hx-request") && !flag("hx-history-restore-request") && !flag("hx-boosted"),
            current_url: header_text(headers, "hx-current-url").map(str::to_owned),
        }
    }
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn headers(response: &mut Response, policy: Option<HeaderValue>, shell: &Shell, cacheable: bool) {
    let headers = response.headers_mut();
    if let Some(policy) = policy {
        // A file of others brings a narrower one of its own.
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    let kind = headers.get(header::CONTENT_TYPE);
    // The API and files speak English only, whoever asks.
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(HeaderName::from_static("x-request-id"), &shell.request_id);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::REFERRER_POLICY, "same-origin");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if is_page {
        set(header::CONTENT_LANGUAGE, shell.locale.language.tag());
    }
    if !cacheable {
        headers.append(
            header::VARY,
            HeaderValue::from_static("HX-Request, Cookie, Accept-Language"),
        );
        headers
            .entry(header::CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
}
#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tower::ServiceExt;

    use super::*;
    use crate::language::filters;
    use crate::web::testing;
    use crate::web::{Form, SignedIn, page};

    #[derive(askama::Template)]
    #[template(
        source = r#"{% extends "shell.html" %}{% import "components/ui.html" as ui %}{% block title %}Trial{% endblock %}
{% block main %}{% call ui::time(at, shell.now) %}{% endcall %}{% call ui::sync("OutOfSync") %}{% endcall %}
{% call ui::note("warn", "unknown", "A <b>", text) %}{% endcall %}{% endblock %}"#,
        ext = "html"
    )]
    struct Trial {
        shell: Shell,
        at: chrono::DateTime<chrono::Utc>,
        text: String,
    }

    async fn panics() -> &'static str {
        panic!("secret detail")
    }

    fn router(caller: Option<Caller>) -> Router {
        let public = Router::new().route("/open", get(|| async { "open" }));
        let protected = Router::new()
            .route(
                "/catalog",
                get(|shell: Shell| async move {
                    let at = shell.now - chrono::Duration::minutes(18);
                    let text = "<script>alert(1)</script>".to_owned();
                    page(shell.locale, &Trial { shell, at, text })
                }),
            )
            .route(
                "/api/catalog/me",
                get(|SignedIn(caller): SignedIn| async move { caller.actor() }),
            )
            .route("/panics", get(panics))
            .route(
                "/away",
                get(|| async { Err::<(), _>(Error::from(sqlx::Error::PoolTimedOut)) }),
            )
            .route(
                "/forge",
                get(|| async {
                    Err::<(), _>(Error::Upstream {
                        system: "forge.localhost".into(),
                        reason: "connection refused".into(),
                        hint: "Try again in a moment.".into(),
                    })
                }),
            )
            .route(
                "/form",
                post(|Form(pairs): Form<Vec<(String, String)>>| async move { format!("{pairs:?}") }),
            );
        testing::frame(caller).around(public, protected)
    }

    async fn ask(caller: Option<Caller>, request: Request) -> (StatusCode, HeaderMap, String) {
        let response = router(caller).oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body in memory");
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    fn get_request(path: &str) -> Request {
        Request::get(path).body(Body::empty()).expect("a valid request")
    }

    #[tokio::test]
    async fn pages_have_frame_headers_and_no_unescaped_text() {
        let (status, headers, body) = ask(Some(testing::user("user1", &["admin"])), get_request("/catalog")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.contains("18 min ago</time>"), "{body}");
        assert!(body.contains("OutOfSync</span>"));
        assert!(!body.contains("<script>alert"), "{body}");
        assert!(body.contains(r#"<a href="/catalog" aria-current="page">"#), "{body}");
        let policy = headers["content-security-policy"].to_str().expect("text");
        assert!(policy.contains("form-action 'self' http://issuer.test;"), "{policy}");
        assert!(policy.contains("script-src 'self';"), "{policy}");
        assert_eq!(headers["cache-control"], "no-store");
    }

    #[tokio::test]
    async fn who_is_not_logged_in_sees_nothing() {
        let (status, headers, _) = ask(None, get_request("/catalog?a=b c".replace(' ', "%20").as_str())).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        assert_eq!(headers["location"], "/login?next=%2Fcatalog%3Fa%3Db%2520c");
        let (status, _, body) = ask(None, get_request("/api/catalog/me?x=1")).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let body: serde_json::Value = serde_json::from_str(&body).expect("json");
        assert_eq!(
            body,
            serde_json::json!({
                "error": {"name": "AuthenticationError", "message": "Missing or invalid credentials"},
                "request": {"method": "GET", "url": "/api/catalog/me?x=1"},
                "response": {"statusCode": 401},
            })
        );
        let (status, ..) = ask(None, get_request("/open")).await;
        assert_eq!(status, StatusCode::OK);
    }

    #[tokio::test]
    async fn failures_become_pages_that_keep_the_reason_to_the_log() {
        let user = || Some(testing::user("user1", &[]));
        for (path, status, word) in [
            ("/nowhere", StatusCode::NOT_FOUND, "There is nothing at /nowhere."),
            (
                "/panics",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on our side",
            ),
            ("/away", StatusCode::SERVICE_UNAVAILABLE, "The database is away"),
            ("/forge", StatusCode::BAD_GATEWAY, "connection refused"),
            ("/form", StatusCode::METHOD_NOT_ALLOWED, "This address cannot do that"),
        ] {
            let (found, headers, body) = ask(user(), get_request(path)).await;
            assert_eq!(found, status, "{path}");
            assert!(body.contains(word), "{path}: {body}");
            assert!(!body.contains("secret detail"));
            assert!(body.contains(headers["x-request-id"].to_str().expect("text")));
        }
    }

    #[tokio::test]
    async fn forms_of_other_sites_are_refused() {
        let form = |origin: Option<&str>, site: Option<&str>| {
            let mut request = Request::post("/form")
                .header("host", "portal.test")
                .header("content-type", "application/x-www-form-urlencoded");
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            if let Some(site) = site {
                request = request.header("sec-fetch-site", site);
            }
            request.body(Body::from("a=1&a=2")).expect("a valid request")
        };
        let user = || Some(testing::user("user1", &[]));
        for (origin, site, status) in [
            (None, None, StatusCode::OK),
            (Some("http://portal.test"), Some("same-origin"), StatusCode::OK),
            (Some("https://evil.test"), Some("cross-site"), StatusCode::FORBIDDEN),
            (Some("https://evil.test"), None, StatusCode::FORBIDDEN),
        ] {
            let (found, _, body) = ask(user(), form(origin, site)).await;
            assert_eq!(found, status, "{origin:?} {site:?} {body}");
        }
    }

    #[tokio::test]
    async fn fragments_are_sent_to_the_login_as_a_whole_page() {
        let request = Request::get("/catalog")
            .header("hx-request", "true")
            .header("hx-current-url", "http://portal.test/catalog?text=x")
            .body(Body::empty())
            .expect("a valid request");
        let (status, headers, _) = ask(None, request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(headers["hx-redirect"], "/login?next=%2Fcatalog%3Ftext%3Dx");
    }

    #[tokio::test]
    async fn streams_end_with_the_process() {
        let frame = testing::frame(None);
        let stop = frame.stop.clone();
        let endless = || async {
            let events = futures::stream::repeat_with(|| Ok::<_, std::convert::Infallible>("data: x\n\n"));
            let paced = events.then(|event| async move {
                tokio::task::yield_now().await;
                event
            });
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(paced))
        };
        let protected = Router::new().route("/", get(|| async { "" }));
        let router = frame.around(Router::new().route("/live", get(endless)), protected);
        let response = router.oneshot(get_request("/live")).await.expect("infallible");
        let mut body = response.into_body().into_data_stream();
        assert!(body.next().await.is_some());
        stop.cancel();
        let rest = body.take(3).collect::<Vec<_>>().await;
        assert!(rest.len() < 3, "the stream goes on");
    }
}
