//! `POST /api/events/http/gitea/<hook id>`: a delivery of Forgejo or Gitea.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use uuid::Uuid;

use super::{Webhooks, queries};
use crate::web::Error;

/// What is read of a delivery; the forge sends far more.
#[derive(Deserialize)]
struct Delivery {
    repository: DeliveredRepository,
}

#[derive(Deserialize)]
struct DeliveredRepository {
    full_name: String,
}

/// Takes a delivery. An unknown hook and a wrong signature get the same answer, so that nobody learns
/// which hooks exist. Answers 204 once the delivery is believed; acting on it goes on in the background.
pub async fn receive(
    State(webhooks): State<Webhooks>,
    Path(hook): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<StatusCode, Error> {
    let forged = || Error::Forbidden("This delivery is not signed by a webhook of this portal.".to_owned());
    let id = Uuid::parse_str(&hook).map_err(|_| forged())?;
    // Before the signature is checked nothing is asked of the database: the secret follows from the id.
    if !is_signed(&headers, &webhooks.secret(id), &body) {
        return Err(forged());
    }
    let inner = &webhooks.0;
    let repository = queries::find_repository(&inner.db, id).await?.ok_or_else(forged)?;
    let delivery: Delivery = serde_json::from_slice(&body)
        .map_err(|error| Error::invalid("body", format!("The delivery cannot be read: {error}.")))?;
    let expected = format!("{}/{}", repository.owner, repository.name);
    if !delivery.repository.full_name.eq_ignore_ascii_case(&expected) {
        return Err(Error::invalid(
            "repository.full_name",
            format!(
                "This webhook is for {expected}, not for {}.",
                delivery.repository.full_name
            ),
        ));
    }
    queries::record_delivery(&inner.db, id, inner.clock.now()).await?;
    if matches!(event(&headers), Some("push" | "create" | "delete")) {
        webhooks.pushed(repository);
    }
    Ok(StatusCode::NO_CONTENT)
}

fn event(headers: &HeaderMap) -> Option<&str> {
    ["x-forgejo-event", "x-gitea-event"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
}

/// True when a signature header holds the HMAC-SHA256 of the body, in hexadecimal. `verify_slice` compares
/// in constant time.
fn is_signed(headers: &HeaderMap, secret: &str, body: &[u8]) -> bool {
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
