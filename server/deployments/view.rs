//! An Application in the words of a page.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Deployments;
use crate::catalog::Related;
use crate::gitops::{Application, Asked, Condition, Connection, HealthStatus, HistoryEntry, SyncStatus};
use crate::language::{Text, counted, duration, text};
use crate::scm::{Located, Scm};

/// Syncs drawn in the history.
const BARS: usize = 22;
/// Width and height of the drawing's bars, in its own units.
const BAR_STEP: usize = 8;
const BAR_HEIGHT: i64 = 24;

/// Everything that the section about one Application shows. Each line is there in each state, so that nothing moves.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    pub name: String,
    /// Page in Argo CD.
    pub url: Option<String>,
    /// Argo CD knows it.
    pub exists: bool,
    pub sync: &'static str,
    pub health: &'static str,
    pub last_sync: Option<DateTime<Utc>>,
    /// `2 of 3`, or a dash.
    pub synced_resources: Text,
    /// What was compared last.
    pub compared: Option<Revision>,
    /// What was rolled out last.
    pub deployed: Option<Revision>,
    pub deployed_at: Option<DateTime<Utc>>,
    /// What Argo CD says, in one line.
    pub message: Text,
    /// Argo CD was asked to compare and has not yet.
    pub asked: Option<Asked>,
    pub conditions: Vec<Condition>,
    pub resources: Vec<ResourceRow>,
    /// Oldest first.
    pub bars: Vec<Bar>,
    pub history: Text,
    pub connection: Connection,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Seven digits of a commit, or the whole of another kind of revision.
    pub short: String,
    pub full: String,
    /// The commit's page on the forge.
    pub url: Option<String>,
    pub subject: Option<String>,
    pub author: Option<String>,
    pub at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    pub name: String,
    /// Kind, with its group where it is not one of Kubernetes' own.
    pub kind: String,
    pub namespace: String,
    pub sync: &'static str,
    pub health: Option<&'static str>,
    pub detail: Option<String>,
}

/// A sync in the drawing: its height is its duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    pub x: usize,
    pub y: i64,
    pub height: i64,
    /// It is going on.
    pub running: bool,
}

impl Deployments {
    /// The section about the Application of this name, which may not be there (yet).
    pub(super) async fn view(&self, name: &str) -> View {
        let connection = self.gitops.connection();
        let Some(application) = self.gitops.get(name) else {
            return absent(name, connection);
        };
        let located = self.forges.locate(&application.repo_url).ok();
        let compared = match &application.revision {
            Some(revision) => Some(self.revision(located.as_ref(), revision).await),
            None => None,
        };
        let newest = application.history.first();
        let deployed = match newest {
            Some(entry) if !entry.revision.is_empty() => Some(self.revision(located.as_ref(), &entry.revision).await),
            _ => None,
        };
        let asked = self.gitops.asked(&application);
        present(&application, compared, deployed, asked, connection)
    }

    async fn revision(&self, located: Option<&Located>, revision: &str) -> Revision {
        let is_commit = revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let mut shown = Revision {
            short: revision.get(..7).filter(|_| is_commit).unwrap_or(revision).to_owned(),
            full: revision.to_owned(),
            url: None,
            subject: None,
            author: None,
            at: None,
        };
        let Some(Located { forge, source }) = located.filter(|_| is_commit) else {
            return shown;
        };
        shown.url = Some(forge.commit_url(&source.repository, revision));
        if let Some(commit) = self.commits.find(&source.repository, revision).await {
            shown.subject = Some(commit.subject().to_owned());
            shown.author = Some(commit.author.clone());
            shown.at = Some(commit.at);
        }
        shown
    }
}

fn absent(name: &str, connection: Connection) -> View {
    let message = match &connection {
        Connection::Connected => text!(
            "Argo CD has no Application named {name}. It may not have been created yet, or the annotation argocd/app-name names another one than was meant.",
            name = name
        ),
        Connection::Disconnected { .. } => text!("Nothing is known of it while there is no connection."),
    };
    View {
        name: name.to_owned(),
        url: None,
        exists: false,
        sync: SyncStatus::Unknown.word(),
        health: HealthStatus::Unknown.word(),
        last_sync: None,
        synced_resources: "–".into(),
        compared: None,
        deployed: None,
        deployed_at: None,
        message,
        asked: None,
        conditions: Vec::new(),
        resources: Vec::new(),
        bars: Vec::new(),
        history: text!("No sync yet"),
        connection,
    }
}

