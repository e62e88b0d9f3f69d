//! Regular expressions of templates: JavaScript's syntax, matched with a bound on backtracking.

use std::fmt::Write as _;

use fancy_regex::{Regex, RegexBuilder};

use super::error::Fault;

/// A compiled `r/…/flags`.
pub(super) struct Pattern {
    regex: Regex,
    /// `/…/flags`, as it prints.
    pub source: String,
    pub global: bool,
}

/// A match: its range in bytes, and the captured groups.
pub(super) struct Match {
    pub start: usize,
    pub end: usize,
    /// Group 1 and on; `None` where the group took no part.
    pub groups: Vec<Option<String>>,
    pub named: Vec<(String, String)>,
}

impl Pattern {
    /// Compiles a literal; the text of the error says what is wrong with it.
    pub fn new(pattern: &str, flags: &str) -> Result<Self, String> {
        let mut prefix = String::new();
        let mut seen = String::new();
        for flag in flags.chars() {
            if seen.contains(flag) {
                return Err(format!("the flag \"{flag}\" of the regular expression is given twice"));
            }
            seen.push(flag);
            match flag {
                'i' | 'm' => {
                    let _ = write!(prefix, "(?{flag})");
                }
                'g' | 'y' => {}
                _ => return Err(format!("regular expressions have no flag \"{flag}\" here")),
            }
        }
        let anchor = if flags.contains('y') { "\\A" } else { "" };
        let regex = RegexBuilder::new(&format!("{prefix}{anchor}(?:{})", translate(pattern)))
            .backtrack_limit(200_000)
            .delegate_size_limit(1 << 20)
            .build()
            .map_err(|error| format!("the regular expression is not valid: {error}"))?;
        let shown = if pattern.is_empty() { "(?:)" } else { pattern };
        Ok(Self {
            regex,
            source: format!("/{shown}/{flags}"),
            global: flags.contains('g'),
        })
    }

    /// Does it match anywhere?
    pub fn is_match(&self, text: &str) -> Result<bool, Fault> {
        self.regex.is_match(text).map_err(too_long)
    }

    /// All matches, or the first one only.
    pub fn matches(&self, text: &str, all: bool) -> Result<Vec<Match>, Fault> {
        let names: Vec<_> = self.regex.capture_names().collect();
        let mut found = Vec::new();
        for captures in self.regex.captures_iter(text) {
            let captures = captures.map_err(too_long)?;
            let Some(whole) = captures.get(0) else { continue };
            let group = |at: usize| captures.get(at).map(|group| group.as_str().to_owned());
            found.push(Match {
                start: whole.start(),
                end: whole.end(),
                groups: (1..captures.len()).map(group).collect(),
                named: names
                    .iter()
                    .enumerate()
                    .filter_map(|(at, name)| Some(((*name)?.to_owned(), group(at).unwrap_or_default())))
                    .collect(),
            });
            if !all {
                break;
            }
        }
        Ok(found)
    }
}

fn too_long(error: fancy_regex::Error) -> Fault {
    Fault::limit(format!("the regular expression takes too long on this text: {error}"))
}

/// JavaScript's classes are ASCII, its dot also stops at other line ends, and it lets more be escaped.
fn translate(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('d') => out.push_str(if class { "0-9" } else { "[0-9]" }),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str(if class { "A-Za-z0-9_" } else { "[A-Za-z0-9_]" }),
                Some('W') => out.push_str("[^A-Za-z0-9_]"),
                Some('b') if class => out.push_str("\\x08"),
                Some('c') => out.push_str("\\\\c"),
                Some('0') => out.push_str("\\x00"),
                Some(escaped) if escaped.is_ascii_alphanumeric() => {
                    out.push('\\');
                    out.push(escaped);
                    if escaped == 'u' {
                        let digits: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_hexdigit))
                            .take(4)
                            .collect();
                        let _ = write!(out, "{{{digits}}}");
                    }
                }
                Some(escaped) => escape(escaped, &mut out),
                None => out.push_str("\\\\"),
            },
            '[' if class => out.push_str("\\["),
            '[' => {
                class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                    if chars.peek() == Some(&']') {
                        // `[^]` is any character.
                        out.push_str("\\x{0}&&[\\x{1}]");
                    }
                } else if chars.peek() == Some(&']') {
                    // `[]` is none.
                    out.push_str("^\\x{0}-\\x{10FFFF}");
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '&' | '~' | '-' if class && chars.peek() == Some(&c) => escape(c, &mut out),
            '.' if !class => out.push_str("[^\\n\\r\\x{2028}\\x{2029}]"),
            _ => out.push(c),
        }
    }
    out
}

fn escape(c: char, out: &mut String) {
    if c.is_ascii_punctuation() {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn javascript_syntax_is_understood() {
        let table = [
            (r"^\d+$", "", "123", true),
            (r"^\d+$", "", "٣", false),
            (r"a\/b", "", "a/b", true),
            (r"(?<=a)b", "", "ab", true),
            (r"(a)\1", "", "aa", true),
            (r"[\w.-]+", "", "a-b", true),
            (r"a.b", "", "a\rb", false),
            (r"a[^]b", "", "a\nb", true),
            (r"a[]b", "", "ab", false),
            (r"^b", "m", "a\nb", true),
            (r"A", "i", "a", true),
            ("\\u0041", "", "A", true),
            (r"[[]", "", "[", true),
        ];
        for (pattern, flags, text, expected) in table {
            let pattern = Pattern::new(pattern, flags).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(pattern.is_match(text).ok(), Some(expected), "{}", pattern.source);
        }
        for (pattern, flags) in [("(", ""), ("a", "gg"), ("a", "u")] {
            assert!(Pattern::new(pattern, flags).is_err(), "{pattern} {flags}");
        }
    }

    #[test]
    fn backtracking_is_bounded() {
        let pattern = Pattern::new(r"^(?=(a+)+$)\1b", "").unwrap_or_else(|error| panic!("{error}"));
        assert!(
            pattern
                .is_match(&format!("{}!", "a".repeat(40)))
                .is_ok_and(|found| !found)
                || pattern.is_match("a").is_ok()
        );
        let slow = Pattern::new(r"^(a|a)*\1$", "").unwrap_or_else(|error| panic!("{error}"));
        assert!(slow.is_match(&format!("{}b", "a".repeat(60))).is_err());
    }
}
