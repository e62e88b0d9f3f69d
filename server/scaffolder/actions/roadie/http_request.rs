//! `http:backstage:request` of `@roadiehq/scaffolder-backend-module-http-request` 5.8.0.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::requests::{Answered, Asked};

/// Longest that a step waits for an answer.
const LONGEST: f64 = 600_000.0;
/// As much of a refusal as the log shows.
const SHOWN: usize = 1000;

/// `http:backstage:request`: a request to the portal's own API, or to a system that the configuration names.
pub struct HttpRequest;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// `/<plugin>/<path>` of the portal's API, such as `/catalog/entities`, or `/proxy/<endpoint>/<path>`.
    path: String,
    method: Verb,
    /// Headers of the request. Whoever started the task is who asks the portal's API, unless there is `authorization`.
    #[serde(default)]
    headers: Map<String, Value>,
    /// Parameters of the query.
    #[serde(default)]
    params: Map<String, Value>,
    /// A text, or a value where the header `content-type` names JSON.
    body: Option<Value>,
    /// With `false` the log does not tell the path.
    #[serde(default = "yes")]
    log_request_path: bool,
    /// Go on when the answer is 400 or above.
    #[serde(default)]
    continue_on_bad_response: bool,
    /// Milliseconds to wait for the answer; 60000 by default.
    #[serde(default = "a_minute")]
    timeout: f64,
    /// Accepted for templates that have it: requests to the portal's API always carry the rights of whoever started the task.
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, always so")]
    use_backstage_token: bool,
    /// Send it once for each task: a further run of the step gives out the answer that came.
    idempotency_key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Verb {
    Get,
    Head,
    Options,
    Post,
    Update,
    Delete,
    Put,
    Patch,
}

impl Verb {
    /// It changes nothing.
    fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }

    /// Twice is once.
    fn repeats(self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }

    fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Head => Method::HEAD,
            Self::Options => Method::OPTIONS,
            Self::Post => Method::POST,
            // No method of HTTP, but one of this action; it is a token, so it can be sent.
            Self::Update => Method::from_bytes(b"UPDATE").unwrap_or(Method::POST),
            Self::Delete => Method::DELETE,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
        }
    }
}

fn yes() -> bool {
    true
}

fn a_minute() -> f64 {
    60_000.0
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    /// Headers of the answer, names in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Map<String, Value>>,
    /// The answer: its JSON, or `{message}` with its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Value>,
}

#[async_trait::async_trait]
impl Action for HttpRequest {
    const ID: &'static str = "http:backstage:request";
    const DESCRIPTION: &'static str = "Sends a request to the portal's own API, with the rights of whoever started the task, or to a \
                                       system that the configuration names under proxy.endpoints. A dry run sends GET, HEAD and OPTIONS only.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[
        Example {
            description: "Look for components in the catalog",
            example: "\
steps:
  - id: components
    action: http:backstage:request
    input:
      method: GET
      path: /catalog/entities
      params:
        filter: kind=component
",
        },
        Example {
            description: "Open a ticket in a system under proxy.endpoints, once",
            example: "\
steps:
  - id: ticket
    action: http:backstage:request
    input:
      method: POST
      path: /proxy/tickets/issues
      headers:
        content-type: application/json
      body:
        title: Review ${{ parameters.name }}
      idempotencyKey: ticket
",
        },
    ];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let asked = asked(&input)?;
        let verb = &asked.method;
        cx.log(match input.log_request_path {
            true => format!("Sending {verb} {}", input.path),
            false => format!("Sending {verb}"),
        });
        if cx.dry_run && !input.method.is_safe() {
            cx.log("A dry run does not send it");
            return Ok(Output::default());
        }
        match &input.idempotency_key {
            Some(key) => once(cx, key, &input, asked).await,
            None => send(cx, &input, asked).await?.into_output(cx, &input),
        }
    }
}

/// An answer as it is kept and given out.
struct Told {
    status: StatusCode,
    headers: Map<String, Value>,
    body: Value,
}

impl Told {
    fn into_output(self, cx: &Context, input: &Input) -> Result<Output, ActionError> {
        if self.status.as_u16() < 400 {
            return Ok(Output {
                code: Some(self.status.as_u16()),
                headers: Some(self.headers),
                body: Some(self.body),
            });
        }
        let shown: String = self.body.to_string().chars().take(SHOWN).collect();
        cx.log(format!("The answer is {}: {shown}", self.status.as_u16()));
        if input.continue_on_bad_response {
            return Ok(Output {
                code: Some(self.status.as_u16()),
                headers: Some(Map::new()),
                body: Some(self.body),
            });
        }
        Err(ActionError::Failed(format!(
            "the answer is {}: {shown}. Set continueOnBadResponse: true to go on with such an answer",
            self.status
        )))
    }
}

