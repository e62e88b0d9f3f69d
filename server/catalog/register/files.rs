//! What the files of a repository tell of what it is.

use serde_json::{Value, json};

use super::proposal::name_of;
use crate::language::{Text, text};
use crate::scm::TreeFile;

/// APIs that are described at most: more is a collection of them.
const MAX_APIS: usize = 10;
/// Letters of a description.
const LONGEST: usize = 160;

/// The files of the folder, with their paths from there.
pub struct Files<'a>(Vec<(&'a str, &'a TreeFile)>);

impl<'a> Files<'a> {
    pub fn below(files: &'a [TreeFile], folder: &str) -> Self {
        let files = files.iter().filter_map(|file| {
            let path = match folder {
                "" => &*file.path,
                folder => file.path.strip_prefix(folder)?.strip_prefix('/')?,
            };
            (file.link.is_none()).then_some((path, file))
        });
        let mut files: Vec<_> = files.collect();
        files.sort_by_key(|(path, _)| (path.matches('/').count(), *path));
        Self(files)
    }

    fn find(&self, path: &str) -> Option<&'a TreeFile> {
        self.0
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(path))
            .map(|(_, file)| *file)
    }

    fn text(&self, path: &str) -> &'a str {
        let content = self.find(path).map(|file| &file.content[..]).unwrap_or_default();
        std::str::from_utf8(content).unwrap_or_default()
    }

    fn any(&self, paths: &[&str]) -> bool {
        paths.iter().any(|path| self.find(path).is_some())
    }

    /// The type of component, and why.
    pub fn kind(&self) -> (&'static str, Text) {
        let package = self.text("package.json");
        let depends = |names: &[&str]| names.iter().any(|name| package.contains(&format!("\"{name}\"")));
        if depends(&[
            "react-dom",
            "next",
            "vue",
            "nuxt",
            "svelte",
            "@angular/core",
            "astro",
            "vite",
        ]) {
            return ("website", text!("package.json names a library for pages"));
        }
        if self.any(&[
            "Dockerfile",
            "Containerfile",
            "docker-compose.yaml",
            "docker-compose.yml",
            "compose.yaml",
            "Procfile",
        ]) || self.0.iter().any(|(path, _)| {
            path.ends_with("/Dockerfile") || path.ends_with("kustomization.yaml") || path.ends_with("Chart.yaml")
        }) {
            return ("service", text!("it is built into an image or deployed"));
        }
        if self.any(&["main.go", "src/main.rs", "main.py", "app.py", "manage.py", "server.js"]) {
            return ("service", text!("it has a program to run"));
        }
        if self.any(&["index.html", "public/index.html"]) {
            return ("website", text!("there is an index.html"));
        }
        if self.any(&[
            "Cargo.toml",
            "go.mod",
            "package.json",
            "pyproject.toml",
            "setup.py",
            "pom.xml",
            "build.gradle",
            "build.gradle.kts",
            "Gemfile",
            "composer.json",
        ]) {
            return ("library", text!("it is a package without a program to run"));
        }
        if self.any(&["mkdocs.yml", "mkdocs.yaml"]) {
            return ("documentation", text!("it has documentation and no program"));
        }
        ("service", text!("nothing tells of another"))
    }

    pub fn languages(&self) -> Vec<&'static str> {
        let known: [(&str, &[&str]); 9] = [
            ("rust", &["Cargo.toml"]),
            ("go", &["go.mod"]),
            ("java", &["pom.xml", "build.gradle"]),
            ("kotlin", &["build.gradle.kts"]),
            ("python", &["pyproject.toml", "setup.py", "requirements.txt"]),
            ("typescript", &["tsconfig.json"]),
            ("javascript", &["package.json"]),
            ("ruby", &["Gemfile"]),
            ("php", &["composer.json"]),
        ];
        let mut found: Vec<&str> = known
            .iter()
            .filter(|(_, files)| self.any(files))
            .map(|(name, _)| *name)
            .collect();
        if found.contains(&"typescript") {
            found.retain(|language| *language != "javascript");
        }
        found
    }

    pub fn has_docs(&self) -> bool {
        self.any(&["mkdocs.yml", "mkdocs.yaml", "README.md"])
            || self
                .0
                .iter()
                .any(|(path, _)| path.starts_with("docs/") && path.ends_with(".md"))
    }

    /// The first sentence or so of the README.
    pub fn description(&self) -> Option<String> {
        let paragraphs = self.text("README.md").split("\n\n").take(20).map(str::trim);
        let told = paragraphs.map(|paragraph| {
            let lines = paragraph.lines().filter(|line| !line.starts_with('#'));
            lines.collect::<Vec<_>>().join(" ").trim().to_owned()
        });
        // Badges, pictures, tables and code say nothing in words.
        let mut words =
            told.filter(|text| text.starts_with(char::is_alphabetic) && !text.contains("](") && !text.contains('<'));
        let text = words.next()?.replace(['`', '*'], "");
        let sentence = text.split_inclusive(". ").next().unwrap_or_default().trim();
        match sentence.chars().count() > LONGEST {
            true => Some(sentence.chars().take(LONGEST - 1).chain(['…']).collect()),
            false => (!sentence.is_empty()).then(|| sentence.to_owned()),
        }
    }

    /// Entities of the APIs that are described.
    pub fn apis(&self, name: &str, owner: &str) -> Vec<Value> {
        let described = self
            .0
            .iter()
            .filter_map(|(path, file)| Some((*path, api_type(path, &file.content)?)));
        let described: Vec<(&str, &str)> = described.take(MAX_APIS).collect();
        let mut names = Vec::new();
        let mut apis = Vec::new();
        for (path, kind) in &described {
            let stem = path
                .rsplit('/')
                .next()
                .and_then(|file| file.split('.').next())
                .unwrap_or("api");
            let plain = ["openapi", "swagger", "asyncapi", "schema", "api"].contains(&stem.to_lowercase().as_str());
            let mut own = match described.len() {
                1 => format!("{name}-api"),
                _ if plain => format!("{name}-{kind}"),
                _ => format!("{name}-{stem}"),
            };
            own = name_of(&own);
            let base = own.clone();
            let mut number = 2;
            while names.contains(&own) {
                own = format!("{base}-{number}");
                number += 1;
            }
            names.push(own.clone());
            apis.push(json!({
                "apiVersion": "backstage.io/v1alpha1",
                "kind": "API",
                "metadata": {"name": own},
                "spec": {
                    "type": kind,
                    "lifecycle": "experimental",
                    "owner": owner,
                    "definition": {"$text": format!("./{path}")},
                },
            }));
        }
        apis
    }
}

