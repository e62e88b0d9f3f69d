//! What accounts may do in the cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Package, list, text, title};

fn texts<'a>(rule: &'a Value, key: &str) -> Vec<&'a str> {
    list(rule, &format!("/{key}"))
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn nobody_reads_secrets_but_single_ones_by_name() {
    for package in Package::all() {
        for role in package
            .objects
            .iter()
            .filter(|object| text(object, "/kind").ends_with("Role"))
        {
            for rule in list(role, "/rules") {
                let what = format!("{}: {}: {rule}", package.name, title(role));
                for key in ["apiGroups", "resources", "verbs"] {
                    let values = texts(rule, key);
                    assert!(!values.is_empty() && !values.contains(&"*"), "{what}");
                }
                if texts(rule, "resources").contains(&"secrets") {
                    assert_eq!(role["kind"], "Role", "{what}");
                    assert_eq!(texts(rule, "verbs"), ["get"], "{what}");
                    let named = (text(role, "/metadata/namespace"), texts(rule, "resourceNames"));
                    let allowed = [
                        ("default", vec!["idpbuilder-cert"]),
                        ("argocd", vec!["argocd-initial-admin-secret"]),
                    ];
                    assert!(allowed.contains(&named), "{what}");
                }
            }
        }
    }
}

#[test]
fn the_portal_may_do_what_it_does_and_no_more() {
    // Argo CD's Applications are watched by every portal. Where the configuration has no account of Argo CD, all else is done
    // in the cluster, too.
    let watching = BTreeSet::from(["get", "list", "watch"]);
    let all = BTreeSet::from(["get", "list", "watch", "create", "patch", "delete"]);
    for package in Package::all() {
        let account = text(package.portal(), "/spec/template/spec/serviceAccountName");
        let mut rules = Vec::new();
        for binding in package
            .objects
            .iter()
            .filter(|object| text(object, "/kind").ends_with("RoleBinding"))
        {
            if list(binding, "/subjects")
                .iter()
                .any(|subject| subject["name"] == account)
            {
                let role = package.find(text(binding, "/roleRef/kind"), text(binding, "/roleRef/name"));
                rules.extend(list(role.expect("the role"), "/rules"));
            }
        }
        let verbs = |resource: &str| -> BTreeSet<&str> {
            let about = rules.iter().filter(|rule| texts(rule, "resources").contains(&resource));
            about.flat_map(|rule| texts(rule, "verbs")).collect()
        };
        let with_account = package.name == "idpbuilder";
        assert_eq!(
            verbs("applications"),
            if with_account { &watching } else { &all }.clone(),
            "{}",
            package.name
        );
        for resource in rules.iter().flat_map(|rule| texts(rule, "resources")) {
            assert!(
                ["applications", "appprojects", "workflows"].contains(&resource),
                "{}: {resource}",
                package.name
            );
        }
    }
}
