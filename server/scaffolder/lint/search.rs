//! Which files are templates.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::catalog::yaml_documents;

/// Folders that hold nothing of the author's.
const LEFT_OUT: [&str; 2] = [".git", "node_modules"];

/// The files that `paths` name: files as they are, and in folders every file that holds a template. What lies in the
/// skeleton of another template is rendered before it is one.
pub fn template_files(paths: &[PathBuf]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut files = BTreeSet::new();
    for path in paths {
        let whole = path
            .canonicalize()
            .with_context(|| format!("{} cannot be read", path.display()))?;
        if whole.is_dir() {
            let found = in_folder(&whole)?;
            anyhow::ensure!(!found.is_empty(), "there is no template in {}", path.display());
            files.extend(found);
        } else {
            files.insert(whole);
        }
    }
    Ok(files)
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut skeletons = Vec::new();
    for path in files_below(folder)? {
        if !path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            continue;
        }
        let text = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let text = String::from_utf8_lossy(&text);
        if looks_like_template(&text) {
            let folder = path.parent().unwrap_or(folder);
            skeletons.extend(skeletons_of(&text).into_iter().map(|url| folder.join(url)));
            found.push(path);
        }
    }
    found.retain(|path| !skeletons.iter().any(|skeleton| path.starts_with(skeleton)));
    Ok(found)
}

/// The author's files below a folder, in no order; symbolic links are not among them.
pub fn files_below(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("{} cannot be read", folder.display()))?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .with_context(|| format!("{} cannot be read", path.display()))?;
            if kind.is_dir() {
                if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                    folders.push(path);
                }
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Told from its lines, so that one that cannot be parsed is found, too.
pub fn looks_like_template(text: &str) -> bool {
    let plain = |rest: &str| rest.trim().trim_matches(['"', '\'']).to_owned();
    let kind = text
        .lines()
        .filter_map(|line| line.strip_prefix("kind:"))
        .any(|rest| plain(rest) == "Template");
    let version = text
        .lines()
        .filter_map(|line| line.strip_prefix("apiVersion:"))
        .map(plain)
        .any(|version| version.starts_with("scaffolder.backstage.io/") || version.starts_with("backstage.io/v1beta"));
    kind && version
}

/// As much of a path as its expressions leave known.
pub fn known_before_a_run(path: &str) -> &str {
    match path.split_once("${{") {
        None => path,
        // What comes before an expression may be a part of a name.
        Some((fixed, _)) => fixed.rsplit_once('/').map_or("", |(folder, _)| folder),
    }
}

/// Folders and files beside the template that its steps render.
fn skeletons_of(text: &str) -> Vec<PathBuf> {
    let documents = yaml_documents(text)
        .into_iter()
        .filter_map(|document| document.value.ok());
    let steps = documents.flat_map(|document| document["spec"]["steps"].as_array().cloned().unwrap_or_default());
    steps
        .filter(|step| {
            step["action"]
                .as_str()
                .is_some_and(|action| action.starts_with("fetch:"))
        })
        .filter_map(|step| match &step["input"]["url"] {
            Value::String(url) if !url.contains("://") => {
                let folder = known_before_a_run(url)
                    .trim_start_matches("./")
                    .trim_end_matches('/')
                    .to_owned();
                (!matches!(folder.as_str(), "" | "." | "..")).then(|| PathBuf::from(folder))
            }
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_found_but_not_those_of_skeletons() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, text).expect("a file");
        };
        let template = "apiVersion: scaffolder.backstage.io/v1beta3\nkind: Template\nspec:\n  steps:\n    - action: fetch:template\n      input:\n        url: ./skeleton\n";
        write("a/template.yaml", template);
        write("a/skeleton/template.yaml", template);
        write(
            "b/made-by-hand.yml",
            "apiVersion: \"scaffolder.backstage.io/v1beta3\"\nkind: 'Template'\nspec: [\n",
        );
        write(
            "c/catalog-info.yaml",
            "apiVersion: backstage.io/v1alpha1\nkind: Component\n",
        );
        write("node_modules/x/template.yaml", template);
        let whole = folder.path().canonicalize().expect("a folder");
        let found = template_files(&[folder.path().to_path_buf()]).expect("they are found");
        let found: Vec<_> = found.iter().filter_map(|path| path.strip_prefix(&whole).ok()).collect();
        assert_eq!(found, [Path::new("a/template.yaml"), Path::new("b/made-by-hand.yml")]);
        assert!(template_files(&[folder.path().join("c")]).is_err());
        assert!(template_files(&[folder.path().join("gone")]).is_err());
    }
}
