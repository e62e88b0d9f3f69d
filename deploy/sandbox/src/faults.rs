//! Faults that a test or a person orders from the sandbox: a status, a delay, a broken connection, so many times.
//!
//! A fault is used up by the requests that it meets; afterwards the system behaves again as before.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// The systems that the sandbox stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum System {
    /// Keycloak.
    Identity,
    /// Forgejo.
    Forge,
    /// The Kubernetes API server.
    Kubernetes,
    /// Argo CD's own API.
    Argocd,
}

impl fmt::Display for System {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Identity => "identity",
            Self::Forge => "forge",
            Self::Kubernetes => "kubernetes",
            Self::Argocd => "argocd",
        })
    }
}

/// What happens to the connection instead of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Breakage {
    /// Open connections are reset at once, and new ones as soon as they are made, as if the system had died. Method and
    /// path are not looked at.
    Refuse,
    /// The connection is reset when the request has been read; the request has no effect.
    Reset,
    /// The request takes effect, but the connection is reset instead of answering.
    LoseAnswer,
    /// The request takes effect at once, and the answer comes after the delay: time to end the one who asked.
    HoldAnswer,
}

/// One order. As JSON the keys are the field names; `delay` is `delay_ms`; only `system` is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The system it is for.
    pub system: System,
    /// Only requests of this method, in any case; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests whose path starts with this; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_prefix: Option<String>,
    /// The status that is answered instead of handling the request, 400 to 599 usually.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "status_number")]
    pub status: Option<StatusCode>,
    /// Headers of that answer, for instance `Retry-After`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Body of that answer; a short JSON message when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How long the request waits before anything else happens to it.
    #[serde(
        default,
        rename = "delay_ms",
        skip_serializing_if = "Option::is_none",
        with = "milliseconds"
    )]
    pub delay: Option<Duration>,
    /// How the connection breaks; goes before `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<Breakage>,
    /// How many requests (connections for `refuse`) it is for.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// Answers `status` once; narrow or repeat it by the methods below.
    pub fn status(system: System, status: StatusCode) -> Self {
        Self {
            status: Some(status),
            ..Self::nothing(system)
        }
    }

    /// Lets one request wait for `delay`, then handles it.
    pub fn delay(system: System, delay: Duration) -> Self {
        Self {
            delay: Some(delay),
            ..Self::nothing(system)
        }
    }

    /// Breaks one connection.
    pub fn broken(system: System, connection: Breakage) -> Self {
        Self {
            connection: Some(connection),
            ..Self::nothing(system)
        }
    }

    fn nothing(system: System) -> Self {
        Self {
            system,
            method: None,
            path_prefix: None,
            status: None,
            headers: BTreeMap::new(),
            body: None,
            delay: None,
            connection: None,
            times: 1,
        }
    }

    /// Only for requests of this method.
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only for paths that start with this.
    pub fn path_prefix(mut self, prefix: &str) -> Self {
        self.path_prefix = Some(prefix.to_owned());
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds a delay before the rest of the fault.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// For so many requests.
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn meets(&self, system: System, method: &str, path: &str) -> bool {
        self.system == system
            && self
                .method
                .as_deref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path_prefix
                .as_deref()
                .is_none_or(|prefix| path.starts_with(prefix))
    }

    fn check(&self) -> Result<(), String> {
        let refuses = self.connection == Some(Breakage::Refuse);
        if refuses && (self.method.is_some() || self.path_prefix.is_some()) {
            return Err(
                "`refuse` meets connections, before there is a request: leave out method and path_prefix".into(),
            );
        }
        if self.status.is_none() && self.delay.is_none() && self.connection.is_none() {
            return Err("give at least one of status, delay_ms and connection".into());
        }
        if self.connection == Some(Breakage::HoldAnswer) && self.delay.is_none() {
            return Err("`hold_answer` needs delay_ms: how long the answer is held".into());
        }
        for (name, value) in &self.headers {
            if HeaderName::try_from(name).is_err() || HeaderValue::try_from(value).is_err() {
                return Err(format!("`{name}` is not a possible header"));
            }
        }
        Ok(())
    }
}

