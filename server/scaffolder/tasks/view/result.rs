//! What a task has made, and the links and texts of its output.

use serde_json::Value;

use crate::catalog::EntityRef;
use crate::language::{self, text};
use crate::scaffolder::model::{Effect, EffectKind, Removed, StepRecord, StepStatus, TaskStatus};

/// Something that the task makes, or made.
pub struct Making {
    pub icon: &'static str,
    pub label: language::Text,
    pub made: bool,
    pub name: String,
    pub url: Option<String>,
    /// What has become of it since.
    pub removed: Option<language::Text>,
    /// Where there is nothing yet: when there will be.
    pub outlook: language::Text,
}

pub struct Link {
    pub title: String,
    pub url: String,
    pub icon: &'static str,
}

pub struct Text {
    pub title: String,
    pub content: String,
}

/// What kind of thing a step's action makes.
fn made_by(action: &str) -> Option<EffectKind> {
    match action {
        "catalog:register" => Some(EffectKind::Location),
        "cnoe:create-argocd-app" | "argocd:create-resources" => Some(EffectKind::Application),
        _ if action.ends_with(":pull-request") && action.starts_with("publish:") => Some(EffectKind::PullRequest),
        _ if action.starts_with("publish:") => Some(EffectKind::Repository),
        _ => None,
    }
}

pub(super) fn makes(
    records: &[StepRecord],
    effects: &[Effect],
    status: TaskStatus,
    application_url: impl Fn(&str) -> Option<String>,
) -> Vec<Making> {
    let mut makes = Vec::new();
    for record in records {
        let Some(kind) = made_by(&record.action) else { continue };
        let (icon, label) = match kind {
            EffectKind::Repository => ("repo", text!("Repository")),
            EffectKind::Application => ("deploy", text!("Argo CD application")),
            EffectKind::Location => ("component", text!("Catalog entry")),
            EffectKind::Project => ("deploy", text!("Argo CD project")),
            EffectKind::Object => ("deploy", text!("Kubernetes object")),
            EffectKind::PullRequest => ("repo", text!("Pull request")),
            EffectKind::Issue => ("repo", text!("Issue")),
        };
        let outlook = match record.status {
            StepStatus::Processing => text!("being created"),
            StepStatus::Waiting if !status.is_final() => text!("after step {number}", number = record.position + 1),
            StepStatus::Completed => text!("made"),
            _ => text!("not created"),
        };
        let own: Vec<&Effect> = effects
            .iter()
            .filter(|effect| effect.kind == kind && effect.step_id == record.id)
            .collect();
        if own.is_empty() {
            makes.push(Making {
                icon,
                label,
                made: false,
                name: String::new(),
                url: None,
                removed: None,
                outlook,
            });
            continue;
        }
        for effect in own {
            let entity = record.output.as_ref().and_then(|output| output["entityRef"].as_str());
            let entity_ref = entity.and_then(|text| EntityRef::parse(text, None, None).ok());
            let url = match kind {
                EffectKind::Location => entity_ref.map(|entity_ref| entity_ref.path()),
                EffectKind::Application => application_url(&effect.reference),
                _ => effect.url.clone(),
            };
            let name = match (kind, entity) {
                (EffectKind::Location, Some(entity)) => entity.to_owned(),
                _ => effect.reference.clone(),
            };
            makes.push(Making {
                icon,
                label: label.clone(),
                made: true,
                name,
                url: url.filter(|url| is_safe(url) && effect.removed != Some(Removed::Deleted)),
                removed: effect.removed.map(|removed| match removed {
                    Removed::Deleted => text!("removed"),
                    Removed::Archived => text!("archived"),
                }),
                outlook: outlook.clone(),
            });
        }
    }
    makes
}

/// A path of ours, or http.
pub fn is_safe(url: &str) -> bool {
    (url.starts_with('/') && !url.starts_with("//")) || url.starts_with("https://") || url.starts_with("http://")
}

pub(super) fn links(output: &Value) -> Vec<Link> {
    let items = output["links"].as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let url = match item["entityRef"].as_str() {
                Some(entity) => EntityRef::parse(entity, Some("component"), None).ok()?.path(),
                None => item["url"].as_str()?.to_owned(),
            };
            is_safe(&url).then(|| Link {
                title: item["title"].as_str().unwrap_or(&url).to_owned(),
                icon: match item["icon"].as_str() {
                    Some("catalog" | "kind:component") => "component",
                    Some("github" | "gitlab" | "git") => "repo",
                    Some("docs" | "techdocs") => "docs",
                    _ => "ext",
                },
                url,
            })
        })
        .collect()
}

pub(super) fn texts(output: &Value) -> Vec<Text> {
    let items = output["text"].as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            Some(Text {
                title: item["title"].as_str().unwrap_or_default().to_owned(),
                content: item["content"].as_str()?.to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_safe_links_are_shown() {
        let output = json!({"links": [
            {"title": "Catalog", "icon": "catalog", "entityRef": "component:default/demo"},
            {"title": "Repo", "url": "https://f/o/n"},
            {"title": "Bad", "url": "javascript:alert(1)"},
            {"title": "Bad", "url": "//evil.example"},
            {"title": "Empty"},
        ]});
        let urls: Vec<String> = links(&output).into_iter().map(|link| link.url).collect();
        assert_eq!(urls, ["/catalog/default/component/demo", "https://f/o/n"]);
    }
}
