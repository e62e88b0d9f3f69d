//! The German texts, by the English ones: `de/<feature>.po`, in the form that gettext's tools and translators know
//! (`msgid`, `msgstr`, lines that begin with `#` are comments), in the program.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Language;

/// Name and content of each file.
pub(super) const FILES: [(&str, &str); 10] = [
    ("catalog", include_str!("de/catalog.po")),
    ("changes", include_str!("de/changes.po")),
    ("definitions", include_str!("de/definitions.po")),
    ("deployments", include_str!("de/deployments.po")),
    ("docs", include_str!("de/docs.po")),
    ("home", include_str!("de/home.po")),
    ("locations", include_str!("de/locations.po")),
    ("login", include_str!("de/login.po")),
    ("scaffolder", include_str!("de/scaffolder.po")),
    ("web", include_str!("de/web.po")),
];

static GERMAN: LazyLock<HashMap<String, String>> =
    LazyLock::new(|| FILES.into_iter().flat_map(|(_, content)| entries(content)).collect());

/// The text in a language; the English one where there is no other, which a test keeps from happening.
pub(super) fn translation(language: Language, key: &'static str) -> &'static str {
    match language {
        Language::English => key,
        Language::German => GERMAN.get(key).map_or(key, String::as_str),
    }
}

/// Pairs of `msgid` and `msgstr`, each on lines of its own; quoted lines go on with the one before.
pub(super) fn entries(content: &str) -> Vec<(String, String)> {
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut is_translation = false;
    for line in content.lines().map(str::trim) {
        let quoted = if let Some(rest) = line.strip_prefix("msgid ") {
            entries.push((String::new(), String::new()));
            is_translation = false;
            rest
        } else if let Some(rest) = line.strip_prefix("msgstr ") {
            is_translation = true;
            rest
        } else {
            line
        };
        let text = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        if let (Some(text), Some((key, translation))) = (text, entries.last_mut()) {
            let end = if is_translation { translation } else { key };
            end.push_str(&unescaped(text));
        }
    }
    entries
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (character, character == '\\') {
            (_, true) => match characters.next() {
                Some('n') => plain.push('\n'),
                Some(other) => plain.push(other),
                None => {}
            },
            (other, false) => plain.push(other),
        }
    }
    plain
}
