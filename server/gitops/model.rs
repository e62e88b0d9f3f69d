//! What the portal knows of an Application, and how it is read from Argo CD's JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::REFRESH;

/// An Application as the portal shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Application {
    pub namespace: String,
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub project: String,
    /// Of the first source.
    pub repo_url: String,
    /// Of all sources, for Applications that have several.
    pub repo_urls: Vec<String>,
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
    /// Argo CD was asked to compare it and has not done so yet: since when, where that is known.
    pub asked: Option<Asked>,
    /// It is being deleted.
    pub deleting: bool,
    /// Its page in Argo CD, where an address is configured.
    pub url: Option<String>,
}

/// A request to compare that waits for Argo CD's controller, which takes it back when it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    pub since: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncStatus {
    Synced,
    OutOfSync,
    Unknown,
}

impl SyncStatus {
    /// Anything else than the two known words is `Unknown`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "Synced" => Self::Synced,
            "OutOfSync" => Self::OutOfSync,
            _ => Self::Unknown,
        }
    }

    /// Argo CD's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Synced => "Synced",
            Self::OutOfSync => "OutOfSync",
            Self::Unknown => "Unknown",
        }
    }
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

impl HealthStatus {
    /// Anything else than the known words is `Unknown`.
    pub fn from_word(word: &str) -> Self {
        match word {
            "Healthy" => Self::Healthy,
            "Progressing" => Self::Progressing,
            "Degraded" => Self::Degraded,
            "Suspended" => Self::Suspended,
            "Missing" => Self::Missing,
            _ => Self::Unknown,
        }
    }

    /// Argo CD's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Progressing => "Progressing",
            Self::Degraded => "Degraded",
            Self::Suspended => "Suspended",
            Self::Missing => "Missing",
            Self::Unknown => "Unknown",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Running, Succeeded, Failed, Error, Terminating.
    pub phase: String,
    pub message: String,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    /// Tries after the first one; a failing sync stays Running while it is retried.
    pub retries: u64,
    /// The commit that it rolls out.
    pub revision: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// For example `ComparisonError`.
    pub kind: String,
    pub message: String,
    pub since: Option<DateTime<Utc>>,
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
    pub started_at: Option<DateTime<Utc>>,
}

impl Application {
    /// Reads an Application object of `argoproj.io/v1alpha1`. Whatever is missing or of another shape
    /// counts as not known: an Application that was made a moment ago has no status at all.
    /// `url_of` gives its page from namespace and name. `None` where the object has no name.
    pub fn from_json(object: &Value, url_of: impl Fn(&str, &str) -> Option<String>) -> Option<Self> {
        let name = text(object, "/metadata/name")?;
        let namespace = text(object, "/metadata/namespace").unwrap_or_default();
        let sources: Vec<&Value> = match object.pointer("/spec/source") {
            Some(source) if source.is_object() => vec![source],
            _ => items(object, "/spec/sources").collect(),
        };
        let first = sources.first().copied().unwrap_or(&Value::Null);
        let mut history: Vec<HistoryEntry> = items(object, "/status/history").map(history_entry).collect();
        history.reverse();
        Some(Self {
            url: url_of(&namespace, &name),
            labels: labels(object),
            project: text(object, "/spec/project").unwrap_or_else(|| "default".to_owned()),
            repo_url: text(first, "/repoURL").unwrap_or_default(),
            repo_urls: sources.iter().filter_map(|source| text(source, "/repoURL")).collect(),
            path: text(first, "/path").unwrap_or_default(),
            target_revision: text(first, "/targetRevision").unwrap_or_else(|| "HEAD".to_owned()),
            destination_namespace: text(object, "/spec/destination/namespace").unwrap_or_default(),
            sync: SyncStatus::from_word(&text(object, "/status/sync/status").unwrap_or_default()),
            health: HealthStatus::from_word(&text(object, "/status/health/status").unwrap_or_default()),
            health_message: text(object, "/status/health/message"),
            revision: text(object, "/status/sync/revision").or_else(|| text(object, "/status/sync/revisions/0")),
            operation: object.pointer("/status/operationState").and_then(operation),
            conditions: items(object, "/status/conditions").map(condition).collect(),
            resources: items(object, "/status/resources").map(resource).collect(),
            history,
            reconciled_at: time(object, "/status/reconciledAt"),
            asked: asked(object),
            deleting: object
                .pointer("/metadata/deletionTimestamp")
                .is_some_and(|at| !at.is_null()),
            namespace,
            name,
        })
    }

    /// When what runs was rolled out last: the end of the last operation, else the newest history entry.
    pub fn last_sync(&self) -> Option<DateTime<Utc>> {
        // While it is retried, the end of the last attempt is there already.
        let ended = self.operation.as_ref().filter(|operation| operation.phase != "Running");
        let finished = ended.and_then(|operation| operation.finished_at);
        finished.or_else(|| self.history.first().and_then(|entry| entry.deployed_at))
    }
}

fn operation(state: &Value) -> Option<Operation> {
    state.as_object()?;
    Some(Operation {
        phase: text(state, "/phase").unwrap_or_default(),
        message: text(state, "/message").unwrap_or_default(),
        started_at: time(state, "/startedAt"),
        finished_at: time(state, "/finishedAt"),
        retries: state.pointer("/retryCount").and_then(Value::as_u64).unwrap_or(0),
        revision: text(state, "/syncResult/revision").or_else(|| text(state, "/operation/sync/revision")),
    })
}

fn asked(object: &Value) -> Option<Asked> {
    object.pointer("/metadata/annotations")?.get(REFRESH)?;
    // Kubernetes keeps who wrote a field last, and when.
    let field = format!("f:{REFRESH}");
    let writer = items(object, "/metadata/managedFields").find(|entry| {
        let annotations = entry.pointer("/fieldsV1/f:metadata/f:annotations");
        annotations.is_some_and(|annotations| annotations.get(&field).is_some())
    });
    Some(Asked {
        since: writer.and_then(|entry| time(entry, "/time")),
    })
}

