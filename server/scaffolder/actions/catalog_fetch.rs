use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Action, ActionError, Context, Example};
use crate::catalog::EntityRef;

/// `catalog:fetch`: reads entities from the catalog.
pub struct CatalogFetch;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// Ref of one entity.
    entity_ref: Option<String>,
    /// Refs of several.
    entity_refs: Option<Vec<String>>,
    /// An entity that is not there is null instead of an error.
    #[serde(default)]
    optional: bool,
    /// Kind of refs that name none.
    default_kind: Option<String>,
    /// Namespace of refs that name none.
    default_namespace: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    /// The entity of `entityRef`.
    #[serde(skip_serializing_if = "Option::is_none")]
    entity: Option<Value>,
    /// The entities of `entityRefs`, in their order.
    #[serde(skip_serializing_if = "Option::is_none")]
    entities: Option<Vec<Value>>,
}

#[async_trait::async_trait]
impl Action for CatalogFetch {
    const ID: &'static str = "catalog:fetch";
    const DESCRIPTION: &'static str = "Reads one or several entities from the catalog.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Read the owner of a component",
        example: "\
steps:
  - id: fetch
    action: catalog:fetch
    input:
      entityRef: component:default/${{ parameters.name }}
  - id: say
    action: debug:log
    input:
      message: ${{ steps.fetch.output.entity.spec.owner }}
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        if input.entity_ref.is_none() && input.entity_refs.is_none() && !input.optional {
            return Err(ActionError::Input(
                "one of entityRef and entityRefs is needed".to_owned(),
            ));
        }
        let entity = match &input.entity_ref {
            Some(entity_ref) => Some(find(cx, &input, entity_ref).await?),
            None => None,
        };
        let entities = match &input.entity_refs {
            Some(refs) => {
                let mut entities = Vec::with_capacity(refs.len());
                for entity_ref in refs {
                    entities.push(find(cx, &input, entity_ref).await?);
                }
                Some(entities)
            }
            None => None,
        };
        Ok(Output { entity, entities })
    }
}

async fn find(cx: &Context, input: &Input, text: &str) -> Result<Value, ActionError> {
    cx.ask(&format!("the entity {text}"))?;
    let entity_ref = EntityRef::parse(text, input.default_kind.as_deref(), input.default_namespace.as_deref())
        .map_err(|error| ActionError::Input(error.to_string()))?;
    match cx.outside.catalog.find(&entity_ref).await? {
        Some(entity) => Ok(entity.body),
        None if input.optional => Ok(Value::Null),
        None => Err(ActionError::Failed(format!("Entity {text} not found"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sqlx::PgPool;

    use super::*;
    use crate::clock::Clock;
    use crate::scaffolder::actions::testing::{bench_with, run};
    use crate::scaffolder::testing::outside;

    #[sqlx::test]
    async fn what_is_not_there_is_an_error_unless_optional(db: PgPool) {
        let cx = bench_with(&[], outside(&db, &Clock::system()));
        for (input, expected) in [
            (
                json!({"entityRef": "component:a", "optional": true}),
                Some(json!({"entity": null})),
            ),
            (
                json!({"entityRefs": ["component:a", "b"], "defaultKind": "api", "optional": true}),
                Some(json!({"entities": [null, null]})),
            ),
            (json!({"optional": true}), Some(json!({}))),
            (json!({"entityRef": "component:a"}), None),
            (json!({"entityRef": "a", "optional": true}), None),
            (json!({}), None),
        ] {
            assert_eq!(run(&CatalogFetch, &cx, input.clone()).await.ok(), expected, "{input}");
        }
    }
}
