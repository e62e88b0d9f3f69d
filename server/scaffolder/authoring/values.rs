//! Answers out of a file, checked as the form checks them.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Map, Value, json};

use crate::catalog::{Told, yaml_documents, yaml_places};
use crate::scaffolder::forms::{Control, Page, masked, validate};
use crate::scaffolder::template::Template;
use crate::web::FieldError;

/// Answers as a task has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    /// An object; what is secret is masked.
    pub values: Value,
    /// An object.
    pub secrets: Value,
}

/// Takes answers as a form does: those of fields of secrets are kept apart. Errors are about fields.
pub fn check(template: &Template, values: &Map<String, Value>) -> Result<Answers, Vec<FieldError>> {
    let mut values = Value::Object(values.clone());
    let mut secrets = Map::new();
    for page in &template.parameters {
        let page = Page::read(page, &values);
        for field in page.fields().filter(|field| field.control == Control::Secret) {
            let place = format!("/{}", field.path.replace('.', "/"));
            if let Some(value) = values.pointer_mut(&place) {
                let stars = match value.as_str() {
                    Some(secret) => masked(secret),
                    None => masked(&value.to_string()),
                };
                secrets.insert(field.path.clone(), std::mem::replace(value, stars));
            }
        }
    }
    let problems = validate(&template.parameters, &values);
    match problems.is_empty() {
        true => Ok(Answers {
            values,
            secrets: Value::Object(secrets),
        }),
        false => Err(problems),
    }
}

/// A file of answers, YAML or JSON.
pub struct ValuesFile {
    file: PathBuf,
    text: String,
    pub values: Map<String, Value>,
}

impl ValuesFile {
    /// Errors name the file, and where it can be told the line.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        let mut documents = yaml_documents(&text).into_iter().map(|document| document.value);
        let value = match documents.next() {
            None => json!({}),
            Some(Ok(value)) => value,
            Some(Err(fault)) => {
                let line = fault.line.map(|line| format!(":{line}")).unwrap_or_default();
                anyhow::bail!(
                    "{}{line}: this is neither YAML nor JSON: {}",
                    file.display(),
                    fault.message
                );
            }
        };
        anyhow::ensure!(documents.next().is_none(), "{} holds several documents", file.display());
        drop(documents);
        let Value::Object(values) = value else {
            anyhow::bail!("{}: the values are an object: name: value", file.display());
        };
        let file = file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
        Ok(Self { file, text, values })
    }

    /// What is wrong with a field, at its place in the file.
    pub fn told(&self, problem: &FieldError) -> String {
        let way: Vec<&str> = problem.field.split('.').filter(|step| !step.is_empty()).collect();
        // What is missing stands nowhere.
        let place = yaml_places::read(&self.text, 1).and_then(|node| node.find(&way).map(|_| node.key(&way)));
        let message = match problem.field.as_str() {
            "" => problem.message.to_string(),
            field => format!("{field}: {}", problem.message),
        };
        let told = Told {
            kind: "error",
            message: &message,
            file: &self.file,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            notes: Vec::new(),
        };
        told.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Entity;

    fn template() -> Template {
        let body = json!({
            "apiVersion": "scaffolder.backstage.io/v1beta3", "kind": "Template", "metadata": {"name": "x"},
            "spec": {"type": "service", "steps": [{"action": "debug:log"}], "parameters": {
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "maxLength": 3},
                    "token": {"type": "string", "ui:field": "Secret"},
                },
            }},
        });
        Template::read(&Entity { body }).expect("it is a template")
    }

    #[test]
    fn answers_are_checked_and_secrets_kept_apart() {
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let answers = check(&template(), &object(json!({"name": "a", "token": "hush"})));
        let expected = Answers {
            values: json!({"name": "a", "token": "****"}),
            secrets: json!({"token": "hush"}),
        };
        assert_eq!(answers, Ok(expected));
        let problems = check(&template(), &object(json!({"name": "long"}))).expect_err("it is too long");
        assert_eq!(problems[0].field, "name");
    }

    #[test]
    fn what_is_wrong_is_told_at_its_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("values.yaml");
        std::fs::write(&path, "# mine\nname: long\n").expect("a file");
        let file = ValuesFile::read(&path).expect("it is read");
        let problems = check(&template(), &file.values).expect_err("it is too long");
        let told = file.told(&problems[0]);
        assert!(told.starts_with("error: name: Enter at most 3 characters.\n"), "{told}");
        assert!(
            told.contains("values.yaml:2:1\n") && told.contains("2 | name: long\n"),
            "{told}"
        );
        std::fs::write(&path, "[1]").expect("a file");
        assert!(ValuesFile::read(&path).is_err());
        std::fs::write(&path, "{\"name\": \"a\"}").expect("a file");
        assert_eq!(ValuesFile::read(&path).expect("it is read").values["name"], "a");
    }
}