fn condition(value: &Value) -> Condition {
    Condition {
        kind: text(value, "/type").unwrap_or_default(),
        message: text(value, "/message").unwrap_or_default(),
        since: time(value, "/lastTransitionTime"),
    }
}

fn resource(value: &Value) -> Resource {
    Resource {
        group: text(value, "/group").unwrap_or_default(),
        kind: text(value, "/kind").unwrap_or_default(),
        namespace: text(value, "/namespace").unwrap_or_default(),
        name: text(value, "/name").unwrap_or_default(),
        sync: SyncStatus::from_word(&text(value, "/status").unwrap_or_default()),
        health: text(value, "/health/status").map(|word| HealthStatus::from_word(&word)),
        health_message: text(value, "/health/message"),
    }
}

fn history_entry(value: &Value) -> HistoryEntry {
    HistoryEntry {
        revision: text(value, "/revision")
            .or_else(|| text(value, "/revisions/0"))
            .unwrap_or_default(),
        deployed_at: time(value, "/deployedAt"),
        started_at: time(value, "/deployStartedAt"),
    }
}

fn labels(object: &Value) -> BTreeMap<String, String> {
    object
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// A text that is there and not empty.
fn text(value: &Value, pointer: &str) -> Option<String> {
    value
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
}

fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    let text = value.pointer(pointer)?.as_str()?;
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.with_timezone(&Utc))
}

fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_application_of_argo_cd_3_is_read() {
        let object = json!({
            "metadata": {"name": "demo", "namespace": "argocd", "labels": {"backstage-name": "demo", "odd": 1}},
            "spec": {"project": "default", "destination": {"namespace": "demo", "server": "https://kubernetes.default.svc"},
                     "source": {"repoURL": "https://forge.example/o/demo", "path": "manifests"}},
            "status": {
                "sync": {"status": "OutOfSync", "revision": "b".repeat(40), "comparedTo": {}},
                "health": {"status": "Progressing", "lastTransitionTime": "2026-11-22T10:00:00Z"},
                "reconciledAt": "2026-11-22T10:00:01Z",
                "operationState": {"phase": "Running", "message": "one or more objects failed to apply. Retrying attempt #2",
                    "retryCount": 2, "startedAt": "2026-11-22T09:59:00Z", "syncResult": {"revision": "b".repeat(40)}},
                "conditions": [{"type": "ComparisonError", "message": "no such repository", "lastTransitionTime": "2026-11-22T10:00:00Z"}],
                "resources": [
                    {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "default", "name": "demo", "status": "OutOfSync", "health": null},
                    {"version": "v1", "kind": "Service", "namespace": "default", "name": "demo", "status": "Synced", "health": {"status": "Healthy"}}
                ],
                "history": [
                    {"id": 0, "revision": "a".repeat(40), "deployedAt": "2026-11-22T08:00:00Z", "deployStartedAt": "2026-11-22T07:59:58Z"},
                    {"id": 1, "revision": "b".repeat(40), "deployedAt": "2026-11-22T09:00:00Z"}
                ]
            }
        });
        let application = Application::from_json(&object, |ns, name| Some(format!("/{ns}/{name}"))).unwrap();
        assert_eq!(application.url.as_deref(), Some("/argocd/demo"));
        assert_eq!(
            (application.sync, application.health),
            (SyncStatus::OutOfSync, HealthStatus::Progressing)
        );
        assert_eq!(application.target_revision, "HEAD");
        assert_eq!(application.resources[0].health, None);
        assert_eq!(application.resources[1].health, Some(HealthStatus::Healthy));
        assert_eq!(application.history[0].revision, "b".repeat(40));
        assert_eq!(application.conditions[0].kind, "ComparisonError");
        let operation = application.operation.as_ref().unwrap();
        assert_eq!((operation.phase.as_str(), operation.retries), ("Running", 2));
        assert_eq!(application.last_sync(), application.history[0].deployed_at);
    }

    #[test]
    fn several_sources_are_all_known() {
        let object = json!({
            "metadata": {"name": "demo"},
            "spec": {"sources": [{"repoURL": "https://a.example/o/n", "path": "x", "targetRevision": "v1"}, {"repoURL": "https://b.example/o/n"}]},
            "status": {"sync": {"revisions": ["a1", "b1"]}}
        });
        let application = Application::from_json(&object, |_, _| None).unwrap();
        assert_eq!(application.repo_url, "https://a.example/o/n");
        assert_eq!(application.repo_urls.len(), 2);
        assert_eq!(
            (application.path.as_str(), application.target_revision.as_str()),
            ("x", "v1")
        );
        assert_eq!(application.revision.as_deref(), Some("a1"));
    }

    #[test]
    fn odd_objects_do_not_break_the_reader() {
        let table = [
            json!({"metadata": {"name": "demo"}}),
            json!({"metadata": {"name": "demo", "labels": []}, "spec": null, "status": null}),
            json!({"metadata": {"name": "demo"}, "spec": {"source": null, "sources": "x"},
                   "status": {"resources": {}, "history": [null, 1], "conditions": [[]], "operationState": null, "reconciledAt": "soon"}}),
        ];
        for object in table {
            let application = Application::from_json(&object, |_, _| None).unwrap();
            assert_eq!(
                (application.sync, application.health),
                (SyncStatus::Unknown, HealthStatus::Unknown)
            );
            assert_eq!(application.operation, None);
        }
        assert_eq!(Application::from_json(&json!({"metadata": {}}), |_, _| None), None);
    }
}
