//! Reads the tokens of one tag.

use super::super::ast::{Arguments, Expression};
use super::super::error::{ErrorKind, ExpressionError, locate};
use super::super::token::{Token, Tokens};
use super::super::value::Text;
use super::check_reserved;

/// A position in the tokens of a tag.
pub(super) struct Reader<'t> {
    pub source: &'t [u16],
    tokens: &'t Tokens,
    at: usize,
    pub python_names: bool,
    /// How much deeper brackets may nest.
    pub depth: usize,
}

/// Words that are not names of variables.
const WORDS: &[&str] = &["true", "false", "none", "null"];

impl<'t> Reader<'t> {
    pub fn new(source: &'t [u16], tokens: &'t Tokens, python_names: bool, depth: usize) -> Self {
        Self {
            source,
            tokens,
            at: 0,
            python_names,
            depth,
        }
    }

    pub fn peek(&self) -> Option<&'t Token> {
        self.tokens.list.get(self.at).map(|(token, _)| token)
    }

    pub fn peek_after(&self) -> Option<&'t Token> {
        self.tokens.list.get(self.at + 1).map(|(token, _)| token)
    }

    pub fn next(&mut self) -> Option<&'t Token> {
        let token = self.peek();
        self.at += usize::from(token.is_some());
        token
    }

    /// A place to come [back to](Self::back_to).
    pub fn mark(&self) -> usize {
        self.at
    }

    pub fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }

    /// Offset of the next token, or of the end of the tag.
    pub fn position(&self) -> usize {
        self.tokens.list.get(self.at).map_or(self.tokens.end, |(_, at)| *at)
    }

    pub fn fail<T>(&self, message: impl Into<String>, at: usize) -> Result<T, ExpressionError> {
        Err(locate(ErrorKind::Syntax, message, self.source, at))
    }

    /// What follows one value, each nesting the former: as deep as brackets may nest.
    pub fn check_chain(&self, count: usize) -> Result<(), ExpressionError> {
        if count <= self.depth + 1 {
            return Ok(());
        }
        Err(locate(
            ErrorKind::Limit,
            "an expression is a longer chain than the limit on nesting allows",
            self.source,
            self.position(),
        ))
    }

    /// The next token is not what should stand here.
    pub fn unexpected<T>(&self, expected: &str) -> Result<T, ExpressionError> {
        let found = match self.peek() {
            Some(token) => format!("\"{}\"", token.shown()),
            None => "the end of the tag".to_owned(),
        };
        self.fail(format!("{expected} is expected here, not {found}"), self.position())
    }

    pub fn peek_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol)
    }

    pub fn peek_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if found == word)
    }

    pub fn take(&mut self, symbol: &str) -> bool {
        let found = self.peek_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    pub fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word(word);
        self.at += usize::from(found);
        found
    }

    pub fn expect(&mut self, symbol: &str) -> Result<(), ExpressionError> {
        if self.take(symbol) {
            Ok(())
        } else {
            self.unexpected(&format!("\"{symbol}\""))
        }
    }

    pub fn finish(&self) -> Result<(), ExpressionError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.unexpected("the end of the tag"),
        }
    }

    pub fn name(&mut self, what: &str) -> Result<String, ExpressionError> {
        match self.peek() {
            Some(Token::Name(name)) => {
                self.at += 1;
                Ok(name.clone())
            }
            _ => self.unexpected(what),
        }
    }

    /// `a.b.c`, as filters may be named.
    pub fn dotted_name(&mut self, what: &str) -> Result<String, ExpressionError> {
        let mut name = self.name(what)?;
        while self.take(".") {
            name.push('.');
            name.push_str(&self.name(what)?);
        }
        Ok(name)
    }

    /// A name that a value is given to.
    fn target(&mut self, what: &str) -> Result<Text, ExpressionError> {
        let at = self.position();
        let name = self.name(what)?;
        if WORDS.contains(&name.as_str()) {
            return self.fail(format!("\"{name}\" cannot be given another value"), at);
        }
        check_reserved(&name, self.source, at)
    }

    /// `a, b, c`
    pub fn names(&mut self, what: &str) -> Result<Vec<Text>, ExpressionError> {
        let mut names = vec![self.target(what)?];
        while self.take(",") {
            names.push(self.target(what)?);
        }
        Ok(names)
    }

    /// `(a, b=1)`: those without a default come first, as positional arguments fill them first.
    pub fn parameters(&mut self) -> Result<Vec<(Text, Option<Expression>)>, ExpressionError> {
        self.expect("(")?;
        let mut plain = Vec::new();
        let mut with_default = Vec::new();
        while !self.take(")") {
            if !(plain.is_empty() && with_default.is_empty()) {
                self.expect(",")?;
            }
            let name = self.target("the name of a parameter")?;
            if self.take("=") {
                with_default.push((name, Some(self.expression()?)));
            } else {
                plain.push((name, None));
            }
        }
        plain.extend(with_default);
        Ok(plain)
    }

    /// `(1, b=2)`
    pub fn arguments(&mut self) -> Result<Arguments, ExpressionError> {
        self.expect("(")?;
        let mut arguments = Arguments::default();
        let mut first = true;
        while !self.take(")") {
            if !first {
                self.expect(",")?;
            }
            first = false;
            match (self.peek(), self.peek_after()) {
                (Some(Token::Name(name)), Some(Token::Symbol("="))) => {
                    let name = check_reserved(name, self.source, self.position())?;
                    self.at += 2;
                    let value = self.expression()?;
                    arguments.named.push((name, value));
                }
                _ => arguments.positional.push(self.expression()?),
            }
        }
        Ok(arguments)
    }
}
