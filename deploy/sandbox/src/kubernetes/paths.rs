//! From URL paths to resources.

use std::sync::Arc;

use super::{
    cluster::Cluster,
    kinds::{Kind, guess_plural},
    status::Status,
};

/// What a resource URL names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub group: String,
    pub version: String,
    pub namespace: String,
    pub plural: String,
    /// Empty for a collection.
    pub name: String,
    /// Empty for the object itself.
    pub subresource: String,
}

impl Address {
    /// Reads the decoded segments of a path under `/api` or `/apis`; none when they name no resource.
    pub fn parse(segments: &[String]) -> Option<Address> {
        let segments = segments.iter().map(String::as_str).collect::<Vec<_>>();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, plural, name, subresource) = match rest {
            ["namespaces"] => ("", "namespaces", "", ""),
            ["namespaces", name] => ("", "namespaces", *name, ""),
            ["namespaces", name, part @ ("status" | "finalize")] => ("", "namespaces", *name, *part),
            ["namespaces", namespace, plural] => (*namespace, *plural, "", ""),
            ["namespaces", namespace, plural, name] => (*namespace, *plural, *name, ""),
            ["namespaces", namespace, plural, name, part] => (*namespace, *plural, *name, *part),
            [plural] => ("", *plural, "", ""),
            [plural, name] => ("", *plural, *name, ""),
            [plural, name, part] => ("", *plural, *name, *part),
            _ => return None,
        };
        let empty_name = rest.len() > 1 && rest.iter().any(|segment| segment.is_empty());
        if plural.is_empty() || empty_name {
            return None;
        }
        Some(Address {
            group: group.into(),
            version: version.into(),
            namespace: namespace.into(),
            plural: plural.into(),
            name: name.into(),
            subresource: subresource.into(),
        })
    }

    /// The kind; with `taught_by` (the kind that a body names) an unknown one is learned.
    pub fn kind(&self, cluster: &Cluster, taught_by: Option<&str>) -> Result<Arc<Kind>, Status> {
        let mut state = cluster.lock();
        let known = state.kinds.by_plural(&self.group, &self.version, &self.plural);
        let kind = match (known, taught_by) {
            (Some(kind), _) => kind,
            (None, Some(kind)) if !kind.is_empty() && guess_plural(kind).len() <= 253 && !self.group.is_empty() => {
                let namespaced = !self.namespace.is_empty();
                state
                    .kinds
                    .learn(&self.group, &self.version, kind, &self.plural, namespaced)
            }
            _ => return Err(Status::no_such_resource()),
        };
        let named = !self.name.is_empty();
        // Namespaced objects are reached through their namespace; the cluster-wide list is the only exception.
        if kind.namespaced && self.namespace.is_empty() && named || !kind.namespaced && !self.namespace.is_empty() {
            return Err(Status::no_such_resource());
        }
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        for (path, expected) in [
            ("api/v1/namespaces", Some(("", "", "namespaces", "", ""))),
            ("api/v1/namespaces/a", Some(("", "", "namespaces", "a", ""))),
            (
                "api/v1/namespaces/a/status",
                Some(("", "", "namespaces", "a", "status")),
            ),
            ("api/v1/namespaces/a/pods", Some(("", "a", "pods", "", ""))),
            ("api/v1/namespaces/a/pods/b/log", Some(("", "a", "pods", "b", "log"))),
            ("api/v1/nodes/n", Some(("", "", "nodes", "n", ""))),
            ("apis/apps/v1/deployments", Some(("apps", "", "deployments", "", ""))),
            (
                "apis/apps/v1/namespaces/a/deployments/b",
                Some(("apps", "a", "deployments", "b", "")),
            ),
            ("apis/apps/v1/namespaces/a/deployments/", None),
            ("apis/apps", None),
            ("apis/apps/v1/a/b/c/d/e/f", None),
            ("healthz", None),
        ] {
            let segments = path.split('/').map(String::from).collect::<Vec<_>>();
            let found = Address::parse(&segments);
            let found = found.as_ref().map(|address| {
                let Address {
                    group,
                    namespace,
                    plural,
                    name,
                    subresource,
                    ..
                } = address;
                (
                    group.as_str(),
                    namespace.as_str(),
                    plural.as_str(),
                    name.as_str(),
                    subresource.as_str(),
                )
            });
            assert_eq!(found, expected, "{path}");
        }
    }
}
