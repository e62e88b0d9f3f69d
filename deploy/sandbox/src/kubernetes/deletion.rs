//! Deleting: finalizers, propagation to dependents, preconditions.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    cluster::{Cluster, State, key},
    kinds::Kind,
    objects::Key,
    status::Status,
    writes::now,
};

/// The finalizer that Kubernetes' garbage collector removes when all dependents are gone.
pub const FOREGROUND: &str = "foregroundDeletion";

/// What becomes of the objects that an object owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Propagation {
    /// They are deleted afterwards.
    #[default]
    Background,
    /// They are deleted first.
    Foreground,
    /// They stay.
    Orphan,
}

/// How an object is deleted: the parts of `metav1.DeleteOptions` that matter here.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// What becomes of dependents.
    pub propagation: Propagation,
    /// Only an object with this uid.
    pub uid: Option<String>,
    /// Only this version of it.
    pub resource_version: Option<String>,
    /// Deletes nothing.
    pub dry_run: bool,
}

/// What a deletion led to.
#[derive(Debug)]
pub struct Deleted {
    /// The object as it is or last was.
    pub object: Arc<Value>,
    /// It waits for its finalizers.
    pub pending: bool,
}

impl Cluster {
    /// Deletes an object, or marks it when finalizers hold it. 404 when it is not there, 409 when a precondition fails.
    pub fn delete(&self, kind: &Kind, namespace: &str, name: &str, options: &DeleteOptions) -> Result<Deleted, Status> {
        let mut state = self.lock();
        let key = key(kind, namespace, name);
        let old = state
            .objects
            .get(&key)
            .cloned()
            .ok_or_else(|| Status::not_found(kind, name))?;
        for (wanted, field) in [(&options.uid, "uid"), (&options.resource_version, "resourceVersion")] {
            let found = old["metadata"][field].as_str().unwrap_or_default();
            if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != found) {
                let why =
                    format!("Precondition failed: {field} in precondition: {wanted}, {field} in object meta: {found}");
                return Err(Status::conflict(kind, name, &why));
            }
        }
        let namespace_object = kind.qualified() == "namespaces";
        if namespace_object && matches!(name, "default" | "kube-system" | "kube-public") {
            let message = format!("namespaces \"{name}\" is forbidden: this namespace may not be deleted");
            return Err(Status {
                code: 403,
                reason: "Forbidden",
                message,
                details: json!({ "name": name }),
            });
        }
        let uid = old["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        let mut new = (*old).clone();
        if options.propagation == Propagation::Foreground && !dependents(&state, &uid).is_empty() {
            add_finalizer(&mut new, FOREGROUND);
        }
        let held = namespace_object
            || new["metadata"]["finalizers"]
                .as_array()
                .is_some_and(|list| !list.is_empty());
        if new["metadata"]["deletionTimestamp"].is_null() {
            new["metadata"]["deletionTimestamp"] = json!(now());
            new["metadata"]["deletionGracePeriodSeconds"] = json!(0);
        }
        if namespace_object {
            new["status"]["phase"] = json!("Terminating");
        }
        if options.dry_run {
            return Ok(Deleted {
                object: old,
                pending: held,
            });
        }
        if options.propagation == Propagation::Orphan {
            for (dependent, object) in dependents(&state, &uid) {
                let mut orphan = (*object).clone();
                if let Some(owners) = orphan["metadata"]["ownerReferences"].as_array_mut() {
                    owners.retain(|owner| owner["uid"] != uid.as_str());
                }
                state
                    .objects
                    .commit(dependent, Some(orphan))
                    .map_err(Status::internal)?;
            }
        }
        let object = if held && *old == new {
            old
        } else {
            state
                .objects
                .commit(key, held.then_some(new))
                .map_err(Status::internal)?
        };
        self.announce(state.objects.version());
        Ok(Deleted { object, pending: held })
    }

    /// Removes an object whatever holds it; for controllers that have done their part.
    pub(super) fn remove(&self, key: &Key) -> Result<(), Status> {
        let mut state = self.lock();
        if state.objects.get(key).is_some() {
            state.objects.commit(key.clone(), None).map_err(Status::internal)?;
            self.announce(state.objects.version());
        }
        Ok(())
    }

    /// Objects that name `uid` among their owners.
    pub(super) fn dependents(&self, uid: &str) -> Vec<(Key, Arc<Value>)> {
        dependents(&self.lock(), uid)
    }

    /// Deletes what a key names, as a controller does: nothing happens when it is gone already.
    pub(super) fn delete_key(&self, key: &Key, propagation: Propagation) {
        let Some(kind) = self.stored_kind(key) else { return };
        let options = DeleteOptions {
            propagation,
            ..DeleteOptions::default()
        };
        match self.delete(&kind, &key.namespace, &key.name, &options) {
            Err(status) if status.code != 404 => tracing::warn!(?key, error = %status, "cannot delete"),
            _ => {}
        }
    }
}

fn dependents(state: &State, uid: &str) -> Vec<(Key, Arc<Value>)> {
    let owned = |object: &Value| {
        object["metadata"]["ownerReferences"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|owner| owner["uid"] == uid)
    };
    let found = state.objects.all().filter(|(_, object)| owned(object));
    found.map(|(key, object)| (key.clone(), object.clone())).collect()
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let finalizers = &mut object["metadata"]["finalizers"];
    match finalizers.as_array_mut() {
        Some(list) if list.iter().any(|one| one == finalizer) => {}
        Some(list) => list.push(json!(finalizer)),
        None => *finalizers = json!([finalizer]),
    }
}
