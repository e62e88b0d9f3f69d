//! What a template will create, as far as its steps and the answers tell.

use serde_json::{Value, json};

use crate::language::{Text, text};
use crate::scaffolder::expressions::{Options, render_value};
use crate::scaffolder::model::Step;

/// Something that will be created.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    pub icon: &'static str,
    pub label: Text,
    /// Empty while it depends on answers that are missing.
    pub name: String,
    pub detail: Text,
}

/// Reads the steps that create something outside.
pub fn makes(steps: &[Step], values: &Value) -> Vec<Made> {
    let context = json!({"parameters": values});
    let mut made = Vec::new();
    for step in steps {
        let input = |key: &str| -> String {
            let Some(given) = step.input.as_ref().and_then(|input| input.get(key)) else {
                return String::new();
            };
            match render_value(given, &context, &Options::default()) {
                Ok(Some(Value::String(text))) if !text.contains("${{") => text,
                _ => String::new(),
            }
        };
        match step.action.as_str() {
            "publish:gitea" | "publish:github" | "publish:gitlab" | "github:repo:create" => {
                let url = input("repoUrl");
                let branch = input("defaultBranch");
                made.push(Made {
                    icon: "repo",
                    label: text!("Repository"),
                    detail: if branch.is_empty() {
                        Text::default()
                    } else {
                        text!("one commit on {branch}", branch = branch)
                    },
                    name: repository(&url),
                });
            }
            "cnoe:create-argocd-app" => {
                let path = input("path");
                made.push(Made {
                    icon: "deploy",
                    label: text!("Argo CD application"),
                    name: input("appName"),
                    detail: if path.is_empty() {
                        Text::default()
                    } else {
                        text!("syncs {path} by itself", path = path)
                    },
                });
            }
            "catalog:register" => made.push(Made {
                icon: "component",
                label: text!("Catalog entry"),
                name: values["name"].as_str().unwrap_or_default().to_owned(),
                detail: text!("from {file}", file = file(&input("catalogInfoPath"))),
            }),
            _ => {}
        }
    }
    made
}

fn file(path: &str) -> &str {
    match path.trim_start_matches('/') {
        "" => "catalog-info.yaml",
        path => path,
    }
}

/// `owner/repo` of `host?owner=…&repo=…`; empty where the name is missing.
fn repository(url: &str) -> String {
    let Some((_, query)) = url.split_once('?') else {
        return String::new();
    };
    let part = |name: &str| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    match (part("owner"), part("repo")) {
        (Some(owner), Some(repo)) => format!("{owner}/{repo}"),
        (None, Some(repo)) => repo,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_tell_what_they_will_make() {
        let steps: Vec<Step> = serde_json::from_value(json!([
            {"id": "a", "name": "a", "action": "fetch:template", "input": {"url": "./skeleton"}},
            {"id": "b", "name": "b", "action": "publish:gitea",
             "input": {"repoUrl": "forge.test:8443/gitea?repo=${{parameters.name}}", "defaultBranch": "main"}},
            {"id": "c", "name": "c", "action": "cnoe:create-argocd-app",
             "input": {"appName": "${{parameters.name}}", "path": "manifests"}},
            {"id": "d", "name": "d", "action": "catalog:register",
             "input": {"repoContentsUrl": "${{ steps['b'].output.repoContentsUrl }}", "catalogInfoPath": "catalog-info.yaml"}},
        ]))
        .unwrap();
        let names =
            |values: Value| -> Vec<String> { makes(&steps, &values).into_iter().map(|made| made.name).collect() };
        assert_eq!(names(json!({"name": "demo"})), ["demo", "demo", "demo"]);
        assert_eq!(names(json!({})), ["", "", ""]);
    }
}
