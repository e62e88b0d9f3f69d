//! Our renderer of templates against both published ones, over a corpus of some fourteen thousand templates
//! (`tests/conformance/templates.mjs`): text, type, and whether there is an error.
//!
//! The current engine, nunjitsu, is what ours has to agree with. Where the earlier one, nunjucks, differs from both, that is
//! a difference between two versions of Backstage; each kind of it is listed with its reason.

use portico::scaffolder::expressions::{FileOptions, Options, render_template, render_value};
use serde_json::{Value, json};

use crate::conformance::{node, packages};

/// Templates on which ours differs from the current engine on purpose, and why.
const DIFFERENT: &[(&str, &str)] = &[];

/// What the earlier engine answers otherwise than the current one, and why: a part of the template, and the reason.
const BETWEEN_VERSIONS: &[(&str, &str)] = &[
    ("toString", "functions of JavaScript itself were printed"),
    (
        "| safe |",
        "to filters, a text that is safe was an object with a field for the text",
    ),
    ("[1:", "there were no slices"),
    ("[:", "there were no slices"),
    ("[-2:", "there were no slices"),
    ("[5:", "there were no slices"),
    ("[0:0]", "there were no slices"),
    ("%}{% default %}", "a switch without a case printed nothing"),
    (
        "cookiecutter.",
        "Python's methods came with Backstage and not with the engine",
    ),
    (
        "{{ True }}",
        "Python's words came with Backstage and not with the engine",
    ),
];

#[tokio::test]
async fn templates_are_rendered_as_the_published_engines_render_them() {
    let Some(packages) = packages() else { return };
    let output = node(&packages, "templates.mjs", &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let mut lines = told
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let context = lines.next().expect("the context")["context"].take();
    let lines: Vec<Value> = lines.collect();
    assert!(lines.len() > 10_000, "only {} templates", lines.len());
    let mut wrong = Vec::new();
    for line in &lines {
        let template = line["template"].as_str().unwrap_or_default();
        if DIFFERENT.iter().any(|(known, _)| *known == template) {
            continue;
        }
        let text = text_of(line, template, &context);
        let expected = &line["new"];
        let agrees = match &text {
            Ok(text) => expected["text"] == **text || nearly(template, &expected["text"], text),
            Err(_) => expected["error"].is_string(),
        };
        if !agrees {
            wrong.push(format!(
                "{} {template:?}\n  gives {text:?}\n  not   {expected}",
                line["mode"]
            ));
            continue;
        }
        if line["mode"] == "plain" {
            let value = value_of(template, &context);
            let expected = &line["value"];
            let agrees = match &value {
                Ok(Some(value)) => expected
                    .get("json")
                    .is_some_and(|expected| same(expected, value) || nearly(template, expected, &value.to_string())),
                Ok(None) => expected["undefined"] == true,
                Err(_) => expected["error"].is_string(),
            };
            if !agrees {
                wrong.push(format!("value {template:?}\n  gives {value:?}\n  not   {expected}"));
            }
        }
    }
    let shown = wrong.len().min(100);
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        lines.len(),
        wrong[..shown].join("\n")
    );
    between_versions(&lines);
}

/// The two published engines differ in listed ways only, or the current one refuses what the earlier one took.
fn between_versions(lines: &[Value]) {
    let unlisted = lines.iter().filter(|line| {
        let template = line["template"].as_str().unwrap_or_default();
        let (new, old) = (&line["new"], &line["old"]);
        let refused = new["error"].is_string();
        let same = new["text"] == old["text"] && refused == old["error"].is_string();
        !same && !refused && !BETWEEN_VERSIONS.iter().any(|(part, _)| template.contains(part))
    });
    let unlisted: Vec<String> = unlisted.map(Value::to_string).collect();
    assert!(
        unlisted.is_empty(),
        "the published engines differ in ways that are not listed:\n{}",
        unlisted.join("\n")
    );
}

fn text_of(line: &Value, template: &str, context: &Value) -> Result<String, String> {
    let mode = line["mode"].as_str().unwrap_or_default();
    let options = FileOptions {
        trim_blocks: mode == "trim",
        lstrip_blocks: mode == "trim",
        cookiecutter: mode == "cookiecutter",
        ..FileOptions::default()
    };
    let rendered = match mode {
        "cookiecutter" => render_template(template, &json!({"cookiecutter": context["values"]}), &options),
        _ => render_template(template, context, &options),
    };
    rendered.map_err(|error| error.to_string())
}

fn value_of(template: &str, context: &Value) -> Result<Option<Value>, String> {
    let options = Options {
        strict: true,
        ..Options::default()
    };
    render_value(&json!(template), context, &options).map_err(|error| error.to_string())
}

/// The engines' powers are those of V8, which are off by one in the last place at times; ours are those of the C library.
fn nearly(template: &str, expected: &Value, found: &str) -> bool {
    let expected = expected.as_f64().or_else(|| expected.as_str()?.parse().ok());
    match (expected, found.parse::<f64>()) {
        (Some(expected), Ok(found)) => {
            template.contains("**") && (expected - found).abs() <= expected.abs() * 1e-15 * 8.0
        }
        _ => false,
    }
}

/// JavaScript has one kind of number.
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
