//! Compares this engine with what the published one (npm nunjitsu 0.6.2, as `@backstage/plugin-scaffolder-backend`
//! 4.2.0 uses it) answered: `conformance.jsonl` holds our probes and its answers. The first line is the context.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;

/// Probes on which we differ on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[(
    "${{ {a: range} }}",
    "the published engine looks for functions inside objects before it prints them; here they print as any object",
)];

struct Probe {
    mode: String,
    template: String,
    recorded: Value,
}

fn probes() -> (Value, Vec<Probe>) {
    let mut lines = include_str!("conformance.jsonl")
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    let context = lines.next().map(|line| line["context"].clone()).unwrap_or_default();
    let probes = lines.map(|recorded| Probe {
        mode: recorded["mode"].as_str().unwrap_or_default().to_owned(),
        template: recorded["template"].as_str().unwrap_or_default().to_owned(),
        recorded,
    });
    (context, probes.collect())
}

fn files(mode: &str) -> FileOptions {
    FileOptions {
        trim_blocks: mode == "trim",
        lstrip_blocks: mode == "trim",
        cookiecutter: mode == "cookiecutter",
        ..FileOptions::default()
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|((key, left), (other, right))| key == other && same(left, right))
        }
        _ => left == right,
    }
}

#[test]
fn agrees_with_the_published_engine() {
    let (context, probes) = probes();
    assert!(probes.len() > 1000, "the probes are gone");
    let strict = Options {
        strict: true,
        ..Options::default()
    };
    let mut wrong = Vec::new();
    for probe in probes {
        if DIFFERENT.iter().any(|(template, _)| *template == probe.template) {
            continue;
        }
        let text = render_template(&probe.template, &context, &files(&probe.mode));
        let expected = &probe.recorded;
        let agrees = match &text {
            Ok(text) => expected["text"] == json!(text),
            Err(_) => expected["error"] == json!(true),
        };
        if !agrees {
            wrong.push(format!(
                "{} {:?}\n  gives {text:?}\n  not   {expected}",
                probe.mode, probe.template
            ));
        }
        if probe.mode != "plain" || !agrees {
            continue;
        }
        let value = render_value(&json!(probe.template), &context, &strict);
        let agrees = match &value {
            Ok(Some(value)) => expected.get("value").is_some_and(|expected| same(expected, value)),
            Ok(None) => expected["undefined"] == json!(true),
            Err(_) => expected["error"] == json!(true),
        };
        if !agrees {
            wrong.push(format!(
                "value {:?}\n  gives {value:?}\n  not   {expected}",
                probe.template
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The folder of reference material beside the repository, where there is one.
fn shared(path: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = ["..", "../.."]
        .iter()
        .map(|up| root.join(up).join("shared").join(path))
        .find(|path| path.exists());
    if found.is_none() {
        println!("skipped: ../shared/{path} is not there");
    }
    found
}

#[test]
fn agrees_with_the_recorded_oracle() {
    let Some(path) = shared("contract/template-oracle.txt") else {
        return;
    };
    let recorded = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = recorded.lines();
    let context = lines
        .next()
        .and_then(|line| line.strip_prefix("context: "))
        .unwrap_or_default();
    let context: Value = serde_json::from_str(context).unwrap_or_else(|error| panic!("context: {error}"));
    let strict = Options {
        strict: true,
        ..Options::default()
    };
    let mut count = 0;
    for line in lines.skip(1) {
        let (template, rest) = split_json(line);
        let [_, text, value] = last_cells(rest);
        let rendered = render_template(&template, &context, &files("plain"));
        match (&rendered, text) {
            (Ok(rendered), Cell::Json(text)) => assert_eq!(json!(rendered), text, "{template}"),
            (Err(_), Cell::Error) => {}
            other => panic!("{template}: {other:?}"),
        }
        let rendered = render_value(&json!(template), &context, &strict);
        match (&rendered, value) {
            (Ok(Some(rendered)), Cell::Json(Value::String(value))) => {
                let value: Value = serde_json::from_str(&value).unwrap_or_else(|error| panic!("{value}: {error}"));
                assert!(same(rendered, &value), "{template}: {rendered} is not {value}");
            }
            (Ok(None), Cell::Nothing) | (Err(_), Cell::Error) => {}
            other => panic!("{template}: {other:?}"),
        }
        count += 1;
    }
    assert!(count >= 44, "only {count} probes were read");
}

#[derive(Debug)]
enum Cell {
    Json(Value),
    Error,
    Nothing,
}

/// A JSON text at the start of the line, and what follows it.
fn split_json(line: &str) -> (String, &str) {
    let mut values = serde_json::Deserializer::from_str(line).into_iter::<String>();
    let text = values.next().and_then(Result::ok).unwrap_or_else(|| panic!("{line}"));
    (text, &line[values.byte_offset()..])
}

fn last_cells(mut rest: &str) -> [Cell; 3] {
    std::array::from_fn(|_| {
        rest = rest
            .strip_prefix(" | ")
            .or_else(|| rest.strip_prefix(" |"))
            .unwrap_or(rest);
        if rest.is_empty() {
            return Cell::Nothing;
        }
        let (text, after) = split_json(rest);
        rest = after;
        if text.starts_with("ERR ") {
            Cell::Error
        } else {
            Cell::Json(json!(text))
        }
    })
}

#[test]
fn renders_the_basic_skeleton_of_the_reference_implementation() {
    use sha2::{Digest, Sha256};
    let (Some(skeleton), Some(golden)) = (
        shared("cnoe/backstage-templates/entities/basic/skeleton"),
        shared("contract/golden-basic.sha256"),
    ) else {
        return;
    };
    let golden = std::fs::read_to_string(&golden).unwrap_or_else(|error| panic!("{}: {error}", golden.display()));
    let context = json!({"values": {"name": "demo"}});
    for line in golden.lines() {
        let (expected, name) = line.split_once("  ").unwrap_or_else(|| panic!("{line}"));
        let bytes = std::fs::read(skeleton.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let rendered = match String::from_utf8(bytes) {
            Ok(text) => render_template(&text, &context, &files("plain"))
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .into_bytes(),
            Err(binary) => binary.into_bytes(),
        };
        assert_eq!(hex::encode(Sha256::digest(&rendered)), expected, "{name}");
    }
}
