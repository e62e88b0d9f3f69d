//! What Forgejo and Gitea deliver to a webhook, apart from its body.

use axum::http::HeaderMap;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// What a delivery reports: `push` and the like.
pub fn reported_event(headers: &HeaderMap) -> Option<&str> {
    ["x-forgejo-event", "x-gitea-event"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
}

/// True when a signature header holds the HMAC-SHA256 of the body, in hexadecimal. `verify_slice` compares
/// in constant time.
pub fn is_signed(headers: &HeaderMap, secret: &str, body: &[u8]) -> bool {
    ["x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"]
        .iter()
        .any(|name| {
            let Some(signature) = headers.get(*name).and_then(|value| value.to_str().ok()) else {
                return false;
            };
            let Ok(signature) = hex::decode(signature.trim_start_matches("sha256=")) else {
                return false;
            };
            Hmac::<Sha256>::new_from_slice(secret.as_bytes())
                .is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_signature_is_believed() {
        let body = b"{}";
        let mac = Hmac::<Sha256>::new_from_slice(b"secret").unwrap().chain_update(body);
        let right = hex::encode(mac.finalize().into_bytes());
        let table = [
            ("x-gitea-signature", right.clone(), true),
            ("x-forgejo-signature", right.clone(), true),
            ("x-hub-signature-256", format!("sha256={right}"), true),
            (
                "x-gitea-signature",
                right.replace(|c: char| c.is_ascii_digit(), "0"),
                false,
            ),
            ("x-gitea-signature", String::new(), false),
            ("x-gitea-signature", right[..32].to_owned(), false),
            ("x-other", right.clone(), false),
        ];
        for (name, value, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(is_signed(&headers, "secret", body), expected, "{name}: {value}");
            assert!(!is_signed(&headers, "another", body), "{name}: {value}");
        }
    }
}
