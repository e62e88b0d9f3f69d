//! Git over HTTP: `info/refs`, `git-upload-pack`, `git-receive-pack` (git's http-protocol), by git's own programs.

use std::io::Read;
use std::process::Stdio;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Child;
use tokio_util::io::ReaderStream;

use super::Forge;
use super::access::{Caller, Refusal, Seen, ask_for_password};
use super::git::command;
use super::model::Permission;

/// A compressed request may unfold to so many bytes.
const UNFOLDED: u64 = 256 << 20;

/// Routes for repositories with and without `.git`.
pub fn routes() -> Router<Forge> {
    Router::new()
        .route("/{owner}/{repository}/info/refs", get(info_refs))
        .route("/{owner}/{repository}/git-upload-pack", post(upload_pack))
        .route("/{owner}/{repository}/git-receive-pack", post(receive_pack))
}

#[derive(Debug, Deserialize)]
struct Wanted {
    #[serde(default)]
    service: String,
}

async fn info_refs(
    State(forge): State<Forge>,
    Path((owner, name)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Response {
    let (program, least) = match wanted.service.as_str() {
        "git-upload-pack" => ("upload-pack", Permission::Read),
        "git-receive-pack" => ("receive-pack", Permission::Write),
        // The dumb protocol is not spoken.
        _ => return Refusal::new(StatusCode::FORBIDDEN, "Unsupported service").into_response(),
    };
    let (seen, _) = match admit(&forge, &headers, &owner, &name, least) {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let mut git = command(seen.git.folder());
    git.args([program, "--stateless-rpc", "--advertise-refs", "."]);
    protocol(&mut git, &headers);
    let output = match git.stdin(Stdio::null()).stderr(Stdio::piped()).output().await {
        Ok(output) if output.status.success() => output.stdout,
        Ok(output) => return broken(&String::from_utf8_lossy(&output.stderr)),
        Err(error) => return broken(&error.to_string()),
    };
    let mut body = Vec::new();
    if !output.starts_with(b"000eversion 2\n") {
        let line = format!("# service=git-{program}\n");
        body.extend_from_slice(format!("{:04x}{line}0000", line.len() + 4).as_bytes());
    }
    body.extend_from_slice(&output);
    answer(&format!("application/x-git-{program}-advertisement"), Body::from(body))
}

async fn upload_pack(
    State(forge): State<Forge>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let (seen, _) = match admit(&forge, &headers, &owner, &name, Permission::Read) {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let mut child = match start(&seen, "upload-pack", &headers) {
        Ok(child) => child,
        Err(response) => return *response,
    };
    // What a client wants is small: it is read whole, so that what follows can be streamed.
    let input = match whole(&headers, request.into_body()).await {
        Ok(input) => input,
        Err(response) => return *response,
    };
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return broken("git was started without pipes");
    };
    tokio::spawn(async move {
        // When the client goes away the body is dropped, git's output is closed, and git ends.
        let _ = stdin.write_all(&input).await;
        drop(stdin);
        let _ = child.wait().await;
    });
    answer(
        "application/x-git-upload-pack-result",
        Body::from_stream(ReaderStream::new(stdout)),
    )
}

async fn receive_pack(
    State(forge): State<Forge>,
    Path((owner, name)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let (seen, caller) = match admit(&forge, &headers, &owner, &name, Permission::Write) {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let pusher = caller.0.map(|account| account.name);
    let body = request.into_body();
    // A push that has arrived is finished and announced, also when the client does not wait for it.
    let work = tokio::spawn(async move { receive(&forge, &seen, pusher.as_deref(), &headers, body).await });
    work.await.unwrap_or_else(|error| broken(&error.to_string()))
}

async fn receive(forge: &Forge, seen: &Seen, pusher: Option<&str>, headers: &HeaderMap, body: Body) -> Response {
    let id = seen.repository.id;
    let lock = forge.lock(id).await;
    let mut child = match start(seen, "receive-pack", headers) {
        Ok(child) => child,
        Err(response) => return *response,
    };
    let (Some(mut stdin), Some(mut stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return broken("git was started without pipes");
    };
    let compressed = is_compressed(headers);
    let feed = async {
        if compressed {
            let input = whole(headers, body).await.map_err(|_| ())?;
            stdin.write_all(&input).await.map_err(|_| ())?;
        } else {
            let mut stream = body.into_data_stream();
            while let Some(chunk) = stream.next().await {
                stdin.write_all(&chunk.map_err(|_| ())?).await.map_err(|_| ())?;
            }
        }
        stdin.shutdown().await.map_err(|_| ())?;
        drop(stdin);
        Ok::<(), ()>(())
    };
    let mut report = Vec::new();
    let (_, read) = tokio::join!(feed, stdout.read_to_end(&mut report));
    let ended = child.wait().await;
    drop(lock);
    if let Err(error) = forge.announce(id, pusher).await {
        tracing::error!(error = format!("{error:#}"), "a push cannot be announced");
    }
    match (read, ended) {
        (Ok(_), Ok(_)) => answer("application/x-git-receive-pack-result", Body::from(report)),
        (Err(error), _) | (_, Err(error)) => broken(&error.to_string()),
    }
}

/// The repository, if it may be used so; git asks for a password when it is told 401.
fn admit(
    forge: &Forge,
    headers: &HeaderMap,
    owner: &str,
    name: &str,
    least: Permission,
) -> Result<(Seen, Caller), Box<Response>> {
    let name = name.strip_suffix(".git").unwrap_or(name);
    let caller = Caller::of(forge, headers)
        .map_err(|refusal| Box::new(ask_for_password(plain(refusal.status(), refusal.message()))))?;
    match forge.see(&caller, owner, name, least) {
        Ok(seen) => Ok((seen, caller)),
        // Whether it exists is told only to somebody.
        Err(_) if caller.0.is_none() => Err(Box::new(ask_for_password(plain(
            StatusCode::UNAUTHORIZED,
            "Unauthorized",
        )))),
        Err(refusal) => Err(Box::new(plain(refusal.status(), refusal.message()))),
    }
}

fn start(seen: &Seen, program: &str, headers: &HeaderMap) -> Result<Child, Box<Response>> {
    let mut git = command(seen.git.folder());
    git.args([program, "--stateless-rpc", "."]);
    protocol(&mut git, headers);
    git.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| Box::new(broken(&error.to_string())))
}

/// Passes on `Git-Protocol`, if it is as git writes it.
fn protocol(git: &mut tokio::process::Command, headers: &HeaderMap) {
    let value = headers.get("git-protocol").and_then(|value| value.to_str().ok());
    let safe = |value: &&str| {
        value.len() < 200
            && value
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"=:-.".contains(&byte))
    };
    if let Some(value) = value.filter(safe) {
        git.env("GIT_PROTOCOL", value);
    }
}

fn is_compressed(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding == "gzip" || encoding == "x-gzip")
}

async fn whole(headers: &HeaderMap, body: Body) -> Result<Bytes, Box<Response>> {
    let limit = usize::try_from(UNFOLDED).unwrap_or(usize::MAX);
    let bytes = axum::body::to_bytes(body, limit).await.map_err(|error| {
        Box::new(plain(
            StatusCode::BAD_REQUEST,
            &format!("the request cannot be read: {error}"),
        ))
    })?;
    if !is_compressed(headers) {
        return Ok(bytes);
    }
    let mut unfolded = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(bytes.as_ref())
        .take(UNFOLDED + 1)
        .read_to_end(&mut unfolded);
    match read {
        Ok(_) if unfolded.len() <= limit => Ok(Bytes::from(unfolded)),
        Ok(_) => Err(Box::new(plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the unpacked request is too large",
        ))),
        Err(error) => Err(Box::new(plain(
            StatusCode::BAD_REQUEST,
            &format!("the request is not gzip: {error}"),
        ))),
    }
}

fn answer(kind: &str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache, max-age=0, must-revalidate"),
        (header::EXPIRES, "Fri, 01 Jan 1980 00:00:00 GMT"),
        (header::PRAGMA, "no-cache"),
    ];
    (headers, body).into_response()
}

fn plain(status: StatusCode, message: &str) -> Response {
    (status, format!("{message}\n")).into_response()
}

fn broken(message: &str) -> Response {
    tracing::error!(message, "git failed");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "git failed on the server")
}
