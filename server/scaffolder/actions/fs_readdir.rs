use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::files::on_files;
use super::{Action, ActionError, Context, Example};

/// `fs:readdir`: lists files and folders of the workspace.
pub struct FsReaddir;

#[derive(Debug, Deserialize, JsonSchema)]
pub struct Input {
    /// Folders to list.
    paths: Vec<String>,
    /// What is in folders below, too.
    #[serde(default)]
    recursive: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
pub struct Output {
    files: Vec<Item>,
    folders: Vec<Item>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Item {
    name: String,
    /// Relative to the workspace.
    path: String,
    /// On the machine that ran the step; not to be relied on by later steps.
    full_path: String,
}

#[async_trait::async_trait]
impl Action for FsReaddir {
    const ID: &'static str = "fs:readdir";
    const DESCRIPTION: &'static str = "Lists files and folders of the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "List everything below two folders",
        example: "\
steps:
  - id: list
    action: fs:readdir
    input:
      paths: [src, docs]
      recursive: true
",
    }];
    type Input = Input;
    type Output = Output;

    async fn run(&self, cx: &Context, input: Input) -> Result<Output, ActionError> {
        on_files(cx, move |cx| {
            let (mut files, mut folders) = (Vec::new(), Vec::new());
            for wanted in &input.paths {
                let folder = cx.workspace.resolve(wanted)?;
                if !folder.is_dir() {
                    return Err(ActionError::Input(format!(
                        "\"{wanted}\" is no folder of the workspace"
                    )));
                }
                for entry in cx.workspace.paths()? {
                    let place = cx.workspace.path().join(&entry.path);
                    let Ok(below) = place.strip_prefix(&folder) else {
                        continue;
                    };
                    let depth = below.components().count();
                    if depth == 0 || (depth > 1 && !input.recursive) {
                        continue;
                    }
                    let item = Item {
                        name: entry.path.rsplit('/').next().unwrap_or_default().to_owned(),
                        full_path: place.display().to_string(),
                        path: entry.path,
                    };
                    if entry.is_folder {
                        folders.push(item)
                    } else {
                        files.push(item)
                    }
                }
            }
            Ok(Output { files, folders })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scaffolder::actions::testing::{bench, run};

    #[tokio::test]
    async fn folders_are_listed_with_and_without_what_is_below() {
        let cx = bench(&[("a/b", "1"), ("a/c/d", "2"), ("e", "3")]);
        let paths = |list: &Value| -> Vec<String> {
            list.as_array()
                .unwrap()
                .iter()
                .map(|item| item["path"].as_str().unwrap().to_owned())
                .collect()
        };
        let found = run(&FsReaddir, &cx, json!({"paths": ["a"]})).await.unwrap();
        assert_eq!(
            (paths(&found["files"]), paths(&found["folders"])),
            (vec!["a/b".to_owned()], vec!["a/c".to_owned()])
        );
        assert_eq!(found["files"][0]["name"], "b");
        let found = run(&FsReaddir, &cx, json!({"paths": ["."], "recursive": true}))
            .await
            .unwrap();
        assert_eq!(paths(&found["files"]), ["a/b", "a/c/d", "e"]);
        assert!(run(&FsReaddir, &cx, json!({"paths": [".."]})).await.is_err());
        assert!(run(&FsReaddir, &cx, json!({"paths": ["e"]})).await.is_err());
    }
}
