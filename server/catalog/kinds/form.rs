//! What a field of a spec may hold.

use serde_json::Value;

use super::super::envelope::{FieldFault, type_name};

/// Form of a known field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text of at least one character; blanks count.
    Text,
    /// Text that may be empty.
    AnyText,
    TextOrFlag,
    /// A list of texts of at least one character; sorted when stored where `true`.
    Texts {
        sorted: bool,
    },
    /// A list of texts that may be empty.
    AnyTexts,
    /// A mapping in which these fields have their forms, and the others the form beside it, or any.
    Mapping(&'static [Field], Option<&'static Form>),
    /// A list of such mappings.
    Mappings(&'static [Field]),
    /// One such mapping or a list of them.
    MappingOrMappings(&'static [Field]),
    /// One of these words.
    OneOf(&'static [&'static str]),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub name: &'static str,
    pub form: Form,
    pub required: bool,
    /// What to write there, for the message when it is missing.
    pub hint: &'static str,
}

pub(super) const fn required(name: &'static str, form: Form, hint: &'static str) -> Field {
    Field {
        name,
        form,
        required: true,
        hint,
    }
}

pub(super) const fn optional(name: &'static str, form: Form) -> Field {
    Field {
        name,
        form,
        required: false,
        hint: "",
    }
}

impl Form {
    /// Adds what is wrong with the value at `path`.
    pub fn check(self, value: &Value, path: &mut Vec<String>, faults: &mut Vec<FieldFault>) {
        let texts = |least: usize| {
            value.as_array().is_some_and(|list| {
                list.iter()
                    .all(|item| item.as_str().is_some_and(|text| text.len() >= least))
            })
        };
        let (right, expected) = match self {
            Self::Text => (
                value.as_str().is_some_and(|text| !text.is_empty()),
                "text that is not empty".to_owned(),
            ),
            Self::AnyText => (value.is_string(), "text".to_owned()),
            Self::TextOrFlag => (
                value.is_string() || value.is_boolean(),
                "text, true or false".to_owned(),
            ),
            Self::Texts { .. } => (texts(1), "a list of texts that are not empty".to_owned()),
            Self::AnyTexts => (texts(0), "a list of texts".to_owned()),
            Self::OneOf(words) => (
                value.as_str().is_some_and(|text| words.contains(&text)),
                format!("one of {}", words.join(", ")),
            ),
            Self::Mapping(fields, others) => match value {
                Value::Object(_) => return check_fields(fields, others, value, path, faults),
                _ => (false, "a mapping".to_owned()),
            },
            Self::MappingOrMappings(fields) if value.is_object() => {
                return check_fields(fields, None, value, path, faults);
            }
            Self::Mappings(fields) | Self::MappingOrMappings(fields) => match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        path.push(index.to_string());
                        Self::Mapping(fields, None).check(item, path, faults);
                        path.pop();
                    }
                    return;
                }
                _ => (false, "a list of mappings".to_owned()),
            },
        };
        if !right {
            let place = path.join(".");
            faults.push(FieldFault {
                path: path.clone(),
                message: format!("{place} must be {expected}, not {}", shown(value)),
            });
        }
    }
}

/// Checks the fields of the mapping at `path`.
pub(super) fn check_fields(
    fields: &'static [Field],
    others: Option<&'static Form>,
    mapping: &Value,
    path: &mut Vec<String>,
    faults: &mut Vec<FieldFault>,
) {
    let Value::Object(mapping) = mapping else { return };
    for field in fields {
        path.push(field.name.to_owned());
        match mapping.get(field.name) {
            Some(value) => field.form.check(value, path, faults),
            None if field.required => {
                let hint = match field.hint {
                    "" => String::new(),
                    hint => format!(": {hint}"),
                };
                faults.push(FieldFault {
                    path: path.clone(),
                    message: format!("{} is missing{hint}", path.join(".")),
                });
            }
            None => {}
        }
        path.pop();
    }
    let Some(form) = others else { return };
    for (key, value) in mapping {
        if fields.iter().all(|field| field.name != key) {
            path.push(key.clone());
            form.check(value, path, faults);
            path.pop();
        }
    }
}

/// A value as a message shows it: short ones as they are.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.chars().count() <= 60 {
        true => text,
        false => type_name(value).to_owned(),
    }
}
