//! Server-side apply and the bookkeeping of field owners behind it.

use serde_json::{Value, json};

use super::{
    fields::{self, FieldSet},
    schema::{ListType, item_key, list_type},
    status::{Cause, Status},
};

/// Who writes, as `managedFields` names it.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// `apiVersion` of the object that was sent.
    pub api_version: &'a str,
    /// `status` when that subresource was written, else empty.
    pub subresource: &'a str,
    /// RFC 3339.
    pub time: &'a str,
    /// Whether the kind's lists merge as Kubernetes' own do.
    pub builtin: bool,
}

struct Owner {
    entry: Value,
    fields: FieldSet,
}

impl Owner {
    fn is(&self, writer: &Writer, operation: &str) -> bool {
        self.entry["manager"] == writer.manager
            && self.entry["operation"] == operation
            && self.entry["subresource"].as_str().unwrap_or_default() == writer.subresource
    }
}

fn owners_of(object: &Value) -> Vec<Owner> {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries
        .map(|entry| Owner {
            entry: entry.clone(),
            fields: fields::from_fields_v1(&entry["fieldsV1"]),
        })
        .collect()
}

fn write_owners(object: &mut Value, owners: Vec<Owner>) {
    let entries = owners
        .into_iter()
        .filter(|owner| !owner.fields.is_empty())
        .map(|mut owner| {
            owner.entry["fieldsV1"] = fields::to_fields_v1(&owner.fields);
            owner.entry
        });
    object["metadata"]["managedFields"] = Value::Array(entries.collect());
}

fn new_entry(writer: &Writer, operation: &str) -> Value {
    let mut entry = json!({
        "manager": writer.manager,
        "operation": operation,
        "apiVersion": writer.api_version,
        "time": writer.time,
        "fieldsType": "FieldsV1",
    });
    if !writer.subresource.is_empty() {
        entry["subresource"] = json!(writer.subresource);
    }
    entry
}

/// Notes a create, update or patch: the writer owns what it changed, and nobody else does any longer.
///
/// `new` gets the owners of `old` (a client cannot invent owners), unless it cleared them with an empty list.
pub fn record_update(old: Option<&Value>, new: &mut Value, writer: &Writer) {
    let cleared = new["metadata"]["managedFields"].as_array().is_some_and(Vec::is_empty) && old.is_some();
    let empty = json!({});
    let before = old.unwrap_or(&empty);
    let mut owners = if cleared { Vec::new() } else { owners_of(before) };
    let (changed, gone) = fields::difference(before, new, writer.builtin);
    if !changed.is_empty() || !gone.is_empty() {
        for owner in &mut owners {
            owner
                .fields
                .retain(|path| !changed.contains(path) && !gone.contains(path));
        }
        if !changed.is_empty() {
            match owners.iter_mut().find(|owner| owner.is(writer, "Update")) {
                Some(owner) => {
                    owner.fields.extend(changed);
                    owner.entry["time"] = json!(writer.time);
                    owner.entry["apiVersion"] = json!(writer.api_version);
                }
                None => owners.push(Owner {
                    entry: new_entry(writer, "Update"),
                    fields: changed,
                }),
            }
        }
    }
    write_owners(new, owners);
}

/// Applies a manifest to what is there: sets what it states, removes what the writer stated before and no longer does.
///
/// Without `force`, fields that others own and that would change are a 409.
pub fn apply(live: Option<&Value>, manifest: &Value, writer: &Writer, force: bool) -> Result<Value, Status> {
    let stated = fields::stated(manifest, writer.builtin);
    let mut result = live.cloned().unwrap_or_else(|| json!({}));
    let mut owners = owners_of(&result);
    merge(&mut result, manifest, writer.builtin, "", "");

    let mut conflicts = Vec::new();
    for owner in owners.iter_mut().filter(|owner| !owner.is(writer, "Apply")) {
        let taken = owner.fields.intersection(&stated).filter(|path| {
            let before = live.and_then(|live| fields::value_at(live, path));
            before != fields::value_at(&result, path) && !path.last().is_some_and(|last| last.starts_with("k:"))
        });
        let taken = taken.cloned().collect::<FieldSet>();
        if !force {
            let who = owner.entry["manager"].as_str().unwrap_or_default();
            let version = owner.entry["apiVersion"].as_str().unwrap_or_default();
            conflicts.extend(taken.iter().map(|path| Cause {
                field: fields::display(path),
                reason: "FieldManagerConflict",
                message: format!("conflict with \"{who}\" using {version}"),
            }));
        }
        owner.fields.retain(|path| !taken.contains(path));
    }
    if !conflicts.is_empty() {
        return Err(Status::apply_conflict(conflicts));
    }

    let own = owners.iter().position(|owner| owner.is(writer, "Apply"));
    if let Some(own) = own {
        let mut left = owners[own].fields.difference(&stated).cloned().collect::<Vec<_>>();
        left.retain(|path| {
            !owners
                .iter()
                .enumerate()
                .any(|(at, owner)| at != own && owner.fields.contains(path))
        });
        // Shallow first: an item goes as a whole, as long as its key is there to find it by.
        left.sort_by_key(Vec::len);
        for path in left {
            let others_inside = owners.iter().enumerate().any(|(at, owner)| {
                at != own
                    && owner
                        .fields
                        .iter()
                        .any(|other| other.len() > path.len() && other.starts_with(&path))
            });
            let restated = stated.iter().any(|other| other.starts_with(&path));
            if !others_inside && !restated && !is_part_of_key(&path) {
                fields::remove_at(&mut result, &path);
            }
        }
        if owners[own].fields != stated {
            owners[own].entry["time"] = json!(writer.time);
        }
        owners[own].entry["apiVersion"] = json!(writer.api_version);
        owners[own].fields = stated;
    } else {
        owners.push(Owner {
            entry: new_entry(writer, "Apply"),
            fields: stated,
        });
    }
    write_owners(&mut result, owners);
    Ok(result)
}

