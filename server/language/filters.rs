//! What templates can do with texts, numbers and times. Modules with templates say `use crate::language::filters;`.

use askama::{Result, Values};
use chrono::{DateTime, Utc};

use super::locale::NAME;
use super::{Locale, Text, ToText, ToValue, times};

/// The reader's, from the values that the template is rendered with.
fn locale(values: &dyn Values) -> Result<Locale> {
    askama::get_value::<Locale>(values, NAME).copied()
}

/// `{{ "Create"|t }}`: says a text.
#[askama::filter_fn]
pub fn t<T: ToText>(text: T, values: &dyn Values) -> Result<String> {
    Ok(locale(values)?.say(&text.to_text()))
}

/// `{{ "Page {number}"|with("number", 2)|t }}`: puts a value into a place.
#[askama::filter_fn]
pub fn with<T: ToText, V: ToValue>(text: T, _: &dyn Values, name: &'static str, value: V) -> Result<Text> {
    Ok(text.to_text().with(name, value))
}

/// `{{ "{count} entity"|counted("{count} entities", 9)|t }}`: one of two texts, with the number as `{count}`.
#[askama::filter_fn]
pub fn counted<V: ToValue>(one: &'static str, _: &dyn Values, many: &'static str, count: V) -> Result<Text> {
    Ok(Text::counted(one, many, count))
}

/// A whole number with the separators of the language.
#[askama::filter_fn]
pub fn number<V: ToValue>(number: V, values: &dyn Values) -> Result<String> {
    Ok(locale(values)?.say(&Text::ours("{number}").with("number", number)))
}

/// A time in words, seen from `now`.
#[askama::filter_fn]
pub fn relative(at: &DateTime<Utc>, values: &dyn Values, now: &DateTime<Utc>) -> Result<String> {
    Ok(locale(values)?.say(&times::relative(at, now)))
}

/// A time to the second, with its zone.
#[askama::filter_fn]
pub fn exact(at: &DateTime<Utc>, values: &dyn Values) -> Result<String> {
    Ok(locale(values)?.exact(at))
}
