//! Keeps secrets, and what is made of them, out of everything that is stored or shown.
//!
//! Hidden are a secret as it is, its lines, what encodings make of it (base64 at each of its three alignments, hexadecimal,
//! URL, JSON, HTML), and parts of all of these that are long enough to be worth something: whoever echoes a secret in two
//! halves has not echoed it less.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stands in for a secret.
pub const MASK: &str = "***";
/// A shorter part is a coincidence as often as a leak.
const SHORTEST_PART: usize = 8;
/// A secret that is cut into more pieces than this is not recognised by them.
const PIECES: usize = 3;
/// Of longer secrets, such as keys, parts of this length are looked for.
const LONGEST_PART: usize = 24;

/// The strings that must not be seen.
#[derive(Default)]
pub struct Redactor(RwLock<Hidden>);

#[derive(Default)]
struct Hidden {
    /// Longest first, so that a secret inside of another leaves no rest.
    forms: Vec<String>,
    /// Pieces of the forms, by their length.
    parts: Vec<Parts>,
}

/// All pieces of one length.
struct Parts {
    length: usize,
    pieces: HashSet<Vec<u8>>,
    /// The first two bytes of the pieces, a bit each: most places of a text are done with after a look at it.
    starts: Vec<u64>,
}

impl Redactor {
    /// Hides every text in `secrets`, at any depth.
    pub fn new(secrets: &Value) -> Self {
        let redactor = Self::default();
        redactor.hide_value(secrets);
        redactor
    }

    fn hide_value(&self, value: &Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Number(number) => self.hide(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.hide_value(item)),
            Value::Object(fields) => fields.values().for_each(|value| self.hide_value(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Hides a secret in all of its forms.
    pub fn hide(&self, secret: &str) {
        let mut forms = vec![secret.to_owned(), secret.trim().to_owned()];
        forms.extend(
            secret
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= 8)
                .map(str::to_owned),
        );
        if secret.len() >= 4 {
            forms.extend(encoded(secret));
        }
        let mut hidden = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            if !form.is_empty() && form != MASK && !hidden.forms.contains(&form) {
                hidden.hide_parts(&form);
                hidden.forms.push(form);
            }
        }
        hidden.forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Hides every text of `rendered` that comes out differently where the secrets are others: it was made of one.
    pub fn hide_differences(&self, rendered: &Value, otherwise: &Value) {
        match (rendered, otherwise) {
            (Value::String(text), Value::String(other)) if text == other => {}
            (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
                items
                    .iter()
                    .zip(others)
                    .for_each(|(item, other)| self.hide_differences(item, other));
            }
            (Value::Object(fields), Value::Object(others)) => {
                for (key, value) in fields {
                    self.hide_differences(value, others.get(key).unwrap_or(&Value::Null));
                }
            }
            (value, other) if value == other => {}
            // One or two characters are no secret, and masking them everywhere would make logs unreadable.
            (Value::String(text), _) if text.chars().count() < 3 => {}
            (value, _) => self.hide_value(value),
        }
    }

    pub fn text(&self, text: &str) -> String {
        let hidden = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let whole = hidden.forms.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), MASK)
            } else {
                text
            }
        });
        hidden.without_parts(whole)
    }
}

/// What encodings make of a text.
fn encoded(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let mut forms = vec![
        STANDARD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        hex::encode(secret),
        hex::encode_upper(secret),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        url::form_urlencoded::byte_serialize(bytes).collect(),
    ];
    // Behind other text, as in the `user:password` of an HTTP header, the same bytes come out differently.
    for before in 1..3 {
        let shifted = [&[0; 2][..before], bytes].concat();
        let inside = (before * 8).div_ceil(6)..shifted.len() * 8 / 6;
        for form in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            forms.extend(
                form.get(inside.clone())
                    .filter(|form| form.len() >= 6)
                    .map(str::to_owned),
            );
        }
    }
    // At the end of the own bytes come bits of whatever follows.
    let whole = bytes.len() * 8 / 6;
    forms.extend(
        STANDARD_NO_PAD
            .encode(secret)
            .get(..whole)
            .filter(|form| form.len() >= 6)
            .map(str::to_owned),
    );
    let quoted = Value::from(secret).to_string();
    let json = &quoted[1..quoted.len() - 1];
    forms.push(json.to_owned());
    forms.push(json.replace('/', "\\/"));
    // As it comes out where JSON is put into JSON.
    forms.push(json.replace('\\', "\\\\").replace('"', "\\\""));
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    forms.push(html.replace('"', "&quot;").replace('\'', "&#39;"));
    forms.push(html.replace('"', "&#34;").replace('\'', "&#x27;"));
    forms
}

impl Hidden {
    fn hide_parts(&mut self, form: &str) {
        // Every address begins so.
        let form = form.split_once("://").map_or(form, |(_, rest)| rest);
        let length = form.len().div_ceil(PIECES).clamp(SHORTEST_PART, LONGEST_PART);
        if form.len() <= length {
            return;
        }
        let known = self.parts.iter().position(|parts| parts.length == length);
        let at = known.unwrap_or_else(|| {
            self.parts.push(Parts {
                length,
                pieces: HashSet::new(),
                starts: vec![0; 1024],
            });
            self.parts.len() - 1
        });
        let parts = &mut self.parts[at];
        // Words such as "password" are in many secrets, and in many logs.
        let is_word = |piece: &[u8]| piece.iter().all(u8::is_ascii_lowercase);
        for piece in form.as_bytes().windows(length).filter(|piece| !is_word(piece)) {
            let start = start(piece);
            parts.starts[start / 64] |= 1 << (start % 64);
            parts.pieces.insert(piece.to_vec());
        }
    }

