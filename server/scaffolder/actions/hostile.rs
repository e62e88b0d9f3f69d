//! Every action that touches files, given paths that lead out of the workspace: nothing outside is read, written, moved
//! or deleted, nothing hangs, and the log tells nothing of what is there.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::testing::bench;
use super::{Context, Surroundings, shipped};
use crate::scm::TreeFile;

/// What a file outside of the workspace says.
const OUTSIDE: &str = "what-is-outside-of-the-workspace";
/// Stands for the hostile path in an input.
const HERE: &str = "HERE";

/// A workspace with `a/b.txt`, some YAML and JSON, a link that leads out to a folder, one to a file, and a pipe, which reads for
/// ever; and what is outside of it.
fn prepared() -> (Context, tempfile::TempDir) {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), OUTSIDE).unwrap();
    let cx = bench(&[("a/b.txt", "inside"), ("a.json", "{\"a\": 1}"), ("a.yaml", "a: 1\n")]);
    let root = cx.workspace.path();
    std::os::unix::fs::symlink(outside.path(), root.join("out")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), root.join("link")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", root.join("zero")).unwrap();
    let pipe = std::ffi::CString::new(root.join("pipe").to_str().unwrap()).unwrap();
    // SAFETY: mkfifo reads the text, which ends with a zero.
    assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
    (cx, outside)
}

fn hostile_paths(outside: &Path) -> Vec<String> {
    let absolute = outside.join("secret").display().to_string();
    let climbing = format!("{}{}", "../".repeat(40), absolute.trim_start_matches('/'));
    let fixed = [
        "..",
        "../hostile",
        "a/../../hostile",
        "out",
        "out/secret",
        "out/new",
        "link",
        "zero",
        "/dev/zero",
        "/proc/self/environ",
        ".git/config",
        "a/.git/hooks/post-commit",
        "a/.GIT/config",
        "a\0b",
    ];
    let fixed = fixed.into_iter().map(str::to_owned);
    fixed.chain([absolute, climbing]).collect()
}

/// Action, input, and whether a hostile path has to be an error: a pattern may just fit nothing.
fn uses() -> Vec<(&'static str, Value, bool)> {
    let values = json!({"name": "x"});
    vec![
        (
            "catalog:write",
            json!({"filePath": HERE, "entity": {"kind": "Component"}}),
            true,
        ),
        (
            "cnoe:kubernetes:apply",
            json!({"namespaced": true, "manifestPath": HERE}),
            true,
        ),
        (
            "debug:log",
            json!({"message": HERE, "listWorkspace": "with-contents"}),
            false,
        ),
        ("fetch:plain", json!({"url": "./skeleton", "targetPath": HERE}), true),
        ("fetch:plain", json!({"url": HERE}), true),
        (
            "fetch:plain:file",
            json!({"url": "./skeleton/f.txt", "targetPath": HERE}),
            true,
        ),
        ("fetch:plain:file", json!({"url": HERE, "targetPath": "new"}), true),
        (
            "fetch:template",
            json!({"url": "./skeleton", "targetPath": HERE, "values": values}),
            true,
        ),
        ("fetch:template", json!({"url": HERE, "values": values}), true),
        (
            "fetch:template",
            json!({"url": "./named", "values": {"name": HERE}, "replace": true}),
            false,
        ),
        (
            "fetch:template:file",
            json!({"url": "./skeleton/f.txt", "targetPath": HERE, "values": values}),
            true,
        ),
        (
            "fetch:template:file",
            json!({"url": HERE, "targetPath": "new", "values": values}),
            true,
        ),
        ("fs:delete", json!({"files": [HERE]}), false),
        ("fs:readdir", json!({"paths": [HERE], "recursive": true}), true),
        ("fs:rename", json!({"files": [{"from": HERE, "to": "new"}]}), true),
        (
            "fs:rename",
            json!({"files": [{"from": "a/b.txt", "to": HERE, "overwrite": true}]}),
            true,
        ),
        ("roadiehq:utils:fs:append", json!({"path": HERE, "content": "x"}), true),
        ("roadiehq:utils:fs:parse", json!({"path": HERE, "parser": "yaml"}), true),
        (
            "roadiehq:utils:fs:replace",
            json!({"files": [{"file": HERE, "find": "what", "replaceWith": "x"}]}),
            false,
        ),
        ("roadiehq:utils:fs:write", json!({"path": HERE, "content": "x"}), true),
        (
            "roadiehq:utils:json:merge",
            json!({"path": HERE, "content": {"a": 1}}),
            true,
        ),
        ("roadiehq:utils:merge", json!({"path": HERE, "content": {"a": 1}}), true),
        (
            "roadiehq:utils:jsonata:json:transform",
            json!({"path": HERE, "expression": "$"}),
            true,
        ),
        (
            "roadiehq:utils:jsonata:yaml:transform",
            json!({"path": HERE, "expression": "$"}),
            true,
        ),
        (
            "roadiehq:utils:zip",
            json!({"path": HERE, "outputPath": "new.zip"}),
            true,
        ),
        ("roadiehq:utils:zip", json!({"path": "a", "outputPath": HERE}), true),
        (
            "workspace:template",
            json!({"sourcePath": HERE, "targetPath": "new", "values": values}),
            true,
        ),
        (
            "workspace:template",
            json!({"sourcePath": "a", "targetPath": HERE, "values": values}),
            true,
        ),
        (
            "workspace:template:file",
            json!({"sourcePath": HERE, "targetPath": "new", "values": values}),
            true,
        ),
        (
            "workspace:template:file",
            json!({"sourcePath": "a/b.txt", "targetPath": HERE, "values": values}),
            true,
        ),
    ]
}

