//! The answers that a task was started with.

use serde_json::Value;

/// The parameters with their names as words.
pub fn answers(parameters: &Value) -> Vec<(String, String)> {
    let Some(fields) = parameters.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            (words(name), value)
        })
        .collect()
}

/// `appName` and `app_name` as `App name`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        match character {
            '_' | '-' => words.push(' '),
            c if c.is_uppercase() && !words.is_empty() && !words.ends_with(' ') => {
                words.push(' ');
                words.extend(c.to_lowercase());
            }
            c if words.is_empty() => words.extend(c.to_uppercase()),
            c => words.push(c),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words() {
        for (name, expected) in [
            ("name", "Name"),
            ("appName", "App name"),
            ("app_name", "App name"),
            ("repo-url", "Repo url"),
        ] {
            assert_eq!(words(name), expected);
        }
    }
}
