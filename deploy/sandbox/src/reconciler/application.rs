//! Reading and writing Application objects.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::kubernetes::{
    cluster::Cluster,
    kinds::Kind,
    status::Status,
    writes::{Write, now},
};

/// The namespace that Argo CD lives in and reads Applications from.
pub const NAMESPACE: &str = "argocd";
/// Set by whoever wants an Application to be looked at now: `normal` or `hard`.
pub const REFRESH: &str = "argocd.argoproj.io/refresh";
/// On every object that belongs to an Application: `<application>:<group>/<kind>:<namespace>/<name>`.
pub const TRACKING: &str = "argocd.argoproj.io/tracking-id";
/// Options of a single resource, comma-separated.
pub const SYNC_OPTIONS: &str = "argocd.argoproj.io/sync-options";
/// With it an Application takes its resources with it; a suffix `/background` or `/foreground` is allowed.
pub const FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// The field manager of Argo CD's own writes.
pub const MANAGER: &str = "argocd-application-controller";
/// The API server inside the cluster, the only destination there is.
pub const IN_CLUSTER: &str = "https://kubernetes.default.svc";

/// The kind `Application`.
pub fn kind(cluster: &Cluster) -> Result<Arc<Kind>, Status> {
    cluster.kind("argoproj.io", "Application")
}

/// One Application as it was read.
#[derive(Debug, Clone)]
pub struct Application(pub Arc<Value>);

impl Application {
    /// Reads it; none when it is not there.
    pub fn read(cluster: &Cluster, name: &str) -> Option<Application> {
        let kind = kind(cluster).ok()?;
        cluster.get(&kind, NAMESPACE, name).ok().map(Application)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// `spec.source`.
    pub fn source(&self) -> &Value {
        &self.0["spec"]["source"]
    }

    /// `spec.destination.namespace`, empty when there is none.
    pub fn namespace(&self) -> &str {
        self.0["spec"]["destination"]["namespace"].as_str().unwrap_or_default()
    }

    /// The wanted refresh, if any.
    pub fn refresh(&self) -> Option<&str> {
        self.0["metadata"]["annotations"][REFRESH].as_str()
    }

    /// Whether it is being deleted.
    pub fn is_deleting(&self) -> bool {
        !self.0["metadata"]["deletionTimestamp"].is_null()
    }

    /// The finalizer that asks for the deletion of resources, if it has one.
    pub fn cascade(&self) -> Option<&str> {
        let finalizers = self.0["metadata"]["finalizers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        finalizers
            .into_iter()
            .find(|one| *one == FINALIZER || one.starts_with("resources-finalizer.argocd.argoproj.io/"))
    }

    /// Whether `spec.syncPolicy.syncOptions` has an option, such as `CreateNamespace=true`.
    pub fn has_option(&self, option: &str) -> bool {
        let options = self.0["spec"]["syncPolicy"]["syncOptions"]
            .as_array()
            .into_iter()
            .flatten();
        options.into_iter().any(|one| one == option)
    }

    /// `spec.syncPolicy.automated`, if it is in force.
    pub fn automated(&self) -> Option<&Value> {
        let automated = &self.0["spec"]["syncPolicy"]["automated"];
        (automated.is_object() && automated["enabled"] != false).then_some(automated)
    }

    /// The operation that waits or runs, if any.
    pub fn operation(&self) -> Option<&Value> {
        self.0.get("operation").filter(|operation| operation.is_object())
    }

    /// `status.operationState`.
    pub fn operation_state(&self) -> &Value {
        &self.0["status"]["operationState"]
    }

    /// What every comparison is made with, as `status.sync.comparedTo` and the history show it.
    pub fn compared_to(&self) -> Value {
        let mut compared = json!({ "destination": self.0["spec"]["destination"], "source": self.source() });
        let ignored = &self.0["spec"]["ignoreDifferences"];
        if ignored.is_array() {
            compared["ignoreDifferences"] = ignored.clone();
        }
        compared
    }
}

/// Changes an Application; when somebody else writes it at the same time, the change is made again on the newer one.
/// None when the Application is gone. Nothing is written when `change` changes nothing.
pub fn modify(cluster: &Cluster, name: &str, change: impl Fn(&mut Value)) -> Result<Option<Application>, Status> {
    let kind = kind(cluster)?;
    loop {
        let Ok(old) = cluster.get(&kind, NAMESPACE, name) else {
            return Ok(None);
        };
        let mut new = (*old).clone();
        change(&mut new);
        match cluster.update(&kind, NAMESPACE, name, new, Write::by(MANAGER)) {
            Ok(new) => return Ok(Some(Application(new))),
            Err(status) if status.reason == "Conflict" => {}
            Err(status) if status.code == 404 => return Ok(None),
            Err(status) => return Err(status),
        }
    }
}

/// Replaces the conditions of the given types, keeping the time of those that say the same as before.
pub fn set_conditions(application: &mut Value, evaluated: &[&str], found: &[(&'static str, String)]) {
    let before = application["status"]["conditions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of = |condition: &Value| condition["type"].as_str().unwrap_or_default().to_owned();
    let mut after = before
        .iter()
        .filter(|one| !evaluated.contains(&of(one).as_str()))
        .cloned()
        .collect::<Vec<_>>();
    for (kind, message) in found {
        let same = before
            .iter()
            .find(|one| one["type"] == *kind && one["message"] == message.as_str());
        after.push(
            same.cloned()
                .unwrap_or_else(|| json!({ "type": kind, "message": message, "lastTransitionTime": now() })),
        );
    }
    if after.is_empty() {
        if let Some(status) = application["status"].as_object_mut() {
            status.shift_remove("conditions");
        }
    } else {
        application["status"]["conditions"] = Value::Array(after);
    }
}

/// A time of a status, if it is one.
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(value.as_str()?).ok().map(Into::into)
}
