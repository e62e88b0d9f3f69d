//! What an Application wants against what there is.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    application::{Application, SYNC_OPTIONS, TRACKING},
    health::{self, Health},
};
use crate::kubernetes::{
    cluster::Cluster,
    kinds::{Kind, split_api_version},
    objects::Key,
    writes::Write,
};

/// The field manager of resources that Argo CD applies.
pub const MANAGER: &str = "argocd-controller";

/// One wanted object, ready to be applied.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its kind.
    pub kind: Arc<Kind>,
    /// Its namespace; empty for objects of the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The manifest with namespace and tracking annotation.
    pub manifest: Value,
    /// It is run at a point of a sync instead of being kept (`argocd.argoproj.io/hook`).
    pub hook: bool,
}

/// One resource of an Application after comparison.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its kind.
    pub kind: Arc<Kind>,
    /// Namespace, empty for objects of the whole cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Whether it is as wanted; none when it could not be told.
    pub synced: Option<bool>,
    /// It is no longer wanted.
    pub prune: bool,
    /// The live object.
    pub live: Option<Arc<Value>>,
}

impl Resource {
    /// The entry in `status.resources`.
    pub fn entry(&self) -> Value {
        let status = match self.synced {
            Some(true) => "Synced",
            Some(false) => "OutOfSync",
            None => "Unknown",
        };
        let mut entry = json!({
            "version": self.kind.version, "kind": self.kind.kind, "name": self.name, "status": status,
        });
        if !self.kind.group.is_empty() {
            entry["group"] = json!(self.kind.group);
        }
        if !self.namespace.is_empty() {
            entry["namespace"] = json!(self.namespace);
        }
        if self.prune {
            entry["requiresPruning"] = json!(true);
        }
        entry
    }

    /// Its health; none where the kind has none.
    pub fn health(&self) -> Option<Health> {
        match &self.live {
            Some(live) => health::of(live),
            None => Some(Health::Missing),
        }
    }
}

/// The worst health of all; that of an Application without resources is good.
pub fn worst_health(resources: &[Resource]) -> Health {
    resources
        .iter()
        .filter(|one| !one.prune)
        .filter_map(Resource::health)
        .max()
        .unwrap_or(Health::Healthy)
}

/// Makes manifests ready to be applied for an Application.
///
/// Errors are worded for a condition. Objects that are stated twice are kept once, the last one.
pub fn targets(cluster: &Cluster, application: &Application, manifests: &[Value]) -> Result<Vec<Target>, String> {
    let mut targets: Vec<Target> = Vec::new();
    for manifest in manifests {
        let kind = cluster.kind_of_manifest(manifest).map_err(|status| status.message)?;
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        let hook = !manifest["metadata"]["annotations"]["argocd.argoproj.io/hook"].is_null();
        if name.is_empty() {
            return Err(format!("a manifest of kind {} has no metadata.name", kind.kind));
        }
        let mut manifest = manifest.clone();
        let (_, version) = split_api_version(manifest["apiVersion"].as_str().unwrap_or_default());
        if version != kind.version {
            // Objects are kept in one version only.
            manifest["apiVersion"] = json!(kind.api_version());
        }
        let mut namespace = String::new();
        if kind.namespaced {
            let own = manifest["metadata"]["namespace"].as_str().filter(|own| !own.is_empty());
            namespace = own.unwrap_or(application.namespace()).to_owned();
            manifest["metadata"]["namespace"] = json!(namespace);
        } else if let Some(metadata) = manifest["metadata"].as_object_mut() {
            metadata.shift_remove("namespace");
        }
        if let Some(fields) = manifest.as_object_mut() {
            fields.shift_remove("status");
        }
        if !hook {
            let id = tracking_id(application.name(), &kind, &namespace, name);
            manifest["metadata"]["annotations"][TRACKING] = json!(id);
        }
        targets.retain(|one| (&one.kind, &one.namespace, one.name.as_str()) != (&kind, &namespace, name));
        targets.push(Target {
            kind,
            namespace,
            name: name.to_owned(),
            manifest,
            hook,
        });
    }
    Ok(targets)
}

fn tracking_id(application: &str, kind: &Kind, namespace: &str, name: &str) -> String {
    format!("{application}:{}/{}:{namespace}/{name}", kind.group, kind.kind)
}

/// The Application that an object belongs to. Copies of the annotation on other objects (replica sets have them) do not
/// count.
pub fn owner_of<'a>(key: &Key, object: &'a Value) -> Option<&'a str> {
    let id = object["metadata"]["annotations"][TRACKING].as_str()?;
    let (application, rest) = id.split_once(':')?;
    let (kind, place) = rest.split_once(':')?;
    let (group, kind) = kind.split_once('/')?;
    let (_, name) = place.split_once('/')?;
    let same = group == key.group && object["kind"] == kind && name == key.name;
    same.then_some(application)
}

