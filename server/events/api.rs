//! `POST /api/events/http/gitea/<hook id>`: a delivery of Forgejo or Gitea.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::{Webhooks, queries};
use crate::scm::{is_signed, reported_event};
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
    let forged = || Error::Forbidden("This delivery is not signed by a webhook of this portal.".into());
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
    if matches!(reported_event(&headers), Some("push" | "create" | "delete")) {
        webhooks.pushed(repository);
    }
    Ok(StatusCode::NO_CONTENT)
}
