//! What was typed into a form is not lost when the session has ended: it is kept, sealed, until its author
//! has logged in again, and handed once to the form's page.
//!
//! The key is a random value in a cookie of the browser that sent the form: the database alone cannot read
//! it, and another browser that learns the address gets nothing.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use chrono::Duration;
use sqlx::PgPool;
use url::form_urlencoded;
use uuid::Uuid;

use super::{Error, queries};
use crate::clock::Clock;
use crate::ids::new_id;
use crate::keys;

const COOKIE: &str = "portico-form";
const PURPOSE: &str = "kept form";
/// Forms of this part of the portal take long to fill.
const CONCERNED: &str = "/create";
/// Largest form that is kept, in bytes.
const LIMIT: u64 = 64 * 1024;
const KEPT_FOR: Duration = Duration::minutes(30);

/// Keeps forms. Cheap to clone.
#[derive(Clone)]
pub struct KeptForms {
    db: PgPool,
    clock: Clock,
    /// The portal is reached by https.
    secure: bool,
}

impl KeptForms {
    /// `secure`: cookies are for https only.
    pub fn new(db: PgPool, clock: Clock, secure: bool) -> Self {
        Self { db, clock, secure }
    }

    /// True for a form that is worth keeping.
    pub(super) fn concerns(request: &Request) -> bool {
        let path = request.uri().path();
        let length = header_text(request.headers(), header::CONTENT_LENGTH).and_then(|text| text.parse::<u64>().ok());
        request.method() == Method::POST
            && is_concerned(path)
            && header_text(request.headers(), header::CONTENT_TYPE)
                .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
            && length.is_some_and(|length| length <= LIMIT)
    }

    /// Keeps the request's form and sends the browser to log in and then back to the form.
    pub(super) async fn keep(&self, request: Request) -> Response {
        let fragment = request.headers().contains_key("hx-request");
        let path = match page_of(request.headers()) {
            // What is sent while a form is filled in: its page is what to come back to.
            Some(page) if fragment => page,
            _ => request.uri().path().to_owned(),
        };
        let jar = CookieJar::from_headers(request.headers());
        match self.store(&path, &jar, request).await {
            Ok((id, cookie)) => {
                let target = super::login_url(&format!("{path}?restore={id}"));
                match fragment {
                    // A body, though an empty one: a bare status would become a page of its own.
                    true => {
                        let redirect = [("hx-redirect", target)];
                        (StatusCode::UNAUTHORIZED, jar.add(cookie), redirect, Html("")).into_response()
                    }
                    false => (StatusCode::SEE_OTHER, jar.add(cookie), [(header::LOCATION, target)]).into_response(),
                }
            }
            Err(error) => error.into_response(),
        }
    }

    async fn store(&self, path: &str, jar: &CookieJar, request: Request) -> Result<(Uuid, Cookie<'static>), Error> {
        let body = Bytes::from_request(request, &())
            .await
            .map_err(|rejection| Error::invalid("", rejection.body_text()))?;
        // Several forms of one browser share its key.
        let secret = match jar.get(COOKIE).map(Cookie::value) {
            Some(value) if value.len() == 64 => value.to_owned(),
            _ => hex::encode(rand::random::<[u8; 32]>()),
        };
        let now = self.clock.now();
        let id = new_id(&self.clock);
        let sealed = keys::seal_with(&key(&secret), PURPOSE, &body);
        queries::insert_kept_form(&self.db, id, path, &sealed, now, now + KEPT_FOR).await?;
        let cookie = Cookie::build((COOKIE, secret))
            .path(CONCERNED)
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .build();
        Ok((id, cookie))
    }

    async fn restore(&self, path: &str, id: Uuid, headers: &HeaderMap) -> Result<Option<Pairs>, Error> {
        let jar = CookieJar::from_headers(headers);
        let Some(secret) = jar.get(COOKIE) else { return Ok(None) };
        let Some(sealed) = queries::find_kept_form(&self.db, id, path, self.clock.now()).await? else {
            return Ok(None);
        };
        let Ok(body) = keys::open_with(&key(secret.value()), PURPOSE, &sealed) else {
            return Ok(None);
        };
        if !queries::delete_kept_form(&self.db, id).await? {
            return Ok(None);
        }
        Ok(Some(form_urlencoded::parse(&body).into_owned().collect()))
    }
}

type Pairs = Vec<(String, String)>;

/// The values of a form that was sent without a session, on the page `?restore=<id>` of the same path; `None`
/// on any other request. They are handed out once, and only to the browser that sent them.
#[derive(Debug, Clone)]
pub struct RestoredForm(pub Option<Vec<(String, String)>>);

