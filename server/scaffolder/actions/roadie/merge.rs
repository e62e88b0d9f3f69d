use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Written, merged, parse_json, parse_yaml, write_json};
use crate::scaffolder::actions::files::{on_files, read_text, write};
use crate::scaffolder::actions::{Action, ActionError, Context, Example};
use crate::scaffolder::yaml::{self, Style};

/// `roadiehq:utils:merge`: merges a value into a JSON or YAML file.
pub struct Merge;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File of the workspace, .json, .yaml or .yml.
    path: String,
    /// Object, or text of the file's format, to merge into it.
    content: Value,
    /// Join lists instead of replacing them.
    #[serde(default)]
    merge_arrays: bool,
    /// Not supported: comments are lost, and the log says so.
    #[serde(default)]
    preserve_yaml_comments: bool,
    /// Which document of a YAML file with several it is merged into.
    use_document_including_field: Option<Field>,
    /// How YAML is written.
    #[serde(default)]
    options: Style,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Field {
    /// Key of the document, dots lead further down.
    key: String,
    /// Its value there.
    value: String,
}

impl Field {
    fn is_in(&self, document: &Value) -> bool {
        let found = self.key.split('.').try_fold(document, |value, key| value.get(key));
        match found {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Number(number)) => number.to_string() == self.value,
            _ => false,
        }
    }
}

#[async_trait::async_trait]
impl Action for Merge {
    const ID: &'static str = "roadiehq:utils:merge";
    const DESCRIPTION: &'static str = "Merges a value into a JSON or YAML file of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Set the image in the Deployment of a file with several manifests",
        example: "\
steps:
  - id: merge
    action: roadiehq:utils:merge
    input:
      path: manifests.yaml
      useDocumentIncludingField:
        key: kind
        value: Deployment
      content:
        metadata:
          labels:
            team: ${{ parameters.team }}
",
    }];
    type Input = Input;
    type Output = Written;

    async fn run(&self, cx: &Context, input: Input) -> Result<Written, ActionError> {
        on_files(cx, move |cx| {
            let text = read_text(cx, &input.path)?;
            let new = match input.path.rsplit('.').next() {
                Some("json") => {
                    let new = content(&input.content, parse_json)?;
                    write_json(&merged(parse_json(&input.path, &text)?, new, input.merge_arrays), "  ")
                }
                Some("yaml" | "yml") => merge_yaml(cx, &input, &text)?,
                _ => {
                    return Err(ActionError::Input(format!(
                        "{} ends neither with .json nor .yaml nor .yml",
                        input.path
                    )));
                }
            };
            write(cx, &input.path, new.as_bytes())?;
            cx.log(format!("Merged into {}", input.path));
            Ok(Written { path: input.path })
        })
        .await
    }
}

fn content(value: &Value, parse: fn(&str, &str) -> Result<Value, ActionError>) -> Result<Value, ActionError> {
    match value {
        Value::String(text) => parse("content", text),
        value => Ok(value.clone()),
    }
}

fn merge_yaml(cx: &Context, input: &Input, text: &str) -> Result<String, ActionError> {
    if input.preserve_yaml_comments && text.contains('#') {
        cx.log(format!(
            "Comments of {} are lost: preserveYamlComments is not supported",
            input.path
        ));
    }
    let new = content(&input.content, parse_yaml)?;
    let mut documents =
        yaml::read_all(text).map_err(|error| ActionError::Input(format!("{} is no YAML: {error}", input.path)))?;
    let count = documents.len();
    let chosen: Vec<&mut Value> = match (&input.use_document_including_field, count) {
        (_, 0) => return Err(ActionError::Input(format!("{} has no document", input.path))),
        (_, 1) => documents.iter_mut().collect(),
        (Some(field), _) => documents.iter_mut().filter(|document| field.is_in(document)).collect(),
        (None, _) => {
            return Err(ActionError::Input(format!(
                "{} has {count} documents; name the one to merge into with useDocumentIncludingField",
                input.path
            )));
        }
    };
    if chosen.is_empty() {
        return Err(ActionError::Input(format!(
            "no document of {} has the field of useDocumentIncludingField",
            input.path
        )));
    }
    for document in chosen {
        *document = merged(document.take(), new.clone(), input.merge_arrays);
    }
    let texts = documents.iter().map(|document| yaml::write(document, &input.options));
    let texts: Vec<String> = texts.collect::<Result<_, _>>().map_err(ActionError::Input)?;
    Ok(texts.join("---\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn values_are_merged_into_the_right_document() {
        let cx = bench(&[
            ("a.yaml", "kind: A\nl: [1]\n---\nkind: B\nl: [1]\n"),
            ("b.yml", "x:\n  y: 1\n"),
            ("c.json", "{\"x\": 1}"),
        ]);
        let read = |path: &str| std::fs::read_to_string(cx.workspace.path().join(path)).unwrap();
        let field = json!({"key": "kind", "value": "B"});
        let input =
            json!({"path": "a.yaml", "content": {"l": [2]}, "mergeArrays": true, "useDocumentIncludingField": field});
        run(&Merge, &cx, input).await.unwrap();
        assert_eq!(read("a.yaml"), "kind: A\nl:\n  - 1\n---\nkind: B\nl:\n  - 1\n  - 2\n");
        run(&Merge, &cx, json!({"path": "b.yml", "content": "x:\n  z: 2"}))
            .await
            .unwrap();
        assert_eq!(read("b.yml"), "x:\n  y: 1\n  z: 2\n");
        run(&Merge, &cx, json!({"path": "c.json", "content": {"y": 2}}))
            .await
            .unwrap();
        assert_eq!(read("c.json"), "{\n  \"x\": 1,\n  \"y\": 2\n}");
        for (path, content) in [
            ("a.yaml", json!({})),
            ("missing.json", json!({})),
            ("b.yml", json!("a: [")),
        ] {
            assert!(
                run(&Merge, &cx, json!({"path": path, "content": content}))
                    .await
                    .is_err(),
                "{path}"
            );
        }
    }
}
