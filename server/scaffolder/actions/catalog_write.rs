use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::files::{on_files, write};
use super::{Action, ActionError, Context, Example, NoOutput};
use crate::scaffolder::yaml::{self, Style};

/// `catalog:write`: writes a catalog file.
pub struct CatalogWrite;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File of the workspace; `catalog-info.yaml` by default.
    file_path: Option<String>,
    /// The entity. It is annotated with the template that it comes from.
    entity: Map<String, Value>,
}

#[async_trait::async_trait]
impl Action for CatalogWrite {
    const ID: &'static str = "catalog:write";
    const DESCRIPTION: &'static str = "Writes an entity into a catalog file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Write the file of a component",
        example: "\
steps:
  - id: write
    action: catalog:write
    input:
      entity:
        apiVersion: backstage.io/v1alpha1
        kind: Component
        metadata:
          name: ${{ parameters.name }}
        spec:
          type: service
          lifecycle: experimental
          owner: ${{ user.ref }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        let mut entity = Value::Object(input.entity);
        let metadata = entity["metadata"].as_object_mut().ok_or_else(|| {
            ActionError::Input("entity needs metadata with a name; it has none, or no object".to_owned())
        })?;
        let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
        match annotations.as_object_mut() {
            Some(annotations) => {
                annotations.insert("backstage.io/source-template".to_owned(), json!(cx.template_ref));
            }
            None => {
                return Err(ActionError::Input(
                    "metadata.annotations of the entity is no object".to_owned(),
                ));
            }
        }
        let path = input.file_path.unwrap_or_else(|| "catalog-info.yaml".to_owned());
        let text = yaml::write(&entity, &Style::default()).map_err(ActionError::Input)?;
        on_files(cx, move |cx| {
            write(cx, &path, text.as_bytes())?;
            cx.log(format!("Wrote {path}"));
            Ok(NoOutput {})
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn the_entity_tells_its_template() {
        let cx = bench(&[]);
        let entity = json!({"kind": "Component", "metadata": {"name": "a", "annotations": {"x/y": "z"}}});
        run(&CatalogWrite, &cx, json!({"entity": entity, "filePath": "d/c.yaml"}))
            .await
            .unwrap();
        assert_eq!(
            std::fs::read_to_string(cx.workspace.path().join("d/c.yaml")).unwrap(),
            "kind: Component\nmetadata:\n  name: a\n  annotations:\n    x/y: z\n    backstage.io/source-template: template:default/test\n"
        );
        for entity in [json!({"kind": "A"}), json!({"metadata": {"annotations": []}})] {
            assert!(
                run(&CatalogWrite, &cx, json!({"entity": entity})).await.is_err(),
                "{entity}"
            );
        }
        assert!(
            run(
                &CatalogWrite,
                &cx,
                json!({"entity": {"metadata": {}}, "filePath": "../x"})
            )
            .await
            .is_err()
        );
    }
}
