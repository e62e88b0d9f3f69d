//! From segments to the syntax tree: the tags.

mod operators;
mod primary;
mod reader;

use std::rc::Rc;

use self::reader::Reader;
use super::ast::{Arguments, Expression, Kind, Macro, Node};
use super::error::{ErrorKind, ExpressionError, locate};
use super::scan::{Segment, Syntax, scan};
use super::token::Tokens;
use super::value::{Text, units};

/// Parses a whole template. `depth` bounds how deep tags and brackets nest.
pub(super) fn parse(source: &[u16], syntax: Syntax, depth: usize) -> Result<Vec<Node>, ExpressionError> {
    let mut parser = Parser {
        source,
        segments: scan(source, syntax)?.into_iter(),
        python_names: syntax.cookiecutter,
        depth,
        end: None,
        filters: 0,
    };
    let nodes = parser.nodes(&[], 0)?;
    Ok(nodes)
}

struct Parser<'a> {
    source: &'a [u16],
    segments: std::vec::IntoIter<Segment>,
    /// `True`, `False` and `None` are literals.
    python_names: bool,
    depth: usize,
    /// The tag at which the last [`Parser::nodes`] stopped.
    end: Option<End>,
    /// Filter tags around what is read.
    filters: usize,
}

/// A tag that ends a body: its word, what follows, where it stands.
struct End {
    word: String,
    rest: Tokens,
    at: usize,
}

/// Tags that only make sense inside another one.
const INNER: &[&str] = &[
    "elif",
    "elseif",
    "else",
    "endif",
    "endfor",
    "endset",
    "endmacro",
    "endcall",
    "endfilter",
    "endswitch",
    "case",
    "default",
    "endblock",
    "endraw",
    "endverbatim",
];

const LOADING: &[&str] = &["include", "import", "from", "extends"];

impl<'a> Parser<'a> {
    fn fail<T>(&self, message: impl Into<String>, at: usize) -> Result<T, ExpressionError> {
        Err(locate(ErrorKind::Syntax, message, self.source, at))
    }

