//! Operators. Nunjucks parses them by a ladder of its own, but writes most of them out as JavaScript
//! without brackets, so that JavaScript's precedence decides in the end: `not a == b` is `(not a) == b`
//! and `5 ~ 3 - 1` is `("5" + "3") - 1`. The same happens here: each rung of the ladder yields a flat
//! row of operands and operators, and [`resolve`] groups it as JavaScript does.

use super::super::ast::{Binary, Expression, Kind};
use super::super::error::{ErrorKind, ExpressionError, locate};
use super::super::token::Token;
use super::super::value::units;
use super::reader::Reader;

/// An element of a flat row.
enum Item {
    Operand(Expression),
    Operator(Binary),
    Not(usize),
    Minus(usize),
    Plus(usize),
}

type Row = Vec<Item>;

/// What may follow the name of a test and is not meant to.
const OPERATORS: &[&str] = &[
    "==", "!=", "===", "!==", "<", "<=", ">", ">=", "~", "+", "-", "*", "/", "//", "%", "**", "|",
];

impl Reader<'_> {
    /// `a if b else c`, or anything that binds tighter.
    pub fn expression(&mut self) -> Result<Expression, ExpressionError> {
        if self.depth == 0 {
            return Err(locate(
                ErrorKind::Limit,
                "brackets nest deeper than the limit allows",
                self.source,
                self.position(),
            ));
        }
        self.depth -= 1;
        let at = self.position();
        let row = self.or()?;
        let body = resolve(row, self.source)?;
        let result = if self.take_word("if") {
            let row = self.or()?;
            let condition = resolve(row, self.source)?;
            let otherwise = if self.take_word("else") {
                let row = self.or()?;
                Some(Box::new(resolve(row, self.source)?))
            } else {
                None
            };
            Expression {
                kind: Kind::Conditional(Box::new([condition, body]), otherwise),
                at,
            }
        } else {
            body
        };
        self.depth += 1;
        Ok(result)
    }

    fn or(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.and()?;
        while self.take_word("or") {
            join(&mut row, Binary::Or, self.and()?);
        }
        Ok(row)
    }

    fn and(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.not()?;
        while self.take_word("and") {
            join(&mut row, Binary::And, self.not()?);
        }
        Ok(row)
    }

    fn not(&mut self) -> Result<Row, ExpressionError> {
        let mut row = Vec::new();
        while self.peek_word("not") {
            row.push(Item::Not(self.position()));
            self.next();
        }
        row.extend(self.membership()?);
        Ok(row)
    }

    fn membership(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.test()?;
        let mut count = 0;
        loop {
            let at = self.position();
            let inverted =
                self.peek_word("not") && matches!(self.peek_after(), Some(Token::Name(name)) if name == "in");
            if inverted {
                self.next();
            }
            if !self.take_word("in") {
                return Ok(row);
            }
            count += 1;
            self.check_chain(count)?;
            let container = self.test()?;
            row = self.function(row, container, at, Kind::In)?;
            if inverted {
                row.insert(0, Item::Not(at));
            }
        }
    }

    fn test(&mut self) -> Result<Row, ExpressionError> {
        let row = self.compare()?;
        let at = self.position();
        if !self.take_word("is") {
            return Ok(row);
        }
        let inverted = self.take_word("not");
        let position = self.position();
        let before = self.mark();
        let mut name = self.name("the name of a test")?;
        let mut arguments = Default::default();
        if self.peek_symbol("(") {
            arguments = self.arguments()?;
        } else if OPERATORS.iter().any(|operator| self.peek_symbol(operator)) {
            // Operators and filters bind tighter than `is`. The published engines take the name of the last filter for that
            // of the test, and what has no name for "undefined".
            self.back_to(before);
            name = match self.compare()?.as_slice() {
                [
                    Item::Operand(Expression {
                        kind: Kind::Filter(_, filter, _),
                        ..
                    }),
                ] => format!("| {filter}"),
                _ => String::new(),
            };
        }
        let subject = Box::new(resolve(row, self.source)?);
        let mut row = vec![Item::Operand(Expression {
            kind: Kind::Test(subject, name, arguments),
            at: position,
        })];
        if inverted {
            row.insert(0, Item::Not(at));
        }
        Ok(row)
    }

    fn compare(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.concatenate()?;
        loop {
            let operator = match self.peek() {
                Some(Token::Symbol("==")) => Binary::Equal,
                Some(Token::Symbol("!=")) => Binary::NotEqual,
                Some(Token::Symbol("===")) => Binary::Same,
                Some(Token::Symbol("!==")) => Binary::NotSame,
                Some(Token::Symbol("<")) => Binary::Less,
                Some(Token::Symbol("<=")) => Binary::LessEqual,
                Some(Token::Symbol(">")) => Binary::Greater,
                Some(Token::Symbol(">=")) => Binary::GreaterEqual,
                _ => return Ok(row),
            };
            self.next();
            join(&mut row, operator, self.concatenate()?);
        }
    }

    /// `a ~ b` is written out as `a + "" + b`.
    fn concatenate(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.add()?;
        loop {
            let at = self.position();
            if !self.take("~") {
                return Ok(row);
            }
            let nothing = Expression {
                kind: Kind::Text(units("")),
                at,
            };
            join(&mut row, Binary::Add, vec![Item::Operand(nothing)]);
            join(&mut row, Binary::Add, self.add()?);
        }
    }

    fn add(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.subtract()?;
        while self.take("+") {
            join(&mut row, Binary::Add, self.subtract()?);
        }
        Ok(row)
    }

    fn subtract(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.multiply()?;
        while self.take("-") {
            join(&mut row, Binary::Subtract, self.multiply()?);
        }
        Ok(row)
    }

    fn multiply(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.divide()?;
        while self.take("*") {
            join(&mut row, Binary::Multiply, self.divide()?);
        }
        Ok(row)
    }

    fn divide(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.floor_divide()?;
        while self.take("/") {
            join(&mut row, Binary::Divide, self.floor_divide()?);
        }
        Ok(row)
    }

    fn floor_divide(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.remainder()?;
        let mut count = 0;
        loop {
            let at = self.position();
            if !self.take("//") {
                return Ok(row);
            }
            count += 1;
            self.check_chain(count)?;
            let divisor = self.remainder()?;
            row = self.function(row, divisor, at, Kind::FloorDivide)?;
        }
    }

    fn remainder(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.power()?;
        while self.take("%") {
            join(&mut row, Binary::Remainder, self.power()?);
        }
        Ok(row)
    }

    fn power(&mut self) -> Result<Row, ExpressionError> {
        let mut row = self.unary(true)?;
        let mut count = 0;
        loop {
            let at = self.position();
            if !self.take("**") {
                return Ok(row);
            }
            count += 1;
            self.check_chain(count)?;
            let exponent = self.unary(true)?;
            row = self.function(row, exponent, at, Kind::Power)?;
        }
    }

    fn unary(&mut self, filters: bool) -> Result<Row, ExpressionError> {
        let at = self.position();
        let sign = match self.peek() {
            Some(Token::Symbol("-")) => Some(Item::Minus(at)),
            Some(Token::Symbol("+")) => Some(Item::Plus(at)),
            _ => None,
        };
        let row = match sign {
            Some(sign) => {
                let own = if matches!(sign, Item::Minus(_)) { "-" } else { "+" };
                self.next();
                if self.peek_symbol(own) {
                    return self.fail("two signs in a row need brackets between them", at);
                }
                let mut row = vec![sign];
                row.extend(self.unary(false)?);
                row
            }
            None => vec![Item::Operand(self.primary()?)],
        };
        if filters && self.peek_symbol("|") {
            let mut subject = resolve(row, self.source)?;
            let mut count = 0;
            while self.take("|") {
                count += 1;
                self.check_chain(count)?;
                subject = self.filter(subject)?;
            }
            return Ok(vec![Item::Operand(subject)]);
        }
        Ok(row)
    }

    fn filter(&mut self, subject: Expression) -> Result<Expression, ExpressionError> {
        let at = self.position();
        let name = self.dotted_name("the name of a filter")?;
        let arguments = if self.peek_symbol("(") {
            self.arguments()?
        } else {
            Default::default()
        };
        Ok(Expression {
            kind: Kind::Filter(Box::new(subject), name, arguments),
            at,
        })
    }

    /// An operator that is written out as a function call, and so keeps both sides to itself.
    fn function(
        &self,
        left: Row,
        right: Row,
        at: usize,
        kind: fn(Box<Expression>, Box<Expression>) -> Kind,
    ) -> Result<Row, ExpressionError> {
        let left = Box::new(resolve(left, self.source)?);
        let right = Box::new(resolve(right, self.source)?);
        Ok(vec![Item::Operand(Expression {
            kind: kind(left, right),
            at,
        })])
    }
}

