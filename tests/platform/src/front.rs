//! The one address that people see: TLS, and routing by path, as the ingress of an idpbuilder platform does it.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::header::{CONNECTION, HOST, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use axum::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use axum::http::{HeaderMap, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::addresses::{ARGOCD, FORGE, FRONT, IDENTITY, PORTAL};
use crate::certificates::Pair;

/// Where requests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    prefix: &'static str,
    port: u16,
    /// The system expects paths without the prefix.
    stripped: bool,
    name: &'static str,
}

const ROUTES: [Route; 4] = [
    Route {
        prefix: "/gitea",
        port: FORGE,
        stripped: true,
        name: "Gitea",
    },
    Route {
        prefix: "/keycloak",
        port: IDENTITY,
        stripped: false,
        name: "Keycloak",
    },
    Route {
        prefix: "/argocd",
        port: ARGOCD,
        stripped: true,
        name: "Argo CD",
    },
    Route {
        prefix: "",
        port: PORTAL,
        stripped: false,
        name: "the portal",
    },
];

/// The system that a path belongs to, and the path as that system knows it.
fn route(path: &str) -> (Route, &str) {
    for route in ROUTES {
        // `/gitea` and `/gitea/…` belong to it, `/giteas` does not.
        if let Some(rest) = path.strip_prefix(route.prefix)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return match (route.stripped, rest) {
                (true, "") => (route, "/"),
                (true, rest) => (route, rest),
                (false, _) => (route, path),
            };
        }
    }
    // Only what is no path at all (`*`) comes here.
    (ROUTES[ROUTES.len() - 1], path)
}

type Backends = Client<HttpConnector, Body>;

/// Serves until `stop`.
///
/// # Errors
/// When the port is taken.
pub async fn serve(certificate: &Pair, stop: CancellationToken) -> Result<()> {
    let acceptor = TlsAcceptor::from(Arc::new(certificate.server()?));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, FRONT))
        .await
        .with_context(|| format!("cannot listen on 127.0.0.1:{FRONT}"))?;
    let backends: Backends = Client::builder(TokioExecutor::new()).build_http();
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (acceptor, backends, stop) = (acceptor.clone(), backends.clone(), stop.clone());
                    tokio::spawn(async move {
                        tokio::select! {
                            () = connection(stream, peer, acceptor, backends) => {}
                            () = stop.cancelled() => {}
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the front cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(())
}

async fn connection(stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor, backends: Backends) {
    const HANDSHAKE: Duration = Duration::from_secs(10);
    // Small answers are not held back for larger packets; without it they are only slower.
    drop(stream.set_nodelay(true));
    let stream = match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => return,
    };
    let service = hyper::service::service_fn(move |request| {
        let backends = backends.clone();
        async move { Ok::<_, Infallible>(pass(request, peer, &backends).await) }
    });
    let served = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection of the front ended");
    }
}

async fn pass(request: Request<Incoming>, peer: SocketAddr, backends: &Backends) -> Response<Body> {
    let (route, _) = route(request.uri().path());
    let request = match rewritten(request, peer) {
        Ok(request) => request,
        Err(problem) => return answer(StatusCode::BAD_REQUEST, problem),
    };
    match backends.request(request).await {
        Ok(response) => {
            let (mut parts, body) = response.into_parts();
            // The other side may speak another version of HTTP.
            remove_hop_by_hop(&mut parts.headers);
            parts.version = Version::default();
            Response::from_parts(parts, Body::new(body))
        }
        Err(error) => {
            tracing::debug!(%error, system = route.name, "no answer");
            answer(StatusCode::BAD_GATEWAY, format!("{} does not answer\n", route.name))
        }
    }
}

/// The request as the system behind gets it.
fn rewritten(request: Request<Incoming>, peer: SocketAddr) -> Result<Request<Body>, String> {
    let (mut parts, body) = request.into_parts();
    let host = match (parts.uri.authority(), parts.headers.get(HOST)) {
        // HTTP/2 names the host in the address only.
        (Some(authority), _) => HeaderValue::from_str(authority.as_str()).ok(),
        (None, host) => host.cloned(),
    };
    let host = host.ok_or_else(|| "the request names no host\n".to_owned())?;
    let (route, path) = route(parts.uri.path());
    let target = match parts.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut uri = axum::http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Authority::try_from(format!("127.0.0.1:{}", route.port)).ok();
    uri.path_and_query = PathAndQuery::try_from(target).ok();
    parts.uri = Uri::from_parts(uri).map_err(|_| "the address is not understood\n".to_owned())?;
    parts.version = Version::HTTP_11;

    remove_hop_by_hop(&mut parts.headers);
    let set = |headers: &mut HeaderMap, name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    let peer = HeaderValue::from_str(&peer.ip().to_string()).map_err(|error| error.to_string())?;
    // What the caller claims in these is replaced, not added to.
    set(&mut parts.headers, "x-real-ip", peer.clone());
    set(&mut parts.headers, "x-forwarded-for", peer);
    set(&mut parts.headers, "x-forwarded-host", host.clone());
    set(&mut parts.headers, "x-forwarded-port", HeaderValue::from(FRONT));
    set(
        &mut parts.headers,
        "x-forwarded-proto",
        HeaderValue::from_static("https"),
    );
    set(
        &mut parts.headers,
        "x-forwarded-scheme",
        HeaderValue::from_static("https"),
    );
    parts.headers.remove("forwarded");
    parts.headers.insert(HOST, host);
    Ok(Request::from_parts(parts, Body::new(body)))
}

/// Headers that are for one connection alone.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

fn answer(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_systems() {
        for (path, name, known_as) in [
            ("/", "the portal", "/"),
            ("/catalog", "the portal", "/catalog"),
            ("/gitea", "Gitea", "/"),
            ("/gitea/", "Gitea", "/"),
            (
                "/gitea/giteaAdmin/demo.git/info/refs",
                "Gitea",
                "/giteaAdmin/demo.git/info/refs",
            ),
            ("/giteas", "the portal", "/giteas"),
            ("/api/events/http/gitea/1", "the portal", "/api/events/http/gitea/1"),
            ("/argocd/api/v1/session", "Argo CD", "/api/v1/session"),
            ("/argocd", "Argo CD", "/"),
            ("/keycloak/realms/cnoe", "Keycloak", "/keycloak/realms/cnoe"),
            ("*", "the portal", "*"),
        ] {
            let (route, rest) = route(path);
            assert_eq!((route.name, rest), (name, known_as), "{path}");
        }
    }

    #[test]
    fn headers_of_one_connection_stay_there() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, X-Secret"));
        headers.insert("x-secret", HeaderValue::from_static("a"));
        headers.insert("x-other", HeaderValue::from_static("b"));
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.len(), 1);
        assert_eq!(headers["x-other"], "b");
    }
}
