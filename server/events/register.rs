//! Keeps the webhooks on the forges: registers what is wanted, verifies what stands, one at a time.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Webhooks;
use super::queries::{self, Hook};
use crate::scm::{ScmError, Watched};

/// How often a webhook that stands is verified: somebody may have removed it on the forge.
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a repository whose account may not register webhooks is left alone.
const DENIED_FOR: Duration = Duration::from_secs(60 * 60);
/// A taken webhook is somebody else's after this long: whoever took it has died.
const TAKEN_FOR: Duration = Duration::from_secs(60);
const LONGEST_BACKOFF: Duration = Duration::from_secs(15 * 60);

impl Webhooks {
    /// The secret of a webhook: derived from the portal's key, so that it need not be stored.
    pub(super) fn secret(&self, id: Uuid) -> String {
        hex::encode(self.0.keys.derive("webhook", id.as_bytes()))
    }

    /// Registers and verifies webhooks until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        loop {
            let pause = match self.register_due().await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "webhooks cannot be looked after while the database is away");
                    Duration::from_secs(5)
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.wanted.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Registers all that is due; answers how long to wait for the next.
    async fn register_due(&self) -> sqlx::Result<Duration> {
        let inner = &self.0;
        loop {
            let now = inner.clock.now();
            let Some(hook) = queries::take_due(&inner.db, now, now + TAKEN_FOR).await? else {
                let next = queries::find_next_check(&inner.db).await?;
                // Another replica may want one: look every minute at least.
                let pause = next.map_or(Duration::from_secs(60), |next| {
                    (next - now).to_std().unwrap_or_default()
                });
                return Ok(pause.clamp(Duration::from_millis(100), Duration::from_secs(60)));
            };
            self.register(&hook).await?;
        }
    }

    async fn register(&self, hook: &Hook) -> sqlx::Result<()> {
        let inner = &self.0;
        let url = format!("{}/api/events/http/gitea/{}", inner.base_url, hook.id);
        if let Watched::Repository(repository) = &hook.watched
            && !hook.stands
            && queries::is_covered(&inner.db, repository).await?
        {
            return queries::delete(&inner.db, hook.id).await;
        }
        let done = match inner.forges.forge_at(hook.watched.forge()) {
            Ok(forge) => forge.ensure_webhook(&hook.watched, &url, &self.secret(hook.id)).await,
            Err(error) => Err(error),
        };
        let now = inner.clock.now();
        let watched = &hook.watched;
        match done {
            Ok(()) => {
                tracing::info!(%watched, "the webhook stands");
                queries::mark_registered(&inner.db, hook.id, now + VERIFY_EVERY).await
            }
            Err(ScmError::NotFound { .. }) if hook.failures > 3 && watched.name().is_some() => {
                queries::delete(&inner.db, hook.id).await
            }
            Err(error) => {
                // Of somebody else's account there are none to be had.
                let denied = match &error {
                    ScmError::NotFound { .. } => watched.name().is_none(),
                    other => matches!(other, ScmError::Denied { .. } | ScmError::UnknownHost { .. }),
                };
                let wait = match &error {
                    _ if denied => DENIED_FOR,
                    ScmError::RateLimited {
                        retry_after: Some(time),
                        ..
                    } => backoff(hook.failures).max(*time),
                    _ => backoff(hook.failures),
                };
                tracing::warn!(%watched, %error, "the webhook could not be registered; polling goes on meanwhile");
                queries::mark_failed(&inner.db, hook.id, denied, &error.to_string(), now + wait).await
            }
        }
    }
}

/// 1 s, 2 s, 4 s … 15 min.
fn backoff(failures: i32) -> Duration {
    let exponent = u32::try_from(failures).unwrap_or(0).min(16);
    Duration::from_secs(1 << exponent).min(LONGEST_BACKOFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_become_rarer_up_to_a_limit() {
        let waits: Vec<u64> = [0, 1, 5, 10, 40]
            .into_iter()
            .map(|failures| backoff(failures).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 32, 900, 900]);
    }
}
