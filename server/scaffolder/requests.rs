//! Requests that a step sends: to the portal's own API as whoever started the task, to a system that `proxy` of the
//! configuration names, or to a host that `scaffolder.http.allowedHosts` names. To nothing else, and the portal's own
//! credentials go nowhere: its API is answered in this process, without a token.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::outbound::{self, Outbound};
use crate::telemetry;

/// Longest answer that is read.
const ANSWER_LIMIT: usize = 8 * 1024 * 1024;
/// Headers that pass through a proxy both ways; others are named by its configuration.
const HARMLESS: [HeaderName; 9] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::PRAGMA,
];

/// Answers requests to the portal's own API.
#[async_trait::async_trait]
pub trait OwnApi: Send + Sync {
    /// The answer as `actor` would get it, who started the task. An error says why there is none.
    async fn answer(&self, actor: &str, request: Request<Body>) -> Result<Response<Body>, String>;
}

/// What the configuration says about requests.
#[derive(Debug, Clone, Default)]
pub struct RequestSettings {
    pub proxies: Vec<ProxyRoute>,
    /// `scaffolder.http.allowedHosts`.
    pub allowed_hosts: Vec<String>,
    /// `scaffolder.http.allowedMethods`; all where it is empty.
    pub allowed_methods: Vec<String>,
}

/// An endpoint of `proxy`.
#[derive(Debug, Clone)]
pub struct ProxyRoute {
    /// With a slash in front and none at the end.
    pub path: String,
    pub target: Url,
    pub headers: HeaderMap,
    /// All where it is `None`.
    pub allowed_methods: Option<Vec<String>>,
    pub allowed_headers: Vec<String>,
    /// Over `/api/proxy/<path>/…`; the first that matches counts. `None` takes the endpoint's own path away.
    pub rewrite: Option<Vec<(regex::Regex, String)>>,
}

/// What a step sends.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: Method,
    /// `<plugin>/<path>` of the portal's API, or a whole address.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub within: Duration,
}

/// What came back.
#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It may not be sent as it is.
    #[error("{0}")]
    Refused(String),
    #[error("there is no answer from {to}: {reason}")]
    NoAnswer { to: String, reason: String },
}

/// Sends requests. Cheap to clone.
#[derive(Clone)]
pub struct Requests(Arc<Inner>);

struct Inner {
    settings: RequestSettings,
    outbound: Option<Outbound>,
    own: OnceLock<Arc<dyn OwnApi>>,
}

impl Requests {
    /// Without an `outbound` only the portal's own API is there.
    pub fn new(settings: RequestSettings, outbound: Option<Outbound>) -> Self {
        Self(Arc::new(Inner {
            settings,
            outbound,
            own: OnceLock::new(),
        }))
    }

    /// The API exists only after everything that it consists of. The first one stays.
    pub fn answered_by(&self, own: Arc<dyn OwnApi>) {
        let _ = self.0.own.set(own);
    }

    /// Sends it as far as it may be sent.
    pub async fn send(&self, actor: &str, asked: Asked) -> Result<Answered, RequestError> {
        let methods = &self.0.settings.allowed_methods;
        if !methods.is_empty() && !methods.iter().any(|method| method == asked.method.as_str()) {
            return Err(RequestError::Refused(format!(
                "the method {} is not among scaffolder.http.allowedMethods",
                asked.method
            )));
        }
        let within = asked.within;
        let to = where_to(&asked.path);
        let sending = async {
            if asked.path.contains("://") {
                return self.elsewhere(asked).await;
            }
            let path = checked(&asked.path)?;
            match path.strip_prefix("proxy/") {
                Some(_) => self.through_proxy(&path, asked).await,
                None => self.ours(actor, &path, asked).await,
            }
        };
        tokio::time::timeout(within, sending).await.unwrap_or_else(|_| {
            Err(RequestError::NoAnswer {
                to,
                reason: format!("it took longer than {} s", within.as_secs_f64()),
            })
        })
    }

