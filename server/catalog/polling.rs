//! Sources are looked at again: at once where a push was reported, else now and then, gently. A repository that did not
//! change costs one request, whatever the number of its locations; a forge that fails or asks to slow down is left alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::operations::ReadReport;
use super::people::IDENTITY;
use super::read::{self, Snapshots};
use super::{Catalog, CatalogError, LocationState, queries};
use crate::language::text;
use crate::scm::{Repository, ScmError};

/// The longest wait after failures that may pass by themselves.
const LONGEST_BACKOFF_SECONDS: i64 = 600;
/// The longest wait that a forge may ask for.
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// Forges that are left alone for a while, because they fail or asked for it.
#[derive(Default)]
pub struct Pauses(Mutex<HashMap<String, Pause>>);

struct Pause {
    until: DateTime<Utc>,
    failures: i32,
}

impl Pauses {
    /// Until when the forge is left alone.
    pub fn until(&self, forge: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = pauses.get(forge)?.until;
        (until > now).then_some(until)
    }

    /// Remembers how a forge answered: longer pauses with each failure, none any more after an answer.
    pub fn note(&self, forge: &str, failure: Option<&ScmError>, now: DateTime<Utc>) {
        let mut pauses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(error) = failure else {
            pauses.remove(forge);
            return;
        };
        let pause = pauses.entry(forge.to_owned()).or_insert(Pause {
            until: now,
            failures: 0,
        });
        // What fails while it is left alone tells nothing new.
        if pause.until <= now {
            pause.failures = pause.failures.saturating_add(1);
            pause.until = now + backoff(pause.failures);
        }
        let asked = match error {
            ScmError::RateLimited { retry_after, .. } => *retry_after,
            _ => None,
        };
        let asked = asked
            .and_then(|time| TimeDelta::from_std(time).ok())
            .unwrap_or_default();
        pause.until = pause.until.max(now + asked.min(LONGEST_PAUSE));
    }
}

/// 16 s, 32 s … 10 min.
fn backoff(failures: i32) -> TimeDelta {
    TimeDelta::seconds((8_i64 << failures.clamp(1, 8)).min(LONGEST_BACKOFF_SECONDS))
}

impl Catalog {
    /// Reads a location again. Without `force`, it is not read where none of its commits changed.
    pub async fn read_location(&self, id: Uuid, force: bool) -> Result<ReadReport, CatalogError> {
        self.read_with(id, force, &Snapshots::default()).await
    }

    /// What the worker does with a location that is due. Locations in the same repositories need no look of their own.
    pub(super) async fn poll(&self, id: Uuid) -> Result<ReadReport, CatalogError> {
        let location = self.find_location(id).await?;
        // One that was never read, or that somebody asks for, tells at least why it cannot be read.
        let reconciled = location.checked_at.is_some() && !location.stale;
        if reconciled && self.put_off(&location).await? {
            return Ok(ReadReport::nothing_new());
        }
        let snapshots = Snapshots::default();
        let report = self.read_one(&location, false, &snapshots).await?;
        if self.put_off(&location).await? {
            return Ok(report);
        }
        if report.unchanged {
            let now = self.clock().now();
            let next = self.next_read(now, 0);
            queries::polling::store_unchanged_beside(
                self.db(),
                id,
                &self.reader(),
                now,
                next,
                self.config().orphan_grace,
            )
            .await?;
            return Ok(report);
        }
        for checked in queries::locations::list_repositories(self.db(), id).await? {
            for beside in queries::locations::list_of_repository(self.db(), &checked.repository).await? {
                if beside != id
                    && let Err(error) = self.read_with(beside, false, &snapshots).await
                {
                    tracing::warn!(location = %beside, %error, "a location could not be read");
                }
            }
        }
        Ok(report)
    }

    /// Postpones a location whose forge is left alone. False: it is not.
    async fn put_off(&self, location: &LocationState) -> Result<bool, CatalogError> {
        let now = self.clock().now();
        let located = self.sources().locate(&location.target).ok();
        let until = located.and_then(|located| self.pauses().until(&located.source.repository.forge, now));
        if let Some(until) = until {
            queries::polling::postpone(self.db(), location.id, spread(until, now)).await?;
        }
        Ok(until.is_some())
    }

    async fn find_location(&self, id: Uuid) -> Result<LocationState, CatalogError> {
        queries::locations::find(self.db(), id)
            .await?
            .ok_or_else(|| CatalogError::NotFound(text!("There is no location {id} any more.", id = id.to_string())))
    }

    async fn read_with(&self, id: Uuid, force: bool, snapshots: &Snapshots) -> Result<ReadReport, CatalogError> {
        let location = self.find_location(id).await?;
        self.read_one(&location, force, snapshots).await
    }

    async fn read_one(
        &self,
        location: &LocationState,
        force: bool,
        snapshots: &Snapshots,
    ) -> Result<ReadReport, CatalogError> {
        let id = location.id;
        let started = self.clock().now();
        if location.kind == IDENTITY {
            return Err(CatalogError::Invalid(
                format!(
                    "{} is not read: people and groups come from it when they log in.",
                    location.target
                )
                .into(),
            ));
        }
        let since = started - self.config().orphan_grace;
        let expired = queries::entities::has_expired(self.db(), id, since).await?;
        let unchanged = !force && !expired && self.is_unchanged(location, snapshots).await?;
        if unchanged {
            self.note_answers(snapshots);
            let now = self.clock().now();
            let next = self.next_read(now, 0);
            queries::locations::store_unchanged(self.db(), id, now, next, self.config().orphan_grace).await?;
            return Ok(ReadReport::nothing_new());
        }
        let previous = queries::entities::list_previous(self.db(), id).await?;
        let root = (location.kind.as_str(), location.target.as_str());
        let outcome = read::read(self.sources(), snapshots, self.policy(), root, &previous).await;
        self.note_answers(snapshots);
        self.store(location, outcome, started).await
    }

