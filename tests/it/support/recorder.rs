//! A proxy before a system that keeps what goes through it.

use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::Response;

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub method: Method,
    pub path: String,
    pub query: String,
    pub body: Bytes,
    pub status: StatusCode,
    /// Of the answer.
    pub content_type: String,
    pub answer: Bytes,
}

/// See the module.
#[derive(Clone)]
pub struct Recorder {
    target: String,
    client: reqwest::Client,
    kept: Arc<Mutex<Vec<Exchange>>>,
}

impl Recorder {
    /// Begins; answers the proxy's address too. `target` has no slash at the end.
    pub async fn before(target: &str) -> (Self, String) {
        let policy = reqwest::redirect::Policy::none();
        let recorder = Self {
            target: target.to_owned(),
            client: super::http().redirect(policy).build().expect("a client"),
            kept: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let router = axum::Router::new().fallback(pass_on).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (recorder, address)
    }

    /// Everything until now, in order of the answers.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.kept.lock().expect("not poisoned").clone()
    }
}

async fn pass_on(State(recorder): State<Recorder>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let place = parts.uri.path_and_query().map_or("/", |place| place.as_str());
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    headers.remove(header::TRANSFER_ENCODING);
    let answer = recorder
        .client
        .request(parts.method.clone(), format!("{}{place}", recorder.target))
        .headers(headers)
        .body(body.clone())
        .send()
        .await
        .expect("an answer");
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let content_type = content_type.unwrap_or_default().to_owned();
    let answer = answer.bytes().await.expect("a body");
    // The body is here as a whole, unpacked.
    for name in [
        header::TRANSFER_ENCODING,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
    ] {
        headers.remove(name);
    }
    recorder.kept.lock().expect("not poisoned").push(Exchange {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        body,
        status,
        content_type,
        answer: answer.clone(),
    });
    let mut response = Response::new(Body::from(answer));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