fn with(input: &Value, path: &str) -> Value {
    match input {
        Value::String(text) if text == HERE => json!(path),
        Value::Array(items) => items.iter().map(|item| with(item, path)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), with(value, path)))
            .collect(),
        other => other.clone(),
    }
}

fn came_along() -> Vec<TreeFile> {
    let file = |path: &str| TreeFile {
        path: path.to_owned(),
        executable: false,
        link: None,
        content: "from the skeleton".as_bytes().to_vec().into(),
    };
    vec![file("skeleton/f.txt"), file("named/${{ values.name }}")]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_the_workspace() {
    let actions = shipped();
    for (id, input, refused) in uses() {
        let action = actions.find(id).unwrap_or_else(|| panic!("there is no {id}"));
        let (_, outside) = prepared();
        let paths = hostile_paths(outside.path()).len();
        for number in 0..paths {
            let (mut cx, outside) = prepared();
            cx.beside = Some(std::sync::Arc::new(Surroundings {
                folder: String::new(),
                files: came_along(),
            }));
            let path = hostile_paths(outside.path()).swap_remove(number);
            let input = with(&input, &path);
            let running = tokio::time::timeout(Duration::from_secs(10), action.run(&cx, input.clone()));
            let answer = running.await.unwrap_or_else(|_| panic!("{id} hangs on {input}"));
            // `..` in a URL that came along is the template's own folder, and `link` and `zero` a file's name there.
            assert!(answer.is_err() || !refused, "{id} takes {input}: {answer:?}");
            let told = format!("{answer:?}{:?}", cx.journal.rehearsed());
            assert!(
                !told.contains(OUTSIDE),
                "{id} tells what is outside, on {input}: {told}"
            );
            let left: Vec<_> = std::fs::read_dir(outside.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            assert_eq!(left, ["secret"], "{id} on {input}");
            let text = std::fs::read_to_string(outside.path().join("secret")).unwrap();
            assert_eq!(text, OUTSIDE, "{id} on {input}");
            let beside = cx.workspace.path().parent().unwrap().join("hostile");
            assert!(!beside.exists(), "{id} on {input}");
            assert!(!cx.workspace.path().join(".git").exists(), "{id} on {input}");
            assert!(!cx.workspace.path().join("a/.git").exists(), "{id} on {input}");
        }
    }
}

/// A pipe is no file: it is not waited for.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_a_pipe() {
    let actions = shipped();
    for (id, input) in [
        ("debug:log", json!({"listWorkspace": "with-contents"})),
        ("roadiehq:utils:fs:parse", json!({"path": "pipe", "parser": "yaml"})),
        ("roadiehq:utils:fs:append", json!({"path": "pipe", "content": "x"})),
        ("roadiehq:utils:fs:write", json!({"path": "pipe", "content": "x"})),
        (
            "roadiehq:utils:fs:replace",
            json!({"files": [{"file": "**", "find": "a", "replaceWith": "b"}]}),
        ),
        ("roadiehq:utils:zip", json!({"path": ".", "outputPath": "new.zip"})),
        (
            "workspace:template",
            json!({"sourcePath": ".", "targetPath": "../new", "values": {}}),
        ),
        (
            "workspace:template:file",
            json!({"sourcePath": "pipe", "targetPath": "new", "values": {}}),
        ),
        ("fs:delete", json!({"files": ["pipe"]})),
    ] {
        let (cx, outside) = prepared();
        let running = actions.find(id).unwrap().run(&cx, input.clone());
        let answer = tokio::time::timeout(Duration::from_secs(10), running).await;
        assert!(answer.is_ok(), "{id} waits for a pipe on {input}");
        assert_eq!(
            std::fs::read_to_string(outside.path().join("secret")).unwrap(),
            OUTSIDE,
            "{id}"
        );
    }
}
