//! Walks the syntax tree.

mod calls;
mod expressions;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::Options;
use super::ast::Node;
use super::budget::Budget;
use super::coerce::{same, to_text};
use super::error::{ExpressionError, Fault};
use super::json::from_json;
use super::value::{Function, MacroValue, Text, Value, string, units};

/// Variables of a block, and the block around it.
pub(super) struct Frame {
    variables: RefCell<HashMap<Text, Value>>,
    parent: Option<Rc<Frame>>,
    /// `set` does not reach beyond this frame: the body of a call block.
    isolated: bool,
}

impl Frame {
    fn new(parent: Option<Rc<Frame>>, isolated: bool) -> Rc<Self> {
        Rc::new(Self {
            variables: RefCell::default(),
            parent,
            isolated,
        })
    }

    fn find(&self, name: &Text) -> Option<Value> {
        let own = self.variables.borrow().get(name).cloned();
        match own {
            None => self.parent.as_ref()?.find(name),
            found => found,
        }
    }

    fn declare(&self, name: &Text, value: Value) {
        self.variables.borrow_mut().insert(name.clone(), value);
    }

    /// Gives the variable a new value where it was first set, else here.
    fn set(&self, name: &Text, value: Value) {
        if !self.replace(name, &value) {
            self.declare(name, value);
        }
    }

    fn replace(&self, name: &Text, value: &Value) -> bool {
        if let Some(variable) = self.variables.borrow_mut().get_mut(name) {
            *variable = value.clone();
            return true;
        }
        !self.isolated && self.parent.as_ref().is_some_and(|parent| parent.replace(name, value))
    }
}

/// One render.
pub(super) struct Evaluation<'r> {
    source: &'r [u16],
    context: &'r serde_json::Value,
    options: &'r Options,
    /// Objects and arrays have Python's methods, too.
    python_methods: bool,
    pub budget: Budget,
    /// The outermost variables, which macros see too.
    root: Rc<Frame>,
    /// Variables of the context that were read, converted once so that all readers share them.
    converted: RefCell<HashMap<Text, Value>>,
}

/// Names that every template sees.
pub(super) const GLOBALS: &[&str] = &["range", "cycler", "joiner", "always", "failure"];

impl<'r> Evaluation<'r> {
    pub fn new(source: &'r [u16], context: &'r serde_json::Value, options: &'r Options, python_methods: bool) -> Self {
        Self {
            source,
            context,
            options,
            python_methods,
            budget: Budget::new(options.limits),
            root: Frame::new(None, false),
            converted: RefCell::default(),
        }
    }

    /// The text of a whole template.
    pub fn render(&self, nodes: &[Node]) -> Result<String, ExpressionError> {
        let mut out = Vec::new();
        self.nodes(nodes, &self.root, &mut out)?;
        Ok(string(&out))
    }

    /// The value of a template that is one filter tag.
    pub fn value_of_filter(&self, node: &Node) -> Result<Option<serde_json::Value>, ExpressionError> {
        let value = self.filtered(node, &self.root)?;
        super::json::to_json(&value, &self.budget).map_err(|fault| self.at(fault, 0))
    }

    /// What a filter tag makes of its body; undefined for any other node.
    fn filtered(&self, node: &Node, frame: &Rc<Frame>) -> Result<Value, ExpressionError> {
        let Node::Filter {
            name,
            arguments,
            body,
            at,
        } = node
        else {
            return Ok(Value::Undefined);
        };
        let text = Value::Text(self.capture(body, frame)?);
        self.filter(name, text, arguments, frame, *at)
    }

    /// The value of a template that is one expression.
    pub fn value(&self, expression: &super::ast::Expression) -> Result<Option<serde_json::Value>, ExpressionError> {
        let value = self.expression(expression, &self.root)?;
        super::json::to_json(&value, &self.budget).map_err(|fault| self.at(fault, expression.at))
    }

    fn at(&self, fault: Fault, offset: usize) -> ExpressionError {
        fault.at(self.source, offset)
    }

    fn nodes(&self, nodes: &[Node], frame: &Rc<Frame>, out: &mut Vec<u16>) -> Result<(), ExpressionError> {
        nodes.iter().try_for_each(|node| self.node(node, frame, out))
    }

