//! Words and signs of GraphQL's and Protocol Buffers' files: what both have in common. One pass, nothing is copied.

/// A word or a sign, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    pub kind: Kind,
    pub text: &'t str,
    /// From 1.
    pub line: usize,
    pub column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Letters, digits, `_`, and in files of Protocol Buffers `.`.
    Word,
    /// With its quotation marks.
    Text,
    /// With its marks.
    Comment,
    Sign,
}

/// What cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Fault {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// How a language differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    GraphQl,
    Proto,
}

/// Tokens of one file: more are no file that somebody reads.
const MOST: usize = 2_000_000;

/// All tokens of a text.
///
/// # Errors
/// A text or comment does not end, or there are too many.
pub fn read(text: &str, language: Language) -> Result<Vec<Token<'_>>, Fault> {
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
    };
    let mut tokens = Vec::new();
    loop {
        reader.skip_space(language);
        if reader.rest().is_empty() {
            return Ok(tokens);
        }
        if tokens.len() >= MOST {
            return Err(reader.fault("the file is too long"));
        }
        tokens.push(reader.next(language)?);
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    /// Where the line begins.
    line_start: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fault(&self, message: &str) -> Fault {
        Fault {
            line: self.line,
            column: self.column(),
            message: message.to_owned(),
        }
    }

    fn column(&self) -> usize {
        let before = self.text.get(self.line_start..self.at).unwrap_or_default();
        before.chars().count() + 1
    }

    /// Goes on by so many bytes.
    fn advance(&mut self, bytes: usize) {
        let passed = self.rest().get(..bytes).unwrap_or_default();
        self.line += passed.matches('\n').count();
        if let Some(end) = passed.rfind('\n') {
            self.line_start = self.at + end + 1;
        }
        self.at += bytes;
    }

    fn skip_space(&mut self, language: Language) {
        let is_space = |letter: char| {
            letter.is_whitespace() || letter == '\u{feff}' || (language == Language::GraphQl && letter == ',')
        };
        let rest = self.rest();
        let length = rest.find(|letter| !is_space(letter)).unwrap_or(rest.len());
        self.advance(length);
    }

    fn next(&mut self, language: Language) -> Result<Token<'t>, Fault> {
        let rest = self.rest();
        let (kind, length) = self.measure(rest, language)?;
        let token = Token {
            kind,
            text: rest.get(..length).unwrap_or_default(),
            line: self.line,
            column: self.column(),
        };
        self.advance(length);
        Ok(token)
    }

    fn measure(&self, rest: &str, language: Language) -> Result<(Kind, usize), Fault> {
        let line_comment = if language == Language::GraphQl { "#" } else { "//" };
        if rest.starts_with(line_comment) {
            return Ok((Kind::Comment, rest.find('\n').unwrap_or(rest.len())));
        }
        if language == Language::Proto && rest.starts_with("/*") {
            let end = rest.find("*/").ok_or_else(|| self.fault("the comment does not end"))?;
            return Ok((Kind::Comment, end + 2));
        }
        if language == Language::GraphQl && rest.starts_with("\"\"\"") {
            return Ok((Kind::Text, self.block_length(rest)?));
        }
        let first = rest.chars().next().unwrap_or_default();
        if first == '"' || (first == '\'' && language == Language::Proto) {
            return Ok((Kind::Text, self.text_length(rest, first)?));
        }
        let is_word =
            |letter: char| letter.is_alphanumeric() || letter == '_' || (language == Language::Proto && letter == '.');
        if is_word(first) {
            return Ok((Kind::Word, rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())));
        }
        match rest.starts_with("...") {
            true => Ok((Kind::Sign, 3)),
            false => Ok((Kind::Sign, first.len_utf8())),
        }
    }

    fn block_length(&self, rest: &str) -> Result<usize, Fault> {
        let mut at = 3;
        loop {
            let found = rest.get(at..).and_then(|rest| rest.find("\"\"\""));
            let end = at + found.ok_or_else(|| self.fault("the description does not end"))?;
            if rest.as_bytes().get(end.saturating_sub(1)) != Some(&b'\\') {
                return Ok(end + 3);
            }
            at = end + 3;
        }
    }

    fn text_length(&self, rest: &str, quote: char) -> Result<usize, Fault> {
        let mut escaped = false;
        for (at, letter) in rest.char_indices().skip(1) {
            match letter {
                '\n' => break,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                letter if letter == quote => return Ok(at + 1),
                _ => {}
            }
        }
        Err(self.fault("the text does not end on its line"))
    }
}

/// Tokens one after the other.
pub struct Cursor<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub fn new(tokens: Vec<Token<'t>>) -> Self {
        Self { tokens, at: 0 }
    }

    pub fn peek(&self) -> Option<Token<'t>> {
        self.peek_at(0)
    }

    /// What comes after so many others.
    pub fn peek_at(&self, further: usize) -> Option<Token<'t>> {
        self.tokens.get(self.at + further).copied()
    }

    pub fn next(&mut self) -> Option<Token<'t>> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// Takes this word or sign if it comes next.
    pub fn take(&mut self, text: &str) -> bool {
        let is = self
            .peek()
            .is_some_and(|token| token.text == text && matches!(token.kind, Kind::Word | Kind::Sign));
        self.at += usize::from(is);
        is
    }

    /// # Errors
    /// Something else comes next.
    pub fn expect(&mut self, text: &str) -> Result<(), Fault> {
        match self.take(text) {
            true => Ok(()),
            false => Err(self.fault(&format!("expected {text}"))),
        }
    }

    /// # Errors
    /// No word comes next.
    pub fn word(&mut self) -> Result<&'t str, Fault> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => {
                self.at += 1;
                Ok(token.text)
            }
            _ => Err(self.fault("expected a name")),
        }
    }

    /// A fault at what comes next.
    pub fn fault(&self, message: &str) -> Fault {
        let (place, found) = match self.peek() {
            Some(token) => (
                Some(token),
                format!("{message}, found {}", super::outline::shortened(token.text, 40)),
            ),
            None => (
                self.tokens.last().copied(),
                format!("{message}, but the file ends here"),
            ),
        };
        Fault {
            line: place.map_or(1, |token| token.line),
            column: place.map_or(1, |token| token.column),
            message: found,
        }
    }

    /// Goes past a group whose opening sign was taken, with all groups inside.
    ///
    /// # Errors
    /// The file ends before.
    pub fn skip_group(&mut self, open: &str, close: &str) -> Result<(), Fault> {
        let mut depth = 1_usize;
        while depth > 0 {
            let Some(token) = self.next() else {
                return Err(self.fault(&format!("expected {close}")));
            };
            if token.kind == Kind::Sign {
                depth += usize::from(token.text == open);
                depth -= usize::from(token.text == close);
            }
        }
        Ok(())
    }
}