fn join(row: &mut Row, operator: Binary, right: Row) {
    row.push(Item::Operator(operator));
    row.extend(right);
}

/// Groups a flat row by JavaScript's precedence.
fn resolve(row: Row, source: &[u16]) -> Result<Expression, ExpressionError> {
    // The tree is as deep as the row is long, and must be freed without running out of stack.
    const LONGEST: usize = 2_000;
    if row.len() > LONGEST {
        let message = format!("an expression has more than the limit of {LONGEST} operators and operands");
        return Err(locate(ErrorKind::Limit, message, source, 0));
    }
    let mut items = row.into_iter().peekable();
    let expression = climb(&mut items, 0, source)?;
    Ok(expression)
}

fn climb(
    items: &mut std::iter::Peekable<std::vec::IntoIter<Item>>,
    lowest: u8,
    source: &[u16],
) -> Result<Expression, ExpressionError> {
    let mut left = operand(items, source)?;
    while let Some(Item::Operator(operator)) = items.peek() {
        let operator = *operator;
        if operator.precedence() <= lowest {
            break;
        }
        items.next();
        let right = climb(items, operator.precedence(), source)?;
        let at = left.at;
        left = Expression {
            kind: Kind::Binary(operator, Box::new(left), Box::new(right)),
            at,
        };
    }
    Ok(left)
}

fn operand(
    items: &mut std::iter::Peekable<std::vec::IntoIter<Item>>,
    source: &[u16],
) -> Result<Expression, ExpressionError> {
    let mut signs = Vec::new();
    loop {
        match items.next() {
            Some(Item::Operand(mut expression)) => {
                while let Some(sign) = signs.pop() {
                    let (kind, at): (fn(Box<Expression>) -> Kind, usize) = match sign {
                        Item::Minus(at) => (Kind::Minus, at),
                        Item::Plus(at) => (Kind::Plus, at),
                        Item::Not(at) => (Kind::Not, at),
                        Item::Operand(_) | Item::Operator(_) => continue,
                    };
                    expression = Expression {
                        kind: kind(Box::new(expression)),
                        at,
                    };
                }
                return Ok(expression);
            }
            Some(Item::Operator(_)) | None => {
                return Err(locate(ErrorKind::Syntax, "a value is expected here", source, 0));
            }
            Some(sign) => signs.push(sign),
        }
    }
}
