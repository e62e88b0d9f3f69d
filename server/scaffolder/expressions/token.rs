//! Tokens inside a tag.

use std::rc::Rc;

use super::error::{ErrorKind, ExpressionError, locate};
use super::regex::Pattern;
use super::scan::{is_space, starts};
use super::value::{Text, string};

#[derive(Clone)]
pub(super) enum Token {
    Name(String),
    Number(f64),
    Text(Text),
    Regex(Rc<Pattern>),
    Symbol(&'static str),
}

impl Token {
    /// How messages show it.
    pub fn shown(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => super::number::to_text(*number),
            Self::Text(text) => string(text),
            Self::Regex(pattern) => pattern.source.clone(),
            Self::Symbol(symbol) => (*symbol).to_owned(),
        }
    }
}

/// The tokens of a tag, each with its offset.
pub(super) struct Tokens {
    pub list: Vec<(Token, usize)>,
    /// Where the closing delimiter starts.
    pub end: usize,
    /// Just behind the closing delimiter.
    pub after: usize,
    /// The closing delimiter has a `-` in front.
    pub dash: bool,
}

/// Longest first.
const SYMBOLS: &[&str] = &[
    "===", "!==", "==", "!=", "<=", ">=", "**", "//", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]",
    "{", "}", ",", ":", ".", "|",
];

/// Reads tokens from `at` to the closing delimiter `close`; `None` when it is not there.
pub(super) fn tokenize(source: &[u16], mut at: usize, close: &str) -> Result<Option<Tokens>, ExpressionError> {
    let mut list = Vec::new();
    // A wrong character is only reported when the tag is closed: an open one is the greater trouble.
    let mut wrong = None;
    while at < source.len() {
        let unit = source[at];
        let dash = unit == u16::from(b'-') && starts(source, at + 1, close);
        if dash || starts(source, at, close) {
            if let Some(error) = wrong {
                return Err(error);
            }
            return Ok(Some(Tokens {
                list,
                end: at,
                after: at + usize::from(dash) + close.len(),
                dash,
            }));
        }
        if is_space(unit) {
            at += 1;
        } else if unit == u16::from(b'"') || unit == u16::from(b'\'') {
            let Some((text, after)) = quoted(source, at) else {
                return Ok(None);
            };
            list.push((Token::Text(text), at));
            at = after;
        } else if starts(source, at, "r/") {
            let (token, after) = regex(source, at)?;
            list.push((token, at));
            at = after;
        } else if is_name_start(unit) {
            let end = at + source[at..].iter().take_while(|unit| is_name(**unit)).count();
            list.push((Token::Name(string(&source[at..end])), at));
            at = end;
        } else if is_digit(unit)
            || (unit == u16::from(b'.')
                && source.get(at + 1).is_some_and(|next| is_digit(*next))
                && !after_value(&list))
        {
            let (token, after) = number(source, at)?;
            list.push((token, at));
            at = after;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| starts(source, at, symbol)) {
            list.push((Token::Symbol(symbol), at));
            at += symbol.len();
        } else {
            let shown = string(&source[at..(at + 1).min(source.len())]);
            wrong.get_or_insert_with(|| {
                locate(
                    ErrorKind::Syntax,
                    format!("\"{shown}\" has no meaning in an expression"),
                    source,
                    at,
                )
            });
            at += 1;
        }
    }
    Ok(None)
}

fn is_digit(unit: u16) -> bool {
    (u16::from(b'0')..=u16::from(b'9')).contains(&unit)
}

fn is_name_start(unit: u16) -> bool {
    u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
}

fn is_name(unit: u16) -> bool {
    is_name_start(unit) || is_digit(unit)
}

/// A dot after a value reads a member, also where a digit follows.
fn after_value(list: &[(Token, usize)]) -> bool {
    matches!(
        list.last(),
        Some((
            Token::Name(_) | Token::Number(_) | Token::Text(_) | Token::Symbol(")" | "]" | "}"),
            _
        ))
    )
}

fn quoted(source: &[u16], start: usize) -> Option<(Text, usize)> {
    let quote = source[start];
    let mut text = Vec::new();
    let mut at = start + 1;
    loop {
        let unit = *source.get(at)?;
        at += 1;
        if unit == quote {
            return Some((text.into(), at));
        }
        if unit != u16::from(b'\\') {
            text.push(unit);
            continue;
        }
        let escaped = *source.get(at)?;
        at += 1;
        text.push(match u8::try_from(escaped) {
            Ok(b'n') => u16::from(b'\n'),
            Ok(b't') => u16::from(b'\t'),
            Ok(b'r') => u16::from(b'\r'),
            _ => escaped,
        });
    }
}

fn number(source: &[u16], start: usize) -> Result<(Token, usize), ExpressionError> {
    let invalid = || {
        locate(
            ErrorKind::Syntax,
            "a number is digits with at most one point; exponents and other bases are not known here",
            source,
            start,
        )
    };
    let digits = |from: usize| from + source[from..].iter().take_while(|unit| is_digit(**unit)).count();
    let mut end = digits(start);
    if end == start {
        return Err(invalid());
    }
    if source.get(end) == Some(&u16::from(b'.')) {
        end = digits(end + 1);
    }
    if source.get(end).is_some_and(|unit| is_name_start(*unit)) {
        return Err(invalid());
    }
    let literal = string(&source[start..end]);
    let value = literal.trim_end_matches('.').parse().map_err(|_| invalid())?;
    Ok((Token::Number(value), end))
}

fn regex(source: &[u16], start: usize) -> Result<(Token, usize), ExpressionError> {
    let fail = |message: String| locate(ErrorKind::Syntax, message, source, start);
    let mut at = start + 2;
    let mut pattern = Vec::new();
    loop {
        let Some(unit) = source.get(at) else {
            return Err(fail("the regular expression is not closed by \"/\"".to_owned()));
        };
        at += 1;
        if *unit == u16::from(b'/') {
            break;
        }
        pattern.push(*unit);
        if *unit == u16::from(b'\\')
            && let Some(escaped) = source.get(at)
        {
            pattern.push(*escaped);
            at += 1;
        }
    }
    let end = at + source[at..].iter().take_while(|unit| is_name(**unit)).count();
    let pattern = Pattern::new(&string(&pattern), &string(&source[at..end])).map_err(fail)?;
    Ok((Token::Regex(Rc::new(pattern)), end))
}
