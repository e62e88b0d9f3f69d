use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kubernetes::Cluster;
use crate::scaffolder::actions::files::{on_files, read_text};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::model::EffectKind;
use crate::scaffolder::yaml;

/// `cnoe:kubernetes:apply`: applies manifests to a cluster.
pub struct KubernetesApply;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Accepted for templates that have it: the cluster knows which kinds are namespaced.
    #[expect(dead_code, reason = "accepted, not used")]
    namespaced: Option<bool>,
    /// Manifests as YAML, one or several documents.
    #[serde(alias = "manifest")]
    manifest_string: Option<String>,
    /// One manifest as a value.
    manifest_object: Option<Value>,
    /// File of the workspace with manifests.
    manifest_path: Option<String>,
    /// Name of a configured cluster; the first one where nothing is named.
    cluster_name: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The first object as the cluster has it.
    #[serde(rename = "returnedObject")]
    returned_object: Value,
    /// All objects.
    objects: Vec<Value>,
}

#[async_trait::async_trait]
impl Action for KubernetesApply {
    const ID: &'static str = "cnoe:kubernetes:apply";
    const DESCRIPTION: &'static str = "Applies Kubernetes manifests to a cluster, with the rights of the portal's account there. \
                                       A manifest with generateName makes a new object.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Apply a manifest from the workspace",
        example: "\
steps:
  - id: apply
    action: cnoe:kubernetes:apply
    input:
      namespaced: true
      manifestPath: workflow.yaml
      clusterName: local
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let cluster = cluster(cx, input.cluster_name.as_deref())?.clone();
        let manifests = manifests(cx, input).await?;
        let mut objects = Vec::with_capacity(manifests.len());
        for (index, manifest) in manifests.iter().enumerate() {
            let iteration = cx.iteration.as_deref().unwrap_or_default();
            let made_by = format!("{}/{}/{iteration}/{index}", cx.task_id, cx.step_id);
            let applied = cluster.apply(manifest, &made_by).await?;
            cx.log(format!("Applied {} to cluster {}", applied.what, cluster.name));
            cx.effect(EffectKind::Object, &format!("{}: {}", cluster.name, applied.what), None)
                .await?;
            objects.push(without_managed_fields(applied.object));
        }
        Ok(Output {
            returned_object: objects.first().cloned().unwrap_or_default(),
            objects,
        })
    }
}

fn cluster<'a>(cx: &'a Context, name: Option<&str>) -> Result<&'a Cluster, ActionError> {
    let clusters = &cx.outside.clusters;
    let found = match name.filter(|name| !name.is_empty()) {
        None => clusters.first(),
        Some(name) => clusters.iter().find(|cluster| cluster.name == name),
    };
    found.ok_or_else(|| {
        let known: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        ActionError::Input(match (name, known.is_empty()) {
            (_, true) => {
                "no cluster is configured under kubernetes.clusterLocatorMethods, and the portal does not run in one"
                    .to_owned()
            }
            (name, false) => format!(
                "there is no cluster \"{}\"; configured are {}",
                name.unwrap_or_default(),
                known.join(", ")
            ),
        })
    })
}

async fn manifests(cx: &Context, input: Input) -> Result<Vec<Value>, ActionError> {
    let (what, text) = match (input.manifest_string, input.manifest_object, input.manifest_path) {
        (Some(text), None, None) => ("manifestString".to_owned(), text),
        (None, Some(object), None) => return Ok(vec![object]),
        (None, None, Some(path)) => {
            let file = path.clone();
            (path, on_files(cx, move |cx| read_text(cx, &file)).await?)
        }
        _ => {
            return Err(ActionError::Input(
                "exactly one of manifestString, manifestObject and manifestPath is needed".to_owned(),
            ));
        }
    };
    let manifests = yaml::read_all(&text).map_err(|error| ActionError::Input(format!("{what} is no YAML: {error}")))?;
    if manifests.is_empty() {
        return Err(ActionError::Input(format!("{what} has no manifest in it")));
    }
    Ok(manifests)
}

/// They are long, and nobody reads them.
fn without_managed_fields(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn exactly_one_manifest_is_taken() {
        let cx = bench(&[("two.yaml", "a: 1\n---\nb: 2\n"), ("none.yaml", "# nothing\n")]);
        let read = async |input: Value| {
            manifests(&cx, serde_json::from_value(input).unwrap())
                .await
                .map(|list| list.len())
        };
        for (input, count) in [
            (json!({"manifestString": "a: 1"}), Some(1)),
            (json!({"manifest": "a: 1\n---\nb: 1"}), Some(2)),
            (json!({"manifestObject": {"a": 1}}), Some(1)),
            (json!({"manifestPath": "two.yaml"}), Some(2)),
            (json!({"manifestPath": "none.yaml"}), None),
            (json!({"manifestPath": "../x"}), None),
            (json!({"manifestString": "a: ["}), None),
            (json!({"manifestString": "a", "manifestPath": "two.yaml"}), None),
            (json!({}), None),
        ] {
            assert_eq!(read(input.clone()).await.ok(), count, "{input}");
        }
        let error = run(&KubernetesApply, &cx, json!({"manifestString": "a: 1"}))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no cluster is configured"), "{error}");
    }
}
