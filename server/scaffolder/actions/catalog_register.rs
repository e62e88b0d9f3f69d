use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::context::join;
use super::{Action, ActionError, Context, Example};
use crate::catalog::{Entity, EntityRef};
use crate::scaffolder::model::EffectKind;

/// `catalog:register`: makes a file known to the catalog.
pub struct CatalogRegister;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Address of the file.
    catalog_info_url: Option<String>,
    /// Address of the repository's contents, as `publish` steps give it out.
    repo_contents_url: Option<String>,
    /// Path of the file in the repository; `/catalog-info.yaml` by default.
    catalog_info_path: Option<String>,
    /// Go on when the file is registered already.
    #[serde(default)]
    optional: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Ref of the component in the file, else of its first entity.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_ref: Option<String>,
    catalog_info_url: String,
}

#[async_trait::async_trait]
impl Action for CatalogRegister {
    const ID: &'static str = "catalog:register";
    const DESCRIPTION: &'static str = "Registers entities of a file in the catalog.";
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Register what an earlier step has published",
        example: "steps:\n  - id: register\n    action: catalog:register\n    input:\n      repoContentsUrl: ${{ steps.publish.output.repoContentsUrl }}\n      catalogInfoPath: /catalog-info.yaml\n",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        let target = target(cx, &input)?;
        cx.log(format!("Registering {target} in the catalog"));
        let intent = cx.intend(&format!("location:{target}"), json!({}), false).await?;
        let registered = cx.outside.catalog.register(&cx.actor, &target).await?;
        if registered.existed && intent.fresh && !input.optional {
            return Err(ActionError::Failed(format!(
                "{target} is registered already; remove the location first, or set optional: true"
            )));
        }
        if !registered.existed || !intent.fresh {
            cx.effect(EffectKind::Location, &target, None).await?;
        }
        let entity_ref = main_entity(&registered.entities).map(|entity_ref| entity_ref.to_string());
        if let Some(entity_ref) = &entity_ref {
            cx.log(format!("{entity_ref} is in the catalog"));
        }
        Ok(Output {
            entity_ref,
            catalog_info_url: target,
        })
    }
}

fn target(cx: &Context, input: &Input) -> Result<String, ActionError> {
    match (&input.catalog_info_url, &input.repo_contents_url) {
        (Some(url), _) => Ok(url.clone()),
        (None, Some(contents)) => {
            let path = input.catalog_info_path.as_deref().unwrap_or("/catalog-info.yaml");
            let mut located = cx.outside.forges.locate(contents)?;
            located.source.path = join(&located.source.path, path)
                .ok_or_else(|| ActionError::Input(format!("catalogInfoPath \"{path}\" leaves the repository")))?;
            Ok(located.forge.web_url(&located.source, false))
        }
        (None, None) => Err(ActionError::Input(
            "one of catalogInfoUrl and repoContentsUrl is needed; check the output of the step that publishes"
                .to_owned(),
        )),
    }
}

/// What a file is about: its first Component, else its first entity; generated Locations only where nothing else is.
fn main_entity(entities: &[Entity]) -> Option<EntityRef> {
    let own = || {
        entities
            .iter()
            .filter(|entity| !entity.name().starts_with("generated-"))
    };
    own()
        .find(|entity| entity.kind().eq_ignore_ascii_case("component"))
        .or_else(|| own().next())
        .or_else(|| entities.first())
        .map(Entity::entity_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_comes_first() {
        let entities = |list: &[(&str, &str)]| -> Vec<Entity> {
            list.iter()
                .map(|(kind, name)| Entity {
                    body: json!({"kind": kind, "metadata": {"name": name}}),
                })
                .collect()
        };
        for (list, expected) in [
            (
                &[("Location", "generated-1"), ("System", "s"), ("Component", "Demo")][..],
                Some("component:default/demo"),
            ),
            (
                &[("Location", "generated-1"), ("System", "s")],
                Some("system:default/s"),
            ),
            (&[("Location", "generated-1")], Some("location:default/generated-1")),
            (&[], None),
        ] {
            assert_eq!(main_entity(&entities(list)).map(|r| r.to_string()).as_deref(), expected);
        }
    }
}
