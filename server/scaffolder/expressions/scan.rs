//! Splits a template into text and tags, and takes away the white space that tags ask to.

use super::error::{ErrorKind, ExpressionError, locate};
use super::token::{Token, Tokens, tokenize};
use super::value::Text;

/// How tags look and what white space they take along.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Syntax {
    /// `{{ }}` instead of `${{ }}`.
    pub cookiecutter: bool,
    /// A newline after a block tag goes.
    pub trim_blocks: bool,
    /// Blanks between the start of a line and a block tag go.
    pub lstrip_blocks: bool,
}

/// A piece of the template. Offsets are in UTF-16 units.
pub(super) enum Segment {
    Text(Text),
    Output(Tokens),
    /// The tag's word, what follows it, and where the tag starts.
    Tag {
        word: String,
        rest: Tokens,
        at: usize,
    },
}

/// Splits the whole template.
pub(super) fn scan(source: &[u16], syntax: Syntax) -> Result<Vec<Segment>, ExpressionError> {
    Scanner {
        source,
        syntax,
        at: 0,
        text_start: 0,
        trim_next: false,
        segments: Vec::new(),
    }
    .run()
}

struct Scanner<'a> {
    source: &'a [u16],
    syntax: Syntax,
    at: usize,
    text_start: usize,
    /// The tag before ended with `-`: the text that follows loses its leading white space.
    trim_next: bool,
    segments: Vec<Segment>,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<Vec<Segment>, ExpressionError> {
        while self.at < self.source.len() {
            if self.looking_at("{%") {
                self.block()?;
            } else if self.looking_at("{#") {
                self.comment()?;
            } else if self.looking_at("#}") {
                return Err(self.syntax_error("a comment ends here, but none was opened", self.at));
            } else if self.looking_at(self.opening()) {
                self.output()?;
            } else {
                self.at += 1;
            }
        }
        self.text(self.source.len(), false);
        Ok(self.segments)
    }

    fn opening(&self) -> &'static str {
        if self.syntax.cookiecutter { "{{" } else { "${{" }
    }

    fn looking_at(&self, text: &str) -> bool {
        starts(self.source, self.at, text)
    }

    fn syntax_error(&self, message: impl Into<String>, at: usize) -> ExpressionError {
        locate(ErrorKind::Syntax, message, self.source, at)
    }

    /// Ends the text that runs up to `end`.
    fn text(&mut self, end: usize, trim_end: bool) {
        let mut text = &self.source[self.text_start.min(end)..end];
        if self.trim_next {
            text = &text[text.iter().take_while(|unit| is_space(**unit)).count()..];
        }
        if trim_end {
            text = &text[..text.len() - text.iter().rev().take_while(|unit| is_space(**unit)).count()];
        }
        self.trim_next = false;
        if !text.is_empty() {
            self.segments.push(Segment::Text(text.into()));
        }
    }

    fn dash(&mut self) -> bool {
        let dash = self.source.get(self.at) == Some(&u16::from(b'-'));
        self.at += usize::from(dash);
        dash
    }

    fn output(&mut self) -> Result<(), ExpressionError> {
        let start = self.at;
        self.at += self.opening().len();
        let dash = self.dash();
        let tokens = tokenize(self.source, self.at, "}}")?
            .ok_or_else(|| self.syntax_error(format!("\"{}\" is not closed by \"}}}}\"", self.opening()), start))?;
        self.text(start, dash);
        self.after(tokens.after, tokens.dash);
        self.segments.push(Segment::Output(tokens));
        Ok(())
    }

    fn after(&mut self, at: usize, dash: bool) {
        self.at = at;
        self.text_start = at;
        self.trim_next = dash;
    }

    fn comment(&mut self) -> Result<(), ExpressionError> {
        let start = self.at;
        self.at += 2;
        let dash = self.dash();
        let Some(end) = (self.at..self.source.len()).find(|at| starts(self.source, *at, "#}")) else {
            return Err(self.syntax_error("the comment that \"{#\" opens is not closed by \"#}\"", start));
        };
        let closing_dash = end > start + 2 && self.source[end - 1] == u16::from(b'-');
        self.text(start, dash);
        self.after(end + 2, closing_dash);
        Ok(())
    }

    fn block(&mut self) -> Result<(), ExpressionError> {
        let start = self.at;
        self.at += 2;
        let dash = self.dash();
        let mut tokens = tokenize(self.source, self.at, "%}")?
            .ok_or_else(|| self.syntax_error("\"{%\" is not closed by \"%}\"", start))?;
        let Some((Token::Name(word), _)) = tokens.list.first() else {
            return Err(self.syntax_error("a tag starts with its name, for example {% if … %}", start));
        };
        let word = word.clone();
        tokens.list.remove(0);
        let text_end = if self.syntax.lstrip_blocks && !dash {
            self.blank_line_start(start)
        } else {
            start
        };
        self.text(text_end, dash);
        let raw = word == "raw" || word == "verbatim";
        self.after(tokens.after, tokens.dash && !raw);
        if self.syntax.trim_blocks {
            self.skip_newline();
        }
        if raw {
            return self.raw(&word, &tokens, start);
        }
        self.segments.push(Segment::Tag {
            word,
            rest: tokens,
            at: start,
        });
        Ok(())
    }

    fn skip_newline(&mut self) {
        for newline in ["\r\n", "\n"] {
            if self.looking_at(newline) {
                self.at += newline.len();
                self.text_start = self.at;
                return;
            }
        }
    }

    /// Start of the blanks before `at`, where nothing else precedes them on the line.
    fn blank_line_start(&self, at: usize) -> usize {
        let blanks = self.source[self.text_start..at]
            .iter()
            .rev()
            .take_while(|unit| **unit == u16::from(b' ') || **unit == u16::from(b'\t'))
            .count();
        let from = at - blanks;
        if from == 0 || self.source[from - 1] == u16::from(b'\n') {
            from
        } else {
            at
        }
    }

    /// Everything up to the matching `{% endraw %}` is text; the same tag inside nests.
    fn raw(&mut self, word: &str, tokens: &Tokens, start: usize) -> Result<(), ExpressionError> {
        if !tokens.list.is_empty() {
            return Err(self.syntax_error(format!("the tag \"{word}\" takes nothing after its name"), start));
        }
        let end_word = format!("end{word}");
        let mut depth = 1;
        while self.at < self.source.len() {
            if let Some(after) = self.plain_tag(word) {
                depth += 1;
                self.at = after;
            } else if let Some(after) = self.plain_tag(&end_word) {
                depth -= 1;
                if depth == 0 {
                    self.text(self.at, false);
                    self.after(after, false);
                    return Ok(());
                }
                self.at = after;
            } else {
                self.at += 1;
            }
        }
        Err(self.syntax_error(format!("the tag \"{word}\" is not closed by \"{end_word}\""), start))
    }

    /// The end of `{% word %}`, if that is what stands here.
    fn plain_tag(&self, word: &str) -> Option<usize> {
        if !self.looking_at("{%") {
            return None;
        }
        let blanks = |at: usize| at + self.source[at..].iter().take_while(|unit| is_space(**unit)).count();
        let at = blanks(self.at + 2);
        if !starts(self.source, at, word) {
            return None;
        }
        let at = blanks(at + word.len());
        starts(self.source, at, "%}").then_some(at + 2)
    }
}

/// Does `text` (ASCII) stand at `at`?
pub(super) fn starts(source: &[u16], at: usize, text: &str) -> bool {
    source
        .get(at..at + text.len())
        .is_some_and(|units| units.iter().copied().eq(text.encode_utf16()))
}

/// White space, as JavaScript's `\s` has it.
pub(super) fn is_space(unit: u16) -> bool {
    char::from_u32(u32::from(unit)).is_some_and(super::number::is_space)
}
