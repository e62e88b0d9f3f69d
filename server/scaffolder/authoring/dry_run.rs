//! `portico template dry-run`: one run, told with its log, its files and its output.

use std::fmt;
use std::path::Path;

use anyhow::{Context, ensure};

use super::run::{Course, Made, run};
use super::subject::Subject;
use super::values::{ValuesFile, check};
use crate::catalog::{told_count, yaml_text};
use crate::scaffolder::engine::write_file;

/// What became of a dry run.
pub enum DryRun {
    /// It was not begun: what is wrong with the values, a paragraph each.
    Refused(Vec<String>),
    Run(Course),
}

/// Runs the template at `path` with the values of a file, and writes what it makes to `out`, which has to be empty or
/// not there. Errors are about paths and files; what is wrong with values or template is in the result.
pub async fn dry_run(path: &Path, values: &Path, out: Option<&Path>) -> anyhow::Result<DryRun> {
    if let Some(out) = out {
        check_empty(out)?;
    }
    let subject = Subject::read(path)?;
    let file = ValuesFile::read(values)?;
    let answers = match check(&subject.template, &file.values) {
        Ok(answers) => answers,
        Err(problems) => {
            return Ok(DryRun::Refused(
                problems.iter().map(|problem| file.told(problem)).collect(),
            ));
        }
    };
    let course = run(&subject, answers).await?;
    if let (Some(out), Ok(made)) = (out, &course.result) {
        write(out, made)?;
    }
    Ok(DryRun::Run(course))
}

fn check_empty(folder: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "{} is not empty; name a folder that is, or that is not there",
                folder.display()
            );
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{} cannot be used", folder.display())),
    }
}

/// Paths of a workspace never lead out of it, and links, which could, are not among its files.
fn write(folder: &Path, made: &Made) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    for file in &made.files {
        let place = folder.join(&file.path);
        write_file(&place, &file.content, file.executable)
            .with_context(|| format!("{} cannot be written", place.display()))?;
    }
    Ok(())
}

impl DryRun {
    /// It has come through.
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Run(course) if course.result.is_ok())
    }
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let course = match self {
            Self::Refused(problems) => {
                problems.iter().try_for_each(|problem| f.write_str(problem))?;
                return writeln!(f, "the values: {}", told_count(problems.len(), "error", "errors"));
            }
            Self::Run(course) => course,
        };
        for (index, step) in course.steps.iter().enumerate() {
            let status = step.status.map_or("not begun", |status| status.as_str());
            writeln!(f, "{}. {} ({}): {status}", index + 1, step.name, step.action)?;
            step.log.iter().try_for_each(|line| writeln!(f, "     {line}"))?;
        }
        match &course.result {
            Ok(made) => show(made, f),
            Err(message) => writeln!(f, "\nerror: the dry run failed: {message}"),
        }
    }
}

fn show(made: &Made, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "\n{}", told_count(made.files.len(), "file", "files"))?;
    let width = made
        .files
        .iter()
        .map(|file| file.path.chars().count())
        .max()
        .unwrap_or_default();
    for file in &made.files {
        let size = told_count(file.content.len(), "byte", "bytes");
        let executable = if file.executable { ", executable" } else { "" };
        writeln!(f, "  {:width$}  {size}{executable}", file.path)?;
    }
    if made.output.as_object().is_some_and(|output| output.is_empty()) {
        return Ok(());
    }
    writeln!(f, "\noutput")?;
    let output =
        yaml_text::write(&made.output, &yaml_text::Style::default()).unwrap_or_else(|_| made.output.to_string());
    output.lines().try_for_each(|line| writeln!(f, "  {line}"))
}