/// The type of API that a file describes, if it does.
fn api_type(path: &str, content: &[u8]) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let is_test = path
        .split('/')
        .any(|part| ["test", "tests", "testdata", "node_modules", "vendor", "fixtures"].contains(&part));
    if is_test {
        return None;
    }
    if name.ends_with(".proto") {
        return Some("grpc");
    }
    if name.ends_with(".graphql") || name.ends_with(".graphqls") || name.ends_with(".gql") {
        // Queries of a client are no API.
        let text = std::str::from_utf8(content).unwrap_or_default();
        return text.contains("type ").then_some("graphql");
    }
    if ![".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
        return None;
    }
    let start = String::from_utf8_lossy(&content[..content.len().min(4096)]).into_owned();
    let says = |key: &str| {
        let json = format!("\"{key}\"");
        start
            .lines()
            .any(|line| line.starts_with(&format!("{key}:")) || line.trim_start().starts_with(&json))
            || start.trim_start_matches(['{', ' ', '\n']).starts_with(&json)
    };
    if says("openapi") || says("swagger") {
        Some("openapi")
    } else if says("asyncapi") {
        Some("asyncapi")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(listed: &[(&str, &str)]) -> Vec<TreeFile> {
        let file = |(path, text): &(&str, &str)| TreeFile {
            path: (*path).to_owned(),
            executable: false,
            link: None,
            content: (*text).to_owned().into(),
        };
        listed.iter().map(file).collect()
    }

    #[test]
    fn types_are_guessed_from_files() {
        for (listed, expected) in [
            (
                &[
                    ("package.json", "{\"dependencies\": {\"react-dom\": \"1\"}}"),
                    ("Dockerfile", ""),
                ][..],
                "website",
            ),
            (&[("deploy/Dockerfile", "")], "service"),
            (&[("Cargo.toml", ""), ("src/main.rs", "")], "service"),
            (&[("Cargo.toml", ""), ("src/lib.rs", "")], "library"),
            (&[("mkdocs.yml", ""), ("docs/index.md", "")], "documentation"),
            (&[("LICENSE", "")], "service"),
        ] {
            let listed = files(listed);
            assert_eq!(Files::below(&listed, "").kind().0, expected, "{listed:?}");
        }
    }

    #[test]
    fn apis_and_words_are_found() {
        let listed = files(&[
            ("api/openapi.yaml", "# x\nopenapi: 3.0.0\n"),
            ("b.json", "{\"asyncapi\": \"2.0.0\"}"),
            ("proto/pets.proto", "service Pets {}"),
            ("q.graphql", "query { a }"),
            ("s.graphqls", "type Query { a: Int }"),
            ("tests/openapi.yaml", "openapi: 3.0.0\n"),
            ("values.yaml", "a: 1\n"),
            (
                "README.md",
                "# Demo\n\n[![badge](x)](y)\n\nSells *pets* to people. And more.\n",
            ),
        ]);
        let files = Files::below(&listed, "");
        let apis: Vec<(String, String, String)> = files
            .apis("demo", "team")
            .iter()
            .map(|api| {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                (
                    text(&api["metadata"]["name"]),
                    text(&api["spec"]["type"]),
                    text(&api["spec"]["definition"]["$text"]),
                )
            })
            .collect();
        let expected = [
            ("demo-b", "asyncapi", "./b.json"),
            ("demo-s", "graphql", "./s.graphqls"),
            ("demo-openapi", "openapi", "./api/openapi.yaml"),
            ("demo-pets", "grpc", "./proto/pets.proto"),
        ];
        let expected = expected.map(|(name, kind, path)| (name.to_owned(), kind.to_owned(), path.to_owned()));
        assert_eq!(apis, expected);
        assert_eq!(files.description().unwrap(), "Sells pets to people.");
        assert!(files.has_docs());
        assert_eq!(Files::below(&listed, "api").0.len(), 1);
    }
}
