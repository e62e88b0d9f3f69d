//! Carrying out an operation: apply what is wanted, prune what is not, try again when it fails.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};

use super::{
    Again, Level, Reconciler,
    application::{Application, modify, time},
    comparison::{self, MANAGER, Target, has_resource_option},
    refresh::check_spec,
    retry::backoff,
};
use crate::kubernetes::{
    cluster::key,
    deletion::{DeleteOptions, Propagation},
    status::Status,
    writes::{Write, now},
};

/// How an attempt ended.
struct Outcome {
    /// `Succeeded`, `Failed` or `Error`.
    phase: &'static str,
    message: String,
    revision: String,
    results: Vec<Value>,
}

impl Reconciler {
    /// How long the operation of an Application still waits for its next attempt; none when it is due.
    pub(super) fn waits(&self, application: &Application) -> Option<Duration> {
        let state = application.operation_state();
        let operation = application.operation()?;
        let retries = state["retryCount"].as_i64().filter(|retries| *retries > 0)?;
        if state["phase"] != "Running" {
            return None;
        }
        let since = time(&state["finishedAt"]).and_then(|at| (Utc::now() - at).to_std().ok());
        let pause = backoff(operation, retries).saturating_sub(since.unwrap_or_default());
        (!pause.is_zero()).then_some(pause)
    }

    /// Makes one attempt at the operation of an Application.
    pub(super) async fn operate(&self, application: &Application) -> Result<Again, Status> {
        let Some(operation) = application.operation().cloned() else {
            return Ok(None);
        };
        let state = application.operation_state();
        let resumed = state["operation"] == operation && state["finishedAt"].is_null() || state["phase"] == "Running";
        if state["phase"] == "Terminating" {
            let outcome = Outcome {
                phase: "Failed",
                message: "Operation terminated".into(),
                revision: state["syncResult"]["revision"].as_str().unwrap_or_default().to_owned(),
                results: Vec::new(),
            };
            self.conclude(application, &operation, outcome)?;
            return Ok(Some((Duration::ZERO, Level::Live)));
        }
        if !resumed {
            modify(&self.cluster, application.name(), |object| {
                object["status"]["operationState"] = json!({
                    "operation": operation, "phase": "Running", "startedAt": now(), "message": "waiting for sync to start",
                });
            })?;
        }
        tokio::time::sleep(self.settings.step / 2).await;
        let outcome = self.attempt(application, &operation).await;
        // What was applied is seen a moment later, as in a real cluster.
        tokio::time::sleep(self.settings.step).await;
        self.conclude(application, &operation, outcome)?;
        Ok(Some((Duration::ZERO, Level::Live)))
    }

