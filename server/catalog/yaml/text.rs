//! Whole texts of YAML: values out of them, and back in the style of the npm package `yaml`, which Backstage writes
//! with. Long lines are not folded: that changes nothing for a reader.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Deeper values are refused rather than overflow the stack.
const DEPTH: usize = 100;

/// How it is written: the options of npm `yaml` that change what is commonly seen; others are accepted and ignored.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Style {
    /// Blanks of one level.
    #[schemars(range(min = 1, max = 16))]
    indent: usize,
    /// Lists inside of objects are indented.
    indent_seq: bool,
    /// Quote with ' where both would do.
    single_quote: Option<bool>,
    /// How null is written.
    null_str: String,
    /// How true is written.
    true_str: String,
    /// How false is written.
    false_str: String,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            indent: 2,
            indent_seq: true,
            single_quote: None,
            null_str: "null".to_owned(),
            true_str: "true".to_owned(),
            false_str: "false".to_owned(),
        }
    }
}

/// Every document of a text.
pub fn read_all(text: &str) -> Result<Vec<Value>, String> {
    super::documents(text)
        .into_iter()
        .map(|document| {
            document.value.map_err(|fault| match (fault.line, fault.column) {
                (Some(line), Some(column)) => format!("line {line}, column {column}: {}", fault.message),
                _ => fault.message,
            })
        })
        .collect()
}

/// The one document of a text; null where it is empty.
pub fn read(text: &str) -> Result<Value, String> {
    let mut documents = read_all(text)?;
    match documents.len() {
        0 | 1 => Ok(documents.pop().unwrap_or_default()),
        count => Err(format!("there are {count} documents where one is expected")),
    }
}

/// The value as a document with a newline at its end.
pub fn write(value: &Value, style: &Style) -> Result<String, String> {
    if !(1..=16).contains(&style.indent) {
        return Err(format!("an indent of {} cannot be used; it is 1 to 16", style.indent));
    }
    let mut writer = Writer {
        style,
        text: String::new(),
    };
    writer.node(value, 0, 0)?;
    if !writer.text.ends_with('\n') {
        writer.text.push('\n');
    }
    Ok(writer.text)
}

struct Writer<'a> {
    style: &'a Style,
    text: String,
}

impl Writer<'_> {
    fn node(&mut self, value: &Value, indent: usize, depth: usize) -> Result<(), String> {
        if depth > DEPTH {
            return Err(format!("the value is nested more than {DEPTH} levels deep"));
        }
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                for (index, (key, value)) in fields.iter().enumerate() {
                    self.line(indent, index > 0);
                    let key = self.key(key);
                    self.text.push_str(&key);
                    self.text.push(':');
                    self.below(value, indent, depth)?;
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.line(indent, index > 0);
                    self.text.push_str("- ");
                    let inside = indent + 2;
                    match item {
                        Value::String(text) => self.string(text, inside),
                        _ => self.node(item, inside, depth + 1)?,
                    }
                }
            }
            Value::Object(_) => self.text.push_str("{}"),
            Value::Array(_) => self.text.push_str("[]"),
            Value::String(text) => self.string(text, indent),
            Value::Null => self.text.push_str(&self.style.null_str),
            Value::Bool(true) => self.text.push_str(&self.style.true_str),
            Value::Bool(false) => self.text.push_str(&self.style.false_str),
            Value::Number(number) => self.text.push_str(&number.to_string()),
        }
        Ok(())
    }

    /// The value of a key: beside it, or on the lines below.
    fn below(&mut self, value: &Value, indent: usize, depth: usize) -> Result<(), String> {
        let inside = indent + self.style.indent;
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                self.line(inside, true);
                self.node(value, inside, depth + 1)
            }
            Value::Array(items) if !items.is_empty() => {
                let inside = if self.style.indent_seq { inside } else { indent };
                self.line(inside, true);
                self.node(value, inside, depth + 1)
            }
            Value::String(text) => {
                self.text.push(' ');
                self.string(text, inside);
                Ok(())
            }
            _ => {
                self.text.push(' ');
                self.node(value, inside, depth + 1)
            }
        }
    }

    /// Begins a line where `wanted`; the first entry of a node stands where the node stands.
    fn line(&mut self, indent: usize, wanted: bool) {
        if wanted {
            if !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            self.text.push_str(&" ".repeat(indent));
        }
    }

    fn key(&self, text: &str) -> String {
        if is_plain(text) && !text.contains('\n') {
            text.to_owned()
        } else {
            self.quoted(text)
        }
    }

    fn string(&mut self, text: &str, indent: usize) {
        // Blanks at the start are counted from the level above, which only this indent makes two everywhere.
        let countable = self.style.indent == 2 || !text.trim_start_matches('\n').starts_with(' ');
        if text.contains('\n') && is_block(text) && countable {
            self.block(text, indent.max(2));
        } else if is_plain(text) && !text.contains('\n') && !(indent == 0 && is_marker(text)) {
            self.text.push_str(text);
        } else {
            let quoted = self.quoted(text);
            self.text.push_str(&quoted);
        }
    }

    /// `|`, with what tells of the newlines at the end and of blanks at the start.
    fn block(&mut self, text: &str, indent: usize) {
        let body = text.trim_end_matches('\n');
        let newlines = text.len() - body.len();
        self.text.push('|');
        if text.trim_start_matches('\n').starts_with(' ') {
            self.text.push('2');
        }
        self.text.push_str(match newlines {
            0 => "-",
            1 => "",
            _ => "+",
        });
        for line in body.split('\n') {
            self.text.push('\n');
            if !line.is_empty() {
                self.text.push_str(&" ".repeat(indent));
                self.text.push_str(line);
            }
        }
        self.text.push_str(&"\n".repeat(newlines));
    }

    fn quoted(&self, text: &str) -> String {
        let (single, double) = (text.contains('\''), text.contains('"'));
        let wants_single = match self.style.single_quote {
            Some(false) => false,
            Some(true) => !single || double,
            None => double && !single,
        };
        if wants_single && !text.contains('\n') && !has_control(text) {
            format!("'{}'", text.replace('\'', "''"))
        } else {
            // JSON's escapes are YAML's, too.
            let json = Value::from(text).to_string();
            json.chars().fold(String::new(), |mut quoted, c| {
                match c {
                    '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                        quoted.push_str(&format!("\\u{:04x}", u32::from(c)))
                    }
                    c => quoted.push(c),
                }
                quoted
            })
        }
    }
}

