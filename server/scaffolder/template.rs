//! Reads a Template entity (`scaffolder.backstage.io/v1beta3`) as a task needs it.

use serde_json::{Value, json};

use super::engine::Control;
use super::model::{Step, TemplateInfo};
use crate::catalog::Entity;

/// The parts of a template that its tasks are made of.
#[derive(Debug, Clone)]
pub struct Template {
    pub api_version: String,
    /// Pages of the form, each a JSON Schema; empty where the template asks nothing.
    pub parameters: Vec<Value>,
    pub secrets_schema: Option<Value>,
    pub steps: Vec<Step>,
    pub output: Value,
    pub recovery: Option<Value>,
    pub info: TemplateInfo,
}

impl Template {
    /// Errors are texts for the template's author.
    pub fn read(entity: &Entity) -> Result<Self, String> {
        let api_version = entity.body["apiVersion"].as_str().unwrap_or_default().to_owned();
        if !matches!(api_version.as_str(), "scaffolder.backstage.io/v1beta3") {
            return Err(format!(
                "the template {} has apiVersion \"{api_version}\"; only scaffolder.backstage.io/v1beta3 can be run",
                entity.entity_ref()
            ));
        }
        let spec = &entity.body["spec"];
        let parameters = match &spec["parameters"] {
            Value::Array(pages) => pages.clone(),
            Value::Null => Vec::new(),
            page => vec![page.clone()],
        };
        let steps = spec["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        let steps = steps
            .iter()
            .enumerate()
            .map(|(index, step)| read_step(index, step))
            .collect::<Result<Vec<_>, _>>()?;
        for (index, step) in steps.iter().enumerate() {
            if steps[..index].iter().any(|other| other.id == step.id) {
                return Err(format!("two steps have the id \"{}\"; give each its own", step.id));
            }
        }
        Ok(Self {
            api_version,
            parameters,
            secrets_schema: spec.pointer("/secrets/schema").cloned(),
            steps,
            output: spec.get("output").cloned().unwrap_or_else(|| json!({})),
            recovery: spec.get("EXPERIMENTAL_recovery").cloned(),
            info: TemplateInfo {
                entity_ref: entity.entity_ref().to_string(),
                base_url: base_url(entity),
                entity: json!({"metadata": entity.body["metadata"]}),
            },
        })
    }
}

fn read_step(index: usize, step: &Value) -> Result<Step, String> {
    let mut fields = step
        .as_object()
        .cloned()
        .ok_or_else(|| format!("step {} is not an object", index + 1))?;
    if !fields.get("action").is_some_and(Value::is_string) {
        return Err(format!("step {} names no action", index + 1));
    }
    if !fields.get("id").is_some_and(Value::is_string) {
        fields.insert("id".to_owned(), json!(format!("step-{}", index + 1)));
    }
    if !fields.get("name").is_some_and(Value::is_string) {
        fields.insert("name".to_owned(), fields["action"].clone());
    }
    let step: Step =
        serde_json::from_value(Value::Object(fields)).map_err(|error| format!("step {}: {error}", index + 1))?;
    Control::check(&step)?;
    Ok(step)
}

/// What relative URLs are relative to: `backstage.io/source-location`, else `backstage.io/managed-by-location`.
fn base_url(entity: &Entity) -> Option<String> {
    let location = entity
        .annotation("backstage.io/source-location")
        .or_else(|| entity.annotation("backstage.io/managed-by-location"))?;
    location.strip_prefix("url:").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(spec: Value) -> Entity {
        Entity {
            body: json!({
                "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template",
                "metadata": {"name": "basic", "annotations": {
                    "backstage.io/managed-by-location": "url:https://f/o/n/src/branch/main/basic/template.yaml"}},
                "spec": spec,
            }),
        }
    }

    #[test]
    fn defaults_are_filled_in() {
        let template = Template::read(&entity(
            json!({"parameters": {"title": "One"}, "steps": [{"action": "debug:log"}]}),
        ))
        .unwrap();
        assert_eq!(template.parameters.len(), 1);
        assert_eq!(
            (template.steps[0].id.as_str(), template.steps[0].name.as_str()),
            ("step-1", "debug:log")
        );
        assert_eq!(
            template.info.base_url.as_deref(),
            Some("https://f/o/n/src/branch/main/basic/template.yaml")
        );
        assert_eq!(template.info.entity_ref, "template:default/basic");
    }

    #[test]
    fn broken_templates_are_told() {
        for spec in [
            json!({"steps": ["x"]}),
            json!({"steps": [{"id": "a"}]}),
            json!({"steps": [{"id": "a", "action": "x", "timeout": "soon"}]}),
            json!({"steps": [{"id": "a", "action": "x", "retry": {"limit": "often"}}]}),
            json!({"steps": [{"id": "a", "action": "x"}, {"id": "a", "action": "x"}]}),
        ] {
            assert!(Template::read(&entity(spec.clone())).is_err(), "{spec}");
        }
    }
}
