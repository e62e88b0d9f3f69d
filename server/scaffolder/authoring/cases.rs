//! `template.test.yaml`: cases of a template, each with values and with what is expected of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::catalog::yaml_places::{self, Node, Place};
use crate::catalog::{Told, yaml_documents};

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub name: String,
    pub values: Map<String, Value>,
    pub expect: Expect,
}

/// What is expected of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Expect {
    /// It fails, or is refused, with an error that contains this.
    Fails(String),
    /// It comes through.
    Makes {
        files: Files,
        /// Files, or folders, that are not made.
        absent: Vec<String>,
        /// What the output has, at least.
        output: Option<Value>,
    },
}

/// Files that are made.
#[derive(Debug, Clone, PartialEq)]
pub enum Files {
    /// Any.
    Any,
    /// These, and no others.
    All(Vec<String>),
    /// These, with such contents; others may be there.
    With(BTreeMap<String, Vec<Content>>),
}

/// What is expected of a file's content.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Contains(String),
    Equals(String),
    Sha256(String),
}

/// What is wrong with a file of cases, where.
struct Fault {
    way: Vec<String>,
    message: String,
}

type Outcome<T> = Result<T, Fault>;

/// Reads a file of cases; the error is told as a compiler does.
pub fn read(file: &Path, text: &str) -> Result<Vec<Case>, String> {
    let tell = |message: &str, place: Option<Place>| {
        let told = Told {
            kind: "error",
            message,
            file,
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            notes: vec!["help: docs/template-tests.md describes the file".to_owned()],
        };
        told.to_string()
    };
    let documents = yaml_documents(text);
    let [document] = &documents[..] else {
        return Err(tell("the file is one list of cases", None));
    };
    let value = document.value.as_ref().map_err(|fault| {
        let place = fault.line.map(|line| Place {
            line,
            column: fault.column.unwrap_or(1),
        });
        tell(&format!("this is not YAML: {}", fault.message), place)
    })?;
    read_cases(value).map_err(|fault| {
        let place = yaml_places::read(document.text, document.line).map(|node: Node<'_>| node.key(&fault.way));
        tell(&fault.message, place)
    })
}

fn read_cases(value: &Value) -> Outcome<Vec<Case>> {
    let root = Vec::new();
    let cases = value.as_array().filter(|cases| !cases.is_empty());
    let cases = cases.ok_or_else(|| fault(&root, "the file is a list of cases: - name: …"))?;
    let mut read: Vec<Case> = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let way = below(&root, &index.to_string());
        let case = read_case(case, &way)?;
        if read.iter().any(|other| other.name == case.name) {
            return Err(fault(
                &below(&way, "name"),
                &format!("two cases are called \"{}\"", case.name),
            ));
        }
        read.push(case);
    }
    Ok(read)
}

fn read_case(value: &Value, way: &[String]) -> Outcome<Case> {
    let case = object(value, way, "a case", &["name", "values", "expect"])?;
    let name = case.get("name").ok_or_else(|| fault(way, "the case has no name"))?;
    let values = match case.get("values") {
        None => Map::new(),
        Some(values) => values
            .as_object()
            .cloned()
            .ok_or_else(|| fault(&below(way, "values"), "values is an object: name: value"))?,
    };
    let expect = case
        .get("expect")
        .ok_or_else(|| fault(way, "the case expects nothing"))?;
    Ok(Case {
        name: text(name, &below(way, "name"))?,
        values,
        expect: read_expect(expect, &below(way, "expect"))?,
    })
}

fn read_expect(value: &Value, way: &[String]) -> Outcome<Expect> {
    let expect = object(value, way, "expect", &["files", "absent", "output", "fails"])?;
    if expect.is_empty() {
        return Err(fault(way, "the case expects nothing"));
    }
    if let Some(fails) = expect.get("fails") {
        if expect.len() > 1 {
            return Err(fault(
                &below(way, "fails"),
                "what fails makes nothing: fails stands alone",
            ));
        }
        return Ok(Expect::Fails(text(fails, &below(way, "fails"))?));
    }
    let absent = match expect.get("absent") {
        None => Vec::new(),
        Some(absent) => texts(absent, &below(way, "absent"))?,
    };
    let files_way = below(way, "files");
    let files = match expect.get("files") {
        None => Files::Any,
        Some(Value::Object(files)) => {
            let read = files.iter().map(|(path, wanted)| {
                let contents = read_contents(wanted, &below(&files_way, path))?;
                Ok((path.clone(), contents))
            });
            Files::With(read.collect::<Outcome<_>>()?)
        }
        Some(files) => Files::All(texts(files, &files_way)?),
    };
    Ok(Expect::Makes {
        files,
        absent,
        output: expect.get("output").cloned(),
    })
}