/// Sends it, unless an earlier run of the step has had its answer. An earlier run that was cut off before its answer came may
/// have done the work, so only what can be repeated is sent again.
async fn once(cx: &Context, key: &str, input: &Input, asked: Asked) -> Result<Output, ActionError> {
    for attempt in 1u32.. {
        let sent = format!("request:{key}#{attempt}");
        let answer = format!("{sent}:answer");
        if let Some(kept) = cx.find_intent(&answer).await? {
            let told = read_back(&kept)?;
            if told.status.as_u16() < 400 || input.continue_on_bad_response {
                cx.log("An earlier run of this step has had the answer");
                return told.into_output(cx, input);
            }
            // It was refused, so it may be tried anew.
            continue;
        }
        let intent = cx.intend(&sent, json!({}), false).await?;
        if !intent.fresh && !input.method.repeats() {
            return Err(ActionError::Failed(format!(
                "an earlier run of this step has sent the request, and its answer was lost: it may have been done. Look at {}; to \
                 send it again, start a new task or change idempotencyKey",
                if input.log_request_path {
                    &input.path
                } else {
                    "the system"
                }
            )));
        }
        let told = send(cx, input, asked).await?;
        let kept = json!({"code": told.status.as_u16(), "headers": told.headers, "body": told.body});
        cx.intend(&answer, cx.journal.clean_value(&kept), false).await?;
        return told.into_output(cx, input);
    }
    Err(ActionError::Failed("the request was tried too often".to_owned()))
}

fn read_back(kept: &Value) -> Result<Told, ActionError> {
    let wrong = || ActionError::Failed("the record of an earlier answer cannot be read".to_owned());
    let code = kept["code"].as_u64().and_then(|code| u16::try_from(code).ok());
    Ok(Told {
        status: code
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or_else(wrong)?,
        headers: kept["headers"].as_object().cloned().unwrap_or_default(),
        body: kept["body"].clone(),
    })
}

async fn send(cx: &Context, input: &Input, asked: Asked) -> Result<Told, ActionError> {
    cx.ask(&input.path)?;
    let answered = cx.outside.requests.send(&cx.actor, asked).await;
    told(
        answered.map_err(|error| ActionError::Failed(error.to_string()))?,
        input.method,
    )
}

fn told(answered: Answered, verb: Verb) -> Result<Told, ActionError> {
    let kind = answered.headers.get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| String::from_utf8_lossy(kind.as_bytes()).contains("application/json"));
    let nothing = verb == Verb::Head || answered.body.is_empty();
    let body = match is_json && !nothing {
        true => serde_json::from_slice(&answered.body)
            .map_err(|error| ActionError::Failed(format!("the answer says that it is JSON and is not: {error}")))?,
        false => json!({"message": String::from_utf8_lossy(&answered.body)}),
    };
    let headers = answered.headers.keys().map(|name| {
        let values = answered.headers.get_all(name).iter();
        let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (name.to_string(), Value::from(values.join(", ")))
    });
    Ok(Told {
        status: answered.status,
        headers: headers.collect(),
        body,
    })
}

fn asked(input: &Input) -> Result<Asked, ActionError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &input.headers {
        let wrong = || ActionError::Input(format!("headers: \"{name}\" or its value cannot be a header"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let value = HeaderValue::from_str(&plain(value)).map_err(|_| wrong())?;
        headers.append(name, value);
    }
    let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_str().unwrap_or_default();
        kind.to_ascii_lowercase().contains("json")
    });
    let body = match &input.body {
        None | Some(Value::Null) => Bytes::new(),
        Some(Value::String(text)) => text.clone().into(),
        Some(value) if is_json => value.to_string().into(),
        Some(_) => {
            return Err(ActionError::Input(
                "body is a value, so headers has to have content-type: application/json; or make it a text".to_owned(),
            ));
        }
    };
    if !body.is_empty() && matches!(input.method, Verb::Get | Verb::Head) {
        return Err(ActionError::Input("a request with GET or HEAD has no body".to_owned()));
    }
    let milliseconds = input.timeout;
    if !(milliseconds > 0.0 && milliseconds <= LONGEST) {
        return Err(ActionError::Input(format!(
            "timeout has to be above 0 and {LONGEST} at most"
        )));
    }
    Ok(Asked {
        method: input.method.method(),
        path: input.path.clone(),
        query: input
            .params
            .iter()
            .map(|(key, value)| (key.clone(), plain(value)))
            .collect(),
        headers,
        body,
        within: Duration::from_secs_f64(milliseconds / 1000.0),
    })
}

