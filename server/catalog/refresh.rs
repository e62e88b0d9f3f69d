//! The worker that keeps the catalog like its sources: polling reconciles what no webhook told.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use sqlx::postgres::PgListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::live::{self, Changed};
use super::people::IDENTITY;
use super::{Catalog, CatalogError, Discovery, queries};
use crate::ids::new_id;

/// Locations read at the same time.
const CONCURRENT: usize = 4;
/// The longest sleep: a missed wake-up costs no more than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);
/// A location taken by a worker that dies is taken by another after this.
const LEASE: chrono::TimeDelta = chrono::TimeDelta::minutes(5);
/// Readiness waits for the configured locations no longer than this.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// Runs until `stop`: brings the configured locations in, then reads what is due, and passes on the news of
/// all replicas. Run it once a process.
pub async fn run(catalog: Catalog, stop: CancellationToken) {
    let listening = listen(catalog.clone(), stop.clone());
    let reading = async {
        let configured = loop {
            match catalog.sync_configured().await {
                Ok(ids) => break ids,
                Err(error) => {
                    tracing::error!(%error, "the configured locations could not be stored; trying again");
                    if pause(&stop, Duration::from_secs(2)).await {
                        return;
                    }
                }
            }
        };
        // What an earlier process has read is there already; how it is now is seen while pages are served.
        if configured.iter().all(|(_, read_before)| *read_before) {
            catalog.set_ready();
        }
        let mut first = tokio::spawn({
            let catalog = catalog.clone();
            async move {
                let reads = futures::stream::iter(configured.into_iter().map(|(id, _)| id));
                reads.for_each_concurrent(CONCURRENT, |id| read(&catalog, id)).await;
            }
        });
        if tokio::time::timeout(READY_WITHIN, &mut first).await.is_err() {
            tracing::warn!("some configured locations are not read yet; the portal starts without them");
        }
        catalog.set_ready();
        let scans = catalog
            .config()
            .discoveries
            .iter()
            .map(|discovery| scan(&catalog, discovery, &stop));
        tokio::join!(
            work(&catalog, &stop),
            propose(&catalog, &stop),
            futures::future::join_all(scans)
        );
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = async { tokio::join!(listening, reading) } => {}
    }
}

/// Looks through a provider's repositories now and again, where no other replica does.
async fn scan(catalog: &Catalog, discovery: &Discovery, stop: &CancellationToken) {
    loop {
        let wait = match catalog.scan_due(discovery).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::error!(provider = discovery.id, %error, "the database does not tell when to scan; trying again");
                Duration::from_secs(2)
            }
        };
        if pause(stop, wait.clamp(Duration::from_millis(200), LONGEST_SLEEP)).await {
            return;
        }
    }
}

/// Looks what has become of proposed files, where no push tells.
async fn propose(catalog: &Catalog, stop: &CancellationToken) {
    loop {
        let more = catalog.look_at_due_proposals().await.unwrap_or_else(|error| {
            tracing::error!(%error, "the database does not tell which files are proposed; trying again");
            false
        });
        if !more && pause(stop, LONGEST_SLEEP).await {
            return;
        }
    }
}

async fn work(catalog: &Catalog, stop: &CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONCURRENT));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        let now = catalog.clock().now();
        match queries::locations::take_due(catalog.db(), now, now + LEASE).await {
            Ok(Some(id)) => {
                let catalog = catalog.clone();
                tokio::spawn(async move {
                    read(&catalog, id).await;
                    drop(slot);
                });
            }
            Ok(None) => {
                drop(slot);
                let sleep = match queries::locations::next_due(catalog.db()).await {
                    Ok(Some(due)) => (due - catalog.clock().now()).to_std().unwrap_or(Duration::ZERO),
                    _ => LONGEST_SLEEP,
                };
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = catalog.woken() => {}
                    () = tokio::time::sleep(sleep.clamp(Duration::from_millis(200), LONGEST_SLEEP)) => {}
                }
            }
            Err(error) => {
                drop(slot);
                tracing::error!(%error, "the database does not tell which locations are due; trying again");
                if pause(stop, Duration::from_secs(2)).await {
                    return;
                }
            }
        }
    }
}

async fn read(catalog: &Catalog, id: Uuid) {
    match catalog.poll(id).await {
        Ok(report) if report.problems.is_empty() => {}
        Ok(report) => tracing::warn!(
            location = %id,
            problems = report.problems.len(),
            first = %report.problems[0].message,
            "a location has problems"
        ),
        Err(error) => tracing::error!(location = %id, %error, "a location could not be read"),
    }
}

async fn listen(catalog: Catalog, stop: CancellationToken) {
    loop {
        let listening = async {
            let mut listener = PgListener::connect_with(catalog.db()).await?;
            listener.listen_all([live::CHANGED, live::DUE]).await?;
            // What was announced while nobody listened is unknown: everything may have changed.
            catalog.news().publish(Changed::anything());
            loop {
                // `None`: the connection was lost and made again.
                match listener.try_recv().await? {
                    Some(message) if message.channel() == live::CHANGED => {
                        catalog.news().publish(Changed::read(message.payload()));
                    }
                    Some(_) => catalog.wake_here(),
                    None => {
                        catalog.news().publish(Changed::anything());
                        catalog.wake_here();
                    }
                }
            }
        };
        let ended: Result<std::convert::Infallible, sqlx::Error> = tokio::select! {
            () = stop.cancelled() => return,
            ended = listening => ended,
        };
        let Err(error) = ended;
        tracing::warn!(%error, "news of the catalog are interrupted; connecting again");
        if pause(&stop, Duration::from_secs(2)).await {
            return;
        }
    }
}

/// True when it was stopped meanwhile.
async fn pause(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = tokio::time::sleep(time) => false,
    }
}

impl Catalog {
    /// Stores the configured locations and forgets those that are configured no more. Returns their ids, and whether
    /// they were read, or tried, before.
    pub async fn sync_configured(&self) -> Result<Vec<(Uuid, bool)>, CatalogError> {
        let now = self.clock().now();
        let locations = &self.config().locations;
        for location in locations {
            let new = (new_id(self.clock()), location.kind.as_str(), location.target.as_str());
            queries::locations::ensure(self.db(), new, true, None, now).await?;
        }
        let wanted = |location: &super::LocationState| {
            let same =
                |other: &super::ConfiguredLocation| other.kind == location.kind && other.target == location.target;
            locations.iter().any(same)
        };
        let (mut ids, mut freed) = (Vec::new(), Vec::new());
        for location in queries::locations::list_uncounted(self.db()).await? {
            if wanted(&location) {
                // Due later than the first read, which follows at once and sets the time anew.
                queries::locations::set_configured(self.db(), location.id, now + LEASE).await?;
                ids.push((location.id, location.checked_at.is_some()));
            } else if location.configured && !self.is_provided(&location) {
                let mut write = self.begin_write().await?;
                freed.extend(write.remove(location.id, None).await?);
                queries::locations::delete(write.db(), location.id).await?;
                write.commit().await?;
            }
        }
        queries::locations::wake_claims(self.db(), &freed, now).await?;
        Ok(ids)
    }

    /// Does a provider of the configuration still stand behind it?
    fn is_provided(&self, location: &super::LocationState) -> bool {
        match &location.discovered_by {
            Some(mark) => self
                .config()
                .discoveries
                .iter()
                .any(|discovery| discovery.mark() == *mark),
            None => location.kind == IDENTITY,
        }
    }
}
