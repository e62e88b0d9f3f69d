//! `POST /api/events/http/gitea/<hook id>`: a delivery of Forgejo or Gitea.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

use super::{Webhooks, queries};
use crate::scm::{Repository, Watched, is_signed, reported_event};
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
    let watched = queries::find_watched(&inner.db, id).await?.ok_or_else(forged)?;
    let delivery: Delivery = serde_json::from_slice(&body)
        .map_err(|error| Error::invalid("body", format!("The delivery cannot be read: {error}.")))?;
    let full_name = &delivery.repository.full_name;
    let repository = reported(&watched, full_name).ok_or_else(|| {
        let text = format!("This webhook is for {watched}, not for {full_name}.");
        Error::invalid("repository.full_name", text)
    })?;
    queries::record_delivery(&inner.db, id, inner.clock.now()).await?;
    if matches!(
        reported_event(&headers),
        Some("push" | "create" | "delete" | "repository")
    ) {
        webhooks.pushed(repository);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The repository that a delivery is about, where the webhook is for it.
fn reported(watched: &Watched, full_name: &str) -> Option<Repository> {
    let (owner, name) = full_name.split_once('/')?;
    let own_name = watched.name().is_none_or(|own| own.eq_ignore_ascii_case(name));
    let fits = owner.eq_ignore_ascii_case(watched.owner()) && own_name && !name.is_empty() && !name.contains('/');
    fits.then(|| Repository {
        forge: watched.forge().to_owned(),
        owner: watched.owner().to_owned(),
        name: watched.name().unwrap_or(name).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_speaks_for_what_it_was_made_for() {
        let forge = "https://forge.test".to_owned();
        let own = Repository {
            forge: forge.clone(),
            owner: "team".to_owned(),
            name: "one".to_owned(),
        };
        let all = Watched::Owner {
            forge,
            owner: "team".to_owned(),
        };
        let of_one = Watched::Repository(own.clone());
        let name = |watched: &Watched, full_name: &str| reported(watched, full_name).map(|found| found.name);
        assert_eq!(reported(&of_one, "Team/One"), Some(own));
        for (full_name, expected) in [
            ("team/two", Some("two")),
            ("TEAM/two", Some("two")),
            ("other/two", None),
            ("team/", None),
            ("team", None),
            ("team/a/b", None),
        ] {
            assert_eq!(name(&all, full_name).as_deref(), expected, "{full_name}");
            assert_eq!(name(&of_one, full_name), None, "{full_name}");
        }
    }
}