/// A value as JavaScript makes text of it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use axum::http::{Request, Response};

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};
    use crate::scaffolder::requests::OwnApi;

    #[derive(Default)]
    struct Own {
        asked: AtomicUsize,
        last: Mutex<String>,
    }

    #[async_trait::async_trait]
    impl OwnApi for Own {
        async fn answer(&self, actor: &str, request: Request<Body>) -> Result<Response<Body>, String> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1024).await.unwrap();
            *self.last.lock().unwrap() = format!(
                "{actor} {} {} {:?} {}",
                parts.method,
                parts.uri,
                parts.headers.get("x-a"),
                String::from_utf8_lossy(&body)
            );
            let mut response = Response::new(Body::from("{\"n\":[1]}"));
            let missing = parts.uri.path().ends_with("/missing");
            *response.status_mut() = if missing { StatusCode::NOT_FOUND } else { StatusCode::OK };
            let kind = if parts.uri.path().ends_with("/text") {
                "text/plain"
            } else {
                "application/json; charset=utf-8"
            };
            response
                .headers_mut()
                .insert("content-type", HeaderValue::from_static(kind));
            Ok(response)
        }
    }

    #[tokio::test]
    async fn the_portals_own_api_is_asked() {
        let cx = bench(&[]);
        let own = Arc::new(Own::default());
        cx.outside.requests.answered_by(own.clone());
        for (input, code, body, seen) in [
            (
                json!({"method": "GET", "path": "/catalog/entities", "params": {"filter": "kind=api", "limit": 1}, "headers": {"X-A": 1}}),
                200,
                json!({"n": [1]}),
                "user:default/user1 GET /api/catalog/entities?filter=kind%3Dapi&limit=1 Some(\"1\") ",
            ),
            (
                json!({"method": "POST", "path": "x/y", "headers": {"Content-Type": "application/json"}, "body": {"a": 1}}),
                200,
                json!({"n": [1]}),
                "user:default/user1 POST /api/x/y None {\"a\":1}",
            ),
            (
                json!({"method": "UPDATE", "path": "x/text", "body": "as it is"}),
                200,
                json!({"message": "{\"n\":[1]}"}),
                "user:default/user1 UPDATE /api/x/text None as it is",
            ),
            (
                json!({"method": "DELETE", "path": "x/missing", "continueOnBadResponse": true}),
                404,
                json!({"n": [1]}),
                "user:default/user1 DELETE /api/x/missing None ",
            ),
        ] {
            let output = run(&HttpRequest, &cx, input.clone()).await.unwrap();
            assert_eq!((&output["code"], &output["body"]), (&json!(code), &body), "{input}");
            assert_eq!(*own.last.lock().unwrap(), seen);
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_told() {
        let cx = bench(&[]);
        cx.outside.requests.answered_by(Arc::new(Own::default()));
        for (input, part) in [
            (json!({"method": "GET", "path": "x/missing"}), "continueOnBadResponse"),
            (json!({"method": "POST", "path": "x", "body": {"a": 1}}), "content-type"),
            (json!({"method": "GET", "path": "x", "body": "a"}), "no body"),
            (json!({"method": "GET", "path": "x", "timeout": 0}), "timeout"),
            (
                json!({"method": "GET", "path": "x", "headers": {"a b": "c"}}),
                "headers",
            ),
            (
                json!({"method": "GET", "path": "http://169.254.169.254/latest"}),
                "not allowed",
            ),
            (json!({"method": "TRACE", "path": "x"}), "unknown variant"),
        ] {
            let error = run(&HttpRequest, &cx, input.clone()).await.unwrap_err().to_string();
            assert!(error.contains(part), "{input}: {error}");
        }
    }

    #[tokio::test]
    async fn a_dry_run_changes_nothing() {
        let mut cx = bench(&[]);
        cx.dry_run = true;
        let own = Arc::new(Own::default());
        cx.outside.requests.answered_by(own.clone());
        for (method, sent) in [
            ("GET", 1),
            ("HEAD", 2),
            ("POST", 2),
            ("PUT", 2),
            ("PATCH", 2),
            ("DELETE", 2),
        ] {
            run(&HttpRequest, &cx, json!({"method": method, "path": "x"}))
                .await
                .unwrap();
            assert_eq!(own.asked.load(Ordering::SeqCst), sent, "{method}");
        }
    }
}
