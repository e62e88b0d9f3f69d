//! A description file for a repository that has none, guessed from its files.

use serde_json::{Map, Value, json};

use super::super::{EntityRef, yaml_text};
use super::LookedInto;
use crate::language::{Text, text};
use crate::scm::TreeFile;

/// APIs that are described at most: more is a collection of them.
const MAX_APIS: usize = 10;
/// Letters of a description.
const LONGEST: usize = 160;
/// Letters of a name.
const NAME_LENGTH: usize = 63;

/// A field that was guessed, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// Dotted path.
    pub field: &'static str,
    pub value: String,
    pub reason: Text,
}

/// A description file that is proposed.
pub struct Proposal {
    /// Where it would lie in the repository, and its address there.
    pub path: String,
    pub target: String,
    /// `owner/name`, and its page.
    pub repository: String,
    pub page: String,
    /// A pull request can be made.
    pub can_propose: bool,
    /// Nothing has been pushed yet.
    pub empty: bool,
    pub entities: Vec<Value>,
    pub guesses: Vec<Guess>,
}

impl Proposal {
    /// `file`: name of description files; `owner` where nothing tells of another.
    pub fn of(found: &LookedInto, file: &str, owner: &str) -> Self {
        let folder = found.folder.trim_matches('/');
        let path = match folder {
            "" => file.to_owned(),
            folder => format!("{folder}/{file}"),
        };
        let files = Files::below(&found.files, folder);
        let name = name_of(
            folder
                .rsplit('/')
                .next()
                .filter(|name| !name.is_empty())
                .unwrap_or(&found.repository.name),
        );
        let (kind, reason) = files.kind();
        let mut guesses = vec![
            Guess {
                field: "metadata.name",
                value: name.clone(),
                reason: text!("as the repository or folder is called"),
            },
            Guess {
                field: "spec.type",
                value: kind.to_owned(),
                reason,
            },
            Guess {
                field: "spec.owner",
                value: owner.to_owned(),
                reason: text!("you, or the first of your groups"),
            },
        ];
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), name.as_str().into());
        if let Some(description) = files.description() {
            metadata.insert("description".to_owned(), description.into());
        }
        if files.has_docs() {
            metadata.insert("annotations".to_owned(), json!({"backstage.io/techdocs-ref": "dir:."}));
            guesses.push(Guess {
                field: "metadata.annotations.backstage.io/techdocs-ref",
                value: "dir:.".to_owned(),
                reason: text!("there is documentation: docs, mkdocs.yml or a README"),
            });
        }
        let languages = files.languages();
        if !languages.is_empty() {
            metadata.insert("tags".to_owned(), json!(languages));
        }
        let apis = files.apis(&name, owner);
        let mut spec = Map::new();
        spec.insert("type".to_owned(), kind.into());
        spec.insert("lifecycle".to_owned(), "experimental".into());
        spec.insert("owner".to_owned(), owner.into());
        if !apis.is_empty() {
            let names: Vec<&Value> = apis.iter().map(|api| &api["metadata"]["name"]).collect();
            spec.insert("providesApis".to_owned(), json!(names));
        }
        let component = json!({
            "apiVersion": "backstage.io/v1alpha1",
            "kind": "Component",
            "metadata": metadata,
            "spec": spec,
        });
        Self {
            target: found.address(&path),
            path,
            repository: format!("{}/{}", found.repository.owner, found.repository.name),
            page: found.forge.repository_url(&found.repository),
            can_propose: found.forge.collaboration().is_some() && !found.empty,
            empty: found.empty,
            entities: std::iter::once(component).chain(apis).collect(),
            guesses,
        }
    }

    /// Refs of what it describes, the component first.
    pub fn entity_refs(&self) -> Vec<EntityRef> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let reference =
            |entity: &Value| EntityRef::new(&text(&entity["kind"]), "default", &text(&entity["metadata"]["name"]));
        self.entities.iter().map(reference).collect()
    }

    /// Gives the component the name `<owner>-<name>`, as its own is taken.
    pub fn prefix(&mut self, owner: &str) {
        let name = self.entities[0]["metadata"]["name"].as_str().unwrap_or_default();
        let name = name_of(&format!("{owner}-{name}"));
        self.entities[0]["metadata"]["name"] = name.as_str().into();
        let guess = &mut self.guesses[0];
        guess.value = name;
        guess.reason = text!("another entity has the repository's name already");
    }

    /// The file.
    pub fn text(&self) -> String {
        let style = yaml_text::Style::default();
        let documents = self
            .entities
            .iter()
            .map(|entity| yaml_text::write(entity, &style).unwrap_or_default());
        documents.collect::<Vec<_>>().join("---\n")
    }
}

/// A text as a name of an entity.
fn name_of(text: &str) -> String {
    let mut name = String::new();
    for letter in text.chars() {
        let kept = letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        // A separator stands between two letters.
        match kept && (letter.is_ascii_alphanumeric() || !name.is_empty()) {
            true => name.push(letter),
            false if name.ends_with(|last: char| last.is_ascii_alphanumeric()) => name.push('-'),
            false => {}
        }
    }
    name.truncate(NAME_LENGTH);
    let name = name.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    match name.is_empty() {
        true => "component".to_owned(),
        false => name.to_owned(),
    }
}

/// The files of the folder, with their paths from there.
struct Files<'a>(Vec<(&'a str, &'a TreeFile)>);

impl<'a> Files<'a> {
    fn below(files: &'a [TreeFile], folder: &str) -> Self {
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

    fn kind(&self) -> (&'static str, Text) {
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

    fn languages(&self) -> Vec<&'static str> {
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

    fn has_docs(&self) -> bool {
        self.any(&["mkdocs.yml", "mkdocs.yaml", "README.md"])
            || self
                .0
                .iter()
                .any(|(path, _)| path.starts_with("docs/") && path.ends_with(".md"))
    }

    /// The first sentence or so of the README.
    fn description(&self) -> Option<String> {
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

    fn apis(&self, name: &str, owner: &str) -> Vec<Value> {
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
    fn names_are_ones_that_entities_may_have() {
        for (text, expected) in [
            ("demo", "demo"),
            ("My App!", "My-App"),
            ("..x..", "x"),
            ("-", "component"),
            ("größe", "gr-e"),
            (&"a".repeat(80), &"a".repeat(63)),
        ] {
            assert_eq!(name_of(text), expected, "{text}");
        }
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
