//! Removing an Application, with what it has rolled out or without.

use chrono::{DateTime, Utc};
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::create::TASK;
use super::rest::ArgoApi;
use super::{GitOps, GitOpsError, in_time};

/// Argo CD deletes what an Application has rolled out only where it has a finalizer that starts so.
const FINALIZER: &str = "resources-finalizer.argocd.argoproj.io";
/// Of the clocks of this portal and of the cluster.
const CLOCK_SKEW: chrono::Duration = chrono::Duration::minutes(5);

/// Who has made the Application that is to be removed. One of the same name that somebody else made stays.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    /// Id of the task.
    pub task: &'a str,
    /// When it was there at the latest: for one that does not tell who made it.
    pub until: DateTime<Utc>,
}

/// How far a removal has come. It is asked for again until the Application is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// There is no such Application, or none any more.
    Gone,
    /// A sync was running, and was told to end; Argo CD deletes nothing before.
    EndingSync,
    /// Argo CD is deleting it, and its resources where that was asked for.
    Deleting,
}

/// An Application and how it is reached.
enum Found<'a> {
    ByArgo(&'a ArgoApi, Value),
    InCluster(Box<Api<DynamicObject>>, Value),
}

impl GitOps {
    /// Removes an Application that the maker has made, or does the next part of it. A running sync is ended first.
    pub async fn remove(&self, name: &str, maker: &Maker<'_>, with_resources: bool) -> Result<Removal, GitOpsError> {
        let Some(found) = self.find_to_remove(name).await? else {
            return Ok(Removal::Gone);
        };
        let object = found.object();
        if !maker.made(object) {
            return Err(GitOpsError::Conflict {
                instance: "Argo CD".to_owned(),
                what: format!(
                    "another Application {name}, which the task {} has not made,",
                    maker.task
                ),
            });
        }
        let syncs = object["operation"].is_object();
        if syncs && object.pointer("/status/operationState/phase") != Some(&json!("Terminating")) {
            self.end_sync(name, &found).await?;
        }
        let progress = if syncs { Removal::EndingSync } else { Removal::Deleting };
        if object.pointer("/metadata/deletionTimestamp").is_some() {
            return Ok(progress);
        }
        // At once: until it is being deleted Argo CD may begin the next sync.
        let deleted = match &found {
            Found::ByArgo(api, object) => api.delete(name, project(object), with_resources).await,
            Found::InCluster(api, object) => self.delete_in_cluster(api, name, object, with_resources).await,
        };
        match deleted {
            Ok(()) => Ok(progress),
            Err(GitOpsError::NotFound { .. }) => Ok(Removal::Gone),
            Err(error) => Err(error),
        }
    }

    async fn find_to_remove(&self, name: &str) -> Result<Option<Found<'_>>, GitOpsError> {
        for api in self.apis() {
            if let Some(object) = api.find(name, None).await? {
                return Ok(Some(Found::ByArgo(api, object)));
            }
        }
        let (Some(api), Some(cluster)) = (self.applications_api(), &self.inner.cluster) else {
            return Ok(None);
        };
        let found = in_time(&cluster.name, &what(name), api.get_opt(name)).await?;
        let object = found.and_then(|object| serde_json::to_value(object).ok());
        Ok(object.map(|object| Found::InCluster(Box::new(api), object)))
    }

    async fn end_sync(&self, name: &str, found: &Found<'_>) -> Result<(), GitOpsError> {
        match found {
            Found::ByArgo(api, object) => match api.terminate(name, project(object)).await {
                // It has ended by itself meanwhile; the next look will tell.
                Err(GitOpsError::Denied { reason, .. }) if reason.contains("No operation is in progress") => Ok(()),
                answer => answer,
            },
            Found::InCluster(api, _) => {
                let phase = json!({"status": {"operationState": {"phase": "Terminating"}}});
                self.patch(api, name, phase).await
            }
        }
    }

    async fn delete_in_cluster(
        &self,
        api: &Api<DynamicObject>,
        name: &str,
        object: &Value,
        with_resources: bool,
    ) -> Result<(), GitOpsError> {
        let before: Vec<&str> = object
            .pointer("/metadata/finalizers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut after: Vec<&str> = before
            .iter()
            .copied()
            .filter(|one| !one.starts_with(FINALIZER))
            .collect();
        if with_resources {
            after.push(FINALIZER);
        }
        if after != before {
            let version = object.pointer("/metadata/resourceVersion");
            let patch = json!({"metadata": {"finalizers": after, "resourceVersion": version}});
            self.patch(api, name, patch).await?;
        }
        let parameters = DeleteParams::default();
        let deleted = api.delete(name, &parameters);
        in_time(self.cluster_name(), &what(name), deleted).await?;
        Ok(())
    }

    async fn patch(&self, api: &Api<DynamicObject>, name: &str, patch: Value) -> Result<(), GitOpsError> {
        let parameters = PatchParams {
            field_manager: Some(super::FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Merge(patch);
        in_time(self.cluster_name(), &what(name), api.patch(name, &parameters, &patch)).await?;
        Ok(())
    }

    fn cluster_name(&self) -> &str {
        self.inner
            .cluster
            .as_ref()
            .map_or("the cluster", |cluster| cluster.name.as_str())
    }
}

impl Found<'_> {
    fn object(&self) -> &Value {
        match self {
            Self::ByArgo(_, object) | Self::InCluster(_, object) => object,
        }
    }
}

impl Maker<'_> {
    fn made(&self, object: &Value) -> bool {
        match object.pointer("/metadata/annotations").and_then(|all| all.get(TASK)) {
            Some(task) => task == self.task,
            None => object
                .pointer("/metadata/creationTimestamp")
                .and_then(Value::as_str)
                .and_then(|text| text.parse::<DateTime<Utc>>().ok())
                .is_some_and(|created| created <= self.until + CLOCK_SKEW),
        }
    }
}

fn project(object: &Value) -> &str {
    object
        .pointer("/spec/project")
        .and_then(Value::as_str)
        .unwrap_or("default")
}

fn what(name: &str) -> String {
    format!("Application {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_task_has_made_is_removed() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let maker = Maker {
            task: "t1",
            until: at("2026-01-01T12:00:00Z"),
        };
        for (metadata, made) in [
            (json!({"annotations": {"portico/task": "t1"}}), true),
            (json!({"annotations": {"portico/task": "t2"}}), false),
            (json!({"creationTimestamp": "2026-01-01T11:59:00Z"}), true),
            (
                json!({"annotations": {"a": "b"}, "creationTimestamp": "2026-01-02T00:00:00Z"}),
                false,
            ),
            (json!({}), false),
        ] {
            assert_eq!(maker.made(&json!({"metadata": metadata})), made, "{metadata}");
        }
    }
}
