//! The HTTP layer: who may come in, discovery, and which verb a request is.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{VERSION, cluster::Cluster, paths::Address, status::Status, verbs, watching};

/// The largest body that is read, as the real server's.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Query parameters; each is used once.
pub(super) type Parameters = HashMap<String, String>;

#[derive(Clone)]
struct Server {
    cluster: Cluster,
    token: Arc<str>,
}

/// All endpoints, for clients that have the token.
pub fn routes(cluster: Cluster, token: Arc<str>) -> Router {
    Router::new().fallback(handle).with_state(Server { cluster, token })
}

async fn handle(State(server): State<Server>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match answer(&server, request).await {
        Ok(response) => response,
        Err(status) => status.into_response(),
    };
    tracing::debug!(%method, path, status = response.status().as_u16(), "kubernetes");
    response
}

async fn answer(server: &Server, request: Request) -> Result<Response, Status> {
    let path = request.uri().path();
    if matches!(path, "/healthz" | "/livez" | "/readyz") {
        return Ok("ok".into_response());
    }
    if path == "/version" {
        return Ok(Json(version()).into_response());
    }
    if !authorised(request.headers(), &server.token) {
        return Err(Status::unauthorized());
    }
    let mut segments = Vec::new();
    for segment in path.trim_start_matches('/').split('/') {
        let decoded = form_urlencoded_segment(segment);
        segments.push(decoded.ok_or_else(|| Status::bad_request("the path is not UTF-8"))?);
    }
    if request.method() == Method::GET
        && let Some(document) = discovery(&server.cluster, &segments)?
    {
        return Ok(Json(document).into_response());
    }
    let address = Address::parse(&segments).ok_or_else(Status::no_such_resource)?;
    let Query(parameters) = Query::<Parameters>::try_from_uri(request.uri())
        .map_err(|_| Status::bad_request("the query string cannot be read"))?;
    let (parts, body) = request.into_parts();
    let call = verbs::Call {
        cluster: &server.cluster,
        address: &address,
        parameters: &parameters,
        metadata_only: wants_metadata_only(&parts.headers),
        manager: manager(&parts.headers, &parameters),
    };
    let collection = address.name.is_empty();
    match parts.method {
        Method::GET if collection && is_true(&parameters, "watch") => watching::watch(&call),
        Method::GET if collection => call.list(),
        Method::GET => call.get(),
        Method::POST if collection => {
            let body = read_body(&parts.headers, body).await?;
            match review(&address, &body) {
                Some(answer) => Ok((StatusCode::CREATED, Json(answer)).into_response()),
                None => call.create(body),
            }
        }
        Method::PUT if !collection => call.update(read_body(&parts.headers, body).await?),
        Method::PATCH if !collection => {
            let content_type = content_type(&parts.headers);
            call.patch(&content_type, read_body(&parts.headers, body).await?)
        }
        Method::DELETE if collection => call.delete_collection(read_body(&parts.headers, body).await?),
        Method::DELETE => call.delete(read_body(&parts.headers, body).await?),
        _ => Err(Status::method_not_allowed()),
    }
}

fn form_urlencoded_segment(segment: &str) -> Option<String> {
    // A plus is a plus in a path.
    let query = segment.replace('+', "%2B");
    let decoded = url::form_urlencoded::parse(query.as_bytes()).next();
    match decoded {
        None => Some(String::new()),
        Some((name, value)) if value.is_empty() && !name.contains('\u{fffd}') => Some(name.into_owned()),
        Some(_) => None,
    }
}

fn authorised(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let sent = sent
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    sent.is_some_and(|(_, sent)| sent.trim() == token)
}

/// `true` or `1`, as the flags of the API are written.
pub(super) fn is_true(parameters: &Parameters, name: &str) -> bool {
    parameters
        .get(name)
        .is_some_and(|value| matches!(value.as_str(), "true" | "1" | "True" | ""))
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn wants_metadata_only(headers: &HeaderMap) -> bool {
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    accept.contains("as=PartialObjectMetadata")
}

/// The field manager: as asked for, else the program's name in `User-Agent`, as the real server does.
fn manager(headers: &HeaderMap, parameters: &Parameters) -> String {
    if let Some(manager) = parameters.get("fieldManager").filter(|manager| !manager.is_empty()) {
        return manager.clone();
    }
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match agent.split('/').next() {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => "unknown".to_owned(),
    }
}

async fn read_body(headers: &HeaderMap, body: Body) -> Result<Value, Status> {
    let bytes = axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| Status {
        code: 413,
        reason: "RequestEntityTooLarge",
        message: format!("Request entity too large: limit is {BODY_LIMIT}"),
        details: json!({}),
    })?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    let content_type = content_type(headers);
    if content_type.contains("protobuf") {
        return Err(Status::unsupported_media_type("application/json, application/yaml"));
    }
    if content_type.ends_with("yaml") {
        let text = std::str::from_utf8(&bytes).map_err(|_| Status::bad_request("the body is not UTF-8"))?;
        return serde_saphyr::from_str(text)
            .map_err(|error| Status::bad_request(format!("error converting YAML to JSON: {error}")));
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Status::bad_request(format!("the object provided is unrecognized: {error}")))
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "33",
        "gitVersion": VERSION,
        "gitCommit": "sandbox",
        "gitTreeState": "clean",
        "buildDate": "2025-05-15T00:00:00Z",
        "goVersion": "go1.24.2",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn discovery(cluster: &Cluster, segments: &[String]) -> Result<Option<Value>, Status> {
    let segments = segments
        .iter()
        .map(String::as_str)
        .filter(|segment| !segment.is_empty())
        .collect::<Vec<_>>();
    let state = cluster.lock();
    let found = match segments.as_slice() {
        [] => Some(json!({ "paths": ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/readyz", "/version"] })),
        ["api"] => Some(json!({
            "kind": "APIVersions",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1" }],
        })),
        ["api", version] => state.kinds.resource_list("", version),
        ["apis"] => Some(state.kinds.group_list()),
        ["apis", group] => state.kinds.group(group),
        ["apis", group, version] => state.kinds.resource_list(group, version),
        _ => return Ok(None),
    };
    found.map(Some).ok_or_else(Status::no_such_resource)
}

/// Reviews are questions that are asked by creating something: who am I, may I.
fn review(address: &Address, body: &Value) -> Option<Value> {
    let status = match (address.group.as_str(), address.plural.as_str()) {
        ("authentication.k8s.io", "selfsubjectreviews") => {
            json!({ "userInfo": { "username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"] } })
        }
        ("authorization.k8s.io", "selfsubjectaccessreviews" | "subjectaccessreviews" | "localsubjectaccessreviews") => {
            json!({ "allowed": true })
        }
        _ => return None,
    };
    let mut answer = if body.is_object() { body.clone() } else { json!({}) };
    answer["status"] = status;
    Some(answer)
}
