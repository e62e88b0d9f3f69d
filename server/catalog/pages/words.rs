//! What the kinds of entities are called.

use crate::language::{Text, text};

/// A kind as a heading, one and several, and the same within a sentence.
struct Names {
    one: Text,
    many: Text,
    one_within: Text,
    many_within: Text,
}

/// Names of a kind in lower case; `None` for kinds that are not built in.
fn names(kind: &str) -> Option<Names> {
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
        _ => return None,
    })
}

/// `Component`; a kind that is not built in as it is written.
pub fn one(kind: &str) -> Text {
    names(&kind.to_lowercase()).map_or_else(|| kind.into(), |names| names.one)
}

/// `Components`; for a kind that is not built in what English would say.
pub fn many(kind: &str) -> Text {
    names(kind).map_or_else(|| plural(kind).into(), |names| names.many)
}

/// `components`, `APIs`.
pub fn many_within(kind: &str) -> Text {
    names(kind).map_or_else(|| plural(kind).to_lowercase().into(), |names| names.many_within)
}

/// `1 component`, `3 APIs`.
pub fn count(total: i64, kind: &str) -> Text {
    let word = match total {
        1 => names(kind).map_or_else(|| kind.into(), |names| names.one_within),
        _ => many_within(kind),
    };
    text!("{count} {things}", count = total, things = word)
}

fn plural(kind: &str) -> String {
    let mut letters = kind.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let rest: String = letters.collect();
    match rest.strip_suffix('y') {
        Some(stem) => format!("{first}{stem}ies"),
        None => format!("{first}{rest}s"),
    }
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
        ] {
            assert_eq!(many(kind).to_string(), expected);
        }
        assert_eq!(one("Component").to_string(), "Component");
        assert_eq!(one("OwnKind").to_string(), "OwnKind");
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
            assert_eq!(count(total, kind).to_string(), expected);
        }
    }
}