/// Nothing, or an empty object, only asks that the file is there.
fn read_contents(value: &Value, way: &[String]) -> Outcome<Vec<Content>> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let wanted = object(value, way, "a file", &["contains", "equals", "sha256"])?;
    let mut contents = Vec::new();
    for (key, value) in wanted {
        let way = below(way, key);
        match key.as_str() {
            "contains" => contents.extend(texts(value, &way)?.into_iter().map(Content::Contains)),
            "equals" => contents.push(Content::Equals(text(value, &way)?)),
            _ => {
                let digest = text(value, &way)?.to_lowercase();
                if digest.len() != 64 || !digest.chars().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(fault(&way, "sha256 is 64 hexadecimal digits"));
                }
                contents.push(Content::Sha256(digest));
            }
        }
    }
    Ok(contents)
}

fn fault(way: &[String], message: &str) -> Fault {
    Fault {
        way: way.to_vec(),
        message: message.to_owned(),
    }
}

fn below(way: &[String], step: &str) -> Vec<String> {
    way.iter().cloned().chain([step.to_owned()]).collect()
}

/// An object that has no other keys than the known ones.
fn object<'v>(value: &'v Value, way: &[String], what: &str, known: &[&str]) -> Outcome<&'v Map<String, Value>> {
    let members = value.as_object();
    let members = members.ok_or_else(|| fault(way, &format!("{what} is an object with {}", known.join(", "))))?;
    match members.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(members),
        Some(key) => {
            let message = format!("{what} has no \"{key}\"; it may have {}", known.join(", "));
            Err(fault(&below(way, key), &message))
        }
    }
}

fn text(value: &Value, way: &[String]) -> Outcome<String> {
    value
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| fault(way, "this is a text; put it into quotes"))
}

/// One text, or a list of them.
fn texts(value: &Value, way: &[String]) -> Outcome<Vec<String>> {
    match value {
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(index, item)| text(item, &below(way, &index.to_string())))
                .collect()
        }
        value => Ok(vec![text(value, way)?]),
    }
}

/// The template that a file of cases belongs to: `template.test.yaml` to `template.yaml` beside it.
pub fn template_of(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let stem = name
        .strip_suffix(".test.yaml")
        .or_else(|| name.strip_suffix(".test.yml"))?;
    let candidates = ["yaml", "yml"].map(|end| file.with_file_name(format!("{stem}.{end}")));
    candidates.into_iter().find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn cases_are_read() {
        let text = "\
- name: all
  values: {name: x}
  expect: {files: [a, b], absent: c/, output: {links: []}}
- name: some
  expect:
    files:
      a: {contains: [x, y]}
      b:
- name: none
  expect: {fails: needs an answer}
";
        let cases = read(Path::new("template.test.yaml"), text).expect("they are read");
        assert_eq!(
            cases[0].expect,
            Expect::Makes {
                files: Files::All(vec!["a".to_owned(), "b".to_owned()]),
                absent: vec!["c/".to_owned()],
                output: Some(json!({"links": []})),
            }
        );
        let contains = |text: &str| Content::Contains(text.to_owned());
        let with = [
            ("a".to_owned(), vec![contains("x"), contains("y")]),
            ("b".to_owned(), vec![]),
        ];
        assert!(matches!(&cases[1].expect, Expect::Makes { files: Files::With(files), .. } if *files == with.into()));
        assert_eq!(cases[2].expect, Expect::Fails("needs an answer".to_owned()));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, place, message) in [
            ("a: 1\n", ":1:1", "the file is a list of cases"),
            ("[\n", "", "this is not YAML"),
            (
                "- {name: a, expects: {}}\n",
                ":1:13",
                "a case has no \"expects\"; it may have name, values, expect",
            ),
            ("- name: a\n", ":1:3", "the case expects nothing"),
            ("- name: a\n  expect: {}\n", ":2:3", "the case expects nothing"),
            (
                "- name: 1\n  expect: {}\n",
                ":1:3",
                "this is a text; put it into quotes",
            ),
            (
                "- name: a\n  expect: {files: {x: {is: y}}}\n",
                ":2:24",
                "a file has no \"is\"; it may have contains, equals, sha256",
            ),
            (
                "- name: a\n  expect: {files: {x: {sha256: y}}}\n",
                ":2:24",
                "sha256 is 64",
            ),
            (
                "- name: a\n  expect: {fails: x, files: []}\n",
                ":2:12",
                "fails stands alone",
            ),
            (
                "- {name: a, expect: {absent: x}}\n- {name: a, expect: {absent: x}}\n",
                ":2:4",
                "two cases are called \"a\"",
            ),
        ] {
            let told = read(Path::new("cases"), text).expect_err(text);
            assert!(
                told.contains(message) && told.contains(&format!("--> cases{place}")),
                "{text}: {told}"
            );
        }
    }
}
