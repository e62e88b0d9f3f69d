//! Files that steps render: whether they parse, and whether they find the values that they use.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::Beside;
use super::finding::{Finding, Severity};
use super::names::{severity, syntax, unknown};
use super::outline::{Outline, StepOutline};
use super::source::{Source, below, help};
use crate::scaffolder::actions::{SkeletonPlan, SkeletonRendering};
use crate::scaffolder::expressions::{
    Analysis, FileOptions, Options, Reference, analyse, analyse_file, functions, render_value,
};
use crate::scm::TreeFile;

/// Answers that are tried where the folder of a skeleton hangs on one.
const MOST_ANSWERS: usize = 50;

pub fn check(source: &mut Source<'_>, outline: &Outline, beside: &dyn Beside) {
    for step in &outline.steps {
        if !matches!(step.action.as_str(), "fetch:template" | "fetch:template:file") {
            continue;
        }
        let input = source.at(&below(&step.way, "input")).clone();
        let Some(plan) = plan(source, step, &input, outline.strict) else {
            continue;
        };
        let url_way = below(&below(&step.way, "input"), "url");
        for url in urls(source, outline, &input["url"]) {
            let Some(path) = relative(&url) else { continue };
            let found = match step.action.as_str() {
                "fetch:template" => beside.folder(&path),
                _ => beside.file(&path).map(|file| file.map(|file| vec![file])),
            };
            let files = match found {
                Ok(Some(files)) if !files.is_empty() => files,
                Ok(_) => {
                    let what = if step.action == "fetch:template" {
                        "folder with files"
                    } else {
                        "file"
                    };
                    let message = format!("there is no {what} \"{url}\" beside the template");
                    source.tell_value(Severity::Error, &url_way, message, None);
                    continue;
                }
                Err(message) => {
                    source.tell_value(Severity::Error, &url_way, message, None);
                    continue;
                }
            };
            let folder = match step.action.as_str() {
                "fetch:template" => source.folder().join(&path),
                _ => source.folder().to_path_buf(),
            };
            let folder = plain(&folder);
            let skeleton = Skeleton {
                outline,
                step,
                values: &input["values"],
                plan: &plan,
                folder,
            };
            for file in &files {
                skeleton.check(file, &mut source.findings);
            }
        }
    }
}

/// How the step renders, as far as it is known; `None` where that hangs on answers.
fn plan(source: &mut Source<'_>, step: &StepOutline, input: &Value, strict: bool) -> Option<SkeletonPlan> {
    let mut known = input.as_object()?.clone();
    for key in ["values", "url", "targetPath", "token"] {
        known.shift_remove(key);
    }
    if known.values().any(|value| value.to_string().contains("${{")) {
        return None;
    }
    // What has a wrong type is told with the inputs.
    let rendering: SkeletonRendering = serde_json::from_value(Value::Object(known)).ok()?;
    match SkeletonPlan::of("", &rendering, strict, &[]) {
        Ok(plan) => Some(plan),
        Err(error) => {
            source.tell_key(Severity::Error, &below(&step.way, "input"), error.to_string(), None);
            None
        }
    }
}

/// The urls that a text may stand for: itself, or what it becomes with each answer that a choice offers.
fn urls(source: &Source<'_>, outline: &Outline, url: &Value) -> Vec<String> {
    let Some(text) = url.as_str() else { return Vec::new() };
    let Ok(analysis) = analyse(text) else { return Vec::new() };
    if analysis.is_plain {
        return vec![text.to_owned()];
    }
    let [reference, more @ ..] = &analysis.references[..] else {
        return Vec::new();
    };
    let ["parameters", name] = reference.path.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        return Vec::new();
    };
    if reference.goes_on || more.iter().any(|other| other.path != reference.path) {
        return Vec::new();
    }
    let Some(declared) = outline.parameters.members.get(name) else {
        return Vec::new();
    };
    let schema = source.at(&declared.way);
    let choices = schema["enum"].as_array().cloned().unwrap_or_default();
    let rendered = choices.iter().take(MOST_ANSWERS).filter_map(|choice| {
        let context = json!({"parameters": {name: choice}});
        let rendered = render_value(url, &context, &Options::default()).ok().flatten()?;
        Some(rendered.as_str()?.to_owned())
    });
    rendered.collect()
}

/// The path without `..`, so that templates that share a file name it alike.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if plain.file_name().is_some() => drop(plain.pop()),
            component => plain.push(component),
        }
    }
    plain
}

/// A url as a path beside the template; `None` where it leads elsewhere.
fn relative(url: &str) -> Option<String> {
    if url.contains("://") || url.starts_with('/') {
        return None;
    }
    let segments = url.split('/').filter(|segment| !matches!(*segment, "" | "."));
    Some(segments.collect::<Vec<_>>().join("/"))
}

struct Skeleton<'a> {
    outline: &'a Outline,
    step: &'a StepOutline,
    /// The input `values` as it is written.
    values: &'a Value,
    plan: &'a SkeletonPlan,
    folder: PathBuf,
}

