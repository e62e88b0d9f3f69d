//! `portico template lint`: what is wrong with a template, found without running it.
//!
//! [`source`] knows where each value stands; each family of checks is one file: [`document`] (what a template is made of),
//! [`parameters`] (the form), [`steps`] (ids, actions, conditions), [`inputs`] (what actions are given), [`names`] (what
//! expressions refer to), [`skeleton`] (the files that are rendered).

mod document;
mod finding;
mod inputs;
mod names;
mod outline;
mod parameters;
mod search;
mod skeleton;
mod source;
mod steps;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub use self::finding::{Finding, Report, Severity};
pub use self::search::{files_below, known_before_a_run, looks_like_template, template_files};

use self::outline::Outline;
use self::source::Source;
use super::actions::{self, Registry};
use super::local;
use crate::catalog::{yaml_documents, yaml_places};
use crate::scm::TreeFile;

/// Files beside a template.
pub trait Beside {
    /// The files below a folder that is relative to the template's, with paths relative to that folder; `None` where there
    /// is no such folder. Errors are texts for the template's author.
    fn folder(&self, path: &str) -> Result<Option<Vec<TreeFile>>, String>;

    /// One file; `None` where there is none.
    fn file(&self, path: &str) -> Result<Option<TreeFile>, String>;
}

/// Checks template files, and every template in folders, against the actions that Portico ships. Errors are about paths;
/// what is wrong with a template is in the report.
pub fn lint_files(paths: &[PathBuf]) -> anyhow::Result<Report> {
    let actions = actions::shipped();
    let mut report = Report::default();
    for file in template_files(paths)? {
        let text = std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        match String::from_utf8(text) {
            Ok(text) => {
                let (templates, findings) = lint(&file, &text, &local::Folder(folder), &actions);
                report.add(templates, findings);
            }
            Err(error) => {
                let valid = error
                    .as_bytes()
                    .get(..error.utf8_error().valid_up_to())
                    .unwrap_or_default();
                let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
                let message = "the file is no text in UTF-8".to_owned();
                report.add(0, vec![error_at(&file, Some(line), None, message, None)]);
            }
        }
    }
    report.sort();
    Ok(report)
}

fn error_at(file: &Path, line: Option<usize>, column: Option<usize>, message: String, help: Option<String>) -> Finding {
    Finding {
        severity: Severity::Error,
        file: file.to_path_buf(),
        line,
        column,
        message,
        help,
    }
}

/// Checks the templates of one file: how many there are, and what is wrong. `file` names it in the findings.
pub fn lint(file: &Path, text: &str, beside: &dyn Beside, actions: &Registry) -> (usize, Vec<Finding>) {
    let mut templates = 0;
    let mut findings = Vec::new();
    let documents = yaml_documents(text);
    let is_only = documents.len() == 1;
    for document in documents {
        let value = match &document.value {
            Ok(value) => value,
            Err(fault) => {
                let message = format!("this is not YAML: {}", fault.message);
                findings.push(error_at(file, fault.line, fault.column, message, None));
                continue;
            }
        };
        // Other entities may stand in the same file.
        if value["kind"] != "Template" && !is_only {
            continue;
        }
        templates += 1;
        let mut source = Source {
            file: file.to_path_buf(),
            value,
            places: yaml_places::read(document.text, document.line),
            line: document.line,
            findings: Vec::new(),
        };
        if document::check(&mut source) {
            check(&mut source, beside, actions);
        }
        findings.append(&mut source.findings);
    }
    if templates == 0 && findings.is_empty() {
        let message = "there is no template in this file".to_owned();
        findings.push(error_at(file, Some(1), None, message, None));
    }
    (templates, findings)
}

/// Checks a document that has the form of a template.
fn check(source: &mut Source<'_>, beside: &dyn Beside, actions: &Registry) {
    let outline = Outline::read(source);
    parameters::check(source, &outline);
    steps::check(source, &outline, actions);
    inputs::check(source, &outline, actions);
    names::check(source, &outline, actions);
    skeleton::check(source, &outline, beside);
    document::check_rest(source);
}
