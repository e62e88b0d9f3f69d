//! Keeps what the search knows of documentation like the repositories: books of entities that say that they have one, and
//! of others that somebody opened.

use std::sync::PoisonError;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::book::Book;
use super::files::Files;
use super::place::{ENTITY, REF};
use super::queries::{self, Page};
use super::{Docs, Found, MOST_KNOWN, plain};
use crate::catalog::{EntityRef, Filter};
use crate::scm::Repository;
use crate::web::Error;

/// Changes with how pages are taken from files: then all are taken anew.
const VERSION: &str = "1";
/// A book is looked at again after so long, should nothing have told of a push.
const EVERY: TimeDelta = TimeDelta::hours(6);
/// After a failure.
const AGAIN: TimeDelta = TimeDelta::minutes(5);
/// The longest sleep: a book that another replica wants looked at waits no longer.
const LONGEST_SLEEP: Duration = Duration::from_secs(20);
const SHORTEST_SLEEP: Duration = Duration::from_millis(200);
/// Books that are found at the start.
const MOST_BOOKS: i64 = 20_000;
/// Bytes that are searched of a page, and of a book.
const LONGEST_PAGE: usize = 100 * 1024;
const LONGEST_BOOK: usize = 8 * 1024 * 1024;
/// Letters of a word; what is longer is no word.
const LONGEST_WORD: usize = 60;

/// The words of a text in lower case, with spaces between.
pub fn words(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty() && word.chars().count() <= LONGEST_WORD);
    words.collect::<Vec<_>>().join(" ")
}