    async fn ours(&self, actor: &str, path: &str, mut asked: Asked) -> Result<Answered, RequestError> {
        let no_answer = |reason: String| RequestError::NoAnswer {
            to: where_to(path),
            reason,
        };
        let own = self.0.own.get();
        let own = own.ok_or_else(|| no_answer("the portal is just starting".to_owned()))?;
        // What comes back is read here, as it is.
        asked.headers.remove(header::ACCEPT_ENCODING);
        let mut request = Request::builder()
            .method(asked.method)
            .uri(with_query(&format!("/api/{path}"), &asked.query))
            .body(Body::from(asked.body))
            .map_err(|error| RequestError::Refused(format!("the path \"{path}\" cannot be used: {error}")))?;
        *request.headers_mut() = asked.headers;
        let (parts, body) = own.answer(actor, request).await.map_err(no_answer)?.into_parts();
        let mut stream = body.into_data_stream();
        let mut body = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| no_answer(format!("it broke off: {error}")))?;
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(no_answer(format!(
                    "it is longer than {} MiB",
                    ANSWER_LIMIT / 1024 / 1024
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answered {
            status: parts.status,
            headers: parts.headers,
            body: body.into(),
        })
    }

    async fn through_proxy(&self, path: &str, mut asked: Asked) -> Result<Answered, RequestError> {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let below = &path["proxy".len()..];
        let routes = self.0.settings.proxies.iter().filter(|route| {
            let rest = below.strip_prefix(route.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let route = routes.max_by_key(|route| route.path.len()).ok_or_else(|| {
            RequestError::Refused(format!(
                "the configuration has no endpoint for /{path}; add it under proxy.endpoints"
            ))
        })?;
        if let Some(methods) = &route.allowed_methods
            && !methods.iter().any(|method| method == asked.method.as_str())
        {
            return Err(RequestError::Refused(format!(
                "the method {} is not among the allowedMethods of the endpoint {} of proxy",
                asked.method, route.path
            )));
        }
        let rest = match &route.rewrite {
            None => below[route.path.len()..].to_owned(),
            Some(rules) => {
                let whole = format!("/api/{path}");
                let rule = rules.iter().find(|(pattern, _)| pattern.is_match(&whole));
                rule.map_or_else(
                    || whole.clone(),
                    |(pattern, by)| pattern.replace(&whole, by.as_str()).into_owned(),
                )
            }
        };
        let target = format!(
            "{}/{}",
            route.target.as_str().trim_end_matches('/'),
            rest.trim_start_matches('/')
        );
        let query = query.map_or(String::new(), |query| format!("?{query}"));
        let url = Url::parse(&with_query(&format!("{target}{query}"), &asked.query))
            .map_err(|error| RequestError::Refused(format!("{path} leads to no address: {error}")))?;
        let passes = |name: &HeaderName| {
            HARMLESS.contains(name)
                || route.headers.contains_key(name)
                || route
                    .allowed_headers
                    .iter()
                    .any(|allowed| name.as_str().eq_ignore_ascii_case(allowed))
        };
        asked.headers = kept(asked.headers, passes);
        asked.headers.extend(route.headers.clone());
        let mut answered = self.out(url, asked).await?;
        answered.headers = kept(answered.headers, passes);
        Ok(answered)
    }

    async fn elsewhere(&self, asked: Asked) -> Result<Answered, RequestError> {
        let url = Url::parse(&asked.path)
            .map_err(|error| RequestError::Refused(format!("\"{}\" is no address: {error}", asked.path)))?;
        let host = url.host_str().unwrap_or_default();
        let allowed = self.0.settings.allowed_hosts.iter().any(|allowed| {
            let below = host.strip_suffix(allowed.as_str());
            below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
        });
        if !allowed || !url.username().is_empty() || url.password().is_some() {
            return Err(RequestError::Refused(format!(
                "requests to {host} are not allowed: a path such as /catalog/entities names the portal's own API, one \
                 such as /proxy/<endpoint>/… a system under proxy.endpoints; other hosts have to be named by \
                 scaffolder.http.allowedHosts, and never with credentials in the address"
            )));
        }
        let url = with_query(url.as_str(), &asked.query);
        let url = Url::parse(&url).map_err(|error| RequestError::Refused(error.to_string()))?;
        self.out(url, asked).await
    }

    async fn out(&self, url: Url, asked: Asked) -> Result<Answered, RequestError> {
        let to = url.host_str().unwrap_or_default().to_owned();
        let Some(outbound) = self.0.outbound.as_ref().filter(|outbound| outbound.permits(&url)) else {
            return Err(RequestError::Refused(format!("the configuration does not name {to}")));
        };
        // Redirects are answers: no header of ours or the template's reaches a host that it was not meant for.
        let request = outbound
            .direct_client()
            .request(asked.method, url)
            .headers(asked.headers)
            .timeout(asked.within);
        let request = if asked.body.is_empty() {
            request
        } else {
            request.body(asked.body)
        };
        let no_answer = |reason: String| RequestError::NoAnswer { to: to.clone(), reason };
        telemetry::outside(async {
            let answer = request
                .send()
                .await
                .map_err(|error| no_answer(outbound::explain(error)))?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let body = outbound::read_body(answer, ANSWER_LIMIT as u64).await;
            let body = body.map_err(|error| no_answer(error.to_string()))?;
            Ok(Answered { status, headers, body })
        })
        .await
    }
}

fn kept(headers: HeaderMap, passes: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for (name, value) in &headers {
        if passes(name) {
            kept.append(name, HeaderValue::clone(value));
        }
    }
    kept
}

/// What an error calls it: without the query, which can hold a secret.
fn where_to(path: &str) -> String {
    path.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The path without its leading slash; refused where it could mean another one than it looks like.
fn checked(path: &str) -> Result<String, RequestError> {
    let refuse = |why: &str| RequestError::Refused(format!("the path \"{}\" {why}", where_to(path)));
    let path = path.trim_start_matches('/');
    let plain = where_to(path);
    for segment in plain.split('/') {
        let decoded = percent_decode_str(segment)
            .decode_utf8()
            .map_err(|_| refuse("is not UTF-8"))?;
        if matches!(&*decoded, "." | "..") || decoded.contains('\\') {
            return Err(refuse("has a segment . or .. or a backslash"));
        }
    }
    if plain.is_empty() {
        return Err(refuse("names nothing: it starts with the plugin, as /catalog/entities"));
    }
    // Spaces and letters that an address cannot have as they are, in the query too.
    Ok(percent_encoding::utf8_percent_encode(path, UNFIT).to_string())
}

/// What no part of an address has as it is. A `%` stays: what is written encoded is meant so.
const UNFIT: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'#');

fn with_query(address: &str, query: &[(String, String)]) -> String {
    if query.is_empty() {
        return address.to_owned();
    }
    let joint = if address.contains('?') { '&' } else { '?' };
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(query)
        .finish();
    format!("{address}{joint}{query}")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::any;

    use super::*;
    use crate::outbound::Allowed;

    struct Echo;

    #[async_trait::async_trait]
    impl OwnApi for Echo {
        async fn answer(&self, actor: &str, request: Request<Body>) -> Result<Response<Body>, String> {
            Ok(Response::new(Body::from(format!(
                "{actor} {} {}",
                request.method(),
                request.uri()
            ))))
        }
    }

    fn asked(path: &str) -> Asked {
        Asked {
            method: Method::GET,
            path: path.to_owned(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            within: Duration::from_secs(5),
        }
    }

    async fn text(requests: &Requests, asked: Asked) -> String {
        match requests.send("user:default/a", asked).await {
            Ok(answered) => String::from_utf8_lossy(&answered.body).into_owned(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[tokio::test]
    async fn paths_are_of_the_portal_and_nothing_else() {
        let requests = Requests::new(RequestSettings::default(), None);
        assert!(
            text(&requests, asked("/catalog/entities"))
                .await
                .contains("just starting")
        );
        requests.answered_by(Arc::new(Echo));
        for (path, expected) in [
            ("/catalog/entities", "user:default/a GET /api/catalog/entities"),
            (
                "catalog/entities?filter=kind=a b",
                "user:default/a GET /api/catalog/entities?filter=kind=a%20b",
            ),
            ("/catalog/../login", "error: the path"),
            ("/catalog/%2e%2e/login", "error: the path"),
            ("//evil.test/x", "user:default/a GET /api/evil.test/x"),
            ("/", "error: the path"),
            ("https://evil.test/x", "error: requests to evil.test are not allowed"),
            (
                "/proxy/none/x",
                "error: the configuration has no endpoint for /proxy/none/x",
            ),
        ] {
            let found = text(&requests, asked(path)).await;
            assert!(found.starts_with(expected), "{path}: {found}");
        }
        let mut params = asked("/catalog/entities?a=1");
        params.query = vec![("filter".to_owned(), "kind=component".to_owned())];
        let found = text(&requests, params).await;
        assert!(found.ends_with("/entities?a=1&filter=kind%3Dcomponent"), "{found}");
    }

    /// A system that tells what reached it.
    async fn serve() -> Url {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let told = |request: Request<Body>| async move {
            let headers = request.headers();
            let seen = |name: &str| {
                headers
                    .get(name)
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or("-")
                    .to_owned()
            };
            let text = format!(
                "{} key={} authorization={} cookie={}",
                request.uri(),
                seen("x-key"),
                seen("authorization"),
                seen("cookie")
            );
            ([("x-inner", "1"), ("content-language", "en")], text)
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let away = || async { axum::response::Redirect::temporary("http://127.0.0.1:9/") };
        let router = Router::new().route("/api/away", any(away)).fallback(told);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Url::parse(&format!("http://{address}")).unwrap()
    }

    #[tokio::test]
    async fn a_proxy_sends_its_own_credentials_and_nobody_elses() {
        let system = serve().await;
        let mut headers = HeaderMap::new();
        headers.insert("x-key", HeaderValue::from_static("configured"));
        let route = ProxyRoute {
            path: "/sys".to_owned(),
            target: system.join("/api").unwrap(),
            headers,
            allowed_methods: Some(vec!["GET".to_owned()]),
            allowed_headers: Vec::new(),
            rewrite: None,
        };
        let rule = (regex::Regex::new("^/api/proxy/old/").unwrap(), "/new/".to_owned());
        let rewriting = ProxyRoute {
            path: "/old".to_owned(),
            allowed_headers: vec!["Authorization".to_owned()],
            rewrite: Some(vec![rule]),
            ..route.clone()
        };
        let settings = RequestSettings {
            proxies: vec![route, rewriting],
            allowed_hosts: vec!["127.0.0.1".to_owned()],
            ..RequestSettings::default()
        };
        let outbound = Outbound::new(vec![Allowed::Origin(system.clone())], &[]).unwrap();
        let requests = Requests::new(settings, Some(outbound));
        let mut given = HeaderMap::new();
        for name in ["authorization", "cookie", "x-key"] {
            given.insert(HeaderName::from_static(name), HeaderValue::from_static("given"));
        }
        let with = |path: &str| Asked {
            headers: given.clone(),
            ..asked(path)
        };
        for (asked, expected) in [
            (
                with("/proxy/sys/a?b=1"),
                "/api/a?b=1 key=configured authorization=- cookie=-",
            ),
            (
                with("/proxy/old/a"),
                "/api/new/a key=configured authorization=given cookie=-",
            ),
            (
                with(system.join("/x").unwrap().as_str()),
                "/x key=given authorization=given cookie=given",
            ),
            (with("/proxy/system/a"), "error: the configuration has no endpoint"),
            (
                with("http://127.0.0.1:9/x"),
                "error: the configuration does not name 127.0.0.1",
            ),
            (
                with("http://u:p@127.0.0.1/x"),
                "error: requests to 127.0.0.1 are not allowed",
            ),
            (
                Asked {
                    method: Method::POST,
                    ..with("/proxy/sys/a")
                },
                "error: the method POST is not among",
            ),
        ] {
            let path = asked.path.clone();
            let found = text(&requests, asked).await;
            assert!(found.starts_with(expected), "{path}: {found}");
        }
        let answered = requests.send("user:default/a", with("/proxy/sys/a")).await.unwrap();
        assert!(!answered.headers.contains_key("x-inner") && answered.headers.contains_key("content-language"));
        let answered = requests.send("user:default/a", with("/proxy/sys/away")).await.unwrap();
        assert_eq!(answered.status, StatusCode::TEMPORARY_REDIRECT);
    }
}