    fn without_parts(&self, text: String) -> String {
        let mut found: Vec<Range<usize>> = Vec::new();
        for parts in &self.parts {
            for (at, window) in text.as_bytes().windows(parts.length).enumerate() {
                let start = start(window);
                if parts.starts[start / 64] & (1 << (start % 64)) != 0 && parts.pieces.contains(window) {
                    found.push(at..at + parts.length);
                }
            }
        }
        if found.is_empty() {
            return text;
        }
        found.sort_by_key(|range| range.start);
        let mut shown = String::with_capacity(text.len());
        let mut done = 0;
        for range in found {
            if range.start > done || (range.start == 0 && done == 0) {
                // Never in the middle of a character.
                let from = (0..=range.start)
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0);
                shown.push_str(text.get(done..from).unwrap_or_default());
                shown.push_str(MASK);
            }
            let to = (range.end..=text.len()).find(|at| text.is_char_boundary(*at));
            done = done.max(to.unwrap_or(text.len()));
        }
        shown.push_str(text.get(done..).unwrap_or_default());
        shown
    }
}

/// The first two bytes.
fn start(piece: &[u8]) -> usize {
    usize::from(piece[0]) << 8 | usize::from(piece[1])
}

/// The same secrets with every text replaced: what is rendered with them shows where secrets went.
pub fn stand_ins(secrets: &Value) -> Value {
    match secrets {
        Value::String(text) => Value::String(format!("stand-in-{}", text.len())),
        Value::Array(items) => items.iter().map(stand_ins).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), stand_ins(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let redactor = Redactor::new(&json!({"token": "p@ss \"word\"", "list": ["other-one"]}));
        for (text, expected) in [
            ("use p@ss \"word\" here", "use *** here"),
            ("Basic cEBzcyAid29yZCI=", "Basic ***"),
            ("https://u:p%40ss%20%22word%22@h", "https://u:***@h"),
            ("{\"a\":\"p@ss \\\"word\\\"\"}", "{\"a\":\"***\"}"),
            ("other-one and other-one", "*** and ***"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redactor.text(text), expected);
        }
    }

    #[test]
    fn what_is_made_of_a_secret_is_hidden() {
        let redactor = Redactor::default();
        redactor.hide_differences(
            &json!({"upper": "SECRET", "plain": "same", "flag": true}),
            &json!({"upper": "STAND-IN-6", "plain": "same", "flag": true}),
        );
        assert_eq!(redactor.text("SECRET same true"), "*** same true");
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_in_base64() {
        let secret = "s3cr3t-t0ken/with+signs==";
        let redactor = Redactor::new(&json!(secret));
        for before in ["", "u", "us", "use", "user:", "user1:"] {
            for after in ["", "@", "\n", ", and more"] {
                for encoded in [
                    STANDARD.encode(format!("{before}{secret}{after}")),
                    URL_SAFE_NO_PAD.encode(format!("{before}{secret}{after}")),
                ] {
                    let shown = redactor.text(&format!("Authorization: Basic {encoded}"));
                    let left = shown.trim_start_matches("Authorization: Basic ").replace(MASK, "");
                    let own = encoded.len() - STANDARD_NO_PAD.encode(secret).len();
                    assert!(
                        shown.contains(MASK) && left.len() <= own + 4,
                        "{before:?} {after:?}: {shown}"
                    );
                }
            }
        }
    }

    #[test]
    fn parts_of_a_secret_are_hidden() {
        let secret = "ghp_abcdefGHIJKLmnopqrSTUVWXyz0123456789";
        let redactor = Redactor::new(&json!([secret, "käsekuchen-mit-ähre", "https://h/a-password-"]));
        let (first, second) = secret.split_at(20);
        for (text, shown) in [
            (format!("{first} {second}"), "*** ***"),
            (format!("begin {first}"), "begin ***"),
            (
                format!("{} {} {}", &secret[..14], &secret[14..28], &secret[26..]),
                "*** *** ***",
            ),
            (hex::encode(&secret[..20]), "***"),
            ("ghp_abc".to_owned(), "ghp_abc"),
            ("Kuchen, käsekuchen-mi und Ähre".to_owned(), "Kuchen, *** und Ähre"),
            ("ordinary words of a log".to_owned(), "ordinary words of a log"),
            (
                "https://other and a password".to_owned(),
                "https://other and a password",
            ),
        ] {
            assert_eq!(redactor.text(&text), shown, "{text}");
        }
    }

    #[test]
    fn a_secret_is_hidden_in_json_and_html() {
        let redactor = Redactor::new(&json!("a/\"b\"<c>&d'e"));
        for text in [
            r#"{"x":"a/\"b\"<c>&d'e"}"#,
            r#"{"x":"a\/\"b\"<c>&d'e"}"#,
            r#"{"x":"{\"y\":\"a/\\\"b\\\"<c>&d'e\"}"}"#,
            "<p>a/&quot;b&quot;&lt;c&gt;&amp;d&#39;e</p>",
            "<p>a/&#34;b&#34;&lt;c&gt;&amp;d&#x27;e</p>",
        ] {
            let shown = redactor.text(text);
            assert!(shown.contains(MASK) && !shown.contains('d'), "{shown}");
        }
    }
}
