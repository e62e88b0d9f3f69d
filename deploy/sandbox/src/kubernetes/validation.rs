//! What Kubernetes refuses in a manifest: names, labels, and the few fields that people get wrong.
//!
//! The texts are those of `k8s.io/apimachinery/pkg/util/validation` and of the validation of `k8s.io/kubernetes`.

use serde_json::{Value, json};

use super::{
    kinds::Kind,
    status::{Cause, Status},
};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
    '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
    start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
    alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for \
    validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
    '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex \
    used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
    with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is \
    '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Checks a whole object before it is stored; `old` is what it replaces.
pub fn check(kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Status> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let mut causes = Vec::new();
    check_name(kind, name, &mut causes);
    check_labels("metadata.labels", &object["metadata"]["labels"], &mut causes);
    for key in object["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, _)| key)
    {
        if !is_qualified_name(&key.to_lowercase()) {
            causes.push(Cause::invalid("metadata.annotations", &json!(key), QUALIFIED));
        }
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => {
            check_types(kind, object)?;
            check_workload(object, old, &mut causes);
        }
        ("", "Pod") => check_containers("spec", &object["spec"], &mut causes),
        ("batch", "Job") => check_containers("spec.template.spec", &object["spec"]["template"]["spec"], &mut causes),
        ("", "Service") if needs_ports(&object["spec"]) => causes.push(Cause::required("spec.ports", "")),
        ("argoproj.io", "Application") => check_application(object, &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(kind, name, &causes))
    }
}

fn needs_ports(service: &Value) -> bool {
    let none = service["ports"].as_array().is_none_or(Vec::is_empty);
    none && service["type"] != "ExternalName" && service["clusterIP"] != "None"
}

fn check_name(kind: &Kind, name: &str, causes: &mut Vec<Cause>) {
    let field = "metadata.name";
    if name.is_empty() {
        causes.push(Cause::required(field, "name or generateName is required"));
        return;
    }
    let limit = if matches!((&*kind.group, &*kind.kind), ("", "Namespace" | "Service")) {
        63
    } else {
        253
    };
    if name.len() > limit {
        causes.push(Cause::invalid(
            field,
            &json!(name),
            &format!("must be no more than {limit} bytes"),
        ));
    }
    let valid = match (kind.group.as_str(), kind.kind.as_str()) {
        ("rbac.authorization.k8s.io", _) => (
            !name.contains(['/', '%']) && name != "." && name != "..",
            "must not contain '/' or '%'",
        ),
        ("", "Namespace") => (is_label(name), LABEL),
        ("", "Service") => (
            is_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase()),
            LABEL_1035,
        ),
        _ => (name.split('.').all(is_label), SUBDOMAIN),
    };
    if !valid.0 {
        causes.push(Cause::invalid(field, &json!(name), valid.1));
    }
}

fn is_label(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.chars().all(|c| alphanumeric(c) || c == '-')
        && text.starts_with(alphanumeric)
        && text.ends_with(alphanumeric)
}

fn is_name_part(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        None => is_name_part(key),
        Some((prefix, name)) => prefix.len() <= 253 && prefix.split('.').all(is_label) && is_name_part(name),
    }
}

fn check_labels(field: &str, labels: &Value, causes: &mut Vec<Cause>) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        if !is_qualified_name(key) {
            causes.push(Cause::invalid(field, &json!(key), QUALIFIED));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid(field, value, "must be no more than 63 bytes"));
        } else if !value.is_string() || !(text.is_empty() || is_name_part(text)) {
            causes.push(Cause::invalid(field, value, LABEL_VALUE));
        }
    }
}

/// A wrong type never reaches validation in Kubernetes: decoding fails with 400.
fn check_types(kind: &Kind, object: &Value) -> Result<(), Status> {
    let replicas = &object["spec"]["replicas"];
    if replicas.is_null() || replicas.is_i64() {
        return Ok(());
    }
    let found = if replicas.is_string() { "string" } else { "number" };
    Err(Status::bad_request(format!(
        "{kind} in version \"{}\" cannot be handled as a {kind}: json: cannot unmarshal {found} into Go struct field \
         {kind}Spec.spec.replicas of type int32",
        kind.version,
        kind = kind.kind,
    )))
}

