//! Pictures of a repository: only what is one, told by its content.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

/// A drawing can hold scripts: nothing in it may run, nor be fetched.
const HARMLESS: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// The type of a picture, by how it begins.
pub fn kind(content: &[u8]) -> Option<&'static str> {
    let start = |bytes: &[u8]| content.starts_with(bytes);
    if start(b"\x89PNG\r\n\x1a\n") {
        return Some("image/png");
    }
    if start(b"\xff\xd8\xff") {
        return Some("image/jpeg");
    }
    if start(b"GIF87a") || start(b"GIF89a") {
        return Some("image/gif");
    }
    if start(b"RIFF") && content.get(8..12) == Some(b"WEBP") {
        return Some("image/webp");
    }
    if content.get(4..8) == Some(b"ftyp") && matches!(content.get(8..12), Some(b"avif" | b"avis")) {
        return Some("image/avif");
    }
    is_drawing(content).then_some("image/svg+xml")
}

/// An SVG: its first element, behind a declaration and comments.
fn is_drawing(content: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&content[..content.len().min(4096)]);
    let mut rest = start.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!") => ">",
            _ => break,
        };
        match rest.split_once(end) {
            Some((_, behind)) => rest = behind.trim_start(),
            None => return false,
        }
    }
    rest.strip_prefix("<svg")
        .is_some_and(|rest| rest.starts_with([' ', '>', '\n', '\r', '\t']))
}

/// The answer; `None` where it is no picture. `lasting`: the address names the content.
pub fn answer(content: Bytes, lasting: bool) -> Option<Response> {
    let kind = kind(&content)?;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HARMLESS);
    let keep = match lasting {
        true => "private, max-age=604800, immutable",
        false => "private, max-age=30",
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    Some((headers, content).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_by_their_content() {
        for (content, expected) in [
            (&b"\x89PNG\r\n\x1a\n...."[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0", Some("image/jpeg")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\0\0\0\0WEBPVP8", Some("image/webp")),
            (b"\0\0\0\x20ftypavif", Some("image/avif")),
            (
                b"<?xml version=\"1.0\"?>\n<!-- a -->\n<!DOCTYPE svg>\n<svg xmlns=\"x\"/>",
                Some("image/svg+xml"),
            ),
            (b"<svg>", Some("image/svg+xml")),
            (b"<svgx>", None),
            (b"<html><svg></svg></html>", None),
            (b"<?xml", None),
            (b"", None),
            (b"%PDF-1.7", None),
        ] {
            assert_eq!(kind(content), expected, "{content:?}");
        }
    }
}