fn present(
    application: &Arc<Application>,
    compared: Option<Revision>,
    deployed: Option<Revision>,
    asked: Option<Asked>,
    connection: Connection,
) -> View {
    let all = application.resources.len();
    let synced = application
        .resources
        .iter()
        .filter(|resource| resource.sync == SyncStatus::Synced)
        .count();
    View {
        name: application.name.clone(),
        url: application.url.clone(),
        exists: true,
        sync: application.sync.word(),
        health: application.health.word(),
        last_sync: application.last_sync(),
        synced_resources: if all == 0 {
            "–".into()
        } else {
            text!("{part} of {all}", part = synced, all = all)
        },
        compared,
        deployed,
        deployed_at: application.history.first().and_then(|entry| entry.deployed_at),
        message: message(application),
        asked,
        conditions: application.conditions.clone(),
        resources: application.resources.iter().map(row).collect(),
        bars: bars(application),
        history: history(application),
        connection,
    }
}

/// The one sentence that says most: what is wrong, what is going on, or how the last sync ended.
pub(super) fn message(application: &Application) -> Text {
    if application.deleting {
        return text!("It is being deleted.");
    }
    let running = application
        .operation
        .as_ref()
        .filter(|operation| operation.phase == "Running");
    if let Some(operation) = running {
        let what = if operation.message.is_empty() {
            text!("A sync is running")
        } else {
            operation.message.as_str().into()
        };
        return match operation.retries {
            0 => what,
            retries => text!("{what} (try {number})", what = what, number = retries + 1),
        };
    }
    if let Some(message) = &application.health_message {
        return message.as_str().into();
    }
    let unwell = application
        .resources
        .iter()
        .filter(|resource| !matches!(resource.health, None | Some(HealthStatus::Healthy)))
        .find_map(|resource| {
            Some(format!(
                "{} {}: {}",
                resource.kind,
                resource.name,
                resource.health_message.as_ref()?
            ))
        });
    if let Some(unwell) = unwell {
        return unwell.into();
    }
    match &application.operation {
        Some(operation) if !operation.message.is_empty() => operation.message.as_str().into(),
        Some(operation) if !operation.phase.is_empty() => {
            text!("The last sync ended: {phase}", phase = operation.phase)
        }
        _ => text!("It has not been synced yet."),
    }
}

fn row(resource: &crate::gitops::Resource) -> ResourceRow {
    let own = resource.group.is_empty() || !resource.group.contains('.') || resource.group.ends_with(".k8s.io");
    ResourceRow {
        name: resource.name.clone(),
        kind: if own {
            resource.kind.clone()
        } else {
            format!("{} ({})", resource.kind, resource.group)
        },
        namespace: resource.namespace.clone(),
        sync: resource.sync.word(),
        health: resource.health.map(HealthStatus::word),
        detail: resource.health_message.clone(),
    }
}

fn history(application: &Application) -> Text {
    let count = application.history.len();
    if count == 0 {
        return text!("No sync yet");
    }
    let mut lengths: Vec<i64> = application.history.iter().filter_map(length).collect();
    lengths.sort_unstable();
    match lengths.get(lengths.len() / 2) {
        None => counted!(count, "{count} sync", "{count} syncs"),
        Some(median) => counted!(
            count,
            "{count} sync; height is duration, median {length}",
            "{count} syncs; height is duration, median {length}",
            length = duration(chrono::Duration::milliseconds(*median))
        ),
    }
}

/// Duration of a sync in milliseconds.
fn length(entry: &HistoryEntry) -> Option<i64> {
    Some((entry.deployed_at? - entry.started_at?).num_milliseconds().max(0))
}

fn bars(application: &Application) -> Vec<Bar> {
    let running = application
        .operation
        .as_ref()
        .is_some_and(|operation| operation.phase == "Running");
    let mut lengths: Vec<(i64, bool)> = application
        .history
        .iter()
        .map(|entry| (length(entry).unwrap_or(0), false))
        .collect();
    if running {
        lengths.insert(0, (0, true));
    }
    lengths.truncate(BARS);
    lengths.reverse();
    let longest = lengths.iter().map(|(length, _)| *length).max().unwrap_or(0).max(1);
    lengths
        .into_iter()
        .enumerate()
        .map(|(number, (length, running))| {
            // The shortest one can still be seen.
            let height = if running {
                BAR_HEIGHT / 2
            } else {
                6 + length * (BAR_HEIGHT - 6) / longest
            };
            Bar {
                x: number * BAR_STEP,
                y: BAR_HEIGHT - height,
                height,
                running,
            }
        })
        .collect()
}

/// Where to go on from here: for the panel beside the section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatNow {
    pub repository_url: String,
    pub clone_url: String,
    /// Folder of the manifests, and its page on the forge.
    pub manifests: String,
    pub manifests_url: String,
    pub owner: Option<Related>,
}

/// Addresses on the forge: of a repository, its clone, and the folder of its manifests.
pub fn what_now(forge: &dyn Scm, source: &crate::scm::Source, owner: Option<Related>) -> WhatNow {
    WhatNow {
        repository_url: forge.repository_url(&source.repository),
        clone_url: forge.clone_url(&source.repository),
        manifests: source.path.clone(),
        manifests_url: forge.web_url(source, true),
        owner,
    }
}
