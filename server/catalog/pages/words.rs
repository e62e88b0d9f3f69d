//! What the kinds of entities are called.

use crate::catalog::Kinds;
use crate::catalog::kinds::plural;
use crate::language::{Text, text};

/// A kind as a heading, one and several, and the same within a sentence.
struct Names {
    one: Text,
    many: Text,
    one_within: Text,
    many_within: Text,
}

/// Names of a kind in lower case; `None` for kinds that are not known.
fn names(kinds: &Kinds, kind: &str) -> Option<Names> {
    macro_rules! names {
        ($one:literal, $many:literal, $one_within:literal, $many_within:literal) => {
            Names {
                one: text!($one),
                many: text!($many),
                one_within: text!($one_within),
                many_within: text!($many_within),
            }
        };
    }
    Some(match kind {
        "all" => names!("Entity", "Entities", "entity", "entities"),
        "api" => names!("API", "APIs", "API", "APIs"),
        "component" => names!("Component", "Components", "component", "components"),
        "domain" => names!("Domain", "Domains", "domain", "domains"),
        "group" => names!("Group", "Groups", "group", "groups"),
        "location" => names!("Location", "Locations", "location", "locations"),
        "resource" => names!("Resource", "Resources", "resource", "resources"),
        "system" => names!("System", "Systems", "system", "systems"),
        "template" => names!("Template", "Templates", "template", "templates"),
        "user" => names!("User", "Users", "user", "users"),
        _ => {
            let declared = kinds.find(kind)?;
            Names {
                one: declared.title.clone(),
                many: declared.plural.clone(),
                one_within: declared.title.clone(),
                many_within: declared.plural.clone(),
            }
        }
    })
}

impl Kinds {
    /// `Component`: what pages call an entity of the kind; one that is not known as it is written.
    pub fn word(&self, kind: &str) -> Text {
        one(self, kind)
    }
}

/// `Component`; a kind that is not known as it is written.
pub fn one(kinds: &Kinds, kind: &str) -> Text {
    names(kinds, &kind.to_lowercase()).map_or_else(|| kind.into(), |names| names.one)
}

/// `Components`; for a kind that is not known what English would say.
pub fn many(kinds: &Kinds, kind: &str) -> Text {
    names(kinds, kind).map_or_else(|| plural(kind).into(), |names| names.many)
}

/// `components`, `APIs`.
pub fn many_within(kinds: &Kinds, kind: &str) -> Text {
    names(kinds, kind).map_or_else(|| plural(kind).to_lowercase().into(), |names| names.many_within)
}

/// `1 component`, `3 APIs`.
pub fn count(kinds: &Kinds, total: i64, kind: &str) -> Text {
    let word = match total {
        1 => names(kinds, kind).map_or_else(|| kind.into(), |names| names.one_within),
        _ => many_within(kinds, kind),
    };
    text!("{count} {things}", count = total, things = word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named() {
        for (kind, expected) in [
            ("component", "Components"),
            ("api", "APIs"),
            ("all", "Entities"),
            ("category", "Categories"),
            ("gateway", "Gateways"),
            ("process", "Processes"),
        ] {
            assert_eq!(many(&Kinds::default(), kind).to_string(), expected);
        }
        assert_eq!(one(&Kinds::default(), "Component").to_string(), "Component");
        assert_eq!(one(&Kinds::default(), "OwnKind").to_string(), "OwnKind");
    }

    #[test]
    fn headings_count_in_words() {
        for (total, kind, expected) in [
            (1, "component", "1 component"),
            (0, "component", "0 components"),
            (1, "api", "1 API"),
            (2, "api", "2 APIs"),
            (1, "all", "1 entity"),
            (1234, "all", "1,234 entities"),
            (1, "category", "1 category"),
        ] {
            assert_eq!(count(&Kinds::default(), total, kind).to_string(), expected);
        }
    }
}
