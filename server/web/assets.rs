//! Static files, in the binary. Their URLs carry a digest of the content, so browsers keep them for good.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Error;
use crate::language::text;

#[derive(rust_embed::RustEmbed)]
#[folder = "static/"]
struct Files;

struct Asset {
    url: String,
    etag: HeaderValue,
    content_type: HeaderValue,
}

static ASSETS: LazyLock<HashMap<String, Asset>> = LazyLock::new(|| {
    Files::iter()
        .filter_map(|name| {
            let file = Files::get(&name)?;
            let digest = hex::encode(&file.metadata.sha256_hash()[..6]);
            let asset = Asset {
                url: format!("/static/{name}?v={digest}"),
                etag: HeaderValue::from_str(&format!("\"{digest}\"")).ok()?,
                content_type: HeaderValue::from_str(file.metadata.mimetype()).ok()?,
            };
            Some((name.into_owned(), asset))
        })
        .collect()
});

/// URL of a file of `static/`, with the digest of its content; the plain URL where there is no such file.
pub fn asset(name: &str) -> String {
    match ASSETS.get(name) {
        Some(asset) => asset.url.clone(),
        None => format!("/static/{name}"),
    }
}

/// `/static/<file>` and `/favicon.ico`.
pub fn routes() -> Router {
    Router::new().route("/static/{name}", get(show)).route(
        "/favicon.ico",
        get(|headers| show(Path("logo.svg".to_owned()), headers)),
    )
}

async fn show(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Error> {
    let (Some(asset), Some(file)) = (ASSETS.get(&name), Files::get(&name)) else {
        return Err(Error::NotFound(text!("There is no file {name}.", name = name)));
    };
    let cache = (
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    let etag = (header::ETAG, asset.etag.clone());
    if headers.get(header::IF_NONE_MATCH) == Some(&asset.etag) {
        return Ok((StatusCode::NOT_MODIFIED, [cache, etag]).into_response());
    }
    let content_type = (header::CONTENT_TYPE, asset.content_type.clone());
    Ok(([cache, etag, content_type], file.data.into_owned()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_the_shell_names_exists() {
        for name in [
            "app.css",
            "app.js",
            "icons.svg",
            "logo.svg",
            "htmx-2.0.11.min.js",
            "htmx-ext-sse-2.2.4.min.js",
        ] {
            assert!(asset(name).contains("?v="), "{name} is missing from static/");
        }
    }
}
