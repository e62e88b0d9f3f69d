//! A new Argo CD project: what its Applications may read and where they may put it.

use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use kube::core::GroupVersionKind;
use serde_json::{Map, Value, json};

use super::{FIELD_MANAGER, GitOps, GitOpsError, Instance, in_time};

/// What to create: a project for one repository and one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProject {
    /// Name of the Argo CD instance, as configured.
    pub instance: String,
    pub name: String,
    /// Namespace that its Applications may put things into.
    pub namespace: String,
    /// Repository that they may read.
    pub repo_url: String,
}

impl NewProject {
    /// The object that Backstage's Argo CD action sends (`@roadiehq/backstage-plugin-argo-cd-node` 2.0.0); `settings` are those
    /// of `argocd.projectSettings`.
    pub(super) fn body(&self, settings: &Map<String, Value>) -> Value {
        let destination = json!({
            "name": "local", "namespace": self.namespace, "server": "https://kubernetes.default.svc",
        });
        let mut spec = json!({"destinations": [destination], "sourceRepos": [self.repo_url]});
        for (key, value) in settings {
            spec[key] = value.clone();
        }
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AppProject",
            "metadata": {"name": self.name, "finalizers": ["resources-finalizer.argocd.argoproj.io"]},
            "spec": spec,
        })
    }

    pub(super) fn what(&self) -> String {
        format!("AppProject {}", self.name)
    }
}

impl GitOps {
    /// Makes sure that there is this project; one that says something else is a `Conflict` and stays as it is. True when it
    /// was not there before.
    pub async fn ensure_project(&self, new: &NewProject) -> Result<bool, GitOpsError> {
        let instance = self.instance(&new.instance)?;
        let body = new.body(&self.inner.settings.project_settings);
        match &instance.api {
            Some(api) => api.ensure_project(new, &body).await,
            None => self.ensure_project_in_cluster(instance, new, &body).await,
        }
    }

    async fn ensure_project_in_cluster(
        &self,
        instance: &Instance,
        new: &NewProject,
        body: &Value,
    ) -> Result<bool, GitOpsError> {
        let cluster = self
            .inner
            .cluster
            .as_ref()
            .ok_or_else(|| Self::without_account(instance))?;
        let kind = GroupVersionKind::gvk("argoproj.io", "v1alpha1", "AppProject");
        let resource = ApiResource::from_gvk_with_plural(&kind, "appprojects");
        let api: Api<DynamicObject> =
            Api::namespaced_with(cluster.client.clone(), &self.inner.settings.namespace, &resource);
        let object: DynamicObject = serde_json::from_value(body.clone()).map_err(|error| GitOpsError::Unexpected {
            instance: instance.name.clone(),
            reason: error.to_string(),
        })?;
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match in_time(&instance.name, &new.what(), api.create(&parameters, &object)).await {
            Ok(_) => Ok(true),
            Err(conflict @ GitOpsError::Conflict { .. }) => {
                let found = in_time(&instance.name, &new.what(), api.get_opt(&new.name)).await?;
                let found = found.and_then(|object| serde_json::to_value(object).ok());
                let same = found.is_some_and(|object| object["spec"] == body["spec"]);
                if same { Ok(false) } else { Err(conflict) }
            }
            Err(error) => Err(error),
        }
    }
}
