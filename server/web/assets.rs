//! Static files, in the binary. Their URLs carry a digest of the content, so browsers keep them for good; what can be
//! compressed is compressed once.

use std::collections::HashMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::Error;
use crate::language::text;

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Files;

/// What every page runs, in this order. It is served as one file, so that a page asks once.
const SCRIPTS: [&str; 3] = ["htmx-2.0.11.min.js", "htmx-ext-sse-2.2.4.min.js", "app.js"];
/// Name of that file.
const ALL_SCRIPTS: &str = "scripts.js";

/// The address names the content.
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The address may stand for other content later.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

struct Asset {
    digest: String,
    content_type: HeaderValue,
    plain: Bytes,
    /// With gzip, where that is shorter.
    packed: Option<Bytes>,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    let mut assets = HashMap::new();
    for name in Files::iter().filter(|name| !SCRIPTS.contains(&name.as_ref())) {
        if let Some(file) = Files::get(&name)
            && let Ok(content_type) = HeaderValue::from_str(file.metadata.mimetype())
        {
            assets.insert(
                name.into_owned(),
                Asset::new(file.data.into_owned().into(), content_type),
            );
        }
    }
    let content_type = HeaderValue::from_static("text/javascript");
    assets.insert(ALL_SCRIPTS.to_owned(), Asset::new(joined(&SCRIPTS), content_type));
    assets
});

/// The scripts one after the other. Each ends its last statement: a file that begins with a bracket would otherwise be
/// read as a call of what the one before it ends with.
fn joined(names: &[&str]) -> Bytes {
    let mut all = Vec::new();
    for file in names.iter().filter_map(|name| Files::get(name)) {
        all.extend_from_slice(&file.data);
        all.extend_from_slice(b"\n;\n");
    }
    all.into()
}

impl Asset {
    fn new(plain: Bytes, content_type: HeaderValue) -> Self {
        Self {
            digest: hex::encode(&Sha256::digest(&plain)[..6]),
            content_type,
            packed: packed(&plain).ok().filter(|packed| packed.len() < plain.len()),
            plain,
        }
    }
}

fn packed(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(plain)?;
    Ok(gzip.finish()?.into())
}

/// URL of a file of `static/`, with the digest of its content; the plain URL where there is no such file.
pub fn asset(name: &str) -> String {
    match ASSETS.get(name) {
        Some(asset) => format!("/static/{name}?v={}", asset.digest),
        None => format!("/static/{name}"),
    }
}

/// `/static/<file>` and `/favicon.ico`.
pub fn routes() -> Router {
    Router::new().route("/static/{name}", get(show)).route(
        "/favicon.ico",
        get(|query, headers| show(Path("logo.svg".to_owned()), query, headers)),
    )
}

async fn show(Path(name): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Result<Response, Error> {
    let Some(asset) = ASSETS.get(&name) else {
        return Err(Error::NotFound(text!("There is no file {name}.", name = name)));
    };
    let packed = asset.packed.as_ref().filter(|_| takes_gzip(&headers));
    // Each form of a file has its own tag, and each means that the browser has it.
    let tag = |form: &str| format!("\"{}{form}\"", asset.digest);
    let current = tag(if packed.is_some() { "-gzip" } else { "" });
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let named = query.is_some_and(|query| query.strip_prefix("v=") == Some(&asset.digest));
    let mut answer = match known {
        Some(known) if known == tag("") || known == tag("-gzip") => StatusCode::NOT_MODIFIED.into_response(),
        _ => {
            let mut answer = packed.unwrap_or(&asset.plain).clone().into_response();
            let about = answer.headers_mut();
            about.insert(header::CONTENT_TYPE, asset.content_type.clone());
            if packed.is_some() {
                about.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            answer
        }
    };
    let about = answer.headers_mut();
    about.insert(header::CACHE_CONTROL, if named { FOR_GOOD } else { ASK_AGAIN });
    about.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    about.insert(header::ETAG, HeaderValue::from_str(&current).map_err(Error::internal)?);
    Ok(answer)
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|all| all.to_str().ok());
    accepted.unwrap_or_default().split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    async fn ask(url: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, Bytes) {
        let mut request = Request::get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).expect("a request");
        let (parts, body) = routes().oneshot(request).await.expect("infallible").into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body in memory");
        (parts.status, parts.headers, body)
    }

    #[test]
    fn every_file_that_the_shell_names_exists() {
        for name in ["app.css", ALL_SCRIPTS, "icons.svg", "logo.svg"] {
            assert!(asset(name).contains("?v="), "{name} is missing from static/");
        }
    }

    #[tokio::test]
    async fn the_scripts_come_as_one_file_unchanged_and_compressed() {
        let (_, _, plain) = ask("/static/scripts.js", &[]).await;
        let mut rest = plain.as_ref();
        for name in SCRIPTS {
            let file = Files::get(name).expect("a script of static/").data;
            rest = rest
                .strip_prefix(file.as_ref())
                .and_then(|rest| rest.strip_prefix(b"\n;\n"))
                .unwrap_or_else(|| panic!("{name} is not in its place"));
        }
        assert!(rest.is_empty());

        let (_, headers, packed) = ask("/static/scripts.js", &[("accept-encoding", "br, gzip;q=0.5")]).await;
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["vary"], "accept-encoding");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(packed.as_ref())
            .read_to_end(&mut unpacked)
            .expect("gzip");
        assert_eq!(unpacked, plain);
        let (_, headers, _) = ask("/static/scripts.js", &[("accept-encoding", "br, gzip;q=0")]).await;
        assert!(!headers.contains_key("content-encoding"));
    }

    #[tokio::test]
    async fn only_an_address_that_names_the_content_is_kept_for_good() {
        let (_, named, _) = ask(&asset("app.css"), &[]).await;
        assert_eq!(named["cache-control"], FOR_GOOD);
        for url in ["/static/app.css", "/static/app.css?v=000000000000", "/favicon.ico"] {
            let (status, headers, _) = ask(url, &[]).await;
            assert_eq!(status, StatusCode::OK, "{url}");
            assert_eq!(headers["cache-control"], ASK_AGAIN, "{url}");
            let tag = headers["etag"].to_str().expect("text");
            let (status, _, body) = ask(url, &[("if-none-match", tag), ("accept-encoding", "gzip")]).await;
            assert_eq!((status, body.len()), (StatusCode::NOT_MODIFIED, 0), "{url}");
        }
    }
}
