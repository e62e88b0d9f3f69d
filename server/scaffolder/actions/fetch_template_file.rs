use schemars::JsonSchema;
use serde::Deserialize;

use super::files::{on_files, write};
use super::skeleton::Rendering;
use super::tree::read_one;
use super::{Action, ActionError, Context, Example, NoOutput};

/// `fetch:template:file`: renders one file into the workspace.
pub struct FetchTemplateFile;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Input {
    /// File to render: absolute, or relative to the template.
    url: String,
    /// File in the workspace to render to.
    target_path: String,
    /// Token to read with, in place of the portal's own account at the forge.
    token: Option<String>,
    #[serde(flatten)]
    rendering: Rendering,
}

#[async_trait::async_trait]
impl Action for FetchTemplateFile {
    const ID: &'static str = "fetch:template:file";
    const DESCRIPTION: &'static str = "Reads one file of a repository and renders it into the workspace.";
    const DRY_RUN: bool = true;
    const EXAMPLES: &'static [Example] = &[Example {
        description: "Render one file that lies beside the template",
        example: "\
steps:
  - id: readme
    action: fetch:template:file
    input:
      url: ./README.template.md
      targetPath: README.md
      values:
        name: ${{ parameters.name }}
",
    }];
    type Input = Input;
    type Output = NoOutput;

    async fn run(&self, cx: &Context, input: Input) -> Result<NoOutput, ActionError> {
        if keeps(cx, &input.target_path, input.rendering.replace)? {
            return Ok(NoOutput {});
        }
        let content = read_one(cx, &input.url, input.token.as_deref()).await?;
        let text = String::from_utf8(content.to_vec())
            .map_err(|_| ActionError::Input(format!("{} is no text in UTF-8 and cannot be rendered", input.url)))?;
        on_files(cx, move |cx| {
            let rendered = input.rendering.render(cx, &input.url, &text)?;
            write(cx, &input.target_path, rendered.as_bytes())?;
            cx.log(format!("Rendered {}", input.target_path));
            Ok(NoOutput {})
        })
        .await
    }
}

/// The file is there and stays; the log tells.
pub fn keeps(cx: &Context, path: &str, replace: bool) -> Result<bool, ActionError> {
    let kept = cx.workspace.resolve(path)?.symlink_metadata().is_ok() && !replace;
    if kept {
        cx.log(format!(
            "{path} is there already and stays as it is; set replace: true to replace it"
        ));
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scaffolder::actions::testing::{bench, beside, run};

    #[tokio::test]
    async fn a_file_is_rendered_unless_it_is_there() {
        let cx = beside(bench(&[("old", "stays")]), &[("a/b.md", "# ${{ values.name }}")]);
        for (target, replace) in [("new/x.md", false), ("old", false)] {
            let input =
                json!({"url": "./a/b.md", "targetPath": target, "values": {"name": "demo"}, "replace": replace});
            run(&FetchTemplateFile, &cx, input).await.unwrap();
        }
        let read = |path: &str| std::fs::read_to_string(cx.workspace.path().join(path)).unwrap();
        assert_eq!((read("new/x.md").as_str(), read("old").as_str()), ("# demo", "stays"));
        let broken = json!({"url": "./a/b.md", "targetPath": "y", "values": {}});
        run(&FetchTemplateFile, &cx, broken).await.unwrap();
        assert_eq!(read("y"), "# ");
        for (url, target) in [("./missing", "z"), ("./a/b.md", "../z"), ("../../x", "z")] {
            let input = json!({"url": url, "targetPath": target});
            assert!(run(&FetchTemplateFile, &cx, input).await.is_err(), "{url} {target}");
        }
    }
}
