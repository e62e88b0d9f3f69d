//! Which Applications an entity names.

use std::collections::BTreeMap;

use crate::catalog::Entity;

const APP_NAME: &str = "argocd/app-name";
const APP_SELECTOR: &str = "argocd/app-selector";

/// What an entity's annotations say of its Applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// One, by name.
    Name(String),
    /// All with these labels.
    Labels(Selector),
}

impl Wanted {
    /// `None` where the entity has no annotation of the kind. The name wins where there are both.
    pub fn of(entity: &Entity) -> Option<Self> {
        let value = |key| entity.annotation(key).map(str::trim).filter(|text| !text.is_empty());
        match (value(APP_NAME), value(APP_SELECTOR)) {
            (Some(name), _) => Some(Self::Name(name.to_owned())),
            (None, Some(selector)) => Some(Self::Labels(Selector::parse(selector))),
            (None, None) => None,
        }
    }
}

/// A label selector in Kubernetes' equality form: `key=value,key!=value,key,!key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// As written, to show it.
    pub text: String,
    terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Term {
    Equal(String, String),
    NotEqual(String, String),
    Exists(String),
    Absent(String),
}

impl Selector {
    /// Reads a selector; what it does not understand matches nothing.
    pub fn parse(text: &str) -> Self {
        let term = |part: &str| {
            let part = part.trim();
            if let Some((key, value)) = part.split_once("!=") {
                return Term::NotEqual(key.trim().to_owned(), value.trim().to_owned());
            }
            if let Some((key, value)) = part.split_once('=') {
                return Term::Equal(key.trim().to_owned(), value.trim_start_matches('=').trim().to_owned());
            }
            match part.strip_prefix('!') {
                Some(key) => Term::Absent(key.trim().to_owned()),
                None => Term::Exists(part.to_owned()),
            }
        };
        Self {
            text: text.to_owned(),
            terms: text.split(',').map(term).collect(),
        }
    }

    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.terms.iter().all(|term| match term {
            Term::Equal(key, value) => labels.get(key) == Some(value),
            Term::NotEqual(key, value) => labels.get(key) != Some(value),
            Term::Exists(key) => labels.contains_key(key),
            Term::Absent(key) => !labels.contains_key(key),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn selectors_match_as_in_kubernetes() {
        let labels = BTreeMap::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        for (text, expected) in [
            ("a=1", true),
            ("a==1", true),
            ("a = 1, b", true),
            ("a=2", false),
            ("a!=2", true),
            ("a!=1", false),
            ("c!=1", true),
            ("!c", true),
            ("!a", false),
            ("c", false),
            ("a in (1,2)", false),
            ("", false),
        ] {
            assert_eq!(Selector::parse(text).matches(&labels), expected, "{text:?}");
        }
    }

    #[test]
    fn annotations_name_applications() {
        let wanted = |annotations| {
            Wanted::of(&Entity {
                body: json!({"kind": "Component", "metadata": {"name": "x", "annotations": annotations}}),
            })
        };
        assert_eq!(wanted(json!({})), None);
        assert_eq!(wanted(json!({APP_NAME: " "})), None);
        assert_eq!(
            wanted(json!({APP_NAME: "demo", APP_SELECTOR: "a=1"})),
            Some(Wanted::Name("demo".to_owned()))
        );
        assert_eq!(
            wanted(json!({APP_SELECTOR: "a=1"})),
            Some(Wanted::Labels(Selector::parse("a=1")))
        );
    }
}
