//! Fields of declared kinds that lists show as columns, and pages as lines.

use serde_json::Value;

use super::super::{Entity, EntityRef};
use super::declared::ColumnDeclaration;
use crate::language::Text;

/// A column of a declared kind.
#[derive(Debug, PartialEq, Eq)]
pub struct FieldColumn {
    /// In addresses and cookies: `database:engine`. No other column's has a colon.
    pub name: String,
    pub title: Text,
    field: Vec<String>,
    /// It holds refs, of this kind where they name none.
    refs: Option<Option<String>>,
}

/// What a field says.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    Nothing,
    Text(String),
    /// A ref that names one entity.
    Ref(EntityRef),
}

/// Letters of a value that are said; the page of the source has all.
const LONGEST: usize = 2_000;

impl FieldColumn {
    /// `links` are the fields in `spec` that hold refs, each with the kind of those that name none.
    pub(super) fn new(
        kind: &str,
        declaration: &ColumnDeclaration,
        links: &[(&[String], Option<&str>)],
    ) -> Result<Self, (&'static str, String)> {
        if declaration.title.is_empty() {
            return Err(("title", "is empty".to_owned()));
        }
        let field = segments(&declaration.field).map_err(|reason| ("field", reason))?;
        if field.len() < 2 || !["spec", "metadata"].contains(&field[0].as_str()) {
            let reason = format!("{} must begin with spec. or metadata.", declaration.field);
            return Err(("field", reason));
        }
        let of_spec = field[0] == "spec";
        let said = match of_spec {
            true => field[1..].join("."),
            false => field.join("."),
        };
        let plain = |letter: char| match letter.is_ascii_alphanumeric() || letter == '_' {
            true => letter.to_ascii_lowercase(),
            false => '-',
        };
        Ok(Self {
            name: mark(kind) + &said.chars().map(plain).collect::<String>(),
            title: declaration.title.clone(),
            refs: links
                .iter()
                .find(|(linked, _)| of_spec && **linked == field[1..])
                .map(|(_, kind)| kind.map(str::to_owned)),
            field,
        })
    }

    /// Path in the entity, as filters have it: in lower case.
    pub fn key(&self) -> String {
        self.field.join(".").to_lowercase()
    }

    /// What the entity says in this field.
    pub fn said(&self, entity: &Entity) -> Said {
        let mut values = Vec::new();
        let body = &entity.body;
        for_each(body, &self.field, &mut Vec::new(), &mut |value, _| match value {
            Value::Array(items) => values.extend(items.iter().cloned()),
            value => values.push(value.clone()),
        });
        if let (Some(kind), [Value::String(one)]) = (&self.refs, values.as_slice())
            && let Ok(target) = EntityRef::parse(one, kind.as_deref(), Some(entity.namespace()))
        {
            return Said::Ref(target);
        }
        let mut text = String::new();
        for word in values.iter().filter_map(word) {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(&word);
            if text.len() > LONGEST {
                let end = text.char_indices().nth(LONGEST).map_or(text.len(), |(end, _)| end);
                text.truncate(end);
                text.push('…');
                break;
            }
        }
        match text.is_empty() {
            true => Said::Nothing,
            false => Said::Text(text),
        }
    }
}

/// A value in a cell; `None` for nothing.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        value => Some(value.to_string()),
    }
}

/// Each value at a path; lists on the way stand for each of their items.
pub(super) fn for_each(
    value: &Value,
    field: &[String],
    path: &mut Vec<String>,
    seen: &mut dyn FnMut(&Value, &[String]),
) {
    let Some((first, rest)) = field.split_first() else {
        return seen(value, path);
    };
    match value {
        Value::Object(members) => {
            if let Some(member) = members.get(first) {
                path.push(first.clone());
                for_each(member, rest, path, seen);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate().filter(|(_, item)| item.is_object()) {
                path.push(index.to_string());
                for_each(item, field, path, seen);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What names of a kind's columns begin with.
pub(super) fn mark(kind: &str) -> String {
    format!("{}:", kind.to_lowercase())
}

/// The parts of a dotted path.
pub(super) fn segments(path: &str) -> Result<Vec<String>, String> {
    let segments: Vec<String> = path.split('.').map(|segment| segment.trim().to_owned()).collect();
    match segments.iter().any(String::is_empty) || segments.len() > 20 {
        true => Err(format!("{path:?} is not a path such as network.subnet")),
        false => Ok(segments),
    }
}
