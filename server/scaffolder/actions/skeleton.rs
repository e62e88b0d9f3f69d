//! Lays a skeleton into the workspace, rendering names and contents. What `fetch:template` and
//! `workspace:template` have in common.

use std::collections::HashSet;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::files::on_files;
use super::tree::place;
use super::{ActionError, Context};
use crate::scaffolder::expressions::{FileOptions, render_template};
use crate::scm::TreeFile;

/// How a skeleton is rendered: a part of the actions' inputs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rendering {
    /// What expressions in files and names see as `values`.
    #[serde(default)]
    values: Map<String, Value>,
    /// Globs of files whose contents are copied as they are; their names are still rendered.
    #[serde(default)]
    copy_without_templating: Vec<String>,
    /// Delimiters `{{ }}` and the name `cookiecutter`, as that tool has them.
    #[serde(default)]
    cookiecutter_compat: bool,
    /// Render only files with this extension (true: `.njk`), and take it off.
    #[schemars(with = "Option<Extension>")]
    template_file_extension: Option<Value>,
    /// Overwrite files that are there.
    #[serde(default)]
    pub replace: bool,
    #[serde(default)]
    trim_blocks: bool,
    #[serde(default)]
    lstrip_blocks: bool,
}

/// What `templateFileExtension` may be.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "its schema is what counts")]
enum Extension {
    Usual(bool),
    Own(String),
}

impl Rendering {
    fn context(&self) -> Value {
        let root = if self.cookiecutter_compat {
            "cookiecutter"
        } else {
            "values"
        };
        json!({root: self.values})
    }

    fn options(&self, strict: bool, integrations: &[(String, String)]) -> FileOptions {
        FileOptions {
            defined: strict,
            integrations: integrations.to_vec(),
            trim_blocks: self.trim_blocks,
            lstrip_blocks: self.lstrip_blocks,
            cookiecutter: self.cookiecutter_compat,
            ..FileOptions::default()
        }
    }

    /// Renders one file, whatever it is called.
    pub fn render(&self, cx: &Context, file: &str, text: &str) -> Result<String, ActionError> {
        let options = self.options(cx.strict, &cx.settings.integrations);
        render_template(text, &self.context(), &options).map_err(|error| ActionError::Template {
            file: file.to_owned(),
            error,
        })
    }
}

/// What the input says about each file.
pub struct Plan {
    target: String,
    context: Value,
    options: FileOptions,
    raw: GlobSet,
    extension: Option<String>,
    replace: bool,
}

impl Plan {
    /// For a skeleton that goes into the folder `target` of the workspace.
    pub fn new(cx: &Context, target: &str, input: &Rendering) -> Result<Self, ActionError> {
        Self::of(target, input, cx.strict, &cx.settings.integrations)
    }

    /// As [`Self::new`], without a running step: `strict` is that of the template, `integrations` are host and kind of
    /// each that is configured.
    pub fn of(
        target: &str,
        input: &Rendering,
        strict: bool,
        integrations: &[(String, String)],
    ) -> Result<Self, ActionError> {
        let extension = match &input.template_file_extension {
            None | Some(Value::Bool(false) | Value::Null) => None,
            Some(Value::Bool(true)) => Some(".njk".to_owned()),
            Some(Value::String(text)) if text.starts_with('.') => Some(text.clone()),
            Some(Value::String(text)) => Some(format!(".{text}")),
            Some(_) => {
                return Err(ActionError::Input(
                    "templateFileExtension must be a text or true".to_owned(),
                ));
            }
        };
        if extension.is_some() && (input.cookiecutter_compat || !input.copy_without_templating.is_empty()) {
            return Err(ActionError::Input(
                "templateFileExtension cannot be used together with copyWithoutTemplating or cookiecutterCompat"
                    .to_owned(),
            ));
        }
        let mut raw = GlobSetBuilder::new();
        for glob in &input.copy_without_templating {
            let glob = glob.trim_start_matches("./");
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            raw.add(built.map_err(|error| ActionError::Input(format!("copyWithoutTemplating, \"{glob}\": {error}")))?);
            // A folder stands for all that is in it.
            let below = format!("{}/**", glob.trim_end_matches('/'));
            if let Ok(below) = GlobBuilder::new(&below).literal_separator(true).build() {
                raw.add(below);
            }
        }
        Ok(Self {
            target: target.to_owned(),
            context: input.context(),
            options: input.options(strict, integrations),
            raw: raw
                .build()
                .map_err(|error| ActionError::Input(format!("copyWithoutTemplating: {error}")))?,
            extension,
            replace: input.replace,
        })
    }

    /// Where the file goes, below the target; `None` leaves it out, which is how templates make files conditional.
    fn path(&self, file: &TreeFile) -> Result<Option<String>, ActionError> {
        let mut path = file.path.clone();
        if let (Some(extension), None) = (&self.extension, &file.link)
            && let Some(short) = path.strip_suffix(extension.as_str())
        {
            path = short.to_owned();
        }
        let rendered = render_template(&path, &self.context, &self.options).map_err(|error| ActionError::Template {
            file: format!("the name of {}", file.path),
            error,
        })?;
        let skipped = rendered.is_empty() || rendered.starts_with('/') || rendered.contains("//");
        Ok((!skipped).then_some(rendered))
    }

    /// How names and contents are rendered.
    pub fn options(&self) -> &FileOptions {
        &self.options
    }

