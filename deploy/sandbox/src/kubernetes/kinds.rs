//! The kinds of objects this API server knows, and the discovery documents that tell clients of them.
//!
//! Kinds that were never heard of are learned when the first object of them is written, so that a manifest needs no
//! definition first.

use std::sync::Arc;

use serde_json::{Value, json};

/// One kind of object: where it lives in the API and how it behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: String,
    /// Version inside the group, such as `v1`.
    pub version: String,
    /// Name in manifests, such as `Deployment`.
    pub kind: String,
    /// Name in URLs, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether status is written through a URL of its own.
    pub status: bool,
    /// Short names for the command line.
    pub short: Vec<String>,
    /// Kubernetes' own kinds know how their lists are merged; all others treat lists as one value.
    pub builtin: bool,
}

impl Kind {
    /// The `apiVersion` of manifests.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The plural with its group, as error messages name it: `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    fn discovery(&self) -> Vec<Value> {
        let verbs = [
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch",
        ];
        let mut entries = vec![json!({
            "name": self.plural,
            "singularName": self.kind.to_lowercase(),
            "namespaced": self.namespaced,
            "kind": self.kind,
            "verbs": verbs,
            "shortNames": self.short,
        })];
        if self.status {
            entries.push(json!({
                "name": format!("{}/status", self.plural),
                "singularName": "",
                "namespaced": self.namespaced,
                "kind": self.kind,
                "verbs": ["get", "patch", "update"],
            }));
        }
        if (self.group.as_str(), self.plural.as_str()) == ("", "pods") {
            entries.push(json!({
                "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"],
            }));
        }
        entries
    }
}

/// Group, version, kind, plural, namespaced, status subresource, short names.
type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    bool,
    bool,
    &'static str,
);

#[rustfmt::skip]
const BUILTIN: &[Row] = &[
    ("", "v1", "Namespace", "namespaces", false, true, "ns"),
    ("", "v1", "Node", "nodes", false, true, "no"),
    ("", "v1", "PersistentVolume", "persistentvolumes", false, true, "pv"),
    ("", "v1", "Pod", "pods", true, true, "po"),
    ("", "v1", "Service", "services", true, true, "svc"),
    ("", "v1", "Endpoints", "endpoints", true, false, "ep"),
    ("", "v1", "ConfigMap", "configmaps", true, false, "cm"),
    ("", "v1", "Secret", "secrets", true, false, ""),
    ("", "v1", "ServiceAccount", "serviceaccounts", true, false, "sa"),
    ("", "v1", "Event", "events", true, false, "ev"),
    ("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, true, "pvc"),
    ("", "v1", "LimitRange", "limitranges", true, false, "limits"),
    ("", "v1", "ResourceQuota", "resourcequotas", true, true, "quota"),
    ("", "v1", "ReplicationController", "replicationcontrollers", true, true, "rc"),
    ("apps", "v1", "Deployment", "deployments", true, true, "deploy"),
    ("apps", "v1", "ReplicaSet", "replicasets", true, true, "rs"),
    ("apps", "v1", "StatefulSet", "statefulsets", true, true, "sts"),
    ("apps", "v1", "DaemonSet", "daemonsets", true, true, "ds"),
    ("apps", "v1", "ControllerRevision", "controllerrevisions", true, false, ""),
    ("batch", "v1", "Job", "jobs", true, true, ""),
    ("batch", "v1", "CronJob", "cronjobs", true, true, "cj"),
    ("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, true, "hpa"),
    ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true, true, "pdb"),
    ("networking.k8s.io", "v1", "Ingress", "ingresses", true, true, "ing"),
    ("networking.k8s.io", "v1", "IngressClass", "ingressclasses", false, false, ""),
    ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true, false, "netpol"),
    ("rbac.authorization.k8s.io", "v1", "Role", "roles", true, false, ""),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true, false, ""),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false, false, ""),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false, false, ""),
    ("storage.k8s.io", "v1", "StorageClass", "storageclasses", false, false, "sc"),
    ("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false, false, "pc"),
    ("coordination.k8s.io", "v1", "Lease", "leases", true, false, ""),
    ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true, false, ""),
    ("events.k8s.io", "v1", "Event", "events", true, false, "ev"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false, true, "crd"),
];

/// Argo CD's definitions have no status subresource: status is written with the object itself.
#[rustfmt::skip]
const ARGO_CD: &[Row] = &[
    ("argoproj.io", "v1alpha1", "Application", "applications", true, false, "app"),
    ("argoproj.io", "v1alpha1", "ApplicationSet", "applicationsets", true, true, "appset"),
    ("argoproj.io", "v1alpha1", "AppProject", "appprojects", true, false, "appproj"),
];

/// All kinds, built in and learned.
#[derive(Debug, Clone)]
pub struct Kinds(Vec<Arc<Kind>>);

impl Default for Kinds {
    fn default() -> Self {
        let rows = BUILTIN
            .iter()
            .map(|row| (row, true))
            .chain(ARGO_CD.iter().map(|row| (row, false)));
        Kinds(rows.map(|(row, builtin)| Arc::new(from_row(row, builtin))).collect())
    }
}

fn from_row(&(group, version, kind, plural, namespaced, status, short): &Row, builtin: bool) -> Kind {
    Kind {
        group: group.into(),
        version: version.into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced,
        status,
        short: short.split_whitespace().map(String::from).collect(),
        builtin,
    }
}

impl Kinds {
    /// The kind behind a URL.
    pub fn by_plural(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let found = self
            .0
            .iter()
            .find(|kind| kind.group == group && kind.version == version && kind.plural == plural);
        found.cloned()
    }

