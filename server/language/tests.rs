//! Every text has its German, every German text its use, and no template speaks past the catalogue.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chrono::{DateTime, Duration};
use regex::Regex;

use super::*;

const GERMAN: Locale = Locale {
    language: Language::German,
    dates: Dates::German,
};
/// A literal of Rust or of a template.
const LITERAL: &str = r#""((?:[^"\\]|\\.)*)""#;

/// All files below a folder of the repository that end so, with their contents.
fn files(folder: &str, end: &str) -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, end: &str, found: &mut Vec<(PathBuf, String)>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                collect(&path, end, found);
            } else if path.to_string_lossy().ends_with(end) {
                let content = std::fs::read_to_string(&path).expect("a text");
                found.push((path, content));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), end, &mut found);
    found
}

/// A pattern, in which `LITERAL` stands for one.
fn pattern(text: &str) -> Regex {
    Regex::new(&text.replace("LITERAL", LITERAL)).expect("a pattern")
}

/// Unescaped literals of all groups of a pattern.
fn literals(pattern: &Regex, content: &str) -> Vec<String> {
    let groups = pattern.captures_iter(content).flat_map(|found| {
        let groups: Vec<String> = found
            .iter()
            .skip(1)
            .flatten()
            .map(|group| group.as_str().to_owned())
            .collect();
        groups
    });
    groups.map(|text| text.replace("\\\"", "\"")).collect()
}

/// Every text of ours, with the file that says it.
fn used() -> BTreeMap<String, PathBuf> {
    let mut used = BTreeMap::new();
    let mut remember = |file: &Path, texts: Vec<String>| used.extend(texts.into_iter().map(|text| (text, file.into())));
    let filters = [
        pattern(r"LITERAL\s*\|\s*(?:t|with)\b"),
        pattern(r"LITERAL\s*\|\s*counted\(\s*LITERAL"),
    ];
    let macros = [
        pattern(r"\btext!\(\s*LITERAL"),
        // The number may be any expression without a literal.
        pattern(r#"\bcounted!\(\s*[^"]*?,\s*LITERAL,\s*LITERAL"#),
        pattern(r"\bnames!\(LITERAL, LITERAL, LITERAL, LITERAL\)"),
    ];
    for (file, content) in files("templates", ".html") {
        for pattern in &filters {
            remember(&file, literals(pattern, &content));
        }
    }
    for (file, content) in files("server", ".rs") {
        // Examples, not texts.
        if file.ends_with("language/tests.rs") || file.ends_with("language/mod.rs") {
            continue;
        }
        for pattern in &macros {
            remember(&file, literals(pattern, &content));
        }
    }
    remember(Path::new("language/times.rs"), times::KEYS.map(str::to_owned).to_vec());
    used
}

fn german() -> BTreeMap<String, String> {
    catalogue::FILES
        .into_iter()
        .flat_map(|(_, content)| catalogue::entries(content))
        .collect()
}

#[test]
fn every_text_has_its_german_and_every_german_text_its_use() {
    let (used, german) = (used(), german());
    assert!(used.len() > 300, "only {} texts were found", used.len());
    let missing: Vec<String> = used
        .iter()
        .filter(|(text, _)| !german.contains_key(*text))
        .map(|(text, file)| format!("{}: {text:?} is not in server/language/de/*.po", file.display()))
        .collect();
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
    let idle: Vec<&String> = german.keys().filter(|text| !used.contains_key(*text)).collect();
    assert!(
        idle.is_empty(),
        "nobody says these of server/language/de/*.po: {idle:#?}"
    );
}

#[test]
fn german_entries_are_whole() {
    let place = Regex::new(r"\{\w+\}").expect("a pattern");
    let places = |text: &str| -> BTreeSet<String> {
        let found = place.find_iter(text).map(|found| found.as_str().to_owned());
        found.collect()
    };
    let mut seen = BTreeSet::new();
    for (name, content) in catalogue::FILES {
        let entries = catalogue::entries(content);
        assert_eq!(
            entries.len(),
            content.matches("msgstr ").count(),
            "{name}.po has a half entry"
        );
        for (key, german) in entries {
            assert!(!german.is_empty(), "{name}.po: {key:?} is empty");
            assert_eq!(places(&key), places(&german), "{name}.po: {key:?} has other places");
            assert!(seen.insert(key.clone()), "{name}.po: {key:?} is there twice");
        }
    }
}

/// Words that are the same in every language.
static NAMES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"Portico|Argo CD|git clone").expect("a pattern"));