    async fn attempt(&self, application: &Application, operation: &Value) -> Outcome {
        let revision = operation["sync"]["revision"].as_str().unwrap_or_default();
        let failed = |phase: &'static str, message: String, revision: &str, results: Vec<Value>| Outcome {
            phase,
            message,
            revision: revision.to_owned(),
            results,
        };
        if let Err(message) = check_spec(self, application) {
            return failed("Error", format!("InvalidSpecError: {message}"), revision, Vec::new());
        }
        let wanted = match self.wanted(application, revision, Level::Latest).await {
            Ok(wanted) => wanted,
            Err(failure) => {
                let message = format!(
                    "ComparisonError: Failed to load target state: failed to generate manifest for source 1 of 1: rpc \
                     error: code = Unknown desc = {failure}"
                );
                return failed("Error", message, revision, Vec::new());
            }
        };
        let revision = wanted.revision.as_str();
        if application.has_option("FailOnSharedResource=true") {
            for target in &wanted.targets {
                let place = key(&target.kind, &target.namespace, &target.name);
                let live = self.cluster.get(&target.kind, &target.namespace, &target.name);
                let owner = live.as_ref().ok().and_then(|live| comparison::owner_of(&place, live));
                if let Some(other) = owner.filter(|owner| *owner != application.name()) {
                    let message = format!(
                        "Shared resource found: {}/{} is part of applications {} and {other}",
                        target.kind.kind,
                        target.name,
                        application.name()
                    );
                    return failed("Failed", message, revision, Vec::new());
                }
            }
        }
        if application.has_option("CreateNamespace=true")
            && let Err(status) = self.create_namespace(application.namespace())
        {
            return failed(
                "Failed",
                format!("cannot create the namespace: {status}"),
                revision,
                Vec::new(),
            );
        }
        let mut targets = wanted.targets.iter().collect::<Vec<_>>();
        targets.sort_by_key(|target| order(target));
        // A rehearsal first: one bad object keeps all from being applied.
        let mut results = targets
            .iter()
            .map(|target| self.apply(target, &targets, true))
            .collect::<Vec<_>>();
        if results.iter().all(|result| result["status"] != "SyncFailed") {
            results = targets
                .iter()
                .map(|target| self.apply(target, &targets, false))
                .collect();
        }
        let reasons = results.iter().filter(|result| result["status"] == "SyncFailed");
        let reasons = reasons
            .filter_map(|result| result["message"].as_str())
            .collect::<Vec<_>>();
        if !reasons.is_empty() {
            let message = format!("one or more objects failed to apply, reason: {}", reasons.join(","));
            return failed("Failed", message, revision, results);
        }
        results.extend(self.prune(application, &wanted.targets, operation["sync"]["prune"] == true));
        failed(
            "Succeeded",
            "successfully synced (all tasks run)".into(),
            revision,
            results,
        )
    }

    fn create_namespace(&self, name: &str) -> Result<(), Status> {
        let kind = self.cluster.kind("", "Namespace")?;
        match self
            .cluster
            .create(&kind, "", json!({ "metadata": { "name": name } }), Write::by(MANAGER))
        {
            Err(status) if status.reason != "AlreadyExists" => Err(status),
            _ => Ok(()),
        }
    }

    fn apply(&self, target: &Target, all: &[&Target], rehearse: bool) -> Value {
        let write = if rehearse {
            Write::by(MANAGER).rehearsed()
        } else {
            Write::by(MANAGER)
        };
        let before = self.cluster.get(&target.kind, &target.namespace, &target.name).ok();
        let applied = self.cluster.apply(
            &target.kind,
            &target.namespace,
            &target.name,
            target.manifest.clone(),
            true,
            write,
        );
        let plural = target.kind.qualified();
        let singular = plural.replacen(&target.kind.plural, &target.kind.kind.to_lowercase(), 1);
        let (status, message) = match &applied {
            Ok((_, true)) => ("Synced", format!("{singular}/{} created", target.name)),
            Ok((after, false)) if before.as_ref().is_some_and(|before| before == after) => {
                ("Synced", format!("{singular}/{} unchanged", target.name))
            }
            Ok(_) => ("Synced", format!("{singular}/{} configured", target.name)),
            // The namespace comes with the same sync.
            Err(status) if rehearse && status.code == 404 && brings_namespace(all, &target.namespace) => {
                ("Synced", "the namespace is made first".into())
            }
            Err(status) => ("SyncFailed", status.message.clone()),
        };
        result(target, status, &message)
    }

    fn prune(&self, application: &Application, targets: &[Target], allowed: bool) -> Vec<Value> {
        let mut results = Vec::new();
        for resource in comparison::live_resources(&self.cluster, application.name()) {
            let place = |kind: &crate::kubernetes::kinds::Kind, namespace: &str, name: &str| key(kind, namespace, name);
            let own = place(&resource.kind, &resource.namespace, &resource.name);
            if targets
                .iter()
                .any(|target| place(&target.kind, &target.namespace, &target.name) == own)
            {
                continue;
            }
            let kept = resource
                .live
                .as_ref()
                .is_some_and(|live| has_resource_option(live, "Prune=false"));
            let (status, message) = if kept {
                ("PruneSkipped", "ignored (no prune)".to_owned())
            } else if !allowed {
                ("PruneSkipped", "ignored (requires pruning)".to_owned())
            } else {
                let options = DeleteOptions {
                    propagation: Propagation::Foreground,
                    ..DeleteOptions::default()
                };
                match self
                    .cluster
                    .delete(&resource.kind, &resource.namespace, &resource.name, &options)
                {
                    Err(status) if status.code != 404 => ("SyncFailed", status.message),
                    _ => ("Pruned", "pruned".to_owned()),
                }
            };
            let mut entry = resource.entry();
            entry["status"] = json!(status);
            entry["message"] = json!(message);
            entry["syncPhase"] = json!("Sync");
            results.push(entry);
        }
        results
    }

    fn conclude(&self, application: &Application, operation: &Value, outcome: Outcome) -> Result<(), Status> {
        let limit = operation["retry"]["limit"].as_i64().unwrap_or_default();
        modify(&self.cluster, application.name(), |object| {
            let compared = application.compared_to();
            let history = object["status"]["history"].clone();
            let state = &mut object["status"]["operationState"];
            let retries = state["retryCount"].as_i64().unwrap_or_default();
            let terminated = state["phase"] == "Terminating";
            let failed = outcome.phase != "Succeeded";
            let again = failed && !terminated && (limit < 0 || retries < limit);
            state["operation"] = operation.clone();
            state["finishedAt"] = json!(now());
            state["syncResult"] = json!({
                "revision": outcome.revision, "source": compared["source"], "resources": outcome.results,
            });
            if again {
                let at = (Utc::now() + backoff(operation, retries + 1)).format("%-I:%M%p");
                let attempt = retries + 1;
                state["phase"] = json!("Running");
                state["retryCount"] = json!(attempt);
                state["message"] = json!(format!("{}. Retrying attempt #{attempt} at {at}.", outcome.message));
                return;
            }
            state["phase"] = json!(outcome.phase);
            let tried = if failed && retries > 0 {
                format!(" (retried {retries} times).")
            } else {
                String::new()
            };
            state["message"] = json!(format!("{}{tried}", outcome.message));
            if !failed {
                let started = state["startedAt"].clone();
                let entry = json!({
                    "deployStartedAt": started, "deployedAt": now(), "revision": outcome.revision,
                    "source": compared["source"], "initiatedBy": operation["initiatedBy"],
                });
                object["status"]["history"] =
                    with_entry(&history, entry, &application.0["spec"]["revisionHistoryLimit"]);
            }
            if let Some(fields) = object.as_object_mut() {
                fields.shift_remove("operation");
            }
        })?;
        Ok(())
    }
}

