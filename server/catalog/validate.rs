//! `portico catalog validate`: the same reading and the same checks as the portal's, told as a compiler does.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;

use super::entity::EntityRef;
use super::kinds::Kinds;
use super::read::{self, Policy, Problem, Snapshots, Sources};
use super::rules::Rules;
use super::told::{Told, count, relative};
use crate::scm::{Located, Repository, Scm, ScmError};

/// Names of the files that are looked for in folders.
const NAMES: [&str; 2] = ["catalog-info.yaml", "catalog-info.yml"];

/// What is right and wrong with some files.
#[derive(Debug, Default)]
pub struct Validation {
    files: usize,
    entities: usize,
    problems: Vec<Problem>,
}

/// Stands where the portal has its forges: addresses are not read here.
struct NoForges;

impl Sources for NoForges {
    fn locate(&self, url: &str) -> Result<Located, ScmError> {
        Err(not_read(url))
    }

    fn forge_of(&self, repository: &Repository) -> Result<Arc<dyn Scm>, ScmError> {
        Err(not_read(&repository.forge))
    }

    fn forge_by_host(&self, host: &str) -> Result<Arc<dyn Scm>, ScmError> {
        Err(not_read(host))
    }

    fn is_checkout(&self) -> bool {
        true
    }
}

/// It may be right elsewhere.
fn not_read(address: &str) -> ScmError {
    ScmError::Unavailable {
        host: address.to_owned(),
        reason: "this command reads files only".to_owned(),
    }
}

/// Checks files, and every description file of folders, with all that they name.
pub async fn validate_files(paths: &[PathBuf], kinds: &Kinds) -> anyhow::Result<Validation> {
    let mut files = BTreeSet::new();
    for path in paths {
        let whole = path
            .canonicalize()
            .with_context(|| format!("{} cannot be read", path.display()))?;
        match whole.is_dir() {
            true => {
                let found = described(&whole)?;
                anyhow::ensure!(!found.is_empty(), "there is no {} in {}", NAMES[0], path.display());
                files.extend(found);
            }
            false => drop(files.insert(whole)),
        }
    }
    let rules = Rules::allowing(kinds.names());
    let policy = Policy { kinds, rules: &rules };
    let mut validation = Validation::default();
    let mut seen = BTreeSet::new();
    for file in files {
        let target = file.to_string_lossy();
        let outcome = read::read(&NoForges, &Snapshots::default(), policy, ("file", &target), &[]).await;
        validation.files += 1;
        // The first stands for the file itself; one that several files name counts once.
        for entity in outcome.entities.iter().skip(1) {
            seen.insert((entity.entity_ref.clone(), entity.source.clone()));
        }
        for problem in outcome.problems {
            if !validation.problems.contains(&problem) {
                validation.problems.push(problem);
            }
        }
    }
    validation.entities = seen.len();
    validation
        .problems
        .sort_by(|a, b| (&a.source, a.line).cmp(&(&b.source, b.line)));
    Ok(validation)
}

/// An entity that stands in a file, and that file.
#[derive(Debug)]
pub struct InFile {
    pub entity_ref: EntityRef,
    pub body: Value,
    /// As the current folder sees it.
    pub file: String,
}

/// Reads a file with all files that it names, as the portal does: the entities that are right, and, as sentences, what is
/// wrong, addresses among it that are not read.
///
/// # Errors
/// Where the file itself cannot be read.
pub async fn read_files(file: &Path, kinds: &Kinds) -> anyhow::Result<(Vec<InFile>, Vec<String>)> {
    let whole = file.canonicalize();
    let whole = whole.with_context(|| format!("{} cannot be read", file.display()))?;
    std::fs::File::open(&whole).with_context(|| format!("{} cannot be read", file.display()))?;
    let rules = Rules::allowing(kinds.names());
    let policy = Policy { kinds, rules: &rules };
    let target = whole.to_string_lossy();
    let outcome = read::read(&NoForges, &Snapshots::default(), policy, ("file", &target), &[]).await;
    let mut entities = Vec::new();
    // The first stands for the file itself.
    for entity in outcome.entities.into_iter().skip(1) {
        entities.push(InFile {
            body: entity.body.value()?,
            file: relative(Path::new(entity.source.strip_prefix("file:").unwrap_or(&entity.source))),
            entity_ref: entity.entity_ref,
        });
    }
    let problems = outcome.problems.iter().map(|problem| match problem.line {
        Some(line) => format!("{}:{line}: {}", relative(Path::new(&problem.source)), problem.message),
        None => format!("{}: {}", relative(Path::new(&problem.source)), problem.message),
    });
    Ok((entities, problems.collect()))
}