impl Docs {
    /// Looks at books until `stop`, and hears of what changes.
    pub async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = async { tokio::join!(self.hear(), self.look()); } => {}
        }
    }

    async fn hear(&self) {
        let (mut pushes, mut changes) = (self.0.catalog.pushes(), self.0.catalog.subscribe());
        loop {
            let heard = tokio::select! {
                pushed = pushes.recv() => match pushed {
                    Ok(repository) => self.pushed(Some(&repository)).await,
                    Err(RecvError::Lagged(_)) => self.pushed(None).await,
                    Err(RecvError::Closed) => return,
                },
                changed = changes.recv() => match changed {
                    Ok(changed) if changed.refs().iter().any(|entity| entity == "*") => self.want_all().await,
                    Ok(changed) => self.changed(changed.refs()).await,
                    Err(RecvError::Lagged(_)) => self.want_all().await,
                    Err(RecvError::Closed) => return,
                },
            };
            if let Err(error) = heard {
                tracing::warn!(%error, "documentation that changed may be searched as it was for a while");
            }
        }
    }

    pub(super) async fn pushed(&self, repository: Option<&Repository>) -> Result<(), Error> {
        self.0.library.pushed(repository);
        self.bare().clear();
        let name = repository.map(name_of);
        queries::look_again_in(&self.0.db, name.as_deref(), self.0.clock.now()).await?;
        self.0.wake.notify_one();
        Ok(())
    }

    /// Entities that say that there is documentation are looked at, and others if they were before.
    pub(super) async fn changed(&self, refs: &[String]) -> Result<(), Error> {
        let entities = self.0.catalog.list_by_refs(refs).await?;
        let told = entities
            .iter()
            .flatten()
            .filter(|entity| entity.annotation(REF).is_some());
        let told: Vec<String> = told.map(|entity| entity.entity_ref().to_string()).collect();
        let now = self.0.clock.now();
        queries::look_again(&self.0.db, refs, now).await?;
        queries::want(&self.0.db, &told, now).await?;
        self.0.wake.notify_one();
        Ok(())
    }

    async fn want_all(&self) -> Result<(), Error> {
        let told = Filter::Exists(format!("metadata.annotations.{REF}"));
        let found = self.0.catalog.list_matching(told, MOST_BOOKS).await?;
        let refs: Vec<String> = found
            .entities
            .iter()
            .map(|entity| entity.entity_ref().to_string())
            .collect();
        drop(found);
        let now = self.0.clock.now();
        queries::want(&self.0.db, &refs, now).await?;
        queries::look_again_in(&self.0.db, None, now).await?;
        self.0.wake.notify_one();
        Ok(())
    }

    /// Somebody opened a book: it can be found from now on.
    pub(super) fn opened(&self, entity_ref: &EntityRef) {
        {
            let mut opened = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if opened.contains(entity_ref) || opened.len() >= MOST_KNOWN {
                return;
            }
            opened.insert(entity_ref.clone());
        }
        let (docs, refs) = (self.clone(), [entity_ref.to_string()]);
        tokio::spawn(async move {
            match queries::want(&docs.0.db, &refs, docs.0.clock.now()).await {
                Ok(()) => docs.0.wake.notify_one(),
                Err(error) => tracing::debug!(%error, refs = ?refs, "a book is not remembered"),
            }
        });
    }

    async fn look(&self) {
        self.0.catalog.ready().await;
        if let Err(error) = self.want_all().await {
            tracing::warn!(%error, "documentation is searched as it was when it was looked at last");
        }
        loop {
            let pause = match self.look_at_due().await {
                Ok(true) => continue,
                Ok(false) => match queries::next_due(&self.0.db).await {
                    Ok(Some(due)) => (due - self.0.clock.now()).to_std().unwrap_or_default(),
                    _ => LONGEST_SLEEP,
                },
                Err(error) => {
                    tracing::warn!(%error, "the database does not tell which documentation is to be read; trying again");
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = self.0.wake.notified() => {}
                () = tokio::time::sleep(pause.clamp(SHORTEST_SLEEP, LONGEST_SLEEP)) => {}
            }
        }
    }

    /// Looks at one book that is due, if there is one.
    ///
    /// # Errors
    /// The database fails. A forge that fails is asked again later.
    pub(super) async fn look_at_due(&self) -> Result<bool, sqlx::Error> {
        let now = self.0.clock.now();
        let Some((entity_ref, version)) = queries::take_due(&self.0.db, now, now + EVERY).await? else {
            return Ok(false);
        };
        if let Err(error) = self.look_at(&entity_ref, &version).await {
            tracing::info!(entity_ref, %error, "documentation cannot be read now; it is searched as it was");
            queries::want(&self.0.db, &[entity_ref], now + AGAIN).await?;
        }
        Ok(true)
    }

    async fn look_at(&self, entity_ref: &str, version: &str) -> Result<(), Error> {
        let parsed = EntityRef::parse(entity_ref, None, None);
        let entity = match &parsed {
            Ok(parsed) => self.0.catalog.find(parsed).await?,
            Err(_) => None,
        };
        let opened = match &entity {
            Some(entity) if entity.annotation(ENTITY).is_none() => {
                // Another replica may have heard of a push that this one has not.
                if let Some(repository) = self.repository_of(entity).await? {
                    self.0.library.pushed(Some(&repository));
                }
                self.open(entity).await?
            }
            _ => Found::Nothing(None),
        };
        let Found::Book(opened) = opened else {
            queries::forget(&self.0.db, entity_ref).await?;
            return Ok(());
        };
        let new_version = format!("{VERSION}:{}:{}", opened.files.version, opened.book.folder);
        if new_version == version {
            return Ok(());
        }
        let repository = opened.repository().map(name_of).unwrap_or_default();
        let (files, book) = (opened.files.clone(), opened.book.clone());
        let read = tokio::task::spawn_blocking(move || pages_of(&files, &book)).await;
        let (pages, words) = read.map_err(Error::internal)?;
        queries::store(&self.0.db, entity_ref, &repository, &new_version, &pages, &words).await?;
        Ok(())
    }
}

/// The pages of a book as they are searched, and their words.
fn pages_of(files: &Files, book: &Book) -> (Vec<Page>, Vec<(String, String)>) {
    let mut left = LONGEST_BOOK;
    let mut pages = Vec::new();
    for info in &book.pages {
        let Some(file) = files.text(&info.file) else {
            continue;
        };
        let text = plain::text(&file.text, LONGEST_PAGE.min(left));
        left = left.saturating_sub(text.len());
        pages.push(Page {
            path: info.path.clone(),
            title: info.title.replace('\0', ""),
            text,
        });
    }
    let words = pages
        .iter()
        .map(|page| (words(&page.title), words(&page.text)))
        .collect();
    (pages, words)
}

/// As the table has it.
fn name_of(repository: &Repository) -> String {
    format!("{}/{}/{}", repository.forge, repository.owner, repository.name)
}
