//! Literals, names, brackets, and what may follow them: members, slices, calls.

use super::super::ast::{Expression, Kind};
use super::super::error::ExpressionError;
use super::super::token::Token;
use super::super::value::string;
use super::check_reserved;
use super::reader::Reader;

impl Reader<'_> {
    pub fn primary(&mut self) -> Result<Expression, ExpressionError> {
        let at = self.position();
        let kind = match self.peek() {
            Some(Token::Number(number)) => {
                self.next();
                Kind::Number(*number)
            }
            Some(Token::Text(text)) => {
                self.next();
                Kind::Text(text.clone())
            }
            Some(Token::Regex(pattern)) => {
                self.next();
                Kind::Regex(pattern.clone())
            }
            Some(Token::Name(name)) => {
                self.next();
                match name.as_str() {
                    "true" => Kind::Bool(true),
                    "false" => Kind::Bool(false),
                    "none" | "null" => Kind::Null,
                    "True" if self.python_names => Kind::Bool(true),
                    "False" if self.python_names => Kind::Bool(false),
                    "None" if self.python_names => Kind::Null,
                    name => Kind::Name(check_reserved(name, self.source, at)?),
                }
            }
            Some(Token::Symbol("(")) => self.group()?,
            Some(Token::Symbol("[")) => self.array()?,
            Some(Token::Symbol("{")) => self.object()?,
            _ => return self.unexpected("a value"),
        };
        self.postfix(Expression { kind, at })
    }

    fn group(&mut self) -> Result<Kind, ExpressionError> {
        self.next();
        if self.peek_symbol(")") {
            return self.unexpected("a value");
        }
        let mut values = vec![self.expression()?];
        while self.take(",") {
            values.push(self.expression()?);
        }
        self.expect(")")?;
        Ok(Kind::Sequence(values))
    }

    fn array(&mut self) -> Result<Kind, ExpressionError> {
        self.next();
        let mut values = Vec::new();
        while !self.take("]") {
            if !values.is_empty() {
                self.expect(",")?;
            }
            values.push(self.expression()?);
        }
        Ok(Kind::Array(values))
    }

    fn object(&mut self) -> Result<Kind, ExpressionError> {
        self.next();
        let mut members = Vec::new();
        while !self.take("}") {
            if !members.is_empty() {
                self.expect(",")?;
            }
            let at = self.position();
            let key = match self.next() {
                Some(Token::Name(name)) => check_reserved(name, self.source, at)?,
                Some(Token::Text(text)) => check_reserved(&string(text), self.source, at)?,
                _ => return self.fail("a key of an object is a name or a text in quotes", at),
            };
            self.expect(":")?;
            members.push((key, self.expression()?));
        }
        Ok(Kind::Object(members))
    }

    fn postfix(&mut self, mut value: Expression) -> Result<Expression, ExpressionError> {
        let mut count = 0;
        loop {
            count += 1;
            self.check_chain(count)?;
            let at = self.position();
            let kind = if self.take(".") {
                let name_at = self.position();
                let name = self.name("the name of a member")?;
                let key = Expression {
                    kind: Kind::Text(check_reserved(&name, self.source, name_at)?),
                    at: name_at,
                };
                Kind::Member(Box::new(value), Box::new(key))
            } else if self.take("[") {
                self.subscript(value)?
            } else if self.peek_symbol("(") {
                Kind::Call(Box::new(value), self.arguments()?)
            } else {
                return Ok(value);
            };
            value = Expression { kind, at };
        }
    }

    /// `[key]` or `[from:to:step]`, behind its opening bracket.
    fn subscript(&mut self, value: Expression) -> Result<Kind, ExpressionError> {
        let mut parts = [None, None, None];
        let mut colons = 0;
        let at = self.position();
        while !self.take("]") {
            if self.take(":") {
                colons += 1;
                if colons > 2 {
                    return self.fail("a slice has at most three parts", at);
                }
            } else if parts[colons].is_some() {
                return self.unexpected("\"]\"");
            } else {
                parts[colons] = Some(self.expression()?);
            }
        }
        if colons > 0 {
            return Ok(Kind::Slice(Box::new(value), Box::new(parts)));
        }
        let [Some(key), _, _] = parts else {
            return self.fail("the brackets are empty", at);
        };
        if let Kind::Text(text) = &key.kind {
            check_reserved(&string(text), self.source, key.at)?;
        }
        Ok(Kind::Member(Box::new(value), Box::new(key)))
    }
}
