//! Expressions in templates: the subset of Nunjucks that Backstage's scaffolder renders
//! (`@backstage/plugin-scaffolder-backend` 4.2.0, which renders with nunjitsu 0.6), as an interpreter
//! without input, output or clock.
//!
//! `scan` splits a template into text and tags, `token` reads the inside of a tag, `parse` builds the
//! tree of `ast`, `evaluate` walks it over the values of `value`, which behave as JavaScript's do.
//! Everything is paid from a `budget`, so that no template runs, grows or nests without end.

mod analysis;
mod ast;
mod budget;
mod coerce;
mod error;
mod evaluate;
mod extensions;
mod filters;
mod json;
mod methods;
mod number;
mod parse;
mod predicates;
mod regex;
mod scan;
mod token;
mod value;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::ast::{Expression, Kind, Node};
use self::evaluate::Evaluation;
use self::scan::Syntax;

pub use self::analysis::{Analysis, Guard, Missing, Reference, Unknown, analyse, analyse_file, functions, names_of};
pub use self::budget::Limits;
pub use self::error::{ErrorKind, ExpressionError};
pub use self::extensions::EXTENSIONS;

/// How [`render_value`] renders.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// An expression that fails is an error. Otherwise its text stays as it is and a [`Warning`] tells
    /// of it, as Backstage does; only limits are errors then.
    pub strict: bool,
    /// A name that is not defined is an error, but where it is asked for (`is defined`) or something stands in for it
    /// (`default`). Otherwise it prints nothing, as in Backstage.
    pub defined: bool,
    /// Whether an earlier step has failed: what `failure()` answers. `None` where neither `always()` nor
    /// `failure()` exists.
    pub failed: Option<bool>,
    /// Host (with its port) and kind (`github`, `gitea`, …) of each configured integration, for
    /// `parseRepoUrl` and `projectSlug`.
    pub integrations: Vec<(String, String)>,
    pub limits: Limits,
}

/// How [`render_template`] renders a file or a path.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// A newline after a block tag goes.
    pub trim_blocks: bool,
    /// Blanks between the start of a line and a block tag go.
    pub lstrip_blocks: bool,
    /// `{{ }}` delimits expressions, objects have Python's methods, and there is a filter `jsonify`.
    pub cookiecutter: bool,
    /// As in [`Options`].
    pub defined: bool,
    /// As in [`Options`].
    pub integrations: Vec<(String, String)>,
    pub limits: Limits,
}

/// An expression that failed and was left as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// JSON pointer of the text within the rendered value.
    pub pointer: String,
    pub error: ExpressionError,
}

/// Renders every text in `value` (keys stay as they are) against `context`, an object.
///
/// A text that is one single expression becomes what that evaluates to: any JSON value; `None`, which
/// removes the key it stands under, for undefined (null as element of an array). Any other text becomes
/// text. Warnings are lost here; see [`render_value_with_warnings`].
pub fn render_value(value: &Value, context: &Value, options: &Options) -> Result<Option<Value>, ExpressionError> {
    render_value_with_warnings(value, context, options, &mut Vec::new())
}

/// As [`render_value`], and adds to `warnings` what was left as it is because it failed.
pub fn render_value_with_warnings(
    value: &Value,
    context: &Value,
    options: &Options,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Value>, ExpressionError> {
    on_deep_stack(|| render_at(value, context, options, &mut String::new(), warnings))
}

/// Runs `work` on a stack that holds as many levels as [`Limits::depth`] allows, whatever the caller's has left: on the
/// caller's own where that is enough.
fn on_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    const STACK: usize = 16 * 1024 * 1024;
    // Frames that are not optimised need more than twice as much.
    const NEEDED: usize = if cfg!(debug_assertions) {
        15 * 1024 * 1024
    } else {
        6 * 1024 * 1024
    };
    stacker::maybe_grow(NEEDED, STACK, work)
}