/// The orders that are open, shared by all servers of one sandbox. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    open: Arc<Mutex<Vec<Fault>>>,
    /// Cancelled when the system's open connections are to break.
    lives: Arc<Mutex<HashMap<System, CancellationToken>>>,
}

impl Faults {
    /// Orders a fault. Of several that meet a request the oldest is used.
    pub fn order(&self, fault: Fault) {
        let dies = (fault.connection == Some(Breakage::Refuse)).then_some(fault.system);
        self.lock().push(fault);
        if let Some(life) = dies.and_then(|system| self.lives().remove(&system)) {
            life.cancel();
        }
    }

    /// Cancelled when connections that are open now are to break.
    pub(crate) fn life(&self, system: System) -> CancellationToken {
        self.lives().entry(system).or_default().clone()
    }

    fn lives(&self) -> MutexGuard<'_, HashMap<System, CancellationToken>> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes back all orders, or those of one system.
    pub fn clear(&self, system: Option<System>) {
        self.lock()
            .retain(|fault| system.is_some_and(|system| fault.system != system));
    }

    /// The orders that are not used up, oldest first, with the times that are left.
    pub fn open(&self) -> Vec<Fault> {
        self.lock().clone()
    }

    /// Uses up one time of the oldest `refuse` order of the system.
    pub(crate) fn refuses(&self, system: System) -> bool {
        self.take(|fault| fault.system == system && fault.connection == Some(Breakage::Refuse))
            .is_some()
    }

    fn take_for(&self, system: System, method: &str, path: &str) -> Option<Fault> {
        self.take(|fault| fault.meets(system, method, path))
    }

    fn take(&self, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut open = self.lock();
        let index = open.iter().position(|fault| fault.times > 0 && wanted(fault))?;
        let taken = open[index].clone();
        open[index].times -= 1;
        open.retain(|fault| fault.times > 0);
        Some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the faults before `routes`, and `GET`, `POST`, `DELETE /sandbox/faults` (which never fail) beside them.
    ///
    /// `POST` takes one [`Fault`] as JSON and answers 201; `DELETE` takes back those of all systems; `GET` lists.
    pub fn around(&self, system: System, routes: Router) -> Router {
        let faulty = routes.layer(middleware::from_fn_with_state((self.clone(), system), apply));
        Router::new()
            .route("/sandbox/faults", get(list).post(order).delete(clear))
            .with_state(self.clone())
            .fallback_service(faulty)
    }
}

async fn list(State(faults): State<Faults>) -> Json<Vec<Fault>> {
    Json(faults.open())
}

// `Json` insists on the content type, which no page of another origin can send without being asked first.
async fn order(State(faults): State<Faults>, Json(fault): Json<Fault>) -> Response {
    match fault.check() {
        Ok(()) => {
            faults.order(fault.clone());
            (StatusCode::CREATED, Json(fault)).into_response()
        }
        Err(message) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Json(serde_json::json!({ "message": message })),
        )
            .into_response(),
    }
}

async fn clear(State(faults): State<Faults>) -> StatusCode {
    faults.clear(None);
    StatusCode::NO_CONTENT
}

/// Lets a request break its own connection; in the request's `ConnectInfo`.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionFate(Arc<AtomicBool>);