fn brings_namespace(targets: &[&Target], namespace: &str) -> bool {
    targets
        .iter()
        .any(|target| target.kind.qualified() == "namespaces" && target.name == namespace)
}

/// The history with one more entry, oldest first, no longer than its limit.
fn with_entry(history: &Value, mut entry: Value, limit: &Value) -> Value {
    let mut list = history.as_array().cloned().unwrap_or_default();
    let next = list
        .last()
        .map(|last| last["id"].as_i64().unwrap_or_default() + 1)
        .unwrap_or_default();
    entry["id"] = json!(next);
    list.push(entry);
    let limit = limit
        .as_u64()
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(10);
    let surplus = list.len().saturating_sub(limit);
    list.drain(..surplus);
    Value::Array(list)
}

fn result(target: &Target, status: &str, message: &str) -> Value {
    let phase = if target.hook { "HookType" } else { "syncPhase" };
    let mut entry = json!({
        "group": target.kind.group, "version": target.kind.version, "kind": target.kind.kind,
        "namespace": target.namespace, "name": target.name, "status": status, "message": message,
        "hookPhase": if status == "SyncFailed" { "Failed" } else { "Running" },
    });
    entry[phase] = json!("Sync");
    entry
}

/// Hooks and waves first, then the order in which kinds need each other, then names.
fn order(target: &Target) -> (u8, i64, usize, String, String) {
    const KINDS: [&str; 16] = [
        "Namespace",
        "NetworkPolicy",
        "ResourceQuota",
        "LimitRange",
        "CustomResourceDefinition",
        "ServiceAccount",
        "Secret",
        "ConfigMap",
        "StorageClass",
        "PersistentVolumeClaim",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "Service",
        "Deployment",
    ];
    let annotations = &target.manifest["metadata"]["annotations"];
    let phase = match annotations["argocd.argoproj.io/hook"].as_str() {
        Some("PreSync") => 0,
        Some("PostSync") => 2,
        _ => 1,
    };
    let wave = annotations["argocd.argoproj.io/sync-wave"]
        .as_str()
        .and_then(|wave| wave.parse().ok())
        .unwrap_or_default();
    let kind = KINDS
        .iter()
        .position(|kind| *kind == target.kind.kind)
        .unwrap_or(KINDS.len());
    (phase, wave, kind, target.kind.kind.clone(), target.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_keeps_its_length_and_numbers() {
        let mut history = Value::Null;
        for _ in 0..5 {
            history = with_entry(&history, json!({}), &json!(3));
        }
        let ids = history
            .as_array()
            .expect("a list")
            .iter()
            .map(|entry| entry["id"].as_i64())
            .collect::<Vec<_>>();
        assert_eq!(ids, [Some(2), Some(3), Some(4)]);
    }
}
