//! Keeps secrets, and what is made of them, out of everything that is stored or shown.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What stands in for a secret.
pub const MASK: &str = "***";

/// The strings that must not be seen, longest first, so that a secret inside of another leaves no rest.
#[derive(Default)]
pub struct Redactor(RwLock<Vec<String>>);

impl Redactor {
    /// Hides every text in `secrets`, at any depth.
    pub fn new(secrets: &Value) -> Self {
        let redactor = Self::default();
        redactor.hide_value(secrets);
        redactor
    }

    fn hide_value(&self, value: &Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Number(number) => self.hide(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.hide_value(item)),
            Value::Object(fields) => fields.values().for_each(|value| self.hide_value(value)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Hides a secret: as it is, its lines, and as base64, URL and JSON write it.
    pub fn hide(&self, secret: &str) {
        let mut forms = vec![secret.to_owned(), secret.trim().to_owned()];
        forms.extend(
            secret
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= 8)
                .map(str::to_owned),
        );
        if secret.len() >= 4 {
            forms.push(STANDARD.encode(secret));
            forms.push(URL_SAFE_NO_PAD.encode(secret));
            forms.push(utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string());
            forms.push(url::form_urlencoded::byte_serialize(secret.as_bytes()).collect());
            forms.push(Value::from(secret).to_string().trim_matches('"').to_owned());
        }
        let mut hidden = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms {
            if !form.is_empty() && form != MASK && !hidden.contains(&form) {
                hidden.push(form);
            }
        }
        hidden.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// Hides every text of `rendered` that comes out differently where the secrets are others: it was made of one.
    pub fn hide_differences(&self, rendered: &Value, otherwise: &Value) {
        match (rendered, otherwise) {
            (Value::String(text), Value::String(other)) if text == other => {}
            (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
                items
                    .iter()
                    .zip(others)
                    .for_each(|(item, other)| self.hide_differences(item, other));
            }
            (Value::Object(fields), Value::Object(others)) => {
                for (key, value) in fields {
                    self.hide_differences(value, others.get(key).unwrap_or(&Value::Null));
                }
            }
            (value, other) if value == other => {}
            // One or two characters are no secret, and masking them everywhere would make logs unreadable.
            (Value::String(text), _) if text.chars().count() < 3 => {}
            (value, _) => self.hide_value(value),
        }
    }

    pub fn text(&self, text: &str) -> String {
        let hidden = self.0.read().unwrap_or_else(PoisonError::into_inner);
        hidden.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) {
                text.replace(secret.as_str(), MASK)
            } else {
                text
            }
        })
    }
}

/// The same secrets with every text replaced: what is rendered with them shows where secrets went.
pub fn stand_ins(secrets: &Value) -> Value {
    match secrets {
        Value::String(text) => Value::String(format!("stand-in-{}", text.len())),
        Value::Array(items) => items.iter().map(stand_ins).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), stand_ins(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_hidden_in_every_form() {
        let redactor = Redactor::new(&json!({"token": "p@ss \"word\"", "list": ["other-one"]}));
        for (text, expected) in [
            ("use p@ss \"word\" here", "use *** here"),
            ("Basic cEBzcyAid29yZCI=", "Basic ***"),
            ("https://u:p%40ss%20%22word%22@h", "https://u:***@h"),
            ("{\"a\":\"p@ss \\\"word\\\"\"}", "{\"a\":\"***\"}"),
            ("other-one and other-one", "*** and ***"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(redactor.text(text), expected);
        }
    }

    #[test]
    fn what_is_made_of_a_secret_is_hidden() {
        let redactor = Redactor::default();
        redactor.hide_differences(
            &json!({"upper": "SECRET", "plain": "same", "flag": true}),
            &json!({"upper": "STAND-IN-6", "plain": "same", "flag": true}),
        );
        assert_eq!(redactor.text("SECRET same true"), "*** same true");
    }
}
