//! Calls: methods, macros, globals.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::ast::{Arguments, Expression, Kind};
use super::super::coerce::to_number;
use super::super::error::{ExpressionError, Fault};
use super::super::methods;
use super::super::value::{Cycler, Function, MacroValue, Text, Value, string, units};
use super::{Evaluation, Frame};

type Named = Vec<(Text, Value)>;

impl Evaluation<'_> {
    pub(super) fn arguments(
        &self,
        arguments: &Arguments,
        frame: &Rc<Frame>,
    ) -> Result<(Vec<Value>, Named), ExpressionError> {
        let positional: Result<_, _> = arguments
            .positional
            .iter()
            .map(|argument| self.expression(argument, frame))
            .collect();
        let named: Result<_, _> = arguments
            .named
            .iter()
            .map(|(name, argument)| Ok((name.clone(), self.expression(argument, frame)?)))
            .collect();
        Ok((positional?, named?))
    }

    pub(super) fn call(
        &self,
        callee: &Expression,
        arguments: &Arguments,
        frame: &Rc<Frame>,
        at: usize,
    ) -> Result<Value, ExpressionError> {
        let function = match self.expression(callee, frame)? {
            Value::Function(function) => function,
            other => {
                let fault = Fault::unknown(format!(
                    "{} cannot be called: it is {}",
                    path(callee),
                    other.type_name()
                ));
                return Err(self.at(fault, at));
            }
        };
        let (positional, named) = self.arguments(arguments, frame)?;
        if let Function::Macro(called) = &*function {
            return self.call_macro(called, positional, &named, at).map(Value::Safe);
        }
        if !named.is_empty() {
            let fault = Fault::evaluation(format!("{} takes no named arguments", path(callee)));
            return Err(self.at(fault, at));
        }
        self.call_function(&function, &positional)
            .map_err(|fault| self.at(fault, at))
    }

    fn call_function(&self, function: &Function, arguments: &[Value]) -> Result<Value, Fault> {
        match function {
            Function::Method { receiver, name } => methods::call(receiver, name, arguments, &self.budget),
            Function::Range => self.range(arguments),
            Function::Cycler => Ok(Value::Cycler(Rc::new(RefCell::new(Cycler {
                items: arguments.to_vec(),
                next: 0,
                current: Value::Null,
            })))),
            Function::Joiner => {
                let separator = match arguments.first() {
                    Some(separator) if separator.is_true() => separator.clone(),
                    _ => Value::text(","),
                };
                Ok(Value::Function(Rc::new(Function::Join {
                    separator,
                    started: RefCell::new(false),
                })))
            }
            Function::Join { separator, started } => Ok(if started.replace(true) {
                separator.clone()
            } else {
                Value::text("")
            }),
            Function::Status(answer) => Ok(Value::Bool(*answer)),
            // Handled by the caller, which has the named arguments.
            Function::Macro(_) => Ok(Value::Undefined),
        }
    }

    fn range(&self, arguments: &[Value]) -> Result<Value, Fault> {
        if arguments.len() > 3 {
            return Err(Fault::evaluation("range takes three arguments at most"));
        }
        let number = |at: usize| match arguments.get(at) {
            None | Some(Value::Undefined) => Ok(None),
            Some(value) => to_number(value, &self.budget).map(Some),
        };
        let (start, stop) = match (number(0)?, number(1)?) {
            (Some(start), Some(stop)) => (start, stop),
            (Some(stop), None) => (0.0, stop),
            _ => return Ok(Value::array(Vec::new())),
        };
        let step = number(2)?.filter(|step| *step != 0.0).unwrap_or(1.0);
        let mut elements = Vec::new();
        let mut next = start;
        while (step > 0.0 && next < stop) || (step < 0.0 && next > stop) {
            self.budget.elements(elements.len() + 1)?;
            self.budget.spend(1)?;
            elements.push(Value::Number(next));
            next += step;
        }
        Ok(Value::array(elements))
    }

    /// What the macro prints. It sees the outermost variables and its parameters.
    pub(super) fn call_macro(
        &self,
        called: &MacroValue,
        positional: Vec<Value>,
        named: &[(Text, Value)],
        at: usize,
    ) -> Result<Text, ExpressionError> {
        let frame = Frame::new(called.frame.clone(), true);
        let find = |name: &Text| {
            named
                .iter()
                .find(|(given, _)| given == name)
                .map(|(_, value)| value.clone())
        };
        if let Some(caller) = find(&units("caller")) {
            frame.declare(&units("caller"), caller);
        }
        let mut positional = positional.into_iter();
        for (name, default) in &called.definition.parameters {
            let value = match (positional.next().or_else(|| find(name)), default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.expression(default, &frame)?,
                (None, None) => Value::Undefined,
            };
            frame.declare(name, value);
        }
        self.budget
            .deeper(|| Ok(self.capture(&called.definition.body, &frame)))
            .map_err(|fault| self.at(fault, at))?
    }
}

/// How messages name what was called.
fn path(expression: &Expression) -> String {
    fn spell(expression: &Expression) -> Option<String> {
        match &expression.kind {
            Kind::Name(name) => Some(string(name)),
            Kind::Member(value, key) => match &key.kind {
                Kind::Text(key) => Some(format!("{}.{}", spell(value)?, string(key))),
                _ => None,
            },
            _ => None,
        }
    }
    match (&expression.kind, spell(expression)) {
        (_, Some(path)) => format!("\"{path}\""),
        (Kind::Member(_, key), None) => match &key.kind {
            Kind::Text(key) => format!("\"{}\"", string(key)),
            _ => "this".to_owned(),
        },
        _ => "this".to_owned(),
    }
}
