//! A template that lies on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use crate::catalog::{Entity, yaml_documents};
use crate::scaffolder::actions::{Surroundings, join};
use crate::scaffolder::lint::{known_before_a_run, template_files};
use crate::scaffolder::local;
use crate::scaffolder::model::Step;
use crate::scaffolder::template::Template;

/// A template with the files beside it.
pub struct Subject {
    pub template: Template,
    /// The files of its folder, and of other folders that its steps name.
    pub beside: Surroundings,
}

impl Subject {
    /// Reads the template that a path names: a file, or a folder that holds exactly one. Errors name the file, and where
    /// it can be told the line.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let found: Vec<PathBuf> = template_files(&[path.to_path_buf()])?.into_iter().collect();
        let [file] = &found[..] else {
            let names: Vec<String> = found.iter().map(|file| file.display().to_string()).collect();
            bail!(
                "{} holds several templates; name one of {}",
                path.display(),
                names.join(", ")
            );
        };
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut templates = Vec::new();
        for document in yaml_documents(&text) {
            let value = document.value.map_err(|fault| {
                let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
                anyhow::anyhow!("{}{line}: this is not YAML: {}", file.display(), fault.message)
            })?;
            if value["kind"] == "Template" {
                templates.push(value);
            }
        }
        ensure!(
            templates.len() == 1,
            "{} holds {} templates where one is expected",
            file.display(),
            templates.len()
        );
        let entity = Entity {
            body: templates.pop().unwrap_or_default(),
        };
        let template = Template::read(&entity).map_err(|reason| anyhow::anyhow!("{}: {reason}", file.display()))?;
        let beside = surroundings(file.parent().unwrap_or(Path::new("")), &template)?;
        Ok(Self { template, beside })
    }
}

/// Templates share skeletons: what `../` leads to is read, too, but nothing else beside the template's folder.
fn surroundings(folder: &Path, template: &Template) -> anyhow::Result<Surroundings> {
    let named = template.steps.iter().filter_map(url_of).filter_map(above);
    let mut named: Vec<String> = named.collect();
    let ups = |path: &str| path.split('/').take_while(|step| *step == "..").count();
    let mut offered = Vec::new();
    template
        .parameters
        .iter()
        .for_each(|page| collect_texts(page, &mut offered));
    // An answer may be the folder that a step reads.
    let offered = offered
        .into_iter()
        .filter(|text| text.starts_with("../"))
        .filter_map(above);
    named.extend(offered.filter(|path| folder.ancestors().nth(ups(path)).is_some() && folder.join(path).is_dir()));
    let up = named.iter().map(|path| ups(path)).max();
    let Some(root) = folder.ancestors().nth(up.unwrap_or_default()) else {
        bail!("{} lies less deep than its steps lead up", folder.display());
    };
    let own = folder
        .strip_prefix(root)
        .unwrap_or(folder)
        .to_string_lossy()
        .into_owned();
    let mut read = BTreeSet::from([own.clone()]);
    read.extend(named.iter().filter_map(|path| join(&own, path)));
    let mut files = BTreeMap::new();
    for place in read {
        let whole = root.join(&place);
        if !whole.exists() {
            // The step that names it says so.
            continue;
        }
        let found = local::below(&whole).with_context(|| format!("{} cannot be read", whole.display()))?;
        for mut file in found {
            file.path = [place.as_str(), file.path.as_str()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("/");
            files.insert(file.path.clone(), file);
        }
    }
    Ok(Surroundings {
        folder: own,
        files: files.into_values().collect(),
    })
}

fn url_of(step: &Step) -> Option<&str> {
    let url = step.input.as_ref()?["url"].as_str()?;
    step.action.starts_with("fetch:").then_some(url)
}

/// Every text in a value.
pub(super) fn collect_texts<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect_texts(member, texts)),
        _ => {}
    }
}

/// What a url leads to outside of the template's folder, as far as that is known before a run.
fn above(url: &str) -> Option<String> {
    let segments: Vec<&str> = known_before_a_run(url)
        .split('/')
        .filter(|step| !matches!(*step, "" | "."))
        .collect();
    (segments.first() == Some(&"..")).then(|| segments.join("/"))
}