/// The fields that tell an item from others stay as long as the item does.
fn is_part_of_key(path: &[String]) -> bool {
    let [.., item, field] = path else { return false };
    let (Some(key), Some(name)) = (item.strip_prefix("k:"), field.strip_prefix("f:")) else {
        return false;
    };
    serde_json::from_str::<Value>(key).is_ok_and(|key| key.get(name).is_some())
}

/// Puts a manifest over an object; lists by their type. `null` is a field that is not stated.
pub fn merge(into: &mut Value, manifest: &Value, builtin: bool, grandparent: &str, parent: &str) {
    match (into, manifest) {
        (Value::Object(into), Value::Object(manifest)) => {
            for (name, value) in manifest {
                // Owners and what the server sets are not the client's to state.
                if value.is_null() || (parent == "metadata" && name == "managedFields") {
                    continue;
                }
                match into.get_mut(name) {
                    Some(found) => merge(found, value, builtin, parent, name),
                    None => {
                        into.insert(name.clone(), without_nulls(value));
                    }
                }
            }
        }
        (Value::Array(into), Value::Array(items)) => match list_type(builtin, grandparent, parent) {
            ListType::Atomic => *into = items.clone(),
            ListType::Set => {
                for item in items {
                    if !into.contains(item) {
                        into.push(item.clone());
                    }
                }
            }
            ListType::Keyed(keys) => {
                for item in items {
                    let key = item_key(item, keys);
                    match into
                        .iter_mut()
                        .find(|found| key.is_some() && item_key(found, keys) == key)
                    {
                        Some(found) => merge(found, item, builtin, grandparent, parent),
                        None => into.push(without_nulls(item)),
                    }
                }
            }
        },
        (into, value) => *into = without_nulls(value),
    }
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(manager: &str) -> Writer<'_> {
        let time = "2026-01-01T00:00:00Z";
        Writer {
            manager,
            api_version: "apps/v1",
            subresource: "",
            time,
            builtin: true,
        }
    }

    fn manifest(image: &str, replicas: Option<i64>) -> Value {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}},
        });
        if let Some(replicas) = replicas {
            object["spec"]["replicas"] = json!(replicas);
        }
        object
    }

    #[test]
    fn what_is_no_longer_stated_goes() {
        let first = apply(None, &manifest("a", Some(2)), &writer("one"), false).expect("no conflict");
        assert_eq!(first["spec"]["replicas"], 2);
        let second = apply(Some(&first), &manifest("a", None), &writer("one"), false).expect("no conflict");
        assert!(second["spec"].get("replicas").is_none());
        assert_eq!(second["spec"]["template"]["spec"]["containers"][0]["image"], "a");
        let third = apply(
            Some(&second),
            &json!({"metadata": {"labels": {"a": "b"}}}),
            &writer("one"),
            false,
        );
        assert!(third.expect("no conflict").get("spec").is_none());
    }

    #[test]
    fn a_field_of_another_manager_is_a_conflict_unless_forced() {
        let first = apply(None, &manifest("a", Some(2)), &writer("one"), false).expect("no conflict");
        let same = apply(Some(&first), &manifest("a", None), &writer("two"), false);
        assert!(same.is_ok(), "the same value is shared");
        let refused = apply(Some(&first), &manifest("b", None), &writer("two"), false).expect_err("a conflict");
        assert_eq!(refused.code, 409);
        assert!(
            refused.message.contains("conflict with \"one\" using apps/v1"),
            "{}",
            refused.message
        );
        assert!(
            refused
                .message
                .contains(".spec.template.spec.containers[name=\"web\"].image"),
            "{}",
            refused.message
        );
        let forced = apply(Some(&first), &manifest("b", None), &writer("two"), true).expect("forced");
        // The first manager lost the image; stating it no longer must not remove it.
        let later = apply(Some(&forced), &json!({"spec": {"replicas": 2}}), &writer("one"), false).expect("fine");
        assert_eq!(later["spec"]["template"]["spec"]["containers"][0]["image"], "b");
    }

    #[test]
    fn an_update_takes_over_what_it_changes() {
        let first = apply(None, &manifest("a", Some(2)), &writer("one"), false).expect("no conflict");
        let mut scaled = first.clone();
        scaled["spec"]["replicas"] = json!(5);
        record_update(Some(&first), &mut scaled, &writer("kubectl"));
        let managers = scaled["metadata"]["managedFields"].as_array().map(Vec::len);
        assert_eq!(managers, Some(2));
        let refused = apply(Some(&scaled), &manifest("a", Some(2)), &writer("one"), false).expect_err("a conflict");
        assert!(
            refused.message.contains("conflict with \"kubectl\""),
            "{}",
            refused.message
        );
    }
}