#[test]
fn templates_say_nothing_past_the_catalogue() {
    let tags = Regex::new(r"(?s)\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}").expect("a pattern");
    // Text that is English on purpose says so, and code is nobody's language.
    let foreign = Regex::new(r#"(?s)<(?:p|div)[^>]* lang="en".*|<(?:code|script|kbd)\b.*?</(?:code|script|kbd)>"#)
        .expect("a pattern");
    let attributes = Regex::new(r#"\b(?:aria-label|title|placeholder|alt|data-l)="([^"]*)""#).expect("a pattern");
    let elements = Regex::new(r#"(?s)<(?:[^>"]|"[^"]*")*>|&\w+;"#).expect("a pattern");
    let mut wrong = Vec::new();
    for (file, content) in files("templates", ".html") {
        let plain = foreign.replace_all(&content, "");
        let plain = tags.replace_all(&plain, "");
        let said = attributes.captures_iter(&plain).map(|found| found[1].to_owned());
        let read = elements
            .replace_all(&plain, "\n")
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        for text in said.chain(read) {
            let rest = NAMES.replace_all(&text, "");
            if rest.chars().filter(|c| c.is_alphabetic()).count() > 1 {
                wrong.push(format!("{}: {:?}", file.display(), text.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "write {{{{ \"…\"|t }}}}:\n{}", wrong.join("\n"));
}

#[test]
fn browsers_get_the_language_they_like_best() {
    for (header, language) in [
        ("", Language::English),
        ("de", Language::German),
        ("de-AT,de;q=0.9,en;q=0.8", Language::German),
        ("en-GB,en;q=0.9,de;q=0.8", Language::English),
        ("en;q=0.3, de;q=0.7", Language::German),
        ("fr,de;q=0.5", Language::German),
        ("fr;q=0.9, *;q=0.1", Language::English),
        ("de;q=0", Language::English),
        ("de;q=nonsense,en;q=0.1", Language::English),
        ("DE", Language::German),
        ("\u{0}ï;;q==,,,", Language::English),
    ] {
        assert_eq!(Language::liked(header), language, "{header:?}");
    }
    let endless = "fr,".repeat(10_000) + "de";
    assert_eq!(Language::liked(&endless), Language::English);
}

#[test]
fn values_are_put_into_their_places_once() {
    let hostile = text!("Page {part} of {all}", part = "{all}", all = "<script>");
    assert_eq!(hostile.to_string(), "Page {all} of <script>");
    assert_eq!(GERMAN.say(&hostile), "Seite {all} von <script>");
    assert_eq!(Text::from("100 % {braces").to_string(), "100 % {braces");
    assert_eq!(
        GERMAN.say(&"Owner".into()),
        "Owner",
        "what others say is not translated"
    );
    assert_eq!(GERMAN.say(&text!("Owner")), "Verantwortlich");
    let nested = Text::about(text!("Owner"), text!("me and my groups"));
    assert_eq!(GERMAN.say(&nested), "Verantwortlich: ich und meine Gruppen");
}

#[test]
fn numbers_follow_the_language() {
    for (number, english, german) in [
        (0, "0", "0"),
        (999, "999", "999"),
        (1234, "1,234", "1.234"),
        (-1_000_000, "-1,000,000", "-1.000.000"),
    ] {
        assert_eq!(Locale::default().whole(number), english);
        assert_eq!(GERMAN.whole(number), german);
    }
    assert_eq!(
        GERMAN.say(&counted!(1, "{count} problem", "{count} problems")),
        "1 Problem"
    );
    assert_eq!(
        GERMAN.say(&counted!(1234, "{count} problem", "{count} problems")),
        "1.234 Probleme"
    );
}

#[test]
fn times_are_told_in_words() {
    let now = DateTime::UNIX_EPOCH + Duration::days(20_000);
    for (seconds, english, german) in [
        (0, "just now", "eben"),
        (-3, "just now", "eben"),
        (5, "5 s ago", "vor 5 Sek."),
        (60, "1 min ago", "vor 1 Min."),
        (7_300, "2 h ago", "vor 2 Std."),
        (86_400, "1 day ago", "vor 1 Tag"),
        (3 * 86_400, "3 days ago", "vor 3 Tagen"),
        (40 * 86_400, "1 month ago", "vor 1 Monat"),
        (800 * 86_400, "2 years ago", "vor 2 Jahren"),
        (-120, "in 2 min", "in 2 Min."),
    ] {
        let text = times::relative(&(now - Duration::seconds(seconds)), &now);
        assert_eq!(
            (text.to_string().as_str(), GERMAN.say(&text).as_str()),
            (english, german)
        );
    }
    let at = DateTime::from_timestamp(1_795_341_526, 0).expect("a time");
    assert_eq!(Locale::default().exact(&at), "22 Nov 2026, 09:58:46 UTC");
    assert_eq!(GERMAN.exact(&at), "22.11.2026, 09:58:46 UTC");
    let iso = Locale {
        dates: Dates::Iso,
        ..GERMAN
    };
    assert_eq!(iso.exact(&at), "2026-11-22, 09:58:46 UTC");
}

#[test]
fn lengths_name_two_units() {
    for (milliseconds, english, german) in [
        (420, "0.4 s", "0,4 s"),
        (9_100, "9.1 s", "9,1 s"),
        (2_000, "2 s", "2 s"),
        (12_400, "12 s", "12 s"),
        (125_000, "2 min 5 s", "2 min 5 s"),
        (10_860_000, "3 h 1 min", "3 h 1 min"),
        (-5, "0.0 s", "0,0 s"),
    ] {
        let length = duration(Duration::milliseconds(milliseconds));
        assert_eq!(
            (length.to_string().as_str(), GERMAN.say(&length).as_str()),
            (english, german)
        );
    }
}
