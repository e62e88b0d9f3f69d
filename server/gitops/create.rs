//! A new Application: its body, its name's rules, and how to tell that one is ours.

use serde_json::{Value, json};

use crate::language::{Text, text};

/// Annotations that tell a repeated step that the Application is its own.
pub(super) const TASK: &str = "portico/task";
const STEP: &str = "portico/step";

/// What to create: the input of CNOE's action `cnoe:create-argocd-app`, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApplication {
    /// Name of the Argo CD instance, as configured.
    pub instance: String,
    pub app_name: String,
    /// Namespace that the manifests are put into; it is not created.
    pub app_namespace: String,
    /// Empty: a project of the Application's name.
    pub project: String,
    pub repo_url: String,
    /// Folder of the manifests in the repository.
    pub path: String,
    /// Value of the label `backstage-name`; `None`: the Application's name.
    pub label_value: Option<String>,
    /// Argo CD applies the manifests on the server's side.
    pub server_side_apply: bool,
    /// The task and step that create it. A second run of the same step finds its own Application by them.
    pub task: String,
    pub step: String,
}

/// What creating brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// An earlier run of the same step had created it.
    pub already: bool,
}

impl NewApplication {
    /// The object that Backstage's Argo CD action sends (`@roadiehq/backstage-plugin-argo-cd-node` 2.0.0), with our
    /// annotations.
    pub(super) fn body(&self) -> Value {
        let project = if self.project.is_empty() {
            &self.app_name
        } else {
            &self.project
        };
        let mut options = vec!["CreateNamespace=false", "FailOnSharedResource=true"];
        if self.server_side_apply {
            options.push("ServerSideApply=true");
        }
        json!({
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {
                "name": self.app_name,
                "labels": {"backstage-name": self.label_value.as_deref().unwrap_or(&self.app_name)},
                "annotations": {TASK: self.task, STEP: self.step},
                "finalizers": ["resources-finalizer.argocd.argoproj.io"],
            },
            "spec": {
                "destination": {"namespace": self.app_namespace, "server": "https://kubernetes.default.svc"},
                "project": project,
                "revisionHistoryLimit": 10,
                "source": {"path": self.path, "repoURL": self.repo_url},
                "syncPolicy": {
                    "automated": {"allowEmpty": true, "prune": true, "selfHeal": true},
                    "retry": {"limit": 10, "backoff": {"duration": "5s", "factor": 2, "maxDuration": "5m"}},
                    "syncOptions": options,
                },
            },
        })
    }

    /// The project that it will be in.
    pub(super) fn project(&self) -> &str {
        if self.project.is_empty() {
            &self.app_name
        } else {
            &self.project
        }
    }

    /// The existing object was made by the same step of the same task.
    pub(super) fn made(&self, object: &Value) -> bool {
        let annotations = object.pointer("/metadata/annotations");
        let is = |key: &str, value: &str| {
            !value.is_empty() && annotations.and_then(|all| all.get(key)).and_then(Value::as_str) == Some(value)
        };
        is(TASK, &self.task) && is(STEP, &self.step)
    }

    pub(super) fn what(&self) -> String {
        format!("Application {}", self.app_name)
    }
}

/// Why Kubernetes would refuse the name, in words for the person who typed it; `None` where it would not.
/// An Application's name is a DNS subdomain, and also the value of a label: 63 characters at most.
pub fn name_problem(name: &str) -> Option<Text> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.is_empty() {
        return Some(text!("It needs a name."));
    }
    if name.len() > 63 {
        return Some(text!("63 characters at most."));
    }
    if !name.chars().all(|c| inner(c) || matches!(c, '-' | '.')) {
        return Some(text!("Lower-case letters, digits, - and . only."));
    }
    if !name
        .split('.')
        .all(|part| part.starts_with(inner) && part.ends_with(inner))
    {
        return Some(text!(
            "It starts and ends with a letter or digit, also beside each dot."
        ));
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn new_application(name: &str) -> NewApplication {
        NewApplication {
            instance: "in-cluster".to_owned(),
            app_name: name.to_owned(),
            app_namespace: name.to_owned(),
            project: "default".to_owned(),
            repo_url: format!("https://forge.example/o/{name}"),
            path: "manifests".to_owned(),
            label_value: None,
            server_side_apply: false,
            task: "t1".to_owned(),
            step: "create-argocd-app".to_owned(),
        }
    }

    #[test]
    fn only_the_same_step_of_the_same_task_finds_its_own() {
        let new = new_application("demo");
        assert!(new.made(&new.body()));
        for other in [
            NewApplication {
                task: "t2".to_owned(),
                ..new.clone()
            },
            NewApplication {
                step: "other".to_owned(),
                ..new.clone()
            },
        ] {
            assert!(!other.made(&new.body()));
        }
        assert!(!new.made(&json!({"metadata": {"name": "demo"}})));
        let nobody = NewApplication {
            task: String::new(),
            step: String::new(),
            ..new
        };
        assert!(!nobody.made(&nobody.body()));
    }

    #[test]
    fn names_that_kubernetes_would_refuse_are_known() {
        for good in ["demo", "a", "a-b.c2", &"a".repeat(63)] {
            assert_eq!(name_problem(good), None, "{good}");
        }
        for bad in [
            "",
            "Demo",
            "a_b",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a.-b",
            "ä",
            "a b",
            &"a".repeat(64),
        ] {
            assert!(name_problem(bad).is_some(), "{bad}");
        }
    }
}
