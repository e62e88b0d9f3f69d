//! Extractors whose refusals are our errors.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use crate::language::text;

/// The query, repeated keys as lists. Refused with [`Error::Invalid`].
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        axum_extra::extract::Query::from_request_parts(parts, state)
            .await
            .map(|query| Self(query.0))
            .map_err(|rejection| {
                Error::invalid(
                    "",
                    text!(
                        "The address is not as expected: {reason}",
                        reason = rejection.to_string()
                    ),
                )
            })
    }
}

/// An HTML form, repeated keys as lists. Refused with [`Error::Invalid`], or [`Error::TooLarge`].
#[derive(Debug, Clone)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        match axum_extra::extract::Form::from_request(request, state).await {
            Ok(form) => Ok(Self(form.0)),
            Err(rejection) => {
                let text = rejection.to_string();
                Err(refusal(rejection.into_response().status(), &text))
            }
        }
    }
}

/// A JSON body, in and out. Refused with [`Error::Invalid`], or [`Error::TooLarge`].
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .and_then(|kind| kind.split(';').next())
            .is_some_and(|kind| kind.trim() == "application/json" || kind.trim().ends_with("+json"));
        if !is_json {
            return Err(Error::invalid(
                "",
                "the body must be JSON with the header Content-Type: application/json",
            ));
        }
        let body = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|rejection| refusal(rejection.status(), &rejection.body_text()))?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Error::invalid("", format!("the body is not as expected: {error}")))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

fn refusal(status: StatusCode, text: &str) -> Error {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        Error::TooLarge(text!("The request is larger than 10 MiB."))
    } else {
        Error::invalid("", text)
    }
}
