//! What was typed into a form is not lost when the session has ended: it is kept, sealed, until its author
//! has logged in again, and handed once to the form's page.
//!
//! The key is a random value in a cookie of the browser that sent the form: the database alone cannot read
//! it, and another browser that learns the address gets nothing.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
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
            && path.strip_prefix(CONCERNED).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            && header_text(request.headers(), header::CONTENT_TYPE)
                .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
            && length.is_some_and(|length| length <= LIMIT)
            // htmx sends parts of forms while they are filled: nothing to come back to.
            && !request.headers().contains_key("hx-request")
    }

    /// Keeps the request's form and sends the browser to log in and then back to the form.
    pub(super) async fn keep(&self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let jar = CookieJar::from_headers(request.headers());
        match self.store(&path, &jar, request).await {
            Ok((id, cookie)) => {
                let target = super::login_url(&format!("{path}?restore={id}"));
                (StatusCode::SEE_OTHER, jar.add(cookie), [(header::LOCATION, target)]).into_response()
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

fn key(secret: &str) -> [u8; 32] {
    keys::derive(secret.as_bytes(), PURPOSE, b"")
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