/// Description files below a folder. Git's own folders are left out, and what lies beside a template: its skeleton is
/// rendered first.
fn described(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let of_template = folder.join("template.yaml").is_file();
        let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("{} cannot be read", folder.display()))?;
            let kind = entry
                .file_type()
                .with_context(|| format!("{} cannot be read", entry.path().display()))?;
            let name = entry.file_name();
            if kind.is_dir() {
                if name != ".git" && !of_template {
                    folders.push(entry.path());
                }
            } else if kind.is_file() && NAMES.iter().any(|wanted| name == *wanted) {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

impl Validation {
    /// How many things are wrong.
    pub fn errors(&self) -> usize {
        self.problems.iter().filter(|problem| !problem.temporary).count()
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            let told = Told {
                kind: if problem.temporary { "note" } else { "error" },
                message: &problem.message,
                file: Path::new(&problem.source),
                line: problem.line,
                column: problem.column,
                notes: problem.entity.iter().map(|entity| format!("in {entity}")).collect(),
            };
            write!(f, "{told}")?;
        }
        writeln!(
            f,
            "{}, {}: {}",
            count(self.files, "file", "files"),
            count(self.entities, "entity that is right", "entities that are right"),
            match self.errors() {
                0 => "nothing is wrong".to_owned(),
                errors => count(errors, "error", "errors"),
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wrong_is_told_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, text).expect("a file");
        };
        write(
            "catalog-info.yaml",
            "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: all\nspec:\n  targets:\n    - ./one.yaml\n    - ./gone.yaml\n---\napiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: elsewhere\nspec:\n  type: url\n  target: https://example.com/x.yaml\n",
        );
        write(
            "one.yaml",
            "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: one\nspec:\n  type: service\n  owner: me\n---\nkind: [\n",
        );
        write(
            "deep/catalog-info.yaml",
            "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata:\n  name: jo\nspec:\n  memberOf: []\n",
        );
        write("golden/template.yaml", "kind: Template");
        write(
            "golden/skeleton/catalog-info.yaml",
            "metadata:\n  name: ${{ values.name }}\n",
        );
        let validation = validate_files(&[folder.path().to_path_buf()], &Kinds::default())
            .await
            .expect("it runs");
        let told = validation.to_string();
        let whole = folder.path().canonicalize().expect("a folder");
        let told = told.replace(&whole.display().to_string(), "DIR");
        insta::assert_snapshot!(told);
        assert_eq!(validation.errors(), 3);
        let right = validate_files(&[folder.path().join("deep")], &Kinds::default())
            .await
            .expect("it runs");
        assert_eq!(right.to_string(), "1 file, 1 entity that is right: nothing is wrong\n");
        assert!(
            validate_files(&[folder.path().join("nowhere")], &Kinds::default())
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_relative_target_of_type_url_lies_beside_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write(
            "catalog-info.yaml",
            "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: all\nspec:\n  type: url\n  targets:              [./jo.yaml, ./gone.yaml]\n",
        );
        write(
            "jo.yaml",
            "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata:\n  name: jo\nspec:\n  memberOf: []\n",
        );
        let told = validate_files(&[folder.path().to_path_buf()], &Kinds::default())
            .await
            .expect("it runs");
        assert_eq!((told.entities, told.errors()), (2, 1), "{told}");
        assert!(told.to_string().contains("gone.yaml does not exist"), "{told}");
    }
}
