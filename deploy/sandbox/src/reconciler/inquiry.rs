//! What Argo CD's API asks the controller: is a specification fine, what belongs to an Application.

use serde_json::{Value, json};

use super::{Level, Reconciler, application::Application, comparison, health, refresh::check_spec};

impl Reconciler {
    /// Checks a specification, its repository included, before it is stored; the error is for the one who sent it.
    pub async fn check(&self, application: &Application) -> Result<(), String> {
        check_spec(self, application)?;
        let source = application.source();
        let repository = source["repoURL"].as_str().unwrap_or_default();
        let revision = source["targetRevision"].as_str().unwrap_or_default();
        let resolved = self
            .repositories
            .resolve(repository, revision, self.login(repository).as_ref())
            .await;
        match resolved {
            Err(failure) if failure.contains("failed to list refs") => Err(format!(
                "repository not accessible: rpc error: code = Unknown desc = {failure}"
            )),
            _ => {
                let failure = self.wanted(application, "", Level::Latest).await.err();
                failure.map_or(Ok(()), |failure| {
                    Err(format!(
                        "Unable to generate manifests in {}: rpc error: code = Unknown desc = {failure}",
                        source["path"].as_str().unwrap_or_default()
                    ))
                })
            }
        }
    }

    /// The live resources of an Application and what they own, as nodes of Argo CD's resource tree.
    pub fn tree(&self, application: &str) -> Vec<Value> {
        let all = self.cluster.find(|_, _| true);
        let mut open = comparison::tracked(&self.cluster, application);
        let mut nodes = Vec::new();
        while let Some((key, object)) = open.pop() {
            let uid = &object["metadata"]["uid"];
            let owns = |one: &Value| {
                one["metadata"]["ownerReferences"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|owner| owner["uid"] == *uid)
            };
            open.extend(all.iter().filter(|(_, one)| owns(one)).cloned());
            let version = object["apiVersion"].as_str().unwrap_or_default();
            let mut node = json!({
                "group": key.group, "version": version.rsplit('/').next().unwrap_or_default(), "kind": object["kind"],
                "namespace": key.namespace, "name": key.name, "uid": uid,
                "resourceVersion": object["metadata"]["resourceVersion"],
                "createdAt": object["metadata"]["creationTimestamp"],
                "parentRefs": object["metadata"]["ownerReferences"],
            });
            if let Some(health) = health::of(&object) {
                node["health"] = json!({ "status": health.name() });
            }
            nodes.push(node);
        }
        nodes
    }
}