/// Whether an object's own sync options have one, such as `Prune=false`.
pub fn has_resource_option(object: &Value, option: &str) -> bool {
    let options = object["metadata"]["annotations"][SYNC_OPTIONS]
        .as_str()
        .unwrap_or_default();
    options.split(',').any(|one| one.trim() == option)
}

/// Live objects that belong to an Application.
pub fn tracked(cluster: &Cluster, application: &str) -> Vec<(Key, Arc<Value>)> {
    cluster.find(|key, object| owner_of(key, object) == Some(application))
}

/// Compares targets with what there is; live objects that are no longer wanted are listed for pruning.
pub fn compare(cluster: &Cluster, application: &Application, targets: &[Target]) -> Vec<Resource> {
    let mut resources = Vec::new();
    for target in targets.iter().filter(|target| !target.hook) {
        let live = cluster.get(&target.kind, &target.namespace, &target.name).ok();
        let synced = live
            .as_deref()
            .is_some_and(|live| is_synced(cluster, application, target, live));
        resources.push(Resource {
            kind: target.kind.clone(),
            namespace: target.namespace.clone(),
            name: target.name.clone(),
            synced: Some(synced),
            prune: false,
            live,
        });
    }
    for mut resource in live_resources(cluster, application.name()) {
        let wanted = targets.iter().any(|target| {
            (
                &*target.kind.kind,
                &*target.kind.group,
                &*target.namespace,
                &*target.name,
            ) == (
                &*resource.kind.kind,
                &*resource.kind.group,
                &*resource.namespace,
                &*resource.name,
            )
        });
        let ignored = |live: &Arc<Value>| {
            live["metadata"]["annotations"]["argocd.argoproj.io/compare-options"] == "IgnoreExtraneous"
        };
        if !wanted && !resource.live.as_ref().is_some_and(ignored) {
            resource.synced = Some(false);
            resource.prune = true;
            resources.push(resource);
        }
    }
    resources.sort_by(|a, b| {
        let order = |one: &Resource| {
            (
                one.kind.group.clone(),
                one.kind.kind.clone(),
                one.namespace.clone(),
                one.name.clone(),
            )
        };
        order(a).cmp(&order(b))
    });
    resources
}

/// What there is of an Application when what it wants cannot be read.
pub fn live_resources(cluster: &Cluster, application: &str) -> Vec<Resource> {
    let found = tracked(cluster, application).into_iter().filter_map(|(key, object)| {
        let kind = cluster.stored_kind(&key)?;
        let live = Some(object);
        Some(Resource {
            kind,
            namespace: key.namespace,
            name: key.name,
            synced: None,
            prune: false,
            live,
        })
    });
    found.collect()
}

/// An object is as wanted when applying would change nothing.
fn is_synced(cluster: &Cluster, application: &Application, target: &Target, live: &Value) -> bool {
    let write = Write::by(MANAGER).rehearsed();
    let manifest = target.manifest.clone();
    let Ok((applied, _)) = cluster.apply(&target.kind, &target.namespace, &target.name, manifest, true, write) else {
        return false;
    };
    let (mut before, mut after) = (live.clone(), (*applied).clone());
    for object in [&mut before, &mut after] {
        for field in ["managedFields", "generation", "resourceVersion"] {
            if let Some(metadata) = object["metadata"].as_object_mut() {
                metadata.shift_remove(field);
            }
        }
        ignore_differences(application, target, object);
    }
    before == after
}

/// `spec.ignoreDifferences` with JSON pointers.
fn ignore_differences(application: &Application, target: &Target, object: &mut Value) {
    for rule in application.0["spec"]["ignoreDifferences"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let fits = |field: &str, value: &str| {
            rule[field]
                .as_str()
                .is_none_or(|wanted| wanted.is_empty() || wanted == "*" || wanted == value)
        };
        let group = rule["group"].as_str().unwrap_or_default();
        if (group != "*" && group != target.kind.group)
            || !fits("kind", &target.kind.kind)
            || !fits("name", &target.name)
            || !fits("namespace", &target.namespace)
        {
            continue;
        }
        for pointer in rule["jsonPointers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if let Some((parent, field)) = pointer.rsplit_once('/')
                && let Some(Value::Object(fields)) = object.pointer_mut(parent)
            {
                fields.shift_remove(&field.replace("~1", "/").replace("~0", "~"));
            }
        }
    }
}
