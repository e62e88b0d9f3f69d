//! Manifests into a cluster: by server-side apply, or as new objects where a manifest asks for a generated name or
//! the account may not patch.

use std::time::Duration;

use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::{Scope, pinned_kind};
use serde_json::{Value, json};

use super::Cluster;
use crate::telemetry;

/// Who wrote a field.
const FIELD_MANAGER: &str = "portico";
/// Which step made an object.
const MADE_BY: &str = "portico/made-by";
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Why a cluster did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} on cluster {cluster}: {reason}")]
pub struct ApplyError {
    pub cluster: String,
    /// Kind and name of the object.
    pub what: String,
    pub reason: String,
    /// The same request may succeed later without anything being changed.
    pub is_temporary: bool,
}

/// What became of a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    pub object: Value,
    /// `kind namespace/name`.
    pub what: String,
}

impl Cluster {
    /// Applies one manifest. `made_by` names task, step and place: a repeated call with it finds what the first one made.
    pub async fn apply(&self, manifest: &Value, made_by: &str) -> Result<Applied, ApplyError> {
        let target = Target::read(self, manifest, made_by).await?;
        if target.generated {
            return target.create().await;
        }
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        let patch = Patch::Apply(&target.manifest);
        match target.answer(target.api.patch(&target.name, &parameters, &patch)).await {
            Err(Refusal::Denied(_)) => target.create().await,
            other => target.done(other),
        }
    }
}

/// Where a manifest goes.
struct Target<'a> {
    cluster: &'a Cluster,
    api: Api<DynamicObject>,
    name: String,
    /// It asked for a generated name; ours follows from `made_by`, so that a second call gets the same.
    generated: bool,
    manifest: Value,
    made_by: &'a str,
    what: String,
}

/// An answer that is no success.
enum Refusal {
    /// The account may not.
    Denied(String),
    /// There is an object of the name.
    Exists,
    Other {
        reason: String,
        is_temporary: bool,
    },
}

impl<'a> Target<'a> {
    async fn read(cluster: &'a Cluster, manifest: &Value, made_by: &'a str) -> Result<Self, ApplyError> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (version, kind) = (text("/apiVersion"), text("/kind"));
        let fail = |reason: String, is_temporary| ApplyError {
            cluster: cluster.name.clone(),
            what: format!("{kind} {}{}", text("/metadata/name"), text("/metadata/generateName")),
            reason,
            is_temporary,
        };
        let gvk = GroupVersionKind::try_from(TypeMeta {
            api_version: version.to_owned(),
            kind: kind.to_owned(),
        })
        .map_err(|_| fail("the manifest needs apiVersion and kind".to_owned(), false))?;
        if version.is_empty() || kind.is_empty() {
            return Err(fail("the manifest needs apiVersion and kind".to_owned(), false));
        }
        let mut manifest = manifest.clone();
        let generated = !text("/metadata/generateName").is_empty() && text("/metadata/name").is_empty();
        let name = if generated {
            let name = format!("{}{}", text("/metadata/generateName"), suffix(made_by));
            manifest["metadata"]["name"] = json!(name);
            name
        } else {
            text("/metadata/name").to_owned()
        };
        if name.is_empty() {
            return Err(fail(
                "the manifest needs metadata.name or metadata.generateName".to_owned(),
                false,
            ));
        }
        let discovery = telemetry::outside(tokio::time::timeout(ANSWER_TIME, pinned_kind(&cluster.client, &gvk))).await;
        let (resource, capabilities): (ApiResource, _) = match discovery {
            Ok(Ok(found)) => found,
            Ok(Err(kube::Error::Api(status))) if status.code != 404 => {
                return Err(fail(
                    format!("{} ({})", status.message, status.code),
                    status.code >= 500,
                ));
            }
            Ok(Err(kube::Error::Api(_) | kube::Error::Discovery(_))) => {
                return Err(fail(
                    format!("the cluster does not know the kind {kind} of {version}; is its operator installed?"),
                    false,
                ));
            }
            Ok(Err(error)) => return Err(fail(innermost(&error), true)),
            Err(_) => return Err(fail(no_answer(), true)),
        };
        let client = cluster.client.clone();
        let (api, place) = match capabilities.scope {
            Scope::Cluster => (Api::all_with(client, &resource), name.clone()),
            Scope::Namespaced => {
                let namespace = match text("/metadata/namespace") {
                    "" => "default",
                    namespace => namespace,
                };
                (
                    Api::namespaced_with(client, namespace, &resource),
                    format!("{namespace}/{name}"),
                )
            }
        };
        Ok(Self {
            cluster,
            what: format!("{kind} {place}"),
            api,
            name,
            generated,
            manifest,
            made_by,
        })
    }

    /// Makes a new object; one that an earlier call of the same step made counts.
    async fn create(self) -> Result<Applied, ApplyError> {
        let mut manifest = self.manifest.clone();
        manifest["metadata"]["annotations"][MADE_BY] = json!(self.made_by);
        let object: DynamicObject = serde_json::from_value(manifest)
            .map_err(|error| self.fail(format!("the manifest is no object of Kubernetes: {error}"), false))?;
        let parameters = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match self.answer(self.api.create(&parameters, &object)).await {
            Err(Refusal::Exists) => {
                let found = self.done(self.answer(self.api.get(&self.name)).await)?;
                if found.object["metadata"]["annotations"][MADE_BY] == self.made_by {
                    Ok(found)
                } else {
                    Err(self.fail(
                        "it is there already, was not made by this step, and the account may not change it".to_owned(),
                        false,
                    ))
                }
            }
            other => self.done(other),
        }
    }

    async fn answer(
        &self,
        request: impl Future<Output = kube::Result<DynamicObject>>,
    ) -> Result<DynamicObject, Refusal> {
        match telemetry::outside(tokio::time::timeout(ANSWER_TIME, request)).await {
            Ok(Ok(object)) => Ok(object),
            Ok(Err(kube::Error::Api(status))) => {
                let reason = format!("{} ({})", status.message, status.code);
                Err(match status.code {
                    403 => Refusal::Denied(reason),
                    409 => Refusal::Exists,
                    code => Refusal::Other {
                        reason,
                        is_temporary: code == 429 || code >= 500,
                    },
                })
            }
            Ok(Err(error)) => Err(Refusal::Other {
                reason: innermost(&error),
                is_temporary: true,
            }),
            Err(_) => Err(Refusal::Other {
                reason: no_answer(),
                is_temporary: true,
            }),
        }
    }

    fn done(&self, answer: Result<DynamicObject, Refusal>) -> Result<Applied, ApplyError> {
        match answer {
            Ok(object) => Ok(Applied {
                object: serde_json::to_value(object).unwrap_or_default(),
                what: self.what.clone(),
            }),
            Err(Refusal::Denied(reason)) => Err(self.fail(reason, false)),
            Err(Refusal::Exists) => Err(self.fail("it is there already".to_owned(), false)),
            Err(Refusal::Other { reason, is_temporary }) => Err(self.fail(reason, is_temporary)),
        }
    }

    fn fail(&self, reason: String, is_temporary: bool) -> ApplyError {
        ApplyError {
            cluster: self.cluster.name.clone(),
            what: self.what.clone(),
            reason,
            is_temporary,
        }
    }
}

/// What a generated name ends with: always the same for the same step.
fn suffix(made_by: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(&Sha256::digest(made_by)[..5])
}

fn no_answer() -> String {
    format!("no answer within {} s", ANSWER_TIME.as_secs())
}

/// The innermost cause: the outer texts only repeat that something failed.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