impl ConnectionFate {
    pub(crate) fn break_now(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

async fn apply(State((faults, system)): State<(Faults, System)>, request: Request, next: Next) -> Response {
    let Some(fault) = faults.take_for(system, request.method().as_str(), request.uri().path()) else {
        return next.run(request).await;
    };
    tracing::info!(%system, method = %request.method(), path = request.uri().path(), "an ordered fault is applied");
    let holds_answer = fault.connection == Some(Breakage::HoldAnswer);
    let delay = fault.delay.unwrap_or_default();
    if !holds_answer {
        tokio::time::sleep(delay).await;
    }
    let fate = request
        .extensions()
        .get::<ConnectInfo<ConnectionFate>>()
        .map(|info| info.0.clone());
    match (fault.connection, fault.status) {
        (Some(Breakage::LoseAnswer), _) => {
            let answer = next.run(request).await;
            // The handler's work may go on in the body: read it to the end.
            let _ = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
            broken(fate)
        }
        (Some(Breakage::HoldAnswer), _) => {
            // On a task of its own: whoever asked may hang up, and the effect must stand all the same.
            let handled = tokio::spawn(async move {
                let (head, body) = next.run(request).await.into_parts();
                (head, axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default())
            });
            let Ok((head, body)) = handled.await else {
                return broken(fate);
            };
            tokio::time::sleep(delay).await;
            Response::from_parts(head, Body::from(body))
        }
        (Some(Breakage::Reset | Breakage::Refuse), _) => broken(fate),
        (None, Some(status)) => answer(&fault, status),
        (None, None) => next.run(request).await,
    }
}

// Without a connection of ours (a router called in process) a status must do.
fn broken(fate: Option<ConnectionFate>) -> Response {
    if let Some(fate) = fate {
        fate.break_now();
    }
    StatusCode::BAD_GATEWAY.into_response()
}

fn answer(fault: &Fault, status: StatusCode) -> Response {
    let (kind, body) = match &fault.body {
        Some(text) => ("text/plain; charset=utf-8", text.clone()),
        None => (
            "application/json",
            serde_json::json!({ "message": "fault ordered from the sandbox" }).to_string(),
        ),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    for (name, value) in &fault.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

mod status_number {
    use super::{Deserialize, StatusCode};

    pub fn serialize<S: serde::Serializer>(status: &Option<StatusCode>, to: S) -> Result<S::Ok, S::Error> {
        match status {
            Some(status) => to.serialize_u16(status.as_u16()),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<StatusCode>, D::Error> {
        Option::<u16>::deserialize(from)?
            .map(|number| StatusCode::from_u16(number).map_err(serde::de::Error::custom))
            .transpose()
    }
}

mod milliseconds {
    use super::{Deserialize, Duration};

    pub fn serialize<S: serde::Serializer>(delay: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match delay {
            Some(delay) => to.serialize_u64(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_meets_only_what_it_was_ordered_for() {
        let faults = Faults::default();
        let wanted = Fault::status(System::Forge, StatusCode::SERVICE_UNAVAILABLE);
        faults.order(wanted.method("post").path_prefix("/api/v1/user").times(2));
        for (system, method, path, met) in [
            (System::Identity, "POST", "/api/v1/user/repos", false),
            (System::Forge, "GET", "/api/v1/user/repos", false),
            (System::Forge, "POST", "/api/v1/orgs", false),
            (System::Forge, "POST", "/api/v1/user/repos", true),
            (System::Forge, "POST", "/api/v1/user/repos", true),
            (System::Forge, "POST", "/api/v1/user/repos", false),
        ] {
            assert_eq!(
                faults.take_for(system, method, path).is_some(),
                met,
                "{system} {method} {path}"
            );
        }
        assert!(faults.open().is_empty());
    }

    #[test]
    fn an_order_reads_as_documented_and_a_useless_one_is_refused() {
        let read = |text: &str| serde_json::from_str::<Fault>(text).map_err(|error| error.to_string());
        let fault =
            read(r#"{"system":"forge","status":429,"headers":{"Retry-After":"1"},"delay_ms":20}"#).expect("fits");
        assert_eq!(fault.times, 1);
        assert_eq!(fault.delay, Some(Duration::from_millis(20)));
        assert_eq!(fault.check(), Ok(()));
        assert!(read(r#"{"system":"github","status":500}"#).is_err());
        assert!(read(r#"{"system":"forge","status":5}"#).is_err());
        assert!(read(r#"{"system":"forge","state":500}"#).is_err());
        assert!(read(r#"{"system":"forge"}"#).expect("reads").check().is_err());
        let refuse = read(r#"{"system":"forge","connection":"refuse","path_prefix":"/a"}"#).expect("reads");
        assert!(refuse.check().is_err());
    }
}
