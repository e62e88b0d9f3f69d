//! Texts that can be said in each language.

use std::fmt;

use super::catalogue::translation;
use super::{Language, Locale};

/// Something to be said to a reader. [`fmt::Display`] says it in English, as the API and the log do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// A text of ours: the English words, with values for its `{places}`.
    Ours {
        key: &'static str,
        values: Vec<(&'static str, Value)>,
    },
    /// What somebody else said or wrote: the same in every language.
    Given(String),
    /// What the configuration says in each language.
    Each { english: String, german: String },
    /// Several, one behind the other.
    Joined { parts: Vec<Text>, separator: &'static str },
}

/// What stands in a place of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Written with the language's separator of thousands.
    Whole(i64),
    /// So many tenths: written with the language's decimal sign.
    Tenths(i64),
    Text(Text),
}

impl Text {
    /// A text of ours without values. The catalogue's test finds it by [`super::text!`], which calls this.
    pub const fn ours(key: &'static str) -> Self {
        Self::Ours {
            key,
            values: Vec::new(),
        }
    }

    /// `one` for 1, else `many`; the place `{count}` has the number. English and German agree on when it is one.
    pub fn counted(one: &'static str, many: &'static str, count: impl ToValue) -> Self {
        let count = count.to_value();
        let key = if count == Value::Whole(1) { one } else { many };
        Self::ours(key).with("count", count)
    }

    /// The same with a value for a place.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToValue) -> Self {
        if let Self::Ours { values, .. } = &mut self {
            values.push((name, value.to_value()));
        }
        self
    }

    /// Several with commas between them.
    pub fn list(parts: Vec<Self>) -> Self {
        Self::Joined { parts, separator: ", " }
    }

    /// A name and what there is to say of it.
    pub fn about(name: impl Into<Self>, what: impl Into<Self>) -> Self {
        Self::Joined {
            parts: vec![name.into(), what.into()],
            separator: ": ",
        }
    }

    /// Nothing to say.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Ours { key, .. } => key.is_empty(),
            Self::Given(text) => text.is_empty(),
            Self::Each { english, german } => english.is_empty() && german.is_empty(),
            Self::Joined { parts, .. } => parts.iter().all(Self::is_empty),
        }
    }

    pub(super) fn said(&self, locale: Locale) -> String {
        match self {
            Self::Ours { key, values } => fill(translation(locale.language, key), values, locale),
            Self::Given(text) => text.clone(),
            Self::Each { english, german } => match locale.language {
                Language::English => english.clone(),
                Language::German => german.clone(),
            },
            Self::Joined { parts, separator } => {
                let parts: Vec<String> = parts.iter().map(|part| part.said(locale)).collect();
                parts.join(separator)
            }
        }
    }
}

impl Value {
    fn said(&self, locale: Locale) -> String {
        match self {
            Self::Whole(number) => locale.whole(*number),
            Self::Tenths(tenths) => locale.tenths(*tenths),
            Self::Text(text) => text.said(locale),
        }
    }
}

/// Puts values into `{places}`, all at once: a value that looks like a place is not one.
fn fill(pattern: &str, values: &[(&'static str, Value)], locale: Locale) -> String {
    let mut said = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while !values.is_empty()
        && let Some((before, place)) = rest.split_once('{')
    {
        said.push_str(before);
        let value = place
            .split_once('}')
            .and_then(|(name, after)| Some((values.iter().find(|(known, _)| *known == name)?, after)));
        rest = match value {
            Some(((_, value), after)) => {
                said.push_str(&value.said(locale));
                after
            }
            None => {
                said.push('{');
                place
            }
        };
    }
    said.push_str(rest);
    said
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said(Locale::default()))
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Given(String::new())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Given(text)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Given(text.to_owned())
    }
}

/// What a template can have said by `|t`: texts, and the English words of a text of ours.
pub trait ToText {
    fn to_text(&self) -> Text;
}

impl ToText for Text {
    fn to_text(&self) -> Text {
        self.clone()
    }
}

impl ToText for &'static str {
    fn to_text(&self) -> Text {
        Text::ours(self)
    }
}

impl<T: ToText + ?Sized> ToText for &T {
    fn to_text(&self) -> Text {
        (**self).to_text()
    }
}

/// What can stand in a place of a text.
pub trait ToValue {
    fn to_value(&self) -> Value;
}

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for Text {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.into())
    }
}

impl ToValue for std::sync::Arc<str> {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        self.as_str().to_value()
    }
}

macro_rules! whole_numbers {
    ($($kind:ty)*) => {$(
        impl ToValue for $kind {
            fn to_value(&self) -> Value {
                Value::Whole(i64::try_from(*self).unwrap_or(i64::MAX))
            }
        }
    )*};
}
whole_numbers!(u8 u16 u32 u64 usize i32 i64);

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}