fn check_workload(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if spec["replicas"].as_i64().is_some_and(|count| count < 0) {
        causes.push(Cause::invalid(
            "spec.replicas",
            &spec["replicas"],
            "must be greater than or equal to 0",
        ));
    }
    let selector = &spec["selector"];
    if selector["matchLabels"]
        .as_object()
        .is_none_or(serde_json::Map::is_empty)
        && selector["matchExpressions"].as_array().is_none_or(Vec::is_empty)
    {
        causes.push(Cause::required("spec.selector", ""));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    check_labels("spec.template.metadata.labels", labels, causes);
    let wanted = selector["matchLabels"].as_object().into_iter().flatten();
    if wanted.into_iter().any(|(key, value)| labels.get(key) != Some(value)) {
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", labels, why));
    }
    if old.is_some_and(|old| old["spec"]["selector"] != *selector) {
        causes.push(Cause::invalid("spec.selector", selector, "field is immutable"));
    }
    check_containers("spec.template.spec", &spec["template"]["spec"], causes);
}

fn check_containers(field: &str, pod: &Value, causes: &mut Vec<Cause>) {
    let containers = pod["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if containers.is_empty() {
        causes.push(Cause::required(&format!("{field}.containers"), ""));
    }
    let mut names = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let at = format!("{field}.containers[{index}]");
        let name = container["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            causes.push(Cause::required(&format!("{at}.name"), ""));
        } else if !is_label(name) || name.len() > 63 {
            causes.push(Cause::invalid(&format!("{at}.name"), &container["name"], LABEL));
        } else if names.contains(&name) {
            causes.push(Cause {
                field: format!("{at}.name"),
                reason: "FieldValueDuplicate",
                message: format!("Duplicate value: \"{name}\""),
            });
        }
        names.push(name);
        if container["image"].as_str().unwrap_or_default().is_empty() {
            causes.push(Cause::required(&format!("{at}.image"), ""));
        }
        for (index, port) in container["ports"].as_array().into_iter().flatten().enumerate() {
            if !port["containerPort"]
                .as_i64()
                .is_some_and(|port| (1..=65535).contains(&port))
            {
                let why = "must be between 1 and 65535, inclusive";
                causes.push(Cause::invalid(
                    &format!("{at}.ports[{index}].containerPort"),
                    &port["containerPort"],
                    why,
                ));
            }
        }
    }
}

/// The schema of Argo CD's definition requires these.
fn check_application(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    if spec.is_null() {
        causes.push(Cause::required("spec", ""));
        return;
    }
    if !spec["destination"].is_object() {
        causes.push(Cause::required("spec.destination", ""));
    }
    if !spec["project"].is_string() {
        causes.push(Cause::required("spec.project", ""));
    }
    let sources = spec["sources"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|source| ("spec.sources", source));
    let source = Some(&spec["source"])
        .filter(|source| !source.is_null())
        .map(|source| ("spec.source", source));
    for (field, source) in sources.chain(source) {
        if !source["repoURL"].is_string() {
            causes.push(Cause::required(&format!("{field}.repoURL"), ""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::kinds::Kinds;

    fn refused(group: &str, kind: &str, object: Value) -> Option<String> {
        let kind = Kinds::default().by_kind(group, kind).expect("a known kind");
        check(&kind, &object, None).err().map(|status| status.message)
    }

    #[test]
    fn names_are_checked_by_kind() {
        for (group, kind, name, allowed) in [
            ("", "ConfigMap", "a.b-c", true),
            ("", "ConfigMap", "A", false),
            ("", "ConfigMap", "-a", false),
            ("", "ConfigMap", "a..b", false),
            ("", "Namespace", "a.b", false),
            ("", "Secret", "../x", false),
            ("rbac.authorization.k8s.io", "ClusterRole", "system:admin", true),
            ("rbac.authorization.k8s.io", "ClusterRole", "a/b", false),
        ] {
            let found = refused(group, kind, json!({"metadata": {"name": name}}));
            assert_eq!(found.is_none(), allowed, "{kind} {name}: {found:?}");
        }
        let long = "a".repeat(64);
        assert!(refused("", "Namespace", json!({"metadata": {"name": long}})).is_some());
    }

    #[test]
    fn labels_are_checked() {
        for (labels, allowed) in [
            (json!({"a/b": "c"}), true),
            (json!({"a": ""}), true),
            (json!({"a": "b c"}), false),
            (json!({"a": 1}), false),
            (json!({"/a": "b"}), false),
        ] {
            let found = refused("", "ConfigMap", json!({"metadata": {"name": "x", "labels": labels}}));
            assert_eq!(found.is_none(), allowed, "{labels}");
        }
    }

    #[test]
    fn a_deployment_needs_selector_and_container() {
        let good = json!({"metadata": {"name": "x"}, "spec": {
            "selector": {"matchLabels": {"app": "x"}},
            "template": {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "a", "image": "b"}]}}}});
        assert_eq!(refused("apps", "Deployment", good.clone()), None);
        let mut bad = good.clone();
        bad["spec"]["template"]["metadata"]["labels"]["app"] = json!("y");
        assert!(refused("apps", "Deployment", bad).is_some_and(|text| text.contains("does not match template")));
        let mut bad = good;
        bad["spec"]["replicas"] = json!("two");
        assert!(refused("apps", "Deployment", bad).is_some_and(|text| text.contains("cannot unmarshal string")));
    }
}