    fn note_answers(&self, snapshots: &Snapshots) {
        let now = self.clock().now();
        for (forge, failure) in snapshots.forges() {
            self.pauses().note(&forge, failure.as_ref(), now);
        }
    }

    async fn is_unchanged(&self, location: &LocationState, snapshots: &Snapshots) -> Result<bool, CatalogError> {
        if location.stale
            || location.kind != "url"
            || location.read_by.as_deref() != Some(self.reader().as_str())
            || location.problems.iter().any(|problem| problem.temporary)
        {
            return Ok(false);
        }
        let checked = queries::locations::list_repositories(self.db(), location.id).await?;
        for one in &checked {
            let Ok(forge) = self.sources().forge_of(&one.repository) else {
                return Ok(false);
            };
            let key = (one.repository.clone(), one.reference.clone());
            match snapshots.head(&*forge, &key).await {
                Ok(commit) if commit == one.commit => {}
                // A forge that is away is told by the read itself.
                _ => return Ok(false),
            }
        }
        Ok(!checked.is_empty())
    }

    /// Reads again, now, every location in this repository (a push was reported), with one look at its files.
    pub async fn refresh_repository(&self, repository: &Repository) -> Result<(), CatalogError> {
        self.tell_push(repository);
        let snapshots = Snapshots::default();
        let mut failed = None;
        for id in queries::locations::list_of_repository(self.db(), repository).await? {
            // One location must not keep the others from being read.
            if let Err(error) = self.read_with(id, true, &snapshots).await {
                tracing::warn!(location = %id, %error, "a location could not be read after a push");
                failed = Some(error);
            }
        }
        if let Err(error) = self.look_at_proposals_of(repository).await {
            tracing::warn!(%error, "what has become of proposed files is not known");
        }
        let discovered = self.discover_in(repository).await.err();
        failed.or(discovered).map_or(Ok(()), Err)
    }

    /// What reads files: the version of the program, and what the configuration declares. Reads of another one are not
    /// trusted to have found all there is to find.
    pub(super) fn reader(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        match self.kinds().digest() {
            None => version.to_owned(),
            Some(digest) => format!("{version}+{digest}"),
        }
    }

    /// When a location is read next. `failures` counts reads in a row that may succeed by themselves later.
    pub(super) fn next_read(&self, now: DateTime<Utc>, failures: i32) -> DateTime<Utc> {
        let seconds = match (failures, self.config().interval) {
            (0, Some(interval)) => {
                let seconds = interval.as_secs_f64();
                // Spread, so that not all locations are read at the same moment for ever.
                (seconds * rand::random_range(1.0..=1.5)) as i64
            }
            // Polling is off: a hundred years.
            (0, None) => 100 * 365 * 24 * 3600,
            (failures, _) => return now + backoff(failures),
        };
        now + TimeDelta::seconds(seconds)
    }
}

/// Some time after the end of a pause, so that not all that waits for it comes at once.
fn spread(until: DateTime<Utc>, now: DateTime<Utc>) -> DateTime<Utc> {
    let wait = (until - now).as_seconds_f64().max(1.0);
    until + TimeDelta::milliseconds((wait * 1000.0 * rand::random_range(0.0..=0.2)) as i64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_forge_is_left_alone_for_longer_with_each_failure_and_for_as_long_as_it_asks() {
        let pauses = Pauses::default();
        let now = DateTime::UNIX_EPOCH;
        let away = ScmError::Unavailable {
            host: "forge.test".to_owned(),
            reason: "refused".to_owned(),
        };
        let slow = |seconds| ScmError::RateLimited {
            host: "forge.test".to_owned(),
            retry_after: Some(Duration::from_secs(seconds)),
        };
        let seconds = |pauses: &Pauses| pauses.until("a", now).map(|until| (until - now).num_seconds());
        assert_eq!(seconds(&pauses), None);
        let mut now = now;
        for expected in [16, 32, 64] {
            pauses.note("a", Some(&away), now);
            pauses.note("a", Some(&away), now);
            let until = pauses.until("a", now).unwrap();
            assert_eq!(
                (until - now).num_seconds(),
                expected,
                "once for each time that it is tried"
            );
            now = until;
        }
        let seconds = |pauses: &Pauses| pauses.until("a", now).map(|until| (until - now).num_seconds());
        pauses.note("a", Some(&slow(900)), now);
        assert_eq!(seconds(&pauses), Some(900));
        pauses.note("a", Some(&slow(1_000_000)), now);
        assert_eq!(seconds(&pauses), Some(3600), "a forge may not stop polling for ever");
        assert_eq!(pauses.until("b", now), None);
        assert_eq!(pauses.until("a", now + TimeDelta::hours(2)), None);
        pauses.note("a", None, now);
        assert_eq!(seconds(&pauses), None);
    }
}
