//! Expressions.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::ast::{Arguments, Binary, Expression, Kind};
use super::super::coerce::{add, compare, equal, same, to_number, to_text};
use super::super::error::{ExpressionError, Fault};
use super::super::value::{Members, Text, Value, string, units};
use super::super::{filters, methods, predicates};
use super::{Evaluation, Frame};

impl Evaluation<'_> {
    /// The value of an expression.
    pub(super) fn expression(&self, expression: &Expression, frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let fault = |fault| self.at(fault, expression.at);
        self.budget.spend(1).map_err(fault)?;
        self.budget.deeper(|| Ok(self.kind(expression, frame))).map_err(fault)?
    }

    fn kind(&self, expression: &Expression, frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let fault = |fault| self.at(fault, expression.at);
        let at = expression.at;
        match &expression.kind {
            Kind::Null => Ok(Value::Null),
            Kind::Bool(value) => Ok(Value::Bool(*value)),
            Kind::Number(value) => Ok(Value::Number(*value)),
            Kind::Text(text) => Ok(Value::Text(text.clone())),
            Kind::Regex(pattern) => Ok(Value::Regex(pattern.clone())),
            Kind::Name(_) | Kind::Member(..) => {
                let value = self.named(expression, frame)?;
                if self.options.defined && matches!(value, Value::Undefined) {
                    return Err(fault(undefined(expression)));
                }
                Ok(value)
            }
            Kind::Array(elements) => {
                let elements: Result<_, _> = elements.iter().map(|element| self.expression(element, frame)).collect();
                Ok(Value::array(elements?))
            }
            Kind::Object(members) => self.object(members, frame),
            Kind::Sequence(values) => values
                .iter()
                .try_fold(Value::Undefined, |_, value| self.expression(value, frame)),
            Kind::Slice(value, parts) => self.slice(value, parts, frame, at),
            Kind::Call(callee, arguments) => self.call(callee, arguments, frame, at),
            Kind::Filter(subject, name, arguments) => {
                let subject = match &**name {
                    "default" | "d" => self.maybe(subject, frame)?,
                    _ => self.expression(subject, frame)?,
                };
                self.filter(name, subject, arguments, frame, at)
            }
            Kind::Test(subject, name, arguments) => {
                if name.is_empty() && self.options.defined {
                    return Err(fault(Fault::evaluation(
                        "an operator after a test belongs to the name of the test, which is not meant; put the test into \
                         brackets",
                    )));
                }
                let subject = match &**name {
                    "defined" | "undefined" => self.maybe(subject, frame)?,
                    _ => self.expression(subject, frame)?,
                };
                let arguments = self.positional(arguments, frame)?;
                predicates::test(name, &subject, &arguments, &self.budget)
                    .map(Value::Bool)
                    .map_err(fault)
            }
            Kind::Conditional(parts, otherwise) => {
                let [condition, body] = &**parts;
                if self.expression(condition, frame)?.is_true() {
                    return self.expression(body, frame);
                }
                match otherwise {
                    Some(otherwise) => self.expression(otherwise, frame),
                    None => Ok(Value::Text(units(""))),
                }
            }
            Kind::Not(value) => Ok(Value::Bool(!self.expression(value, frame)?.is_true())),
            Kind::Minus(value) => self.number(value, frame).map(|value| Value::Number(-value)),
            Kind::Plus(value) => self.number(value, frame).map(Value::Number),
            Kind::FloorDivide(left, right) => Ok(Value::Number(
                (self.number(left, frame)? / self.number(right, frame)?).floor(),
            )),
            Kind::Power(left, right) => Ok(Value::Number(power(
                self.number(left, frame)?,
                self.number(right, frame)?,
            ))),
            Kind::In(key, container) => {
                let key = self.expression(key, frame)?;
                let container = self.expression(container, frame)?;
                self.contains(&key, &container).map(Value::Bool).map_err(fault)
            }
            Kind::Binary(..) => self.binary(expression, frame),
        }
    }

    /// What a name or member stands for, which may be nothing.
    fn named(&self, expression: &Expression, frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let fault = |fault| self.at(fault, expression.at);
        match &expression.kind {
            Kind::Name(name) => self.lookup(name, frame).map_err(fault),
            Kind::Member(value, key) => {
                let value = self.expression(value, frame)?;
                let key = self.expression(key, frame)?;
                methods::member(&value, &key, self.python_methods, &self.budget).map_err(fault)
            }
            _ => self.expression(expression, frame),
        }
    }

    /// The value of an expression, or nothing where a name in it is not defined and the expression is that name alone,
    /// with its members.
    fn maybe(&self, expression: &Expression, frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let fault = |fault| self.at(fault, expression.at);
        self.budget.spend(1).map_err(fault)?;
        match &expression.kind {
            Kind::Member(value, key) => {
                let value = self.budget.deeper(|| Ok(self.maybe(value, frame))).map_err(fault)??;
                let key = self.expression(key, frame)?;
                methods::member(&value, &key, self.python_methods, &self.budget).map_err(fault)
            }
            _ => self.named(expression, frame),
        }
    }

    fn number(&self, expression: &Expression, frame: &Rc<Frame>) -> Result<f64, ExpressionError> {
        let value = self.expression(expression, frame)?;
        to_number(&value, &self.budget).map_err(|fault| self.at(fault, expression.at))
    }

    fn object(&self, members: &[(Text, Expression)], frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let mut object = Members::new();
        for (key, value) in members {
            object.insert(key.clone(), self.expression(value, frame)?);
        }
        Ok(Value::object(object))
    }

    /// Operators that follow each other nest to the left, a level each: they are walked in a loop.
    fn binary(&self, expression: &Expression, frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let mut pending = Vec::new();
        let mut leftmost = expression;
        while let Kind::Binary(operator, left, right) = &leftmost.kind {
            pending.push((*operator, right, leftmost.at));
            leftmost = left;
        }
        let mut left = self.expression(leftmost, frame)?;
        while let Some((operator, right, at)) = pending.pop() {
            left = match operator {
                Binary::Or if left.is_true() => left,
                Binary::And if !left.is_true() => left,
                Binary::Or | Binary::And => self.expression(right, frame)?,
                _ => {
                    let right = self.expression(right, frame)?;
                    self.operate(operator, &left, &right)
                        .map_err(|fault| self.at(fault, at))?
                }
            };
        }
        Ok(left)
    }

    fn operate(&self, operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
        let budget = &self.budget;
        let ordered = |expected: &[Ordering]| {
            Ok::<_, Fault>(Value::Bool(
                compare(left, right, budget)?.is_some_and(|order| expected.contains(&order)),
            ))
        };
        let numbers = || Ok::<_, Fault>((to_number(left, budget)?, to_number(right, budget)?));
        Ok(match operator {
            Binary::Equal => Value::Bool(equal(left, right, budget)?),
            Binary::NotEqual => Value::Bool(!equal(left, right, budget)?),
            Binary::Same => Value::Bool(same(left, right)),
            Binary::NotSame => Value::Bool(!same(left, right)),
            Binary::Less => ordered(&[Ordering::Less])?,
            Binary::LessEqual => ordered(&[Ordering::Less, Ordering::Equal])?,
            Binary::Greater => ordered(&[Ordering::Greater])?,
            Binary::GreaterEqual => ordered(&[Ordering::Greater, Ordering::Equal])?,
            Binary::Add => add(left, right, budget)?,
            Binary::Subtract => numbers().map(|(left, right)| Value::Number(left - right))?,
            Binary::Multiply => numbers().map(|(left, right)| Value::Number(left * right))?,
            Binary::Divide => numbers().map(|(left, right)| Value::Number(left / right))?,
            Binary::Remainder => numbers().map(|(left, right)| Value::Number(left % right))?,
            // Both were decided before the right side was evaluated.
            Binary::Or | Binary::And => Value::Undefined,
        })
    }

    /// `key in container`.
    fn contains(&self, key: &Value, container: &Value) -> Result<bool, Fault> {
        match container {
            Value::Array(elements) => {
                let elements = elements.borrow();
                self.budget.spend(elements.len())?;
                Ok(elements.iter().any(|element| same(element, key)))
            }
            Value::Text(text) => {
                let key = to_text(key, &self.budget)?;
                self.budget.spend(text.len() / 16)?;
                Ok(methods::find(text, &key, 0).is_some())
            }
            Value::Object(members) => Ok(members.contains_key(&to_text(key, &self.budget)?)),
            Value::Safe(_) => Ok(false),
            _ => Err(Fault::evaluation(format!(
                "\"in\" looks into an array, an object or a text, and this is {}",
                container.type_name()
            ))),
        }
    }

    /// `value[from:to:step]`: always an array, of characters where the value is a text.
    fn slice(
        &self,
        value: &Expression,
        parts: &[Option<Expression>; 3],
        frame: &Rc<Frame>,
        at: usize,
    ) -> Result<Value, ExpressionError> {
        let fault = |fault| self.at(fault, at);
        let value = self.expression(value, frame)?;
        let mut bounds = [None, None, None];
        for (bound, part) in bounds.iter_mut().zip(parts) {
            if let Some(part) = part {
                *bound = Some(self.number(part, frame)?);
            }
        }
        let step = bounds[2].unwrap_or(1.0);
        if step == 0.0 || !step.is_finite() {
            return Err(fault(Fault::evaluation("the step of a slice is a number other than 0")));
        }
        let length = match &value {
            Value::Array(elements) => elements.borrow().len(),
            Value::Text(text) | Value::Safe(text) => text.len(),
            Value::Undefined | Value::Null => return Ok(Value::array(Vec::new())),
            // Other values have no length; what lies between two given bounds is undefined.
            _ => return self.empty_slice(bounds, step).map_err(fault),
        } as f64;
        let bound = |given: Option<f64>, default: f64| match given {
            None => default,
            Some(value) if value < 0.0 => (value + length).max(if step < 0.0 { -1.0 } else { 0.0 }),
            Some(value) => value.min(if step < 0.0 { length - 1.0 } else { length }),
        };
        let (from, to) = if step < 0.0 {
            (bound(bounds[0], length - 1.0), bound(bounds[1], -1.0))
        } else {
            (bound(bounds[0], 0.0), bound(bounds[1], length))
        };
        let mut picked = Vec::new();
        let mut index = from;
        while (step > 0.0 && index < to) || (step < 0.0 && index > to) {
            self.budget
                .elements(picked.len() + 1)
                .and_then(|()| self.budget.spend(1))
                .map_err(fault)?;
            picked.push(methods::element(&value, index));
            index += step;
        }
        Ok(Value::array(picked))
    }

    fn empty_slice(&self, bounds: [Option<f64>; 3], step: f64) -> Result<Value, Fault> {
        let (Some(from), Some(to)) = (bounds[0], bounds[1]) else {
            return Ok(Value::array(Vec::new()));
        };
        let count = ((to - from) / step).ceil().max(0.0) as usize;
        self.budget.elements(count)?;
        self.budget.spend(count)?;
        Ok(Value::array(vec![Value::Undefined; count]))
    }

    /// Applies a filter by its name. Named arguments arrive as one object at the end, as in Nunjucks.
    pub(super) fn filter(
        &self,
        name: &str,
        subject: Value,
        arguments: &Arguments,
        frame: &Rc<Frame>,
        at: usize,
    ) -> Result<Value, ExpressionError> {
        let arguments = self.positional(arguments, frame)?;
        let context = filters::Context {
            budget: &self.budget,
            options: self.options,
            cookiecutter: self.python_methods,
        };
        filters::apply(name, subject, &arguments, &context).map_err(|fault| self.at(fault, at))
    }

    fn positional(&self, arguments: &Arguments, frame: &Rc<Frame>) -> Result<Vec<Value>, ExpressionError> {
        let (mut positional, named) = self.arguments(arguments, frame)?;
        if !named.is_empty() {
            let mut members: Members = named.into_iter().collect();
            members.insert(units(filters::KEYWORDS), Value::Bool(true));
            positional.push(Value::object(members));
        }
        Ok(positional)
    }
}

/// As JavaScript has it: nothing known, to any power but 0, is not known, and neither is 1 to an endless power.
fn power(base: f64, exponent: f64) -> f64 {
    match exponent {
        exponent if exponent.is_nan() => f64::NAN,
        exponent if exponent.is_infinite() && base.abs() == 1.0 => f64::NAN,
        exponent => base.powf(exponent),
    }
}

fn undefined(expression: &Expression) -> Fault {
    Fault::unknown(format!(
        "{} is not defined; correct it, or say what stands in for it: | default(…)",
        spelled(expression).unwrap_or_else(|| "a member".to_owned())
    ))
}

/// A name with its members, as somebody would write it.
fn spelled(expression: &Expression) -> Option<String> {
    match &expression.kind {
        Kind::Name(name) => Some(string(name)),
        Kind::Member(value, key) => {
            let value = spelled(value)?;
            match &key.kind {
                Kind::Text(key) => Some(format!("{value}.{}", string(key))),
                Kind::Number(index) => Some(format!("{value}[{index}]")),
                _ => Some(format!("{value}[…]")),
            }
        }
        _ => None,
    }
}
