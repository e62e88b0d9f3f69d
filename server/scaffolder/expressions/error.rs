//! What can go wrong with an expression, and where.

/// The sort of an [`ExpressionError`], for those who treat them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not a template: an unknown tag, a missing bracket, an unterminated tag.
    Syntax,
    /// A filter, test or function has no such name, or the value has no such method.
    Unknown,
    /// The values do not fit the operation.
    Evaluation,
    /// A limit on work, size or nesting was reached. Never tolerated, whatever the mode.
    Limit,
}

/// An expression that cannot be rendered. `line` and `column` count from 1, the column in UTF-16 units.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ExpressionError {
    pub kind: ErrorKind,
    pub message: String,
    pub line: usize,
    pub column: usize,
}

/// An error that does not know yet where in the template it happened.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub kind: ErrorKind,
    pub message: String,
}

impl Fault {
    pub fn evaluation(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Evaluation,
            message: message.into(),
        }
    }

    pub fn unknown(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Unknown,
            message: message.into(),
        }
    }

    pub fn limit(message: impl Into<String>) -> Self {
        Self {
            kind: ErrorKind::Limit,
            message: message.into(),
        }
    }

    /// The error at `offset` (in UTF-16 units) of `source`.
    pub fn at(self, source: &[u16], offset: usize) -> ExpressionError {
        locate(self.kind, self.message, source, offset)
    }
}

/// An error of `kind` at `offset` (in UTF-16 units) of `source`.
pub(super) fn locate(kind: ErrorKind, message: impl Into<String>, source: &[u16], offset: usize) -> ExpressionError {
    let before = &source[..offset.min(source.len())];
    let newline = u16::from(b'\n');
    let line = before.iter().filter(|unit| **unit == newline).count() + 1;
    let column = before.len() - before.iter().rposition(|unit| *unit == newline).map_or(0, |at| at + 1) + 1;
    ExpressionError {
        kind,
        message: message.into(),
        line,
        column,
    }
}
