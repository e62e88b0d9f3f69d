//! Create, update, patch, apply: what every write goes through before it is stored.

use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use rand::Rng;
use serde_json::{Value, json};

use super::{
    apply::{self, Writer},
    cluster::{Cluster, State, key},
    defaults,
    kinds::Kind,
    patch::{PatchType, patched},
    status::Status,
    validation,
};

/// How something is written.
#[derive(Debug, Clone, Copy)]
pub struct Write<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// Checks and answers as if, but stores nothing.
    pub dry_run: bool,
    /// `status`, or empty for the object itself.
    pub subresource: &'a str,
}

impl<'a> Write<'a> {
    /// A real write of the object itself.
    pub fn by(manager: &'a str) -> Write<'a> {
        Write {
            manager,
            dry_run: false,
            subresource: "",
        }
    }

    /// The same, of the status.
    pub fn status(self) -> Write<'a> {
        Write {
            subresource: "status",
            ..self
        }
    }

    /// The same, without storing.
    pub fn rehearsed(self) -> Write<'a> {
        Write { dry_run: true, ..self }
    }
}

/// Now, as Kubernetes writes times.
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Five characters as Kubernetes appends them to generated names: no vowels, nothing that looks alike.
pub fn random_suffix() -> String {
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = rand::rng();
    (0..5)
        .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
        .collect()
}

