//! A template that lies on this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

use crate::catalog::{Entity, yaml_documents};
use crate::scaffolder::lint::template_files;
use crate::scaffolder::local;
use crate::scaffolder::template::Template;
use crate::scm::TreeFile;

/// A template with the files beside it.
pub struct Subject {
    pub template: Template,
    /// The files of its folder.
    pub files: Vec<TreeFile>,
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
        let folder = file.parent().unwrap_or(Path::new(""));
        let files = local::files(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        Ok(Self { template, files })
    }
}
