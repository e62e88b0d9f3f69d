//! What a template refers to, found without rendering it: for those who check templates.

#[cfg(test)]
mod tests;

use super::ast::{Arguments, Binary, Expression, Kind, Macro, Node};
use super::error::ExpressionError;
use super::evaluate::GLOBALS;
use super::scan::Syntax;
use super::value::{Text, string, units};
use super::{FileOptions, Limits, filters, is_plain, methods, on_deep_stack, parse, predicates};

/// What an expression says about a name that may not be defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// It is used as it is.
    None,
    /// It is asked whether it is true. Only an expression that takes no undefined names fails of it.
    Asked,
    /// It is used only where something else holds.
    Branch,
    /// Something stands in for it (`default`), or it is asked whether it is defined.
    StandIn,
}

/// A name that comes from outside of the template, with those of its members that are spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `["steps", "publish", "output"]`.
    pub path: Vec<String>,
    /// More members follow that only a render knows.
    pub goes_on: bool,
    pub guard: Guard,
    /// Offset in the template, in characters.
    pub at: usize,
}

/// What kind of thing has no such name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    Filter,
    Test,
    Method,
}

/// A filter, test or method that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub kind: Missing,
    pub name: String,
    /// Offset in the template, in characters.
    pub at: usize,
}

/// What a template refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// In the order of the text.
    pub references: Vec<Reference>,
    pub unknown: Vec<Unknown>,
    /// The whole text is one expression, which may give a value of any type.
    pub is_value: bool,
    /// There is no tag in it.
    pub is_plain: bool,
}

/// Analyses a text of a template's steps. The error is that of a text that does not parse.
pub fn analyse(text: &str) -> Result<Analysis, ExpressionError> {
    analyse_with(text, "${{", Syntax::default())
}

/// Analyses a file, or a path, of a skeleton.
pub fn analyse_file(text: &str, options: &FileOptions) -> Result<Analysis, ExpressionError> {
    let syntax = Syntax {
        cookiecutter: options.cookiecutter,
        trim_blocks: options.trim_blocks,
        lstrip_blocks: options.lstrip_blocks,
    };
    analyse_with(text, if options.cookiecutter { "{{" } else { "${{" }, syntax)
}

/// Names of filters, tests or methods, for those who look for the nearest one.
pub fn names_of(kind: Missing) -> Vec<&'static str> {
    match kind {
        Missing::Filter => filters::NAMES.to_vec(),
        Missing::Test => predicates::NAMES.to_vec(),
        Missing::Method => methods::names(true).collect(),
    }
}

/// Names of functions that every template sees.
pub fn functions() -> &'static [&'static str] {
    GLOBALS
}

fn analyse_with(text: &str, opening: &str, syntax: Syntax) -> Result<Analysis, ExpressionError> {
    if is_plain(text, opening) {
        return Ok(Analysis {
            is_plain: true,
            ..Analysis::default()
        });
    }
    on_deep_stack(|| {
        let source = units(text);
        let nodes = parse::parse(&source, syntax, Limits::default().depth)?;
        let mut walk = Walk {
            source: &source,
            cookiecutter: syntax.cookiecutter,
            guard: Guard::None,
            own: Vec::new(),
            found: Analysis {
                is_value: matches!(&nodes[..], [Node::Output(_) | Node::Filter { .. }]),
                ..Analysis::default()
            },
        };
        // What is set anywhere is known everywhere: which branch was taken, only a render knows.
        collect_set(&nodes, &mut walk.own);
        walk.nodes(&nodes);
        walk.found.references.sort_by_key(|reference| reference.at);
        Ok(walk.found)
    })
}