    fn write(&self, text: &[u16], at: usize, out: &mut Vec<u16>) -> Result<(), ExpressionError> {
        let limit = self.budget.limits.output;
        if out.len() + text.len() > limit {
            let fault = Fault::limit(format!("the output is longer than the limit of {limit} characters"));
            return Err(self.at(fault, at));
        }
        self.budget
            .spend(1 + text.len() / 1024)
            .map_err(|fault| self.at(fault, at))?;
        out.extend_from_slice(text);
        Ok(())
    }

    /// What the nodes print, on its own.
    fn capture(&self, nodes: &[Node], frame: &Rc<Frame>) -> Result<Text, ExpressionError> {
        let mut out = Vec::new();
        self.nodes(nodes, frame, &mut out)?;
        self.budget.allocate(out.len()).map_err(|fault| self.at(fault, 0))?;
        Ok(out.into())
    }

    fn node(&self, node: &Node, frame: &Rc<Frame>, out: &mut Vec<u16>) -> Result<(), ExpressionError> {
        match node {
            Node::Text(text) => self.write(text, 0, out),
            Node::Output(expression) => {
                let value = self.expression(expression, frame)?;
                if value.is_nullish() {
                    return Ok(());
                }
                let text = to_text(&value, &self.budget).map_err(|fault| self.at(fault, expression.at))?;
                self.write(&text, expression.at, out)
            }
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    if self.expression(condition, frame)?.is_true() {
                        return self.nodes(body, frame, out);
                    }
                }
                self.nodes(otherwise, frame, out)
            }
            Node::For {
                names,
                iterable,
                body,
                otherwise,
            } => {
                let value = self.expression(iterable, frame)?;
                if !self.for_each(names, &value, iterable.at, body, frame, out)? {
                    self.nodes(otherwise, frame, out)?;
                }
                Ok(())
            }
            Node::Set { names, value } => {
                let value = self.expression(value, frame)?;
                names.iter().for_each(|name| frame.set(name, value.clone()));
                Ok(())
            }
            Node::SetBlock { names, body } => {
                let value = Value::Text(self.capture(body, frame)?);
                names.iter().for_each(|name| frame.set(name, value.clone()));
                Ok(())
            }
            Node::Macro(definition) => {
                let value = Value::Function(Rc::new(Function::Macro(MacroValue {
                    definition: definition.clone(),
                    frame: None,
                })));
                frame.set(&definition.name, value);
                Ok(())
            }
            Node::Call {
                callee,
                arguments,
                caller,
                at,
            } => {
                let function = self.expression(callee, frame)?;
                let Value::Function(function) = &function else {
                    return Err(self.at(Fault::evaluation("a call block calls a macro, and this is none"), *at));
                };
                let Function::Macro(called) = &**function else {
                    return Err(self.at(Fault::evaluation("a call block calls a macro, and this is none"), *at));
                };
                let (positional, mut named) = self.arguments(arguments, frame)?;
                let caller = Function::Macro(MacroValue {
                    definition: caller.clone(),
                    frame: Some(frame.clone()),
                });
                named.push((units("caller"), Value::Function(Rc::new(caller))));
                let text = self.call_macro(called, positional, &named, *at)?;
                self.write(&text, *at, out)
            }
            Node::Filter { at, .. } => {
                let filtered = self.filtered(node, frame)?;
                if filtered.is_nullish() {
                    return Ok(());
                }
                let text = to_text(&filtered, &self.budget).map_err(|fault| self.at(fault, *at))?;
                self.write(&text, *at, out)
            }
            Node::Switch {
                subject,
                cases,
                otherwise,
            } => {
                let subject = self.expression(subject, frame)?;
                for (at, (value, _)) in cases.iter().enumerate() {
                    if same(&subject, &self.expression(value, frame)?) {
                        // An empty case falls through to the next one that has a body.
                        let body = cases[at..].iter().map(|(_, body)| body).find(|body| !body.is_empty());
                        return self.nodes(body.unwrap_or(otherwise), frame, out);
                    }
                }
                self.nodes(otherwise, frame, out)
            }
            Node::Block(body) => self.nodes(body, frame, out),
        }
    }

    /// Runs the body for each element; false when there is none.
    fn for_each(
        &self,
        names: &[Text],
        value: &Value,
        at: usize,
        body: &[Node],
        outer: &Rc<Frame>,
        out: &mut Vec<u16>,
    ) -> Result<bool, ExpressionError> {
        let fault = |fault| self.at(fault, at);
        let rows: Vec<Vec<Value>> = match value {
            Value::Array(elements) => {
                let elements = elements.borrow().clone();
                let rows: Result<_, Fault> = elements.into_iter().map(|element| row(names, element)).collect();
                rows.map_err(fault)?
            }
            Value::Object(members) if names.len() > 1 => members
                .iter()
                .map(|(key, member)| vec![Value::Text(key.clone()), member.clone()])
                .collect(),
            Value::Text(text) | Value::Safe(text) => {
                self.budget.elements(text.len()).map_err(fault)?;
                let characters = text.iter().map(|unit| Value::Text([*unit].into()));
                if names.len() > 1 {
                    characters
                        .enumerate()
                        .map(|(index, character)| vec![Value::text(&index.to_string()), character])
                        .collect()
                } else {
                    characters.map(|character| vec![character]).collect()
                }
            }
            _ => Vec::new(),
        };
        let count = rows.len();
        let frame = Frame::new(Some(outer.clone()), false);
        for (index, row) in rows.into_iter().enumerate() {
            // The loop's own variables are made anew each time.
            self.budget.spend(4).map_err(fault)?;
            let mut row = row.into_iter();
            for name in names {
                frame.declare(name, row.next().unwrap_or(Value::Undefined));
            }
            frame.declare(&units("loop"), loop_variable(index, count));
            self.budget
                .deeper(|| Ok(self.nodes(body, &frame, out)))
                .map_err(fault)??;
        }
        Ok(count > 0)
    }

    /// The value of a variable: set by the template, else from the context, else a global.
    fn lookup(&self, name: &Text, frame: &Rc<Frame>) -> Result<Value, Fault> {
        if let Some(value) = frame.find(name).or_else(|| self.root.find(name)) {
            return Ok(value);
        }
        if let Some(value) = self.converted.borrow().get(name) {
            return Ok(value.clone());
        }
        let word = string(name);
        let value = if let Some(json) = self.context.get(&word) {
            from_json(json, &self.budget)?
        } else if GLOBALS.contains(&word.as_str()) {
            self.global(&word)
        } else {
            return Ok(Value::Undefined);
        };
        self.converted.borrow_mut().insert(name.clone(), value.clone());
        Ok(value)
    }

    fn global(&self, name: &str) -> Value {
        let function = match (name, self.options.failed) {
            ("range", _) => Function::Range,
            ("cycler", _) => Function::Cycler,
            ("joiner", _) => Function::Joiner,
            ("always", Some(_)) => Function::Status(true),
            ("failure", Some(failed)) => Function::Status(failed),
            _ => return Value::Undefined,
        };
        Value::Function(Rc::new(function))
    }
}

/// The values of the loop's names for one element.
fn row(names: &[Text], element: Value) -> Result<Vec<Value>, Fault> {
    if names.len() == 1 {
        return Ok(vec![element]);
    }
    Ok(match &element {
        Value::Undefined | Value::Null => {
            return Err(Fault::evaluation(
                "null has no parts to spread over the names of the loop",
            ));
        }
        Value::Array(parts) => parts.borrow().clone(),
        Value::Text(text) | Value::Safe(text) => text.iter().map(|unit| Value::Text([*unit].into())).collect(),
        _ => Vec::new(),
    })
}

fn loop_variable(index: usize, count: usize) -> Value {
    let number = |value: usize| Value::Number(value as f64);
    let members = [
        ("index", number(index + 1)),
        ("index0", number(index)),
        ("revindex", number(count - index)),
        ("revindex0", number(count - index - 1)),
        ("first", Value::Bool(index == 0)),
        ("last", Value::Bool(index + 1 == count)),
        ("length", number(count)),
    ];
    Value::object(members.into_iter().map(|(name, value)| (units(name), value)).collect())
}
