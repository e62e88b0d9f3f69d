//! Where the values of a document stand: every key, every value, and every letter of a text.

use granit_parser::{Event, Parser, ScalarStyle};

/// A place in a file; line and column are counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

/// A value of a document.
#[derive(Debug)]
pub struct Node<'t> {
    at: Place,
    inside: Inside<'t>,
}

#[derive(Debug)]
enum Inside<'t> {
    /// A text as the file has it.
    Scalar(&'t str, ScalarStyle),
    List(Vec<Node<'t>>),
    /// Keys with their places.
    Map(Vec<(String, Place, Node<'t>)>),
    /// Something that stands elsewhere.
    Alias,
}

/// The value of a document that begins on line `line` of its file; `None` where it cannot be read, which
/// [`super::documents`] explains.
pub fn read(text: &str, line: usize) -> Option<Node<'_>> {
    let mut reader = Reader {
        text,
        parser: Parser::new_from_str(text),
        above: line.saturating_sub(1),
    };
    loop {
        match reader.next()? {
            (Event::StreamEnd | Event::DocumentEnd, _) => return None,
            (Event::StreamStart | Event::DocumentStart(..), _) => {}
            (event, span) => return reader.node(event, span),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    /// Lines of the file before the text.
    above: usize,
}

impl<'t> Reader<'t> {
    /// The next event that is not about comments or names of anchors.
    fn next(&mut self) -> Option<(Event<'t>, granit_parser::Span)> {
        loop {
            let (event, span) = self.parser.next_event()?.ok()?;
            let ends = matches!(
                event,
                Event::StreamStart
                    | Event::StreamEnd
                    | Event::DocumentStart(..)
                    | Event::DocumentEnd
                    | Event::SequenceEnd
                    | Event::MappingEnd
            );
            if ends || event.is_node() {
                return Some((event, span));
            }
        }
    }

    fn place(&self, marker: granit_parser::Marker) -> Place {
        Place {
            line: self.above + marker.line().max(1),
            column: marker.col() + 1,
        }
    }

    /// The parser bounds how deep they nest.
    fn node(&mut self, event: Event<'t>, span: granit_parser::Span) -> Option<Node<'t>> {
        let at = self.place(span.start);
        let inside = match event {
            Event::Scalar(_, style, ..) => Inside::Scalar(span.slice(self.text).unwrap_or_default(), style),
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                loop {
                    match self.next()? {
                        (Event::SequenceEnd, _) => break Inside::List(items),
                        (event, span) => items.push(self.node(event, span)?),
                    }
                }
            }
            Event::MappingStart(..) => {
                let mut members = Vec::new();
                loop {
                    let (key, at) = match self.next()? {
                        (Event::MappingEnd, _) => break Inside::Map(members),
                        (Event::Scalar(key, ..), span) => (key.into_owned(), self.place(span.start)),
                        (event, span) => (String::new(), self.node(event, span)?.at),
                    };
                    let (event, span) = self.next()?;
                    members.push((key, at, self.node(event, span)?));
                }
            }
            _ => Inside::Alias,
        };
        Some(Node { at, inside })
    }
}

impl<'t> Node<'t> {
    /// Where the value begins.
    pub fn at(&self) -> Place {
        self.at
    }

    fn child(&self, step: &str) -> Option<(Place, &Self)> {
        match &self.inside {
            Inside::Map(members) => members
                .iter()
                .find(|(key, ..)| key == step)
                .map(|(_, at, node)| (*at, node)),
            Inside::List(items) => step
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .map(|node| (node.at, node)),
            Inside::Scalar(..) | Inside::Alias => None,
        }
    }

    /// The value below this one at a path of keys and indexes.
    pub fn find(&self, path: &[impl AsRef<str>]) -> Option<&Self> {
        path.iter()
            .try_fold(self, |node, step| Some(node.child(step.as_ref())?.1))
    }

    /// Where the key at the end of the path stands; where a part of the path is missing, the last one that is there.
    pub fn key(&self, path: &[impl AsRef<str>]) -> Place {
        let (mut node, mut place) = (self, self.at);
        for step in path {
            let Some((at, below)) = node.child(step.as_ref()) else {
                break;
            };
            (place, node) = (at, below);
        }
        place
    }

    /// Where the letter stands that is number `offset` of the text (counted from 0, in characters, after all escapes).
    pub fn letter(&self, text: &str, offset: usize) -> Place {
        let Inside::Scalar(raw, style) = &self.inside else {
            return self.at;
        };
        // White space is folded and indented; everything else is there, in order.
        let before = text
            .chars()
            .take(offset)
            .filter(|letter| !letter.is_whitespace())
            .count();
        let mut letters = Letters::new(raw, *style);
        for _ in 0..before {
            letters.next();
        }
        let Some(found) = letters.next() else { return self.at };
        let (mut line, mut column) = (self.at.line, self.at.column);
        for letter in raw[..found].chars() {
            match letter {
                '\n' => (line, column) = (line + 1, 1),
                _ => column += 1,
            }
        }
        Place { line, column }
    }
}

/// Offsets, in bytes, of the letters of a text that are no white space, as it is written in a file.
struct Letters<'t> {
    raw: &'t str,
    style: ScalarStyle,
    at: usize,
    closing: usize,
}

impl<'t> Letters<'t> {
    fn new(raw: &'t str, style: ScalarStyle) -> Self {
        let (at, closing) = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (1, raw.len().saturating_sub(1)),
            // The line with `|` or `>` is none of its own.
            ScalarStyle::Literal | ScalarStyle::Folded if raw.starts_with(['|', '>']) => {
                (raw.find('\n').map_or(raw.len(), |end| end + 1), raw.len())
            }
            _ => (0, raw.len()),
        };
        Self {
            raw,
            style,
            at,
            closing,
        }
    }
}

impl Iterator for Letters<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let start = self.at;
            let rest = self.raw.get(start..self.closing)?;
            let mut letters = rest.chars();
            let letter = letters.next()?;
            let next = letters.next();
            self.at += letter.len_utf8();
            match (self.style, letter, next) {
                (ScalarStyle::SingleQuoted, '\'', _) => {
                    self.at += 1;
                    return Some(start);
                }
                (ScalarStyle::DoubleQuoted, '\\', Some(escaped)) => {
                    self.at += escaped.len_utf8();
                    self.at += match escaped {
                        'x' => 2,
                        'u' => 4,
                        'U' => 8,
                        _ => 0,
                    };
                    if !matches!(
                        escaped,
                        'n' | 't' | 'r' | ' ' | '\t' | '\n' | '_' | 'N' | 'L' | 'P' | 'v' | 'f'
                    ) {
                        return Some(start);
                    }
                }
                (_, letter, _) if !letter.is_whitespace() => return Some(start),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize) -> Place {
        Place { line, column }
    }

    #[test]
    fn keys_and_values_are_found_in_every_style() {
        let text = "--- # first\nspec: # second\n  steps:\n  - id: a\n    input: {url: ./x, values: {name: \"n\"}}\n  - id: b\n";
        let node = read(text, 10).expect("it can be read");
        assert_eq!(node.key(&["spec", "steps", "1", "id"]), place(15, 5));
        assert_eq!(
            node.key(&["spec", "steps", "0", "input", "values", "name"]),
            place(14, 32)
        );
        assert_eq!(
            node.find(&["spec", "steps", "0", "input", "values", "name"])
                .map(Node::at),
            Some(place(14, 38))
        );
        assert_eq!(
            node.key(&["spec", "steps", "0", "gone"]),
            place(13, 5),
            "the last that is there"
        );
        assert!(node.find(&["spec", "gone"]).is_none());
    }

    #[test]
    fn letters_are_found_in_every_style() {
        let text = "\
plain: say ${{ x }}
folded plain: one
  two ${{ x }}
single: 'it''s ${{ x }}'
double: \"a \\\"b\\\" \\u00e4 ${{ x }}\"
literal: |
  one

    two ${{ x }}
folded: >-
  one
  zwölf ${{ x }}
";
        let value = crate::catalog::yaml_text::read(text).expect("it can be read");
        let node = read(text, 1).expect("it can be read");
        for (key, expected) in [
            ("plain", place(1, 16)),
            ("folded plain", place(3, 11)),
            ("single", place(4, 20)),
            ("double", place(5, 29)),
            ("literal", place(9, 13)),
            ("folded", place(12, 13)),
        ] {
            let content = value[key].as_str().expect("a text");
            let offset = content.chars().position(|letter| letter == 'x').expect("an x");
            let found = node.find(&[key]).expect("it is there").letter(content, offset);
            assert_eq!(found, expected, "{key}");
        }
    }

    #[test]
    fn what_cannot_be_read_has_no_places() {
        assert!(read("a: [", 1).is_none());
        assert!(read("", 1).is_none());
        let alias = read("a: &x 1\nb: *x\n", 1).expect("it can be read");
        assert_eq!(alias.find(&["b"]).map(|node| node.letter("1", 0)), Some(place(2, 4)));
    }
}
