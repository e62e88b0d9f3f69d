//! What a run has made, compared with what is expected of it.

use serde_json::Value;
use sha2::{Digest, Sha256};
use similar::TextDiff;

use super::cases::{Content, Expect, Files};
use super::run::Made;
use crate::catalog::yaml_text;
use crate::scaffolder::engine::RehearsedFile;

/// Lines of a difference that are told.
const LINES: usize = 60;

/// What is not as it is expected, a paragraph each. `result` is what was made, or why nothing was.
pub fn compare(expect: &Expect, result: &Result<Made, String>) -> Vec<String> {
    match (expect, result) {
        (Expect::Fails(text), Ok(_)) => vec![format!("it comes through, and should fail with \"{text}\"")],
        (Expect::Fails(text), Err(message)) if message.contains(text.as_str()) => Vec::new(),
        (Expect::Fails(text), Err(message)) => {
            vec![format!("it should fail with \"{text}\", and fails with: {message}")]
        }
        (Expect::Makes { .. }, Err(message)) => vec![format!("it fails: {message}")],
        (Expect::Makes { files, absent, output }, Ok(made)) => {
            let mut wrong = compare_files(files, &made.files);
            wrong.extend(absent.iter().filter_map(|path| find_absent(path, &made.files)));
            if let Some(output) = output
                && !includes(&made.output, output)
            {
                wrong.push(format!(
                    "the output is another one:\n{}",
                    diff(&yaml(output), &yaml(&part(&made.output, output)))
                ));
            }
            wrong
        }
    }
}

fn compare_files(expected: &Files, made: &[RehearsedFile]) -> Vec<String> {
    let missing = |path: &str| {
        let likely = made.iter().map(|file| file.path.as_str());
        let likely = likely.max_by(|a, b| strsim::jaro_winkler(path, a).total_cmp(&strsim::jaro_winkler(path, b)));
        match likely {
            Some(likely) => format!("{path} is not made; the nearest file is {likely}"),
            None => format!("{path} is not made, and no other file"),
        }
    };
    let find = |path: &str| made.iter().find(|file| file.path == path);
    match expected {
        Files::Any => Vec::new(),
        Files::All(paths) => {
            let absent = paths.iter().filter(|path| find(path).is_none());
            let more = made.iter().filter(|file| !paths.contains(&file.path));
            absent
                .map(|path| missing(path))
                .chain(more.map(|file| format!("{} is made, and not among the files that are expected", file.path)))
                .collect()
        }
        Files::With(files) => files
            .iter()
            .flat_map(|(path, contents)| match find(path) {
                None => vec![missing(path)],
                Some(file) => contents
                    .iter()
                    .filter_map(|content| compare_content(content, file))
                    .collect(),
            })
            .collect(),
    }
}

fn compare_content(expected: &Content, file: &RehearsedFile) -> Option<String> {
    let path = &file.path;
    let text = String::from_utf8_lossy(&file.content);
    match expected {
        Content::Contains(part) if text.contains(part.as_str()) => None,
        Content::Contains(part) => Some(format!("{path} does not contain \"{part}\":\n{}", shown(&text))),
        Content::Equals(whole) if *whole == text => None,
        Content::Equals(whole) => Some(format!("{path} has another content:\n{}", diff(whole, &text))),
        Content::Sha256(digest) => {
            let own = hex::encode(Sha256::digest(&file.content));
            (own != *digest).then(|| format!("{path} has the SHA-256 {own}, not {digest}"))
        }
    }
}

/// A path that ends with `/` stands for everything in that folder.
fn find_absent(path: &str, made: &[RehearsedFile]) -> Option<String> {
    let found = made.iter().find(|file| match path.ends_with('/') {
        true => file.path.starts_with(path),
        false => file.path == path || file.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')),
    })?;
    Some(format!("{} is made, and should not be", found.path))
}

/// Everything that is expected is there: objects may have more members, lists may not have more items.
fn includes(value: &Value, expected: &Value) -> bool {
    match (value, expected) {
        (Value::Object(members), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| members.get(key).is_some_and(|member| includes(member, wanted))),
        (Value::Array(items), Value::Array(wanted)) => {
            items.len() == wanted.len() && items.iter().zip(wanted).all(|(item, wanted)| includes(item, wanted))
        }
        (value, expected) => value == expected,
    }
}

