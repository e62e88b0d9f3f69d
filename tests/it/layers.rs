//! The direction of `server/`: every module uses only what stands below it.

use std::path::{Path, PathBuf};

/// Layers from the bottom up, as `server/lib.rs` lists them from the top down.
const LAYERS: [&[&str]; 6] = [
    &[
        "clock",
        "config",
        "db",
        "ids",
        "keys",
        "language",
        "outbound",
        "telemetry",
    ],
    &["gitops", "identity", "kubernetes", "scm"],
    &["audit", "auth", "jobs"],
    &["web"],
    &[
        "admin",
        "catalog",
        "definitions",
        "deployments",
        "docs",
        "events",
        "home",
        "login",
        "scaffolder",
        "scorecards",
        "search",
    ],
    &["app"],
];
const FOUNDATION: usize = 0;
const PORTS: usize = 1;
const FEATURES: usize = 4;
/// The base of the other features.
const BASE: &str = "catalog";
/// One port that stands on another: Argo CD is reached through Kubernetes.
const ALLOWED_ASIDE: [(&str, &str); 1] = [("gitops", "kubernetes")];

#[test]
fn modules_use_only_what_stands_below_them() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(from) = module_of(&file) else { continue };
        for (line, to) in mentions(&text) {
            if let Some(reason) = forbidden(&from, &to) {
                wrong.push(format!("{}:{line}: {from} uses {to}: {reason}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn ports_know_neither_pages_nor_tables() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let Some(module) = module_of(&file) else { continue };
        // A port's tests may play the other system.
        if layer(&module) != Some(PORTS) || file.file_stem().is_some_and(|stem| stem == "tests") {
            continue;
        }
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (number, line) in code(text) {
            // The types of the crates `http` and `bytes`, which client libraries have too.
            let line = line.replace("axum::http::", "").replace("axum::body::Bytes", "");
            if let Some(library) = ["axum::", "sqlx::", "askama::"]
                .into_iter()
                .find(|library| line.contains(library))
            {
                wrong.push(format!("{}:{number}: {module} uses {library}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_layer() {
    let text = std::fs::read_to_string(server().join("lib.rs")).expect("server/lib.rs is readable");
    let modules: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert!(
        modules.len() > 10,
        "the list in server/lib.rs was not understood: {modules:?}"
    );
    for module in modules {
        assert!(
            layer(module).is_some(),
            "give the module `{module}` a layer in tests/it/layers.rs"
        );
    }
}

#[test]
fn the_rules_hold_what_they_say() {
    for (from, to) in [
        ("app", "login"),
        ("login", "catalog"),
        ("scaffolder", "web"),
        ("auth", "db"),
        ("db", "config"),
        ("gitops", "kubernetes"),
    ] {
        assert_eq!(forbidden(from, to), None, "{from} → {to}");
    }
    for (from, to) in [
        ("db", "auth"),
        ("catalog", "scaffolder"),
        ("login", "scaffolder"),
        ("scm", "gitops"),
        ("web", "app"),
        ("kubernetes", "gitops"),
    ] {
        assert!(forbidden(from, to).is_some(), "{from} → {to}");
    }
    let text =
        "//! crate::app\nuse crate::{auth::{User, Groups}, web};\nfn f() { crate::ids::new_id() } // crate::login\n";
    let found: Vec<String> = mentions(text)
        .into_iter()
        .map(|(line, to)| format!("{line} {to}"))
        .collect();
    assert_eq!(found, ["2 auth", "2 web", "3 ids"]);
}

fn forbidden(from: &str, to: &str) -> Option<&'static str> {
    let (above, below) = (layer(from)?, layer(to)?);
    if from == to || below < above {
        return None;
    }
    if below > above {
        return Some("it stands above");
    }
    match above {
        FOUNDATION => None,
        FEATURES if to == BASE => None,
        FEATURES => Some("features meet in app, not in each other"),
        _ if ALLOWED_ASIDE.contains(&(from, to)) => None,
        _ => Some("it stands beside"),
    }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

fn server() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("server")
}

/// The module below `server/` that a file belongs to; `None` for the two roots, which may use all.
fn module_of(file: &Path) -> Option<String> {
    let relative = file.strip_prefix(server()).ok()?;
    let first = relative.iter().next()?.to_str()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(module, "lib" | "main")).then(|| module.to_owned())
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![server()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("server/ is readable") {
            let path = entry.expect("server/ is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("sources are readable text");
                sources.push((path, text));
            }
        }
    }
    sources.sort();
    sources
}

/// Lines without their comments, numbered from 1.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        // An address in a string holds two slashes too; what follows it on the line is not looked at.
        (index + 1, line.split("//").next().unwrap_or_default())
    })
}

/// Every module that is named by `crate::module` or `crate::{module, …}`, with its line.
fn mentions(text: &str) -> Vec<(usize, String)> {
    let mut bare = String::new();
    for (_, line) in code(text) {
        bare.push_str(line);
        bare.push('\n');
    }
    let mut found = Vec::new();
    for (at, matched) in bare.match_indices("crate::") {
        let line = bare[..at].matches('\n').count() + 1;
        let rest = &bare[at + matched.len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => first_names(group),
            None => vec![first_name(rest)],
        };
        found.extend(
            names
                .into_iter()
                .filter(|name| !name.is_empty())
                .map(|name| (line, name)),
        );
    }
    found
}

fn first_name(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

/// The first names of the members of a group, up to its closing brace.
fn first_names(group: &str) -> Vec<String> {
    let mut names = vec![first_name(group)];
    let mut depth = 0_usize;
    for (index, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(first_name(&group[index + 1..])),
            _ => {}
        }
    }
    names
}
