//! The one constructor for HTTP clients. They check certificates, give up in time, and follow redirects
//! only to systems that the configuration names.

mod look;

pub use look::Look;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, ClientBuilder, Response};
use url::Url;

const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longest silence while an answer arrives.
const READ_TIME: Duration = Duration::from_secs(15);
/// Longest time for a request with its whole answer.
const TOTAL_TIME: Duration = Duration::from_secs(60);
const HOPS: usize = 5;

/// Why there is no client, or no body.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    #[error("the certificates in {path} cannot be used: {reason}", path = path.display())]
    Certificates { path: PathBuf, reason: String },
    #[error("HTTP clients cannot be made: {0}")]
    Client(#[source] reqwest::Error),
    #[error("the answer is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the answer broke off: {0}")]
    Broken(#[source] reqwest::Error),
}

/// A system that may be talked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// Everything at this scheme, host and port: a system that the configuration gives an address of.
    Origin(Url),
    /// An entry of `backend.reading.allow`: `host[:port]`, `*.` in front for all hosts below, and path prefixes.
    Reading { host: String, paths: Option<Vec<String>> },
}

impl Allowed {
    fn permits(&self, url: &Url) -> bool {
        match self {
            Self::Origin(origin) => origin.origin() == url.origin(),
            Self::Reading { host, paths } => {
                let found = match (url.host_str(), url.port()) {
                    (Some(host), Some(port)) => format!("{host}:{port}"),
                    (Some(host), None) => host.to_owned(),
                    _ => return false,
                };
                let host_fits = match host.strip_prefix('*') {
                    Some(below) => found.ends_with(below) && found.len() > below.len(),
                    None => found == *host,
                };
                let path_fits = paths
                    .as_ref()
                    .is_none_or(|paths| paths.iter().any(|prefix| url.path().starts_with(prefix)));
                matches!(url.scheme(), "http" | "https") && host_fits && path_fits
            }
        }
    }
}

/// Makes and keeps the clients. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    allowed: Arc<[Allowed]>,
    following: Client,
    direct: Client,
    /// Authorities beside the system's.
    certificates: Arc<[Certificate]>,
}

impl Outbound {
    /// `extra_certificates` are PEM files beside the system's authorities (`NODE_EXTRA_CA_CERTS`); the system's
    /// own are those of `SSL_CERT_FILE` and `SSL_CERT_DIR` where these are set.
    pub fn new(allowed: Vec<Allowed>, extra_certificates: &[PathBuf]) -> Result<Self, OutboundError> {
        let mut certificates = Vec::new();
        for path in extra_certificates {
            let wrong = |reason: String| OutboundError::Certificates {
                path: path.clone(),
                reason,
            };
            let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
            let bundle = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(error.to_string()))?;
            if bundle.is_empty() {
                return Err(wrong("there is no certificate in it".into()));
            }
            certificates.extend(bundle);
        }
        let allowed: Arc<[Allowed]> = allowed.into();
        let following = client(&certificates, redirects(allowed.clone()))?;
        let direct = client(&certificates, Policy::none())?;
        Ok(Self {
            allowed,
            following,
            direct,
            certificates: certificates.into(),
        })
    }

    /// A client that follows redirects, at most five, to permitted systems only. Credentials in headers are not
    /// sent on to another host.
    pub fn client(&self) -> Client {
        self.following.clone()
    }

    /// A client that hands redirects out as answers: for requests with secrets in their body.
    pub fn direct_client(&self) -> Client {
        self.direct.clone()
    }

    /// The configuration names this system. Addresses that users or files give are asked for here first.
    pub fn permits(&self, url: &Url) -> bool {
        permits(&self.allowed, url)
    }
}

fn permits(allowed: &[Allowed], url: &Url) -> bool {
    allowed.iter().any(|allowed| allowed.permits(url))
}

