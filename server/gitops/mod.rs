//! Port to Argo CD: Applications are listed and watched into a store and never asked for per page;
//! they are created through the Kubernetes API, or through Argo CD's own where only that is configured.

use chrono::{DateTime, Utc};

/// An Application as the portal shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    pub namespace: String,
    pub name: String,
    pub project: String,
    pub repo_url: String,
    pub path: String,
    /// `HEAD` where the Application names none.
    pub target_revision: String,
    pub destination_namespace: String,
    pub sync: SyncStatus,
    pub health: HealthStatus,
    pub health_message: Option<String>,
    /// The commit that was compared last.
    pub revision: Option<String>,
    /// The last or running operation.
    pub operation: Option<Operation>,
    /// Errors and warnings; a broken repository shows only here (real Argo CD keeps health Healthy).
    pub conditions: Vec<Condition>,
    pub resources: Vec<Resource>,
    /// Newest first.
    pub history: Vec<HistoryEntry>,
    pub reconciled_at: Option<DateTime<Utc>>,
    /// Its page in Argo CD, where an address is configured.
    pub url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncStatus {
    Synced,
    OutOfSync,
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HealthStatus {
    Healthy,
    Progressing,
    Degraded,
    Suspended,
    Missing,
    Unknown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Running, Succeeded, Failed, Error, Terminating.
    pub phase: String,
    pub message: String,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// For example `ComparisonError`.
    pub kind: String,
    pub message: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub group: String,
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub sync: SyncStatus,
    /// Real Argo CD leaves it out unless it is told to keep it.
    pub health: Option<HealthStatus>,
    pub health_message: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HistoryEntry {
    pub revision: String,
    pub deployed_at: Option<DateTime<Utc>>,
}