impl<S: Send + Sync> FromRequestParts<S> for RestoredForm {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let id = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .find(|(name, _)| name == "restore")
            .and_then(|(_, value)| value.parse().ok());
        match (id, parts.extensions.get::<KeptForms>()) {
            (Some(id), Some(kept)) => kept.restore(parts.uri.path(), id, &parts.headers).await.map(Self),
            _ => Ok(Self(None)),
        }
    }
}

fn is_concerned(path: &str) -> bool {
    path.strip_prefix(CONCERNED)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Path of the page from which htmx sends something.
fn page_of(headers: &HeaderMap) -> Option<String> {
    let page = url::Url::parse(headers.get("hx-current-url")?.to_str().ok()?).ok()?;
    is_concerned(page.path()).then(|| page.path().to_owned())
}

fn key(secret: &str) -> [u8; 32] {
    keys::derive(secret.as_bytes(), PURPOSE, b"")
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::auth::Caller;
    use crate::web::testing;

    const FORM: &str = "/create/templates/default/basic";

    fn router(db: &PgPool, caller: Option<Caller>) -> Router {
        let mut frame = testing::frame(caller);
        frame.kept_forms = Some(KeptForms::new(db.clone(), frame.clock.clone(), false));
        let show = |RestoredForm(pairs): RestoredForm| async move { format!("{pairs:?}") };
        let form = get(show).post(|| async { "posted" });
        let protected = Router::new().route(FORM, form.clone()).route("/settings", form);
        frame.around(Router::new(), protected)
    }

    async fn ask(router: Router, request: Request) -> (StatusCode, HeaderMap, String) {
        let (parts, body) = router.oneshot(request).await.expect("infallible").into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body in memory");
        (parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned())
    }

    fn post(path: &str, body: String) -> Request {
        Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("content-length", body.len())
            .body(Body::from(body))
            .expect("a valid request")
    }

    fn get_with(path: &str, cookie: &str) -> Request {
        Request::get(path)
            .header("cookie", cookie)
            .body(Body::empty())
            .expect("a valid request")
    }

    fn location(headers: &HeaderMap) -> String {
        let text = headers["location"].to_str().expect("text");
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    }

    #[sqlx::test]
    async fn a_form_without_a_session_comes_back_once_to_its_browser(db: PgPool) {
        let request = post(FORM, "name=demo&tags=a&tags=b+c".into());
        let (status, headers, _) = ask(router(&db, None), request).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let target = location(&headers);
        let target = target.strip_prefix("/login?next=").expect("the login page");
        assert!(target.starts_with(&format!("{FORM}?restore=")), "{target}");
        let cookie = headers["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("name and value");

        let user = || router(&db, Some(testing::user("user1", &[])));
        let (_, _, other) = ask(user(), get_with(target, &format!("portico-form={}", "0".repeat(64)))).await;
        assert_eq!(other, "None");
        let (_, _, back) = ask(user(), get_with(target, cookie)).await;
        assert_eq!(back, r#"Some([("name", "demo"), ("tags", "a"), ("tags", "b c")])"#);
        let (_, _, again) = ask(user(), get_with(target, cookie)).await;
        assert_eq!(again, "None");
    }

    #[sqlx::test]
    async fn what_is_typed_when_the_session_has_ended_comes_back_too(db: PgPool) {
        let mut request = post(FORM, "name=demo&_field=name".into());
        for (name, value) in [
            ("hx-request", "true"),
            (
                "hx-current-url",
                "http://portal.test/create/templates/default/basic?x=1",
            ),
        ] {
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        let (status, headers, _) = ask(router(&db, None), request).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        let text = headers["hx-redirect"].to_str().expect("text");
        let target = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
        let target = target.strip_prefix("/login?next=").expect("the login page");
        assert!(target.starts_with(&format!("{FORM}?restore=")), "{target}");
        let cookie = headers["set-cookie"].to_str().expect("text");
        let cookie = cookie.split(';').next().expect("name and value");
        let user = router(&db, Some(testing::user("user1", &[])));
        let (_, _, back) = ask(user, get_with(target, cookie)).await;
        assert_eq!(back, r#"Some([("name", "demo"), ("_field", "name")])"#);
    }

    #[sqlx::test]
    async fn only_small_forms_of_the_right_place_are_kept(db: PgPool) {
        for request in [
            post("/settings", "a=1".into()),
            post(FORM, format!("a={}", "x".repeat(70_000))),
        ] {
            let path = request.uri().path().to_owned();
            let (status, headers, _) = ask(router(&db, None), request).await;
            assert_eq!(status, StatusCode::SEE_OTHER);
            assert_eq!(location(&headers), format!("/login?next={path}"));
        }
        let kept: i64 = sqlx::query_scalar("select count(*) from kept_forms")
            .fetch_one(&db)
            .await
            .expect("a count");
        assert_eq!(kept, 0);
    }
}
