//! Values as JavaScript has them: texts are UTF-16, arrays are shared and mutable, objects ordered.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use indexmap::IndexMap;

use super::ast::Macro;
use super::regex::Pattern;

/// A text in UTF-16 units: lengths, indexes and slices count as JavaScript counts.
pub(super) type Text = Rc<[u16]>;

/// Members of an object in the order that JavaScript gives them (see [`object`]).
pub(super) type Members = IndexMap<Text, Value>;

/// What an expression evaluates to.
#[derive(Clone)]
pub(super) enum Value {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    /// A text that `escape` leaves alone: an object in JavaScript, hence true even when empty.
    Safe(Text),
    Array(Rc<Elements>),
    Object(Rc<Object>),
    Regex(Rc<Pattern>),
    Cycler(Rc<RefCell<Cycler>>),
    Function(Rc<Function>),
}

/// The elements of an array, shared by all who have the array.
pub(super) struct Elements(RefCell<Vec<Value>>);

/// The members of an object, which nothing changes.
pub(super) struct Object(Members);

impl Deref for Elements {
    type Target = RefCell<Vec<Value>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Deref for Object {
    type Target = Members;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl Drop for Elements {
    fn drop(&mut self) {
        free(self.0.take());
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        free(std::mem::take(&mut self.0).into_values().collect());
    }
}

/// Frees values one after the other: a template can nest arrays deeper than the stack could follow.
fn free(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::Array(elements) => pending.extend(Rc::into_inner(elements).into_iter().flat_map(|own| own.0.take())),
            Value::Object(object) => {
                let members = Rc::into_inner(object).map(|mut own| std::mem::take(&mut own.0));
                pending.extend(members.into_iter().flatten().map(|(_, member)| member));
            }
            Value::Cycler(cycler) => pending.extend(
                Rc::into_inner(cycler)
                    .into_iter()
                    .flat_map(|own| own.into_inner().items),
            ),
            Value::Function(function) => match Rc::into_inner(function) {
                Some(Function::Method { receiver, .. }) => pending.push(receiver),
                Some(Function::Join { separator, .. }) => pending.push(separator),
                _ => {}
            },
            _ => {}
        }
    }
}

/// What `cycler(…)` returns.
pub(super) struct Cycler {
    pub items: Vec<Value>,
    pub next: usize,
    pub current: Value,
}

/// Anything that can be called.
pub(super) enum Function {
    /// A method that was read off a value, for example `name.trim`.
    Method {
        receiver: Value,
        name: &'static str,
    },
    Macro(MacroValue),
    Range,
    Cycler,
    Joiner,
    /// What `joiner(…)` returned; `started` after the first call.
    Join {
        separator: Value,
        started: RefCell<bool>,
    },
    /// `always()` and `failure()`: their answer is known before the render.
    Status(bool),
}

/// A macro, or the body of a call block, with the variables it sees.
pub(super) struct MacroValue {
    pub definition: Rc<Macro>,
    /// The frame of a call block, whose body sees the variables around it; macros see only the outermost ones.
    pub frame: Option<Rc<super::evaluate::Frame>>,
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Text(units(text))
    }

    pub fn array(elements: Vec<Self>) -> Self {
        Self::Array(Rc::new(Elements(RefCell::new(elements))))
    }

    /// An object of these members, in JavaScript's order.
    pub fn object(members: Members) -> Self {
        Self::Object(Rc::new(Object(ordered(members))))
    }

    pub fn is_nullish(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// Truth in conditions: JavaScript's, so empty arrays, objects and safe texts are true.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(value) => *value,
            Self::Number(value) => *value != 0.0 && !value.is_nan(),
            Self::Text(text) => !text.is_empty(),
            _ => true,
        }
    }

    /// What messages call the value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::Safe(_) => "a text",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
            Self::Regex(_) => "a regular expression",
            Self::Cycler(_) | Self::Function(_) => "a function",
        }
    }

    /// The units of a text, safe or not.
    pub fn as_units(&self) -> Option<&Text> {
        match self {
            Self::Text(text) | Self::Safe(text) => Some(text),
            _ => None,
        }
    }
}

/// The UTF-16 units of `text`.
pub(super) fn units(text: &str) -> Text {
    text.encode_utf16().collect()
}

/// The text of `units`; half a surrogate pair becomes U+FFFD.
pub(super) fn string(units: &[u16]) -> String {
    String::from_utf16_lossy(units)
}

/// Objects give keys that are array indexes first, ascending, then the others as they were added.
fn ordered(mut members: Members) -> Members {
    if members.keys().any(|key| index(key).is_some()) {
        members.sort_by(|a, _, b, _| match (index(a), index(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => std::cmp::Ordering::Equal,
        });
    }
    members
}

/// The array index that the text spells in canonical form, if it does.
pub(super) fn index(key: &[u16]) -> Option<usize> {
    if key.is_empty() || key.len() > 10 || (key[0] == u16::from(b'0') && key.len() > 1) {
        return None;
    }
    key.iter().try_fold(0usize, |sum, unit| {
        let digit = char::from_u32(u32::from(*unit))?.to_digit(10)?;
        Some(sum * 10 + digit as usize)
    })
}