/// What there is of what is expected: the rest is nobody's concern.
fn part(value: &Value, expected: &Value) -> Value {
    match (value, expected) {
        (Value::Object(members), Value::Object(wanted)) => wanted
            .iter()
            .filter_map(|(key, wanted)| Some((key.clone(), part(members.get(key)?, wanted))))
            .collect(),
        (Value::Array(items), Value::Array(wanted)) if items.len() == wanted.len() => items
            .iter()
            .zip(wanted)
            .map(|(item, wanted)| part(item, wanted))
            .collect(),
        (value, _) => value.clone(),
    }
}

fn yaml(value: &Value) -> String {
    yaml_text::write(value, &yaml_text::Style::default()).unwrap_or_else(|_| value.to_string())
}

/// What is expected, marked with `-`, and what is there, marked with `+`.
fn diff(expected: &str, found: &str) -> String {
    let diff = TextDiff::from_lines(expected, found);
    let text = diff
        .unified_diff()
        .context_radius(2)
        .header("expected", "made")
        .to_string();
    shown(&text)
}

fn shown(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().take(LINES).collect();
    if text.lines().nth(LINES).is_some() {
        lines.push("…");
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn made() -> Result<Made, String> {
        let file = |path: &str, content: &str| RehearsedFile {
            path: path.to_owned(),
            executable: false,
            content: content.as_bytes().to_vec(),
        };
        Ok(Made {
            files: vec![file("a.txt", "one\ntwo\n"), file("docs/b.md", "b")],
            output: json!({"links": [{"title": "x", "url": "y"}], "more": 1}),
        })
    }

    fn expecting(files: Files, absent: &[&str], output: Option<Value>) -> Vec<String> {
        let absent = absent.iter().map(|path| (*path).to_owned()).collect();
        compare(&Expect::Makes { files, absent, output }, &made())
    }

    fn with(content: Content) -> Files {
        Files::With(BTreeMap::from([("a.txt".to_owned(), vec![content])]))
    }

    #[test]
    fn what_is_as_expected_is_not_told() {
        let all = Files::All(vec!["docs/b.md".to_owned(), "a.txt".to_owned()]);
        assert!(expecting(all, &["c", "doc"], Some(json!({"links": [{"title": "x"}]}))).is_empty());
        let digest = hex::encode(Sha256::digest("one\ntwo\n"));
        for content in [
            Content::Contains("two".to_owned()),
            Content::Equals("one\ntwo\n".to_owned()),
            Content::Sha256(digest),
        ] {
            assert!(expecting(with(content), &[], None).is_empty());
        }
        assert!(compare(&Expect::Fails("too long".to_owned()), &Err("name: too long".to_owned())).is_empty());
    }

    #[test]
    fn what_differs_is_told() {
        let all = Files::All(vec!["a.txt".to_owned(), "docs/c.md".to_owned()]);
        assert_eq!(
            expecting(all, &[], None),
            [
                "docs/c.md is not made; the nearest file is docs/b.md",
                "docs/b.md is made, and not among the files that are expected",
            ]
        );
        for absent in ["docs/", "docs", "docs/b.md"] {
            assert_eq!(
                expecting(Files::Any, &[absent], None),
                ["docs/b.md is made, and should not be"],
                "{absent}"
            );
        }
        assert_eq!(
            expecting(with(Content::Equals("one\nzwei\n".to_owned())), &[], None),
            ["a.txt has another content:\n--- expected\n+++ made\n@@ -1,2 +1,2 @@\n one\n-zwei\n+two"]
        );
        assert_eq!(
            expecting(with(Content::Contains("three".to_owned())), &[], None),
            ["a.txt does not contain \"three\":\none\ntwo"]
        );
        let output = expecting(Files::Any, &[], Some(json!({"links": []})));
        assert!(
            output[0].contains("+links:") && output[0].contains("-links: []"),
            "{output:?}"
        );
        let failed = Err("the forge is away".to_owned());
        assert_eq!(
            compare(&Expect::Fails("name".to_owned()), &failed),
            ["it should fail with \"name\", and fails with: the forge is away"]
        );
        assert_eq!(
            compare(&Expect::Fails("name".to_owned()), &made()),
            ["it comes through, and should fail with \"name\""]
        );
    }
}