impl Cluster {
    /// Stores a new object. 409 when there is one, 404 when the namespace is missing, 422 when it is not valid.
    pub fn create(&self, kind: &Kind, namespace: &str, body: Value, write: Write) -> Result<Arc<Value>, Status> {
        let mut body = checked_body(kind, namespace, None, body)?;
        let metadata = &mut body["metadata"];
        if metadata["name"].as_str().unwrap_or_default().is_empty()
            && let Some(prefix) = metadata["generateName"].as_str().filter(|prefix| !prefix.is_empty())
        {
            metadata["name"] = json!(format!("{prefix}{}", random_suffix()));
        }
        if metadata["resourceVersion"]
            .as_str()
            .is_some_and(|version| !version.is_empty())
        {
            return Err(Status::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let name = metadata["name"].as_str().unwrap_or_default().to_owned();
        let mut state = self.lock();
        if state.objects.get(&key(kind, namespace, &name)).is_some() {
            return Err(Status::already_exists(kind, &name));
        }
        self.store(&mut state, kind, namespace, &name, body, write, Record::Update)
    }

    /// Replaces an object. 409 when the sent `resourceVersion` is not the current one.
    pub fn update(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        body: Value,
        write: Write,
    ) -> Result<Arc<Value>, Status> {
        let body = checked_body(kind, namespace, Some(name), body)?;
        let mut state = self.lock();
        if state.objects.get(&key(kind, namespace, name)).is_none() {
            return Err(Status::not_found(kind, name));
        }
        self.store(&mut state, kind, namespace, name, body, write, Record::Update)
    }

    /// Changes an object by a patch; a `resourceVersion` in the patch must be the current one.
    pub fn patch(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        patch: &Value,
        patch_type: PatchType,
        write: Write,
    ) -> Result<Arc<Value>, Status> {
        let mut state = self.lock();
        let key = key(kind, namespace, name);
        let old = state
            .objects
            .get(&key)
            .cloned()
            .ok_or_else(|| Status::not_found(kind, name))?;
        let new = patched(kind, &old, patch, patch_type)?;
        let new = checked_body(kind, namespace, Some(name), new)?;
        self.store(&mut state, kind, namespace, name, new, write, Record::Update)
    }

    /// Server-side apply; tells also whether the object was created.
    pub fn apply(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
        manifest: Value,
        force: bool,
        write: Write,
    ) -> Result<(Arc<Value>, bool), Status> {
        if manifest["metadata"]["managedFields"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
        {
            return Err(Status::bad_request("metadata.managedFields must be nil"));
        }
        let manifest = checked_body(kind, namespace, Some(name), manifest)?;
        let mut state = self.lock();
        let old = state.objects.get(&key(kind, namespace, name)).cloned();
        if old.is_none() && !write.subresource.is_empty() {
            return Err(Status::not_found(kind, name));
        }
        let writer = Writer {
            manager: write.manager,
            api_version: &kind.api_version(),
            subresource: write.subresource,
            time: &now(),
            builtin: kind.builtin,
        };
        let applied = apply::apply(old.as_deref(), &manifest, &writer, force)?;
        let stored = self.store(&mut state, kind, namespace, name, applied, write, Record::Done)?;
        Ok((stored, old.is_none()))
    }

    /// The common way of all writes. `body` has apiVersion, kind, name and namespace in order.
    #[expect(clippy::too_many_arguments, reason = "one private function that all writes end in")]
    fn store(
        &self,
        state: &mut State,
        kind: &Kind,
        namespace: &str,
        name: &str,
        mut new: Value,
        write: Write,
        record: Record,
    ) -> Result<Arc<Value>, Status> {
        let key = key(kind, namespace, name);
        let old = state.objects.get(&key).cloned();
        match &old {
            None => {
                check_namespace(state, kind, namespace, name)?;
                start_life(kind, &mut new);
            }
            Some(old) => {
                check_preconditions(kind, name, old, &new)?;
                new = carried_over(kind, old, new, write.subresource);
            }
        }
        defaults::fill_in(kind, &mut new);
        validation::check(kind, &new, old.as_deref())?;
        if record == Record::Update {
            let writer = Writer {
                manager: write.manager,
                api_version: &kind.api_version(),
                subresource: write.subresource,
                time: &now(),
                builtin: kind.builtin,
            };
            apply::record_update(old.as_deref(), &mut new, &writer);
        }
        if let Some(old) = old {
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            if *old == new {
                return Ok(old);
            }
            bump_generation(kind, &old, &mut new);
        }
        if write.dry_run {
            return Ok(Arc::new(new));
        }
        let finished = !new["metadata"]["deletionTimestamp"].is_null()
            && new["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
            && kind.qualified() != "namespaces";
        if kind.kind == "CustomResourceDefinition" {
            state.kinds.learn_definition(&new);
        }
        let stored = state
            .objects
            .commit(key, (!finished).then_some(new))
            .map_err(Status::internal)?;
        self.announce(state.objects.version());
        Ok(stored)
    }
}

/// Whether owners of fields are still to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Record {
    Update,
    Done,
}

fn checked_body(kind: &Kind, namespace: &str, name: Option<&str>, mut body: Value) -> Result<Value, Status> {
    let Some(fields) = body.as_object_mut() else {
        return Err(Status::bad_request("the body must be an object"));
    };
    let api_version = kind.api_version();
    for (field, expected) in [("apiVersion", &api_version), ("kind", &kind.kind)] {
        match fields.get(field).and_then(Value::as_str) {
            None | Some("") => {
                fields.insert(field.into(), json!(expected));
            }
            Some(found) if found != expected => {
                return Err(Status::bad_request(format!(
                    "the {field} in the data ({found}) does not match the expected {field} ({expected})"
                )));
            }
            Some(_) => {}
        }
    }
    if fields.get("metadata").is_none_or(Value::is_null) {
        fields.insert("metadata".into(), json!({}));
    }
    let Some(metadata) = body["metadata"].as_object_mut() else {
        return Err(Status::bad_request("metadata must be an object"));
    };
    for (field, of) in [("labels", "labels"), ("annotations", "annotations")] {
        let value = metadata.get(field).unwrap_or(&Value::Null);
        let texts = |map: &serde_json::Map<String, Value>| map.values().all(Value::is_string);
        if !value.is_null() && !value.as_object().is_some_and(texts) {
            return Err(Status::bad_request(format!(
                "{kind} in version \"{}\" cannot be handled as a {kind}: json: cannot unmarshal into Go struct field \
                 ObjectMeta.metadata.{of} of type string",
                kind.version,
                kind = kind.kind,
            )));
        }
    }
    if kind.namespaced {
        match metadata
            .get("namespace")
            .and_then(Value::as_str)
            .filter(|sent| !sent.is_empty())
        {
            Some(sent) if sent != namespace => {
                return Err(Status::bad_request(format!(
                    "the namespace of the provided object does not match the namespace sent on the request ({sent}, \
                     {namespace})"
                )));
            }
            _ => {
                metadata.insert("namespace".into(), json!(namespace));
            }
        }
    } else {
        metadata.shift_remove("namespace");
    }
    if let Some(name) = name {
        match metadata
            .get("name")
            .and_then(Value::as_str)
            .filter(|sent| !sent.is_empty())
        {
            Some(sent) if sent != name => {
                return Err(Status::bad_request(format!(
                    "the name of the object ({sent}) does not match the name on the URL ({name})"
                )));
            }
            _ => {
                metadata.insert("name".into(), json!(name));
            }
        }
    }
    Ok(body)
}

fn check_namespace(state: &State, kind: &Kind, namespace: &str, name: &str) -> Result<(), Status> {
    if !kind.namespaced {
        return Ok(());
    }
    let Some(namespaces) = state.kinds.by_kind("", "Namespace") else {
        return Ok(());
    };
    let found = state.objects.get(&key(&namespaces, "", namespace));
    let found = found.ok_or_else(|| Status::not_found(&namespaces, namespace))?;
    if found["metadata"]["deletionTimestamp"].is_null() {
        Ok(())
    } else {
        Err(Status::namespace_terminating(kind, name, namespace))
    }
}

fn start_life(kind: &Kind, new: &mut Value) {
    let metadata = &mut new["metadata"];
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.shift_remove(field);
        }
    }
    metadata["uid"] = json!(uuid::Uuid::new_v4().to_string());
    metadata["creationTimestamp"] = json!(now());
    if has_generation(kind) {
        metadata["generation"] = json!(1);
    }
    if kind.status
        && let Some(fields) = new.as_object_mut()
    {
        fields.shift_remove("status");
    }
}

fn check_preconditions(kind: &Kind, name: &str, old: &Value, new: &Value) -> Result<(), Status> {
    let (before, after) = (&old["metadata"], &new["metadata"]);
    let sent = |field: &str| after[field].as_str().filter(|sent| !sent.is_empty());
    if let Some(uid) = sent("uid").filter(|uid| before["uid"] != *uid) {
        let current = &before["uid"];
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {current}");
        return Err(Status::conflict(kind, name, &why));
    }
    if sent("resourceVersion").is_some_and(|version| before["resourceVersion"] != version) {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        return Err(Status::conflict(kind, name, why));
    }
    Ok(())
}

/// What a client cannot change: the server's metadata, and the half that belongs to the other subresource.
fn carried_over(kind: &Kind, old: &Value, mut new: Value, subresource: &str) -> Value {
    if subresource == "status" {
        let mut result = old.clone();
        result["status"] = new["status"].take();
        result["metadata"]["managedFields"] = new["metadata"]["managedFields"].take();
        return result;
    }
    if kind.status
        && let Some(fields) = new.as_object_mut()
    {
        match old.get("status") {
            Some(status) => fields.insert("status".into(), status.clone()),
            None => fields.shift_remove("status"),
        };
    }
    let fixed = [
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    if let Some(metadata) = new["metadata"].as_object_mut() {
        for field in fixed {
            match old["metadata"].get(field) {
                Some(value) => metadata.insert(field.into(), value.clone()),
                None => metadata.shift_remove(field),
            };
        }
    }
    new
}

fn has_generation(kind: &Kind) -> bool {
    !kind.group.is_empty() || kind.kind == "Pod"
}

fn bump_generation(kind: &Kind, old: &Value, new: &mut Value) {
    let described = |object: &Value| {
        let mut rest = object.clone();
        if let Some(fields) = rest.as_object_mut() {
            fields.shift_remove("metadata");
            if kind.status {
                fields.shift_remove("status");
            }
        }
        rest
    };
    if has_generation(kind) && described(old) != described(new) {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or_default();
        new["metadata"]["generation"] = json!(generation + 1);
    }
}
