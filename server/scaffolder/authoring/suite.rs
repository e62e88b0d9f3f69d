//! `portico template test`: every case of every template, told a line each.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use super::cases::{Case, read, template_of};
use super::expectations::compare;
use super::run::run;
use super::subject::Subject;
use super::values::check;
use crate::catalog::{told_count, told_path};
use crate::scaffolder::lint::{files_below, looks_like_template};

/// What became of the cases of some templates.
#[derive(Debug, Default)]
pub struct Suite {
    files: Vec<TestFile>,
}

#[derive(Debug)]
struct TestFile {
    path: PathBuf,
    /// Names of cases with what is wrong; or why none was run.
    cases: Result<Vec<(String, Vec<String>)>, String>,
}

/// Runs the cases that belong to `paths`: files of cases, templates, or folders in which all are found. Errors are about
/// paths; what is wrong with files and cases is in the result.
pub async fn test(paths: &[PathBuf]) -> anyhow::Result<Suite> {
    let mut files = BTreeSet::new();
    for path in paths {
        files.extend(test_files(path)?);
    }
    let mut suite = Suite::default();
    for path in files {
        let cases = run_file(&path).await;
        suite.files.push(TestFile { path, cases });
    }
    Ok(suite)
}

fn test_files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let whole = path
        .canonicalize()
        .with_context(|| format!("{} cannot be read", path.display()))?;
    if whole.is_dir() {
        let found = in_folder(&whole)?;
        ensure!(
            !found.is_empty(),
            "there is no template.test.yaml in {}",
            path.display()
        );
        return Ok(found);
    }
    if is_test(&whole) {
        return Ok(vec![whole]);
    }
    let beside = whole.with_extension("test.yaml");
    ensure!(
        beside.is_file(),
        "{} has no tests: there is no {}",
        path.display(),
        beside.display()
    );
    Ok(vec![beside])
}

fn is_test(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Other programs have files with such names, too: only those beside a template count.
fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = files_below(folder)?;
    found.retain(|path| {
        let template = || std::fs::read_to_string(template_of(path)?).ok();
        is_test(path) && template().is_some_and(|text| looks_like_template(&text))
    });
    Ok(found)
}

async fn run_file(path: &Path) -> Result<Vec<(String, Vec<String>)>, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("error: {} cannot be read: {error}\n", path.display()))?;
    let cases = read(path, &text)?;
    let template =
        template_of(path).ok_or_else(|| format!("error: there is no template beside {}\n", path.display()))?;
    let subject = Subject::read(&template).map_err(|error| format!("error: {error:#}\n"))?;
    let mut told = Vec::new();
    for case in cases {
        let wrong = run_case(&subject, &case)
            .await
            .unwrap_or_else(|error| vec![format!("it cannot be run: {error:#}")]);
        told.push((case.name, wrong));
    }
    Ok(told)
}

async fn run_case(subject: &Subject, case: &Case) -> anyhow::Result<Vec<String>> {
    let result = match check(&subject.template, &case.values) {
        Ok(answers) => run(subject, answers).await?.result,
        Err(problems) => {
            let problems = problems.iter().map(|problem| match problem.field.as_str() {
                "" => problem.message.to_string(),
                field => format!("{field}: {}", problem.message),
            });
            Err(problems.collect::<Vec<_>>().join("; "))
        }
    };
    Ok(compare(&case.expect, &result))
}

impl Suite {
    fn cases(&self) -> impl Iterator<Item = &(String, Vec<String>)> {
        self.files.iter().filter_map(|file| file.cases.as_ref().ok()).flatten()
    }

    /// Everything is as it is expected.
    pub fn is_right(&self) -> bool {
        self.files.iter().all(|file| file.cases.is_ok()) && self.cases().all(|(_, wrong)| wrong.is_empty())
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.files {
            writeln!(f, "{}", told_path(&file.path))?;
            let cases = match &file.cases {
                Ok(cases) => cases,
                Err(message) => {
                    f.write_str(message)?;
                    continue;
                }
            };
            for (name, wrong) in cases {
                let word = if wrong.is_empty() { "ok  " } else { "FAIL" };
                writeln!(f, "  {word}  {name}")?;
                for line in wrong.iter().flat_map(|text| text.lines()) {
                    writeln!(f, "        {line}")?;
                }
            }
        }
        let failed = self.cases().filter(|(_, wrong)| !wrong.is_empty()).count();
        let broken = self.files.iter().filter(|file| file.cases.is_err()).count();
        write!(f, "{}: ", told_count(self.cases().count(), "case", "cases"))?;
        match (failed, broken) {
            (0, 0) => writeln!(f, "all as expected"),
            (failed, 0) => writeln!(f, "{failed} failed"),
            (0, broken) => writeln!(f, "{} cannot be read", told_count(broken, "file", "files")),
            (failed, broken) => writeln!(
                f,
                "{failed} failed, {} cannot be read",
                told_count(broken, "file", "files")
            ),
        }
    }
}