fn render_at(
    value: &Value,
    context: &Value,
    options: &Options,
    pointer: &mut String,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Value>, ExpressionError> {
    let outer = pointer.len();
    match value {
        Value::String(text) => match render_text(text, context, options) {
            Ok(rendered) => Ok(rendered),
            Err(error) if options.strict || error.kind == ErrorKind::Limit => Err(error),
            Err(error) => {
                warnings.push(Warning {
                    pointer: pointer.clone(),
                    error,
                });
                Ok(Some(value.clone()))
            }
        },
        Value::Array(elements) => {
            let mut rendered = Vec::with_capacity(elements.len());
            for (index, element) in elements.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                rendered.push(render_at(element, context, options, pointer, warnings)?.unwrap_or(Value::Null));
                pointer.truncate(outer);
            }
            Ok(Some(Value::Array(rendered)))
        }
        Value::Object(members) => {
            let mut rendered = serde_json::Map::new();
            for (key, member) in members {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                if let Some(member) = render_at(member, context, options, pointer, warnings)? {
                    rendered.insert(key.clone(), member);
                }
                pointer.truncate(outer);
            }
            Ok(Some(Value::Object(rendered)))
        }
        other => Ok(Some(other.clone())),
    }
}

/// Texts without any delimiter, which are most, are not parsed.
fn is_plain(text: &str, opening: &str) -> bool {
    !["{%", "{#", "#}", opening]
        .iter()
        .any(|delimiter| text.contains(delimiter))
}

fn render_text(text: &str, context: &Value, options: &Options) -> Result<Option<Value>, ExpressionError> {
    if is_plain(text, "${{") {
        return Ok(Some(Value::from(text)));
    }
    let source = value::units(text);
    let nodes = parse::parse(&source, Syntax::default(), options.limits.depth)?;
    let evaluation = Evaluation::new(&source, context, options, false);
    match &nodes[..] {
        [Node::Output(expression)] => evaluation.value(expression),
        [node @ Node::Filter { .. }] => evaluation.value_of_filter(node),
        nodes => evaluation.render(nodes).map(|text| Some(Value::from(text))),
    }
}

/// Renders the text of a file, or a path, against `context`, an object. Undefined prints nothing; every
/// error is an error.
pub fn render_template(text: &str, context: &Value, options: &FileOptions) -> Result<String, ExpressionError> {
    if is_plain(text, if options.cookiecutter { "{{" } else { "${{" }) {
        return Ok(text.to_owned());
    }
    let syntax = Syntax {
        cookiecutter: options.cookiecutter,
        trim_blocks: options.trim_blocks,
        lstrip_blocks: options.lstrip_blocks,
    };
    let options = Options {
        strict: true,
        defined: options.defined,
        failed: None,
        integrations: options.integrations.clone(),
        limits: options.limits,
    };
    on_deep_stack(|| {
        let source = value::units(text);
        let nodes = parse::parse(&source, syntax, options.limits.depth)?;
        Evaluation::new(&source, context, &options, syntax.cookiecutter).render(&nodes)
    })
}

/// Whether a step whose `if` rendered to `value` runs: false, null, the empty text, 0 and the empty array
/// do not. Undefined (`None` from [`render_value`]) does not either; the caller decides that.
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64().is_some_and(|number| number != 0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(_) => true,
    }
}

/// Whether a step's `if` calls `always()` or `failure()`, and so decides itself about running after a
/// failure. False for a text that does not parse.
pub fn calls_status_function(text: &str) -> bool {
    on_deep_stack(|| {
        parse::parse(&value::units(text), Syntax::default(), Limits::default().depth)
            .is_ok_and(|nodes| nodes.iter().any(node_calls_status))
    })
}

fn node_calls_status(node: &Node) -> bool {
    match node {
        Node::Output(expression) | Node::Set { value: expression, .. } => calls_status(expression),
        Node::If { branches, otherwise } => {
            branches
                .iter()
                .any(|(condition, body)| calls_status(condition) || body.iter().any(node_calls_status))
                || otherwise.iter().any(node_calls_status)
        }
        _ => false,
    }
}

fn calls_status(expression: &Expression) -> bool {
    match &expression.kind {
        Kind::Call(callee, _) => match &callee.kind {
            Kind::Name(name) => ["always", "failure"].iter().any(|known| **name == *value::units(known)),
            _ => calls_status(callee),
        },
        Kind::Sequence(values) | Kind::Array(values) => values.iter().any(calls_status),
        Kind::Not(value) | Kind::Filter(value, ..) | Kind::Test(value, ..) => calls_status(value),
        Kind::Binary(_, left, right) | Kind::In(left, right) => calls_status(left) || calls_status(right),
        Kind::Conditional(parts, otherwise) => {
            parts.iter().any(calls_status) || otherwise.as_ref().is_some_and(|otherwise| calls_status(otherwise))
        }
        _ => false,
    }
}
