//! Errors as what the reader can use: a page, a fragment for htmx, or Backstage's error body.

use askama::Template;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use super::error::Failure;
use super::{Error, FieldError, Shell};
use crate::language::{Text, filters, text};

/// What is remembered of the request while it is answered.
pub(super) struct Asked {
    pub method: Method,
    /// Path and query.
    pub target: String,
    pub path: String,
    /// Sent by htmx: the answer replaces a part of a page.
    pub fragment: bool,
    /// The page that htmx sits in.
    pub current_url: Option<String>,
}

impl Asked {
    fn wants_json(&self) -> bool {
        self.path.starts_with("/api/") || self.path.starts_with("/.backstage/")
    }
}

#[derive(Template)]
#[template(path = "web/error.html")]
struct ErrorPage<'a> {
    shell: &'a Shell,
    status: u16,
    system: Option<Text>,
    title: Text,
    text: Text,
    hint: Text,
    fields: &'a [FieldError],
    again: Option<&'a str>,
    reason: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "web/_error.html")]
struct ErrorFragment<'a> {
    shell: &'a Shell,
    title: &'a Text,
    text: &'a Text,
    hint: &'a Text,
}

/// Replaces the short text of a failed response; anything else is left as it is.
pub(super) fn failures(response: Response, asked: &Asked, shell: &Shell) -> Response {
    let status = response.status();
    if let Some(Failure(error)) = response.extensions().get::<Failure>().cloned() {
        return show(&error, error.status(), asked, shell);
    }
    let bare = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.starts_with("text/plain")));
    if !bare || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    // Routers and layers refuse with bare statuses: they get the same treatment.
    let error = match status {
        StatusCode::NOT_FOUND => Error::NotFound(text!("There is nothing at {path}.", path = asked.path)),
        StatusCode::METHOD_NOT_ALLOWED => {
            Error::Forbidden(text!("{method} cannot be used here.", method = asked.method.as_str()))
        }
        StatusCode::FORBIDDEN => Error::Forbidden(text!(
            "The request came from another site, so nothing was changed. Open the page here and try again."
        )),
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge(text!("The request is larger than 10 MiB.")),
        status if status.is_server_error() => Error::internal(format!("answered with {status}")),
        status => Error::invalid(
            "",
            text!(
                "The request is not as expected ({reason}).",
                reason = status.canonical_reason().unwrap_or("bad request")
            ),
        ),
    };
    let allow = response.headers().get(header::ALLOW).cloned();
    let mut response = show(&error, status, asked, shell);
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// An error, logged and in the form that the reader understands.
pub(super) fn show(error: &Error, status: StatusCode, asked: &Asked, shell: &Shell) -> Response {
    match error {
        Error::Internal(_) => tracing::error!(error = %error.chain(), "request failed"),
        Error::Upstream { .. } => tracing::warn!(error = %error.chain(), "request failed"),
        _ => tracing::debug!(error = %error.chain(), "request refused"),
    }
    let mut response = if asked.wants_json() {
        json_body(error, status, asked)
    } else if matches!(error, Error::Unauthenticated) {
        to_login(asked)
    } else {
        human(error, status, asked, shell)
    };
    if error.database_is_away() {
        let seconds = HeaderValue::from_static("5");
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The body that all of Backstage's plugins answer errors with (`@backstage/errors`, `ErrorResponseBody`).
fn json_body(error: &Error, status: StatusCode, asked: &Asked) -> Response {
    // Pages answer invalid forms with 422, Backstage's plugins with 400.
    let status = if status == StatusCode::UNPROCESSABLE_ENTITY {
        StatusCode::BAD_REQUEST
    } else {
        status
    };
    let name = match status {
        StatusCode::BAD_REQUEST => "InputError",
        StatusCode::UNAUTHORIZED => "AuthenticationError",
        StatusCode::FORBIDDEN => "NotAllowedError",
        StatusCode::NOT_FOUND => "NotFoundError",
        StatusCode::CONFLICT => "ConflictError",
        StatusCode::PAYLOAD_TOO_LARGE => "PayloadTooLargeError",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailableError",
        _ => "Error",
    };
    let message = match error {
        Error::Unauthenticated => "Missing or invalid credentials".to_owned(),
        Error::Invalid(fields) => fields.iter().map(field_text).collect::<Vec<_>>().join("; "),
        Error::Internal(_) if error.database_is_full() => "The database's disk is full; make room on it".to_owned(),
        Error::Internal(_) if error.database_is_away() => "The database cannot be reached; try again".to_owned(),
        other => other.to_string(),
    };
    let body = json!({
        "error": {"name": name, "message": message},
        "request": {"method": asked.method.as_str(), "url": asked.target},
        "response": {"statusCode": status.as_u16()},
    });
    (status, axum::Json(body)).into_response()
}

fn field_text(field: &FieldError) -> String {
    if field.field.is_empty() {
        field.message.to_string()
    } else {
        format!("{}: {}", field.field, field.message)
    }
}

fn to_login(asked: &Asked) -> Response {
    if asked.fragment {
        // htmx would put the login page into the fragment's place: the whole page goes there instead.
        let here = asked
            .current_url
            .as_deref()
            .and_then(local_part)
            .unwrap_or_else(|| "/".into());
        let target = super::login_url(&here);
        return (StatusCode::UNAUTHORIZED, [("hx-redirect", target)]).into_response();
    }
    let next = if asked.method == Method::GET || asked.method == Method::HEAD {
        asked.target.as_str()
    } else {
        asked.path.as_str()
    };
    (StatusCode::SEE_OTHER, [(header::LOCATION, super::login_url(next))]).into_response()
}

fn local_part(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    Some(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

/// Title, text and what to do.
type Words = [Text; 3];

fn human(error: &Error, status: StatusCode, asked: &Asked, shell: &Shell) -> Response {
    let [title, text, hint] = match error {
        Error::Internal(_) => internal(error),
        Error::Upstream { system, hint, .. } => upstream(system, hint),
        refused => refusal(refused, status),
    };
    let page = ErrorPage {
        shell,
        status: status.as_u16(),
        system: match error {
            Error::Upstream { system, .. } => Some(system.as_str().into()),
            _ => error.database_is_away().then(|| text!("database")),
        },
        title,
        text,
        hint,
        fields: match error {
            Error::Invalid(fields) => fields,
            _ => &[],
        },
        again: again(status, asked),
        reason: match error {
            Error::Upstream { reason, .. } => Some(reason),
            _ => None,
        },
    };
    finish(&page, status, asked)
}

/// What the reader asked for cannot be had so.
fn refusal(error: &Error, status: StatusCode) -> Words {
    let text = error.text();
    match error {
        Error::Unauthenticated => [text!("Log in"), text, text!("Log in and come back.")],
        Error::Forbidden(_) if status == StatusCode::METHOD_NOT_ALLOWED => [
            text!("This address cannot do that"),
            text,
            text!("Go back and use the page's own links and buttons."),
        ],
        Error::Forbidden(_) => [
            text!("You may not do this"),
            text,
            text!("If you need it, ask the people who run this portal and name the request below."),
        ],
        Error::NotFound(_) => [
            text!("Not found"),
            text,
            text!("Check the address, or search the catalog. It may have been renamed or removed."),
        ],
        Error::Conflict(_) => [
            text!("It has changed meanwhile"),
            text,
            text!("Look at the present state, then decide again."),
        ],
        Error::TooLarge(_) => [text!("Too large"), text, text!("Send less at once.")],
        Error::Invalid(_) | Error::Upstream { .. } | Error::Internal(_) => [
            text!("Some answers need a change"),
            text,
            text!("Go back, change them and send them again."),
        ],
    }
}

/// A fault on our side, or of the database.
fn internal(error: &Error) -> Words {
    if error.database_is_full() {
        return [
            text!("The database has no room left"),
            text!("The disk of Portico's database is full, so nothing can be stored. Nothing was changed."),
            text!("Make room on that disk, or tell the people who run this portal; then try again."),
        ];
    }
    if error.database_is_away() {
        return [
            text!("The database is away"),
            text!("Portico cannot reach its database, so this page cannot be shown. Nothing was changed."),
            text!(
                "Wait a moment and try again. If it lasts, tell the people who run this portal and name the request below."
            ),
        ];
    }
    [
        text!("Something went wrong on our side"),
        text!("This page could not be shown because of a fault in the portal."),
        text!("Try again in a moment. If it lasts, tell the people who run this portal and name the request below."),
    ]
}

/// Another system failed.
fn upstream(system: &str, hint: &Text) -> Words {
    [
        text!("{system} did not do what was asked", system = system),
        text!(
            "Portico asked {system} for something that this page needs, and it failed.",
            system = system
        ),
        hint.clone(),
    ]
}

/// Where "try again" leads: only reading can be repeated by a link, and only where it may help.
fn again(status: StatusCode, asked: &Asked) -> Option<&str> {
    (status.is_server_error() && asked.method == Method::GET).then_some(asked.target.as_str())
}

fn finish(page: &ErrorPage<'_>, status: StatusCode, asked: &Asked) -> Response {
    let rendered = if asked.fragment {
        page.shell.locale.render(&ErrorFragment {
            shell: page.shell,
            title: &page.title,
            text: &page.text,
            hint: &page.hint,
        })
    } else {
        page.shell.locale.render(page)
    };
    match rendered {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => {
            tracing::error!(%error, "the error page cannot be rendered");
            (status, format!("{}\n{}\n", page.title, page.hint)).into_response()
        }
    }
}