impl Skeleton<'_> {
    fn check(&self, file: &TreeFile, findings: &mut Vec<Finding>) {
        let place = plain(&self.folder.join(&file.path));
        self.check_text(&place, &file.path, None, findings);
        if self.plan.is_rendered(file)
            && let Ok(text) = std::str::from_utf8(&file.content)
        {
            self.check_text(&place, text, Some(text), findings);
        }
    }

    /// Checks a path, or the `content` of a file.
    fn check_text(&self, file: &Path, text: &str, content: Option<&str>, findings: &mut Vec<Finding>) {
        let options = self.plan.options();
        let mut tell = |severity, offset: usize, message: String, help| {
            let place = content.map(|content| place(content, offset));
            let message = match content {
                Some(_) => message,
                None => format!("in the file's name: {message}"),
            };
            // A value that is asked for is used, too: once is enough.
            let is_known = |known: &Finding| known.file == file && known.message == message;
            if severity == Severity::Warning && findings.iter().any(is_known) {
                return;
            }
            findings.push(Finding {
                severity,
                file: file.to_path_buf(),
                line: place.map(|(line, _)| line),
                column: place.map(|(_, column)| column),
                message,
                help,
            });
        };
        let analysis = match analyse_file(text, options) {
            Ok(analysis) => analysis,
            Err(error) => {
                let (offset, message) = syntax(text, &error);
                return tell(Severity::Error, offset, message, self.raw_help(content));
            }
        };
        for missing in &analysis.unknown {
            let (message, help) = unknown(missing);
            tell(Severity::Error, missing.at, message, help);
        }
        self.check_references(&analysis, options, content, &mut tell);
    }

    fn check_references(
        &self,
        analysis: &Analysis,
        options: &FileOptions,
        content: Option<&str>,
        tell: &mut dyn FnMut(Severity, usize, String, Option<String>),
    ) {
        let root = if options.cookiecutter { "cookiecutter" } else { "values" };
        for reference in &analysis.references {
            let Some(name) = reference.path.first() else { continue };
            // The last two only exist in steps.
            if functions().contains(&name.as_str()) && !matches!(name.as_str(), "always" | "failure") {
                continue;
            }
            let severity = severity(reference.guard, self.outline.strict);
            if name == root {
                if let Some((message, help)) = self.missing(reference, root) {
                    tell(severity, reference.at, message, help);
                }
                continue;
            }
            let rest = reference.path.get(1..).unwrap_or_default().join(".");
            let help = match name.as_str() {
                "parameters" | "steps" | "user" if !rest.is_empty() => {
                    let last = reference.path.last().map(String::as_str).unwrap_or_default();
                    Some(format!(
                        "give it to the step, values: {{{last}: ${{{{ {name}.{rest} }}}}}}, and write {root}.{last}"
                    ))
                }
                _ => help(name, [root])
                    .filter(|help| help.starts_with("did"))
                    .or_else(|| self.raw_help(content)),
            };
            tell(
                severity,
                reference.at,
                format!("{name} is not defined in a skeleton, only {root} is"),
                help,
            );
        }
    }

    /// Texts of other tools look like expressions.
    fn raw_help(&self, content: Option<&str>) -> Option<String> {
        content?;
        Some(
            "if it is meant for another program, put it between {% raw %} and {% endraw %}, or name the file in \
             copyWithoutTemplating"
                .to_owned(),
        )
    }

    fn missing(&self, reference: &Reference, root: &str) -> Option<(String, Option<String>)> {
        let path = reference.path.get(1..)?;
        let known = self.known(self.values, path);
        let name = path.get(known)?;
        let spelled = path.get(..=known)?.join(".");
        let siblings: Vec<String> = match known {
            0 => self
                .values
                .as_object()
                .into_iter()
                .flat_map(|values| values.keys().cloned())
                .collect(),
            _ => Vec::new(),
        };
        let message = format!(
            "the step \"{}\" gives no value \"{spelled}\": {root}.{spelled} is not defined",
            self.step.id
        );
        Some((message, help(name, siblings.iter().map(String::as_str))))
    }

    /// How many steps of a path there are in a value as it is written; all of them where it cannot be told.
    fn known(&self, value: &Value, path: &[String]) -> usize {
        let Some((name, rest)) = path.split_first() else {
            return 0;
        };
        match value {
            Value::Null => 0,
            Value::Object(members) => match members.get(name) {
                Some(member) if rest.is_empty() || !(member.is_object() || member.is_string()) => path.len(),
                Some(member) => 1 + self.known(member, rest),
                None => 0,
            },
            Value::String(text) => match self.declared(text) {
                Some(start) => {
                    let whole: Vec<String> = start.iter().chain(path).cloned().collect();
                    self.outline.parameters.known(&whole).saturating_sub(start.len())
                }
                None => path.len(),
            },
            _ => path.len(),
        }
    }

    /// The path of parameters that a text is, and nothing else.
    fn declared(&self, text: &str) -> Option<Vec<String>> {
        let analysis = analyse(text).ok()?;
        let [reference] = &analysis.references[..] else {
            return None;
        };
        let (root, rest) = reference.path.split_first()?;
        let bare: String = text.split_whitespace().collect();
        let alone = bare == format!("${{{{{}}}}}", reference.path.join("."));
        (root == "parameters" && alone && !reference.goes_on).then(|| rest.to_vec())
    }
}

/// Line and column of a character.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before: String = text.chars().take(offset).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
