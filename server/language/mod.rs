//! What pages say, in the reader's language.
//!
//! English is the source: its text is the key, and stands where it is used. A page's template writes `{{ "Create"|t }}`,
//! code writes [`text!`] and [`counted!`], whose [`Text`] knows no language until a template shows it. German stands in
//! `de/<feature>.po`, in the program. A template is told the [`Locale`] when it is rendered ([`Locale::render`]), so no
//! struct has to carry it and nothing global decides. What other systems and authors say is [`Text::Given`], and stays.

mod catalogue;
pub mod filters;
mod locale;
mod nearest;
#[cfg(test)]
mod tests;
mod texts;
mod times;

pub use locale::{Dates, Language, Locale};
pub use nearest::nearest;
pub use texts::{Text, ToText, ToValue, Value};
pub use times::{Words, duration, machine_time};

/// A text of ours, with values in its places: `text!("Page {number} of {pages}", number = 2, pages = 9)`.
macro_rules! text {
    ($key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::language::Text::ours($key)$(.with(stringify!($name), &$value))*
    };
}

/// One of two texts of ours, for one and for another number, which both may name as `{count}`.
macro_rules! counted {
    ($count:expr, $one:literal, $many:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::language::Text::counted($one, $many, $count)$(.with(stringify!($name), &$value))*
    };
}

pub(crate) use {counted, text};
