//! Objects that are put into the cluster from manifests.

use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::{Api, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::{Scope, oneshot};
use serde_json::Value;
use tokio::time::Instant;

/// Who we are among those who write objects.
const FIELD_MANAGER: &str = "portico-platform";

/// Applies all documents of a manifest, in their order.
///
/// # Errors
/// Names the object that the cluster does not take.
pub async fn apply(client: &kube::Client, manifest: &str) -> Result<()> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(manifest).context("a manifest is no YAML")?;
    for object in objects {
        let object: DynamicObject =
            serde_json::from_value(object).context("a manifest holds something else than an object")?;
        let name = object.metadata.name.clone().unwrap_or_default();
        let kind = object
            .types
            .as_ref()
            .map_or_else(String::new, |types| types.kind.clone());
        apply_one(client, &name, &object)
            .await
            .with_context(|| format!("cannot apply {kind} {name}"))?;
    }
    Ok(())
}

async fn apply_one(client: &kube::Client, name: &str, object: &DynamicObject) -> Result<()> {
    let types = object.types.as_ref().context("it has no kind")?;
    let kind = GroupVersionKind::try_from(types)?;
    let (resource, capabilities) = known(client, &kind).await?;
    let api: Api<DynamicObject> = match (&capabilities.scope, object.metadata.namespace.as_deref()) {
        (Scope::Namespaced, Some(namespace)) => Api::namespaced_with(client.clone(), namespace, &resource),
        _ => Api::all_with(client.clone(), &resource),
    };
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    api.patch(name, &parameters, &Patch::Apply(object)).await?;
    Ok(())
}

/// A kind that was defined a moment ago takes a moment to be served.
async fn known(
    client: &kube::Client,
    kind: &GroupVersionKind,
) -> Result<(kube::discovery::ApiResource, kube::discovery::ApiCapabilities)> {
    const PATIENCE: Duration = Duration::from_secs(20);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match oneshot::pinned_kind(client, kind).await {
            Ok(known) => return Ok(known),
            Err(error) if Instant::now() > deadline => {
                return Err(error).with_context(|| format!("the cluster does not know the kind {}", kind.kind));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
