//! YAML in: the documents of a file, each on its own, so that a broken one does not spoil its neighbours.
//! Scalars follow YAML 1.2 (`yes` and `no` are strings), merge keys are ordinary keys, duplicate keys are
//! refused, as the `yaml` package that Backstage reads with does by default.

use serde_json::Value;

pub mod places;
pub mod text;

/// Documents read from one file at most: more are refused rather than stored by the million.
pub const MAX_DOCUMENTS: usize = 20_000;

/// One document of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<'a> {
    /// Line of the file on which the document's text begins, counted from 1.
    pub line: usize,
    pub text: &'a str,
    pub value: Result<Value, Fault>,
}

/// What is wrong, and where in the file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Fault {
    pub message: String,
    /// Counted from 1; `None` where nothing in the file can be pointed at.
    pub line: Option<usize>,
    pub column: Option<usize>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            line: None,
            column: None,
        }
    }
}

/// Whole numbers are written without a point, as JavaScript does: `1.0` of a file is the number 1.
pub fn plain_numbers(value: &mut Value) {
    /// Beyond it a float does not tell whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.is_f64() => {
            if let Some(float) = number.as_f64()
                && float.fract() == 0.0
                && float.abs() <= EXACT
            {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(plain_numbers),
        Value::Object(map) => map.values_mut().for_each(plain_numbers),
        _ => {}
    }
}

/// Splits a file into its documents and parses each. Documents without content (comments only) are left
/// out. A file of more than [`MAX_DOCUMENTS`] is one fault.
pub fn documents(text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let parts = split(text);
    if parts.len() > MAX_DOCUMENTS {
        return vec![Document {
            line: 1,
            text: "",
            value: Err(Fault::new(format!(
                "the file holds {} documents, more than the {MAX_DOCUMENTS} that are read; split it into several files",
                parts.len()
            ))),
        }];
    }
    parts
        .into_iter()
        .filter(|(_, text)| has_content(text))
        .map(|(line, text)| Document {
            line,
            text,
            value: parse(text, line),
        })
        .filter(|document| document.value != Ok(Value::Null))
        .collect()
}

/// Parses one document that begins on line `line` of its file.
fn parse(text: &str, line: usize) -> Result<Value, Fault> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        underscored_numbers_as_strings: true,
        duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::options::MergeKeyPolicy::AsOrdinary,
        budget: serde_saphyr::budget! {
            max_documents: 2,
            max_depth: 100,
            max_nodes: 2_000_000,
            max_events: 8_000_000,
            max_total_scalar_bytes: 64 * 1024 * 1024,
            // What aliases repeat: each is kept in memory, and a bomb is made of them.
            max_recorded_anchor_events: 50_000,
        },
    };
    serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| {
        let place = error.location();
        let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Fault {
            message: match without_place(&error.without_snippet().to_string()) {
                // The parser's own words are its counters.
                text if text.starts_with("budget breached") => {
                    "the document is too large, too deep, or repeats too much of itself by aliases".to_owned()
                }
                text => text.to_owned(),
            },
            line: place.map(|place| line + number(place.line()).max(1) - 1),
            column: place.map(|place| number(place.column()).max(1)),
        }
    })
}

/// The place that the parser tells is counted from the document's first line; ours from the file's.
fn without_place(message: &str) -> &str {
    message.find(" at line ").map_or(message, |end| &message[..end])
}

/// `---` at the start of a line always separates documents, even inside a block scalar (YAML 1.2, 9.1.2),
/// so that the text can be split before it is parsed.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let rest = line.strip_prefix("---");
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
            // A directive (`%YAML 1.2`) belongs to the document whose marker follows it.
            && !only_directives(&text[start..offset])
        {
            parts.push((start_line, &text[start..offset]));
            (start, start_line) = (offset, index + 1);
        }
        offset += line.len();
    }
    parts.push((start_line, &text[start..]));
    parts
}

fn only_directives(part: &str) -> bool {
    let mut lines = part
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .peekable();
    lines.peek().is_some() && lines.all(|line| line.starts_with('%'))
}

fn has_content(part: &str) -> bool {
    part.lines()
        .map(|line| line.strip_prefix("---").unwrap_or(line).trim())
        .any(|line| !line.is_empty() && !line.starts_with('#') && line != "...")
}

/// Line and column (counted from 1, within `text`) of the value at `path` (`["spec", "owner"]`) of a
/// block-style document, found by indentation: good enough to point at, never needed to be right.
/// Where a part of the path is missing, the deepest one that is there.
pub fn find(text: &str, path: &[&str]) -> Option<(usize, usize)> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (mut from, mut parent): (usize, Option<usize>) = (0, None);
    let mut found = None;
    for key in path {
        let hit = match key.parse::<usize>() {
            Ok(index) => item(&lines, from, parent, index),
            Err(_) => entry(&lines, from, parent, key),
        };
        let Some((index, depth)) = hit else { break };
        found = Some((index + 1, depth + 1));
        parent = Some(depth);
        from = index + 1;
        if let Some(rest) = lines[index].trim_start().strip_prefix('-') {
            // The first key of an item stands behind its dash.
            lines[index] = format!("{} {rest}", " ".repeat(depth));
            from = index;
        }
    }
    found
}

/// Lines with content from `from` on, with their depth.
fn contents(lines: &[String], from: usize) -> impl Iterator<Item = (usize, usize, &str)> {
    lines.iter().enumerate().skip(from).filter_map(|(index, line)| {
        let trimmed = line.trim_start();
        let empty = trimmed.is_empty() || trimmed.starts_with('#') || line.starts_with("---");
        (!empty).then_some((index, line.len() - trimmed.len(), trimmed))
    })
}