/// Names that tags give a value to.
fn collect_set(nodes: &[Node], names: &mut Vec<Text>) {
    for node in nodes {
        match node {
            Node::Set { names: set, .. } => names.extend(set.iter().cloned()),
            Node::SetBlock { names: set, body } => {
                names.extend(set.iter().cloned());
                collect_set(body, names);
            }
            Node::Macro(definition) => {
                names.push(definition.name.clone());
                collect_set(&definition.body, names);
            }
            Node::Call { caller, .. } => collect_set(&caller.body, names),
            Node::If { branches, otherwise } => {
                branches.iter().for_each(|(_, body)| collect_set(body, names));
                collect_set(otherwise, names);
            }
            Node::Switch { cases, otherwise, .. } => {
                cases.iter().for_each(|(_, body)| collect_set(body, names));
                collect_set(otherwise, names);
            }
            Node::For { body, otherwise, .. } => {
                collect_set(body, names);
                collect_set(otherwise, names);
            }
            Node::Filter { body, .. } | Node::Block(body) => collect_set(body, names),
            Node::Text(_) | Node::Output(_) => {}
        }
    }
}

struct Walk<'s> {
    source: &'s [u16],
    cookiecutter: bool,
    guard: Guard,
    /// Names that the template itself gives a value to, as far as they are seen here.
    own: Vec<Text>,
    found: Analysis,
}