fn redirects(allowed: Arc<[Allowed]>) -> Policy {
    Policy::custom(move |attempt: Attempt<'_>| {
        let refusal = if attempt.previous().len() > HOPS {
            Some(format!("more than {HOPS} redirects"))
        } else if !permits(&allowed, attempt.url()) {
            // The path could hold a token.
            let host = attempt.url().host_str().unwrap_or("nowhere");
            Some(format!("redirected to {host}, which the configuration does not name"))
        } else {
            None
        };
        match refusal {
            Some(reason) => attempt.error(reason),
            None => attempt.follow(),
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "the one constructor")]
fn builder(certificates: &[Certificate], redirects: Policy) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("portico/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIME)
        .read_timeout(READ_TIME)
        .timeout(TOTAL_TIME)
        .referer(false)
        .redirect(redirects)
        .tls_certs_merge(certificates.iter().cloned())
}

fn client(certificates: &[Certificate], redirects: Policy) -> Result<Client, OutboundError> {
    builder(certificates, redirects).build().map_err(OutboundError::Client)
}

/// The whole body, if it is not larger than `limit` bytes.
pub async fn read_body(mut response: Response, limit: u64) -> Result<Bytes, OutboundError> {
    let too_large = || OutboundError::TooLarge { limit };
    if response.content_length().is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(OutboundError::Broken)? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// An error of a client with everything that caused it, and without the address (it may hold a secret).
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut next = std::error::Error::source(&error);
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::response::Redirect;
    use axum::routing::get;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a valid address")
    }

    #[test]
    fn only_named_systems_are_permitted() {
        let allowed = [
            Allowed::Origin(url("https://forge.test:8443/gitea")),
            Allowed::Reading {
                host: "*.example.com".into(),
                paths: None,
            },
            Allowed::Reading {
                host: "raw.test".into(),
                paths: Some(vec!["/team/".into()]),
            },
        ];
        for (address, expected) in [
            ("https://forge.test:8443/anything", true),
            ("https://forge.test/gitea", false),
            ("http://forge.test:8443/gitea", false),
            ("https://a.example.com/x", true),
            ("https://example.com/x", false),
            ("https://evil-example.com/x", false),
            ("https://raw.test/team/a", true),
            ("https://raw.test/other", false),
            ("https://raw.test/team/../other", false),
            ("https://forge.test:8443@evil.test/", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(permits(&allowed, &url(address)), expected, "{address}");
        }
    }

    async fn serve(router: Router) -> Url {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        url(&format!("http://{address}/"))
    }

    #[tokio::test]
    async fn redirects_are_checked_and_credentials_stay() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let told =
            |headers: HeaderMap| async move { format!("authorization: {}", headers.contains_key("authorization")) };
        let other = serve(Router::new().route("/", get(told))).await;
        let there = other.to_string();
        let router = Router::new()
            .route("/out", get(move || async move { Redirect::temporary(&there) }))
            .route("/loop", get(|| async { Redirect::temporary("/loop") }))
            .route("/large", get(|| async { vec![b'x'; 2000] }));
        let here = serve(router).await;
        let ask = |outbound: &Outbound, path: &str| {
            let address = here.join(path).expect("a valid address");
            outbound.client().get(address).bearer_auth("secret").send()
        };
        let narrow = Outbound::new(vec![Allowed::Origin(here.clone())], &[]).expect("a client");
        let error = ask(&narrow, "out").await.expect_err("another system");
        assert!(explain(error).contains("the configuration does not name"));
        let error = ask(&narrow, "loop").await.expect_err("a loop");
        assert!(explain(error).contains("more than 5 redirects"));
        let large = ask(&narrow, "large").await.expect("an answer");
        assert!(matches!(
            read_body(large, 1000).await,
            Err(OutboundError::TooLarge { limit: 1000 })
        ));

        let wide = Outbound::new(vec![Allowed::Origin(here.clone()), Allowed::Origin(other)], &[]).expect("a client");
        let answer = ask(&wide, "out").await.expect("an answer").text().await.expect("text");
        assert_eq!(answer, "authorization: false");
    }
}