/// Line and depth of a key below `parent`.
fn entry(lines: &[String], from: usize, parent: Option<usize>, key: &str) -> Option<(usize, usize)> {
    let mut level = None;
    for (index, depth, text) in contents(lines, from) {
        if parent.is_some_and(|parent| depth <= parent) {
            return None;
        }
        if depth != *level.get_or_insert(depth) {
            continue;
        }
        let name = text
            .split_once(':')
            .map(|(name, _)| name.trim().trim_matches(['"', '\'']));
        if name == Some(key) {
            return Some((index, depth));
        }
    }
    None
}

/// Line and depth of an item of the list below `parent`; its dashes may stand as far left as the list's key.
fn item(lines: &[String], from: usize, parent: Option<usize>, wanted: usize) -> Option<(usize, usize)> {
    let mut level = None;
    let mut count = 0;
    for (index, depth, text) in contents(lines, from) {
        let level = *level.get_or_insert(depth);
        if depth < level || parent.is_some_and(|parent| depth < parent) || (depth == level && !text.starts_with('-')) {
            return None;
        }
        if depth == level {
            if count == wanted {
                return Some((index, depth));
            }
            count += 1;
        }
    }
    None
}

/// The lines around `line`, numbered, the line itself marked.
pub fn excerpt(text: &str, line: usize) -> String {
    let first = line.saturating_sub(2).max(1);
    text.lines()
        .enumerate()
        .skip(first - 1)
        .take(line + 3 - first)
        .map(|(index, content)| {
            let mark = if index + 1 == line { '>' } else { ' ' };
            let content: String = content.chars().take(200).collect();
            format!("{mark} {:>4} | {content}\n", index + 1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_broken_document_leaves_its_neighbours_alone() {
        let text = "# head\n---\na: 1\n---\nb: [1,\n---\nc: 3\n";
        let read = documents(text);
        assert_eq!(read.len(), 3);
        assert_eq!(read[0].value, Ok(json!({"a": 1})));
        let fault = read[1].value.clone().unwrap_err();
        assert!((4..=6).contains(&fault.line.unwrap()), "{fault:?}");
        assert_eq!(read[2].value, Ok(json!({"c": 3})));
        assert_eq!(read[2].line, 6);
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        let table = [
            ("yes", json!("yes")),
            ("no", json!("no")),
            ("on", json!("on")),
            ("true", json!(true)),
            ("1_000", json!("1_000")),
            ("2026-01-01", json!("2026-01-01")),
            ("~", json!(null)),
            ("12", json!(12)),
            ("1.5", json!(1.5)),
            ("'12'", json!("12")),
        ];
        for (text, expected) in table {
            let text = format!("v: {text}");
            assert_eq!(documents(&text)[0].value, Ok(json!({ "v": expected })), "{text}");
        }
    }

    #[test]
    fn whole_numbers_lose_their_point() {
        let mut value = json!({"a": [1.0, -2.0, 2.5, 1e3, 1e300], "b": 3});
        plain_numbers(&mut value);
        assert_eq!(value.to_string(), r#"{"a":[1,-2,2.5,1000,1e+300],"b":3}"#);
    }

    #[test]
    fn duplicate_keys_and_alias_bombs_are_refused() {
        let fault = documents("a: 1\nb: 2\na: 3\n")[0].value.clone().unwrap_err();
        assert_eq!(fault.line, Some(3));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        let fault = documents(&bomb)[0].value.clone().unwrap_err();
        assert!(fault.message.contains("aliases") && fault.line.is_some(), "{fault:?}");
        let deep = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(documents(&deep)[0].value.is_err());
    }

    #[test]
    fn empty_documents_are_none_and_too_many_are_one_fault() {
        assert!(documents("").is_empty());
        assert!(documents("---\n# nothing\n---\n...\n").is_empty());
        assert_eq!(documents("%YAML 1.2\n---\na: 1\n").len(), 1);
        let many = "---\na: 1\n".repeat(MAX_DOCUMENTS + 1);
        let read = documents(&many);
        assert_eq!(read.len(), 1);
        assert!(read[0].value.is_err());
    }

    #[test]
    fn keys_are_found_by_indentation() {
        let text = "---\nkind: A\nmetadata:\n  name: x\nspec:\n  # c\n  owner: y\n";
        assert_eq!(find(text, &["spec", "owner"]), Some((7, 3)));
        assert_eq!(find(text, &["metadata", "name"]), Some((4, 3)));
        assert_eq!(find(text, &["spec", "gone"]), Some((5, 1)));
        assert_eq!(find(text, &["gone"]), None);
        let list = "spec:\n  steps:\n  - id: a\n    action: x\n  - id: b\n    input:\n      c: 1\n  more:\n    - z\n";
        assert_eq!(find(list, &["spec", "steps", "1", "input", "c"]), Some((7, 7)));
        assert_eq!(find(list, &["spec", "steps", "1", "id"]), Some((5, 5)));
        assert_eq!(find(list, &["spec", "steps", "1", "action"]), Some((5, 3)));
        assert_eq!(find(list, &["spec", "steps", "2"]), Some((2, 3)));
        assert_eq!(find(list, &["spec", "more", "0"]), Some((9, 5)));
    }

    #[test]
    fn the_excerpt_marks_the_line() {
        assert_eq!(
            excerpt("a\nb\nc\nd\ne\n", 2),
            "     1 | a\n>    2 | b\n     3 | c\n     4 | d\n"
        );
    }
}