impl Walk<'_> {
    fn characters(&self, offset: usize) -> usize {
        let before = self.source.get(..offset).unwrap_or(self.source);
        string(before).chars().count()
    }

    /// Walks with a guard that is at least as strong.
    fn guarded(&mut self, guard: Guard, walk: impl FnOnce(&mut Self)) {
        let outer = self.guard;
        self.guard = outer.max(guard);
        walk(self);
        self.guard = outer;
    }

    /// Walks where more names are known.
    fn knowing(&mut self, names: impl IntoIterator<Item = Text>, walk: impl FnOnce(&mut Self)) {
        let outer = self.own.len();
        self.own.extend(names);
        walk(self);
        self.own.truncate(outer);
    }

    fn nodes(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Text(_) => {}
            Node::Output(expression) | Node::Set { value: expression, .. } => self.expression(expression),
            Node::SetBlock { body, .. } | Node::Block(body) => self.nodes(body),
            Node::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.guarded(Guard::Asked, |walk| walk.expression(condition));
                    self.guarded(Guard::Branch, |walk| walk.nodes(body));
                }
                self.guarded(Guard::Branch, |walk| walk.nodes(otherwise));
            }
            Node::For {
                names,
                iterable,
                body,
                otherwise,
            } => {
                self.expression(iterable);
                self.knowing(names.iter().cloned().chain([units("loop")]), |walk| walk.nodes(body));
                self.nodes(otherwise);
            }
            Node::Macro(definition) => self.definition(definition),
            Node::Call {
                callee,
                arguments,
                caller,
                ..
            } => {
                self.callee(callee);
                self.arguments(arguments);
                self.definition(caller);
            }
            Node::Filter {
                name,
                arguments,
                body,
                at,
            } => {
                self.filter(name, *at);
                self.arguments(arguments);
                self.nodes(body);
            }
            Node::Switch {
                subject,
                cases,
                otherwise,
            } => {
                self.guarded(Guard::Asked, |walk| walk.expression(subject));
                for (value, body) in cases {
                    self.expression(value);
                    self.guarded(Guard::Branch, |walk| walk.nodes(body));
                }
                self.guarded(Guard::Branch, |walk| walk.nodes(otherwise));
            }
        }
    }

    fn definition(&mut self, definition: &Macro) {
        for default in definition.parameters.iter().filter_map(|(_, default)| default.as_ref()) {
            self.expression(default);
        }
        let names = definition.parameters.iter().map(|(name, _)| name.clone());
        self.knowing(names.chain([units("caller")]), |walk| walk.nodes(&definition.body));
    }

    fn arguments(&mut self, arguments: &Arguments) {
        let named = arguments.named.iter().map(|(_, value)| value);
        arguments
            .positional
            .iter()
            .chain(named)
            .for_each(|value| self.expression(value));
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) | Kind::Regex(_) => {}
            Kind::Name(_) | Kind::Member(..) => self.named(expression, false),
            Kind::Array(values) | Kind::Sequence(values) => values.iter().for_each(|value| self.expression(value)),
            Kind::Object(members) => members.iter().for_each(|(_, value)| self.expression(value)),
            Kind::Slice(value, parts) => {
                self.expression(value);
                parts.iter().flatten().for_each(|part| self.expression(part));
            }
            Kind::Call(callee, arguments) => {
                self.callee(callee);
                self.arguments(arguments);
            }
            Kind::Filter(subject, name, arguments) => {
                let guard = match name.as_str() {
                    "default" | "d" => Guard::StandIn,
                    _ => Guard::None,
                };
                self.guarded(guard, |walk| walk.expression(subject));
                self.filter(name, expression.at);
                self.arguments(arguments);
            }
            Kind::Test(subject, name, arguments) => {
                let guard = match name.as_str() {
                    "defined" | "undefined" => Guard::StandIn,
                    _ => Guard::None,
                };
                self.guarded(guard, |walk| walk.expression(subject));
                // What an operator behind a test comes to has no name that could be looked up.
                if !name.is_empty() && !name.starts_with('|') && !predicates::NAMES.contains(&name.as_str()) {
                    self.unknown(Missing::Test, name, expression.at);
                }
                self.arguments(arguments);
            }
            Kind::Conditional(parts, otherwise) => {
                let [condition, body] = &**parts;
                self.guarded(Guard::Asked, |walk| walk.expression(condition));
                self.guarded(Guard::Branch, |walk| walk.expression(body));
                if let Some(otherwise) = otherwise {
                    self.guarded(Guard::Branch, |walk| walk.expression(otherwise));
                }
            }
            Kind::Not(value) => self.guarded(Guard::Asked, |walk| walk.expression(value)),
            Kind::Minus(value) | Kind::Plus(value) => self.expression(value),
            Kind::Binary(Binary::And | Binary::Or, left, right) => {
                self.guarded(Guard::Asked, |walk| walk.expression(left));
                self.guarded(Guard::Branch, |walk| walk.expression(right));
            }
            Kind::In(left, right)
            | Kind::FloorDivide(left, right)
            | Kind::Power(left, right)
            | Kind::Binary(_, left, right) => {
                self.expression(left);
                self.expression(right);
            }
        }
    }

    /// What is called: the last member is a method then, and no member of the value.
    fn callee(&mut self, callee: &Expression) {
        if let Kind::Member(_, key) = &callee.kind
            && let Kind::Text(name) = &key.kind
        {
            let name = string(name);
            if !methods::names(self.cookiecutter).any(|known| known == name) {
                self.unknown(Missing::Method, &name, key.at);
            }
        }
        match &callee.kind {
            Kind::Name(_) | Kind::Member(..) => self.named(callee, true),
            _ => self.expression(callee),
        }
    }

    /// A name with its members.
    fn named(&mut self, expression: &Expression, is_called: bool) {
        let mut members = Vec::new();
        let mut root = expression;
        while let Kind::Member(value, key) = &root.kind {
            members.push(match &key.kind {
                Kind::Text(name) => Some(string(name)),
                Kind::Number(index) => Some(index.to_string()),
                _ => {
                    self.guarded(Guard::None, |walk| walk.expression(key));
                    None
                }
            });
            root = value;
        }
        let Kind::Name(name) = &root.kind else {
            return self.expression(root);
        };
        if self.own.contains(name) {
            return;
        }
        members.reverse();
        if is_called {
            members.pop();
        }
        let known = members.iter().take_while(|member| member.is_some()).count();
        let goes_on = known < members.len();
        let spelled = members.into_iter().map_while(|member| member);
        let reference = Reference {
            path: std::iter::once(string(name)).chain(spelled).collect(),
            goes_on,
            guard: self.guard,
            at: self.characters(root.at),
        };
        self.found.references.push(reference);
    }

    fn filter(&mut self, name: &str, at: usize) {
        if !filters::is_known(name, self.cookiecutter) {
            self.unknown(Missing::Filter, name, at);
        }
    }

    fn unknown(&mut self, kind: Missing, name: &str, at: usize) {
        let unknown = Unknown {
            kind,
            name: name.to_owned(),
            at: self.characters(at),
        };
        self.found.unknown.push(unknown);
    }
}
