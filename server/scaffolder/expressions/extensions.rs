//! What the scaffolder adds to Nunjucks, described for those who write templates.

/// A filter that Nunjucks does not have.
#[derive(Debug, Clone, Copy)]
pub struct Extension {
    pub name: &'static str,
    pub description: &'static str,
    pub example: &'static str,
    /// What the example gives, as JSON.
    pub result: &'static str,
}

/// In the order of names.
pub const EXTENSIONS: &[Extension] = &[
    Extension {
        name: "parseEntityRef",
        description: "Kind, namespace and name of an entity ref; a context gives what the ref leaves out.",
        example: "${{ 'group:team' | parseEntityRef }}",
        result: r#"{"kind":"group","namespace":"default","name":"team"}"#,
    },
    Extension {
        name: "parseRepoUrl",
        description: "The parts of a repository's address as a RepoUrlPicker gives it; its host must be configured under integrations.",
        example: "${{ 'forge.example.com?owner=team&repo=demo' | parseRepoUrl }}",
        result: r#"{"host":"forge.example.com","owner":"team","repo":"demo"}"#,
    },
    Extension {
        name: "pick",
        description: "A member of an object, by a path.",
        example: "${{ 'component:default/demo' | parseEntityRef | pick('name') }}",
        result: r#""demo""#,
    },
    Extension {
        name: "projectSlug",
        description: "Owner and name of the repository that an address names.",
        example: "${{ 'forge.example.com?owner=team&repo=demo' | projectSlug }}",
        result: r#""team/demo""#,
    },
];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::scaffolder::expressions::{Options, render_value_with_warnings};

    #[test]
    fn every_example_gives_what_is_said() {
        let options = Options {
            strict: true,
            integrations: vec![("forge.example.com".to_owned(), "gitea".to_owned())],
            ..Options::default()
        };
        for extension in EXTENSIONS {
            assert!(extension.example.contains(extension.name));
            let result = render_value_with_warnings(&json!(extension.example), &json!({}), &options, &mut Vec::new());
            let expected: Value = serde_json::from_str(extension.result).unwrap();
            assert_eq!(result.unwrap(), Some(expected), "{}", extension.name);
        }
    }
}