    /// The kind of a manifest, whatever its version.
    pub fn by_kind(&self, group: &str, kind: &str) -> Option<Arc<Kind>> {
        self.0
            .iter()
            .find(|known| known.group == group && known.kind == kind)
            .cloned()
    }

    /// The kind that stored objects of a group and plural have, whatever its version.
    pub fn stored(&self, group: &str, plural: &str) -> Option<Arc<Kind>> {
        self.0
            .iter()
            .find(|kind| kind.group == group && kind.plural == plural)
            .cloned()
    }

    /// Learns a kind that nobody defined; one that is known already stays as it is.
    pub fn learn(&mut self, group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Arc<Kind> {
        if let Some(known) = self.by_plural(group, version, plural) {
            return known;
        }
        let learned = Arc::new(Kind {
            group: group.into(),
            version: version.into(),
            kind: kind.into(),
            plural: plural.into(),
            namespaced,
            status: false,
            short: Vec::new(),
            builtin: false,
        });
        self.0.push(learned.clone());
        learned
    }

    /// Learns the kinds that a CustomResourceDefinition declares; versions that are not served are left out.
    pub fn learn_definition(&mut self, definition: &Value) {
        let spec = &definition["spec"];
        let (Some(group), Some(kind), Some(plural)) = (
            spec["group"].as_str(),
            spec["names"]["kind"].as_str(),
            spec["names"]["plural"].as_str(),
        ) else {
            return;
        };
        for version in spec["versions"].as_array().into_iter().flatten() {
            let (Some(name), true) = (version["name"].as_str(), version["served"].as_bool().unwrap_or(true)) else {
                continue;
            };
            self.0.retain(|known| {
                known.builtin || (&*known.group, &*known.version, &*known.plural) != (group, name, plural)
            });
            let short = spec["names"]["shortNames"].as_array().into_iter().flatten();
            self.0.push(Arc::new(Kind {
                group: group.into(),
                version: name.into(),
                kind: kind.into(),
                plural: plural.into(),
                namespaced: spec["scope"] == "Namespaced",
                status: !version["subresources"]["status"].is_null(),
                short: short.filter_map(Value::as_str).map(String::from).collect(),
                builtin: false,
            }));
        }
    }

    /// `/apis`: all groups but the core one.
    pub fn group_list(&self) -> Value {
        let mut groups: Vec<&str> = Vec::new();
        for kind in self.0.iter().filter(|kind| !kind.group.is_empty()) {
            if !groups.contains(&kind.group.as_str()) {
                groups.push(&kind.group);
            }
        }
        let groups = groups
            .into_iter()
            .filter_map(|group| self.group(group))
            .collect::<Vec<_>>();
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
    }

    /// `/apis/<group>`: its versions; none when no kind has the group.
    pub fn group(&self, group: &str) -> Option<Value> {
        let mut versions: Vec<&str> = Vec::new();
        for kind in self.0.iter().filter(|kind| kind.group == group) {
            if !versions.contains(&kind.version.as_str()) {
                versions.push(&kind.version);
            }
        }
        let versions = versions
            .iter()
            .map(|version| json!({ "groupVersion": format!("{group}/{version}"), "version": version }));
        let versions = versions.collect::<Vec<_>>();
        let preferred = versions.first()?.clone();
        let body = json!({
            "kind": "APIGroup",
            "apiVersion": "v1",
            "name": group,
            "versions": versions,
            "preferredVersion": preferred,
        });
        Some(body)
    }

    /// `/api/v1` and `/apis/<group>/<version>`: the resources; none when the version has none.
    pub fn resource_list(&self, group: &str, version: &str) -> Option<Value> {
        let kinds = self
            .0
            .iter()
            .filter(|kind| kind.group == group && kind.version == version);
        let resources = kinds.flat_map(|kind| kind.discovery()).collect::<Vec<_>>();
        if resources.is_empty() {
            return None;
        }
        let group_version = if group.is_empty() {
            version.to_owned()
        } else {
            format!("{group}/{version}")
        };
        let body = json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": group_version,
            "resources": resources,
        });
        Some(body)
    }
}

/// The plural that Kubernetes' own guess gives a kind: `Policy` → `policies`, `Ingress` → `ingresses`.
pub fn guess_plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if lower.ends_with('s') || lower.ends_with('x') || lower.ends_with("ch") || lower.ends_with("sh") {
        return format!("{lower}es");
    }
    match lower.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ => format!("{lower}s"),
    }
}

/// Splits an `apiVersion` into group and version; the core group is empty.
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_guessed_as_kubernetes_does() {
        for (kind, plural) in [
            ("Deployment", "deployments"),
            ("Ingress", "ingresses"),
            ("NetworkPolicy", "networkpolicies"),
            ("Gateway", "gateways"),
            ("Batch", "batches"),
        ] {
            assert_eq!(guess_plural(kind), plural);
        }
    }

    #[test]
    fn a_definition_teaches_its_served_versions() {
        let mut kinds = Kinds::default();
        kinds.learn_definition(&json!({"spec": {
            "group": "ray.io", "scope": "Namespaced",
            "names": {"kind": "RayService", "plural": "rayservices", "shortNames": ["ray"]},
            "versions": [
                {"name": "v1", "served": true, "subresources": {"status": {}}},
                {"name": "v1alpha1", "served": false},
            ],
        }}));
        let kind = kinds.by_plural("ray.io", "v1", "rayservices").expect("v1 is served");
        assert!(kind.namespaced && kind.status);
        assert!(kinds.by_plural("ray.io", "v1alpha1", "rayservices").is_none());
        assert!(kinds.resource_list("ray.io", "v1").is_some());
    }
}
