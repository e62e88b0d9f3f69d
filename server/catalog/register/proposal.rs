//! A description file for a repository that has none, guessed from its files.

use serde_json::{Map, Value, json};

use super::super::{EntityRef, yaml_text};
use super::LookedInto;
use super::files::Files;
use crate::language::{Text, text};

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
pub fn name_of(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
