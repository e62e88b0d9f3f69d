//! The parsed template.

use std::rc::Rc;

use super::regex::Pattern;
use super::value::Text;

/// A piece of a template.
pub(super) enum Node {
    Text(Text),
    Output(Expression),
    If {
        branches: Vec<(Expression, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    For {
        names: Vec<Text>,
        iterable: Expression,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Set {
        names: Vec<Text>,
        value: Expression,
    },
    SetBlock {
        names: Vec<Text>,
        body: Vec<Node>,
    },
    Macro(Rc<Macro>),
    /// `{% call(parameters) name(arguments) %}body{% endcall %}`
    Call {
        callee: Expression,
        arguments: Arguments,
        caller: Rc<Macro>,
        at: usize,
    },
    Filter {
        name: String,
        arguments: Arguments,
        body: Vec<Node>,
        at: usize,
    },
    Switch {
        subject: Expression,
        cases: Vec<(Expression, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    Block(Vec<Node>),
}

/// A macro, or the body of a call block.
pub(super) struct Macro {
    pub name: Text,
    /// In the order in which positional arguments fill them: those without a default first.
    pub parameters: Vec<(Text, Option<Expression>)>,
    pub body: Vec<Node>,
}

/// An expression and its offset in the template.
pub(super) struct Expression {
    pub kind: Kind,
    pub at: usize,
}

/// Positional and named arguments of a call.
#[derive(Default)]
pub(super) struct Arguments {
    pub positional: Vec<Expression>,
    pub named: Vec<(Text, Expression)>,
}

pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    Regex(Rc<Pattern>),
    Name(Text),
    Array(Vec<Expression>),
    Object(Vec<(Text, Expression)>),
    /// `(a, b)`: all are evaluated, the last counts.
    Sequence(Vec<Expression>),
    Member(Box<Expression>, Box<Expression>),
    Slice(Box<Expression>, Box<[Option<Expression>; 3]>),
    Call(Box<Expression>, Arguments),
    Filter(Box<Expression>, String, Arguments),
    Test(Box<Expression>, String, Arguments),
    In(Box<Expression>, Box<Expression>),
    FloorDivide(Box<Expression>, Box<Expression>),
    Power(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Minus(Box<Expression>),
    Plus(Box<Expression>),
    Binary(Binary, Box<Expression>, Box<Expression>),
    Conditional(Box<[Expression; 2]>, Option<Box<Expression>>),
}

/// Operators that Nunjucks hands on to JavaScript, which then decides what binds tighter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Same,
    NotSame,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    /// JavaScript's precedence; higher binds tighter.
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Equal | Self::NotEqual | Self::Same | Self::NotSame => 3,
            Self::Less | Self::LessEqual | Self::Greater | Self::GreaterEqual => 4,
            Self::Add | Self::Subtract => 5,
            Self::Multiply | Self::Divide | Self::Remainder => 6,
        }
    }
}