    fn reader<'t>(&self, tokens: &'t Tokens) -> Reader<'t>
    where
        'a: 't,
    {
        Reader::new(self.source, tokens, self.python_names, self.depth)
    }

    /// A tag's rest as one expression.
    fn expression(&self, tokens: &Tokens) -> Result<Expression, ExpressionError> {
        let mut reader = self.reader(tokens);
        let expression = reader.expression()?;
        reader.finish()?;
        Ok(expression)
    }

    /// Nodes up to one of the tags `ends`, which is left in `self.end`. Without `ends`, up to the end.
    fn nodes(&mut self, ends: &[&str], opened: usize) -> Result<Vec<Node>, ExpressionError> {
        let mut nodes = Vec::new();
        while let Some(segment) = self.segments.next() {
            match segment {
                Segment::Text(text) => nodes.push(Node::Text(text)),
                Segment::Output(tokens) => nodes.push(Node::Output(self.expression(&tokens)?)),
                Segment::Tag { word, rest, at } => {
                    if ends.contains(&word.as_str()) {
                        self.end = Some(End { word, rest, at });
                        return Ok(nodes);
                    }
                    if INNER.contains(&word.as_str()) {
                        return match ends {
                            [] => self.fail(format!("\"{word}\" stands here without the tag that it belongs to"), at),
                            _ => self.fail(format!("\"{word}\" stands where {} is expected", ends.join(" or ")), at),
                        };
                    }
                    if self.depth == 0 {
                        return Err(locate(
                            ErrorKind::Limit,
                            "tags nest deeper than the limit allows",
                            self.source,
                            at,
                        ));
                    }
                    self.depth -= 1;
                    nodes.push(self.tag(&word, &rest, at)?);
                    self.depth += 1;
                }
            }
        }
        match ends.last() {
            None => Ok(nodes),
            Some(end) => self.fail(format!("the tag is not closed: \"{end}\" is missing"), opened),
        }
    }

    /// The tag at which the body just read stopped.
    fn take_end(&mut self, at: usize) -> Result<End, ExpressionError> {
        match self.end.take() {
            Some(end) => Ok(end),
            None => self.fail("the tag is not closed", at),
        }
    }

    fn body(&mut self, end: &str, at: usize) -> Result<Vec<Node>, ExpressionError> {
        let body = self.nodes(&[end], at)?;
        self.end = None;
        Ok(body)
    }

    fn tag(&mut self, word: &str, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        match word {
            "if" => self.if_tag(rest, at),
            "for" => self.for_tag(rest, at),
            "set" => self.set_tag(rest, at),
            "macro" => self.macro_tag(rest, at),
            "call" => self.call_tag(rest, at),
            "filter" => self.filter_tag(rest, at),
            "switch" => self.switch_tag(rest, at),
            "block" => {
                self.reader(rest).name("the name of the block")?;
                Ok(Node::Block(self.body("endblock", at)?))
            }
            _ if LOADING.contains(&word) => self.fail(
                format!("\"{word}\" would load another template, which is not possible here"),
                at,
            ),
            _ => self.fail(format!("there is no tag \"{word}\""), at),
        }
    }

    fn if_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        let mut branches = Vec::new();
        let mut condition = self.expression(rest)?;
        loop {
            let body = self.nodes(&["elif", "elseif", "else", "endif"], at)?;
            branches.push((condition, body));
            let end = self.take_end(at)?;
            match end.word.as_str() {
                "else" if !end.rest.list.is_empty() => {
                    return self.fail("else takes nothing after it; a further condition is elif", end.at);
                }
                "else" => {
                    let otherwise = self.body("endif", at)?;
                    return Ok(Node::If { branches, otherwise });
                }
                "endif" => {
                    return Ok(Node::If {
                        branches,
                        otherwise: Vec::new(),
                    });
                }
                _ => condition = self.expression(&end.rest)?,
            }
        }
    }

    fn for_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        let mut reader = self.reader(rest);
        let names = reader.names("a name for the element")?;
        if !reader.take_word("in") {
            return self.fail("a loop is written {% for name in list %}", at);
        }
        let iterable = reader.expression()?;
        reader.finish()?;
        let body = self.nodes(&["else", "endfor"], at)?;
        let otherwise = match self.take_end(at)?.word.as_str() {
            "else" => self.body("endfor", at)?,
            _ => Vec::new(),
        };
        Ok(Node::For {
            names,
            iterable,
            body,
            otherwise,
        })
    }

    fn set_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        let mut reader = self.reader(rest);
        let names = reader.names("the name to set")?;
        if reader.take("=") {
            let value = reader.expression()?;
            reader.finish()?;
            return Ok(Node::Set { names, value });
        }
        reader.finish()?;
        Ok(Node::SetBlock {
            names,
            body: self.body("endset", at)?,
        })
    }

    fn macro_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        if self.filters > 0 {
            return self.fail("a macro cannot be made inside a filter tag; make it before", at);
        }
        let mut reader = self.reader(rest);
        let name = units(&reader.name("the name of the macro")?);
        let parameters = reader.parameters()?;
        reader.finish()?;
        let body = self.body("endmacro", at)?;
        Ok(Node::Macro(Rc::new(Macro { name, parameters, body })))
    }

    fn call_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        let mut reader = self.reader(rest);
        let parameters = if reader.peek_symbol("(") {
            reader.parameters()?
        } else {
            Vec::new()
        };
        let call = reader.expression()?;
        reader.finish()?;
        let Kind::Call(callee, arguments) = call.kind else {
            return self.fail("a call block is written {% call macro(…) %}", at);
        };
        let body = self.body("endcall", at)?;
        Ok(Node::Call {
            callee: *callee,
            arguments,
            caller: Rc::new(Macro {
                name: units("caller"),
                parameters,
                body,
            }),
            at,
        })
    }

    fn filter_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        let mut reader = self.reader(rest);
        let position = reader.position();
        let name = reader.dotted_name("the name of the filter")?;
        let arguments = if reader.peek_symbol("(") {
            reader.arguments()?
        } else {
            Arguments::default()
        };
        reader.finish()?;
        self.filters += 1;
        let body = self.body("endfilter", at)?;
        self.filters -= 1;
        Ok(Node::Filter {
            name,
            arguments,
            body,
            at: position,
        })
    }

    fn switch_tag(&mut self, rest: &Tokens, at: usize) -> Result<Node, ExpressionError> {
        let subject = self.expression(rest)?;
        let before = self.nodes(&["case", "default", "endswitch"], at)?;
        if !before.is_empty() {
            return self.fail("nothing may stand between \"switch\" and its first \"case\"", at);
        }
        let mut cases = Vec::new();
        let mut otherwise = Vec::new();
        let mut end = self.take_end(at)?;
        if end.word == "endswitch" {
            return self.fail("a switch needs a \"case\" or a \"default\"", at);
        }
        while end.word == "case" {
            let value = self.expression(&end.rest)?;
            let body = self.nodes(&["case", "default", "endswitch"], at)?;
            cases.push((value, body));
            end = self.take_end(end.at)?;
        }
        if end.word == "default" {
            otherwise = self.body("endswitch", at)?;
        }
        Ok(Node::Switch {
            subject,
            cases,
            otherwise,
        })
    }
}

/// Names that reach into JavaScript's machinery and are refused everywhere.
fn check_reserved(name: &str, source: &[u16], at: usize) -> Result<Text, ExpressionError> {
    if matches!(name, "constructor" | "prototype" | "__proto__") {
        return Err(locate(
            ErrorKind::Syntax,
            format!("the name \"{name}\" is reserved"),
            source,
            at,
        ));
    }
    Ok(units(name))
}