    /// The contents are rendered, where they are text.
    pub fn is_rendered(&self, file: &TreeFile) -> bool {
        let wanted = match &self.extension {
            Some(extension) => file.path.ends_with(extension.as_str()),
            None => !self.raw.is_match(&file.path),
        };
        wanted && file.link.is_none() && !looks_binary(&file.content)
    }

    /// The contents to write: rendered, or as they are.
    fn content(&self, file: &TreeFile) -> Result<Vec<u8>, ActionError> {
        match std::str::from_utf8(&file.content) {
            Ok(text) if self.is_rendered(file) => {
                let rendered =
                    render_template(text, &self.context, &self.options).map_err(|error| ActionError::Template {
                        file: file.path.clone(),
                        error,
                    })?;
                Ok(rendered.into_bytes())
            }
            _ => Ok(file.content.to_vec()),
        }
    }
}

/// Binary as the npm package `isbinaryfile` sees it, for what is valid UTF-8: a NUL, or many control characters
/// among the first 512 bytes, or a PDF.
fn looks_binary(content: &[u8]) -> bool {
    let head = &content[..content.len().min(512)];
    let suspicious = head.iter().filter(|byte| matches!(byte, 1..=6 | 14..=31)).count();
    head.contains(&0) || head.starts_with(b"%PDF-") || suspicious * 10 > head.len().max(1)
}

/// Renders the files into the workspace and logs how many there were.
pub async fn render(cx: &Context, plan: Plan, files: Vec<TreeFile>) -> Result<(), ActionError> {
    let (written, kept) = on_files(cx, move |cx| lay_out(cx, &plan, &files)).await?;
    match kept {
        0 => cx.log(format!("Rendered {written} files")),
        kept => cx.log(format!(
            "Rendered {written} files; {kept} were there and stay as they are"
        )),
    }
    Ok(())
}

fn lay_out(cx: &Context, plan: &Plan, files: &[TreeFile]) -> Result<(usize, usize), ActionError> {
    let (mut written, mut kept, mut size) = (0, 0, 0u64);
    let mut ours = HashSet::new();
    for file in files {
        if !cx.is_ours() {
            break;
        }
        let Some(path) = plan.path(file)? else { continue };
        let path = format!("{}/{path}", plan.target).trim_start_matches('/').to_owned();
        let content = plan.content(file)?;
        size += content.len() as u64;
        if size > cx.workspace.limit() {
            let limit = cx.workspace.limit();
            return Err(ActionError::Limit {
                what: "the rendered skeleton".to_owned(),
                limit,
                of: "a workspace (portico.workspaceLimit)",
            });
        }
        // A run that died half-way leaves no files behind: its workspace was its own.
        let again = !ours.insert(path.clone());
        if place(cx, &path, file, &content, plan.replace || again)? {
            written += 1;
        } else {
            kept += 1;
        }
    }
    Ok((written, kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(input: Value) -> Plan {
        Plan::new(
            &crate::scaffolder::actions::testing::bench(&[]),
            "",
            &serde_json::from_value(input).unwrap(),
        )
        .unwrap()
    }

    fn file(path: &str, content: &[u8]) -> TreeFile {
        TreeFile {
            path: path.to_owned(),
            executable: false,
            link: None,
            content: content.to_vec().into(),
        }
    }

    #[tokio::test]
    async fn names_and_contents_are_rendered() {
        let plan = plan(json!({"values": {"name": "demo", "empty": ""}, "copyWithoutTemplating": ["raw/*", "*.png"]}));
        for (path, content, expected) in [
            (
                "${{ values.name }}.txt",
                "Hi ${{ values.name }}, {{ stays }}",
                Some(("demo.txt", "Hi demo, {{ stays }}")),
            ),
            (
                "raw/${{values.name}}",
                "${{ values.name }}",
                Some(("raw/demo", "${{ values.name }}")),
            ),
            ("${{ values.empty }}", "x", None),
            ("${{ values.empty }}/x", "x", None),
            ("a/${{ values.empty }}/x", "x", None),
        ] {
            let file = file(path, content.as_bytes());
            let path = plan.path(&file).unwrap();
            assert_eq!(path.as_deref(), expected.map(|(path, _)| path));
            if let Some((_, content)) = expected {
                assert_eq!(plan.content(&file).unwrap(), content.as_bytes());
            }
        }
    }

    #[tokio::test]
    async fn with_an_extension_only_such_files_are_rendered() {
        let plan = plan(json!({"values": {"name": "demo"}, "templateFileExtension": true}));
        let one = file("a.yaml.njk", b"${{ values.name }}");
        assert_eq!(plan.path(&one).unwrap().as_deref(), Some("a.yaml"));
        assert_eq!(plan.content(&one).unwrap(), b"demo");
        let other = file("b.yaml", b"${{ values.name }}");
        assert_eq!(plan.content(&other).unwrap(), b"${{ values.name }}");
    }

    #[tokio::test]
    async fn binary_files_are_copied() {
        let plan = plan(json!({"values": {"name": "demo"}}));
        for content in [
            &b"\x89PNG\r\n\x1a\n\0${{ values.name }}"[..],
            b"\xff\xfe${{ values.name }}",
            b"%PDF-${{ values.name }}",
        ] {
            assert_eq!(plan.content(&file("x", content)).unwrap(), content);
        }
    }
}