fn has_control(text: &str) -> bool {
    text.chars().any(|c| c != '\n' && c != '\t' && c.is_control())
}

/// A text of several lines that a block keeps as it is.
fn is_block(text: &str) -> bool {
    let last = text.trim_end_matches('\n').rsplit('\n').next().unwrap_or_default();
    !has_control(text)
        && !last.trim_matches([' ', '\t']).is_empty()
        && !text.split('\n').any(|line| line.starts_with('\t'))
}

fn is_marker(text: &str) -> bool {
    ["---", "...", "%"].iter().any(|marker| text.starts_with(marker))
}

/// Read back without quotes it is the same text.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let indicator = " \t\n,[]{}#&*!|>'\"%@`".contains(first);
    let dash = matches!(first, '?' | '-') && text[1..].chars().next().is_none_or(|next| matches!(next, ' ' | '\t'));
    let inside = [": ", ":\t", " #", "\t#", "\n#"].iter().any(|bad| text.contains(bad));
    let end = text.ends_with([' ', '\t', '\n', ':']);
    // Readers disagree on whether these end a line.
    let separator = text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}']);
    !(indicator || dash || inside || end || separator || has_control(text) || is_other_scalar(text))
}

/// The text would be read as null, true, false or a number.
fn is_other_scalar(text: &str) -> bool {
    if matches!(
        text,
        "~" | "null" | "Null" | "NULL" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE"
    ) {
        return true;
    }
    let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    if text.strip_prefix("0x").is_some_and(|rest| digits(rest, 16))
        || text.strip_prefix("0o").is_some_and(|rest| digits(rest, 8))
    {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let mantissa = match mantissa.split_once('.') {
        Some((whole, part)) => {
            (digits(whole, 10) || whole.is_empty() && !part.is_empty()) && (part.is_empty() || digits(part, 10))
        }
        None => digits(mantissa, 10),
    };
    mantissa && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent), 10))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Value and what npm `yaml` 2 writes for it.
    #[test]
    fn values_are_written_as_the_npm_package_writes_them() {
        for line in include_str!("text_oracle.jsonl").lines() {
            let probe: Value = serde_json::from_str(line).unwrap();
            let written = write(&probe["value"], &Style::default()).unwrap();
            assert_eq!(written, probe["text"].as_str().unwrap(), "{line}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "", " ", "a: b", "- a", "-", "?", "? x", "#", "a #b", "a#b", "true", "1e3", "0x1f", ".5", "5.", "1_000",
            "a\nb", "a\nb\n", "a\nb\n\n", "\na", " a\nb", "a\n b", "\ta\nb", "a\t", "---", "%x", "\u{85}", "\u{1f}",
            "\u{2028}", "it's", "\"", "\"'", "a\\b", "😀", "a\r\nb", "null", "~", "-1", "+1", "=", "<<", "a\n\n", "\n",
            "\n\n", "a\n ", "[x", "x]", "{", "@", "`",
        ] {
            for value in [
                json!(text),
                json!({"k": text}),
                json!([text]),
                json!({"l": [{"k": text}, [text]]}),
                json!({text: 1}),
            ] {
                for style in [
                    Style::default(),
                    Style {
                        indent: 4,
                        single_quote: Some(true),
                        ..Style::default()
                    },
                ] {
                    let written = write(&value, &style).unwrap();
                    assert_eq!(read(&written), Ok(value.clone()), "{text:?} as {written:?}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let deep = (0..200).fold(json!(1), |value, _| json!([value]));
        assert!(write(&deep, &Style::default()).is_err());
        assert!(
            write(
                &json!(1),
                &Style {
                    indent: 0,
                    ..Style::default()
                }
            )
            .is_err()
        );
        assert!(read("a: 1\n---\nb: 2\n").is_err());
        assert_eq!(read_all("a: [").unwrap_err().split(',').next(), Some("line 1"));
    }
}
